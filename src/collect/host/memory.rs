//! `/proc/meminfo` and `/proc/loadavg`.

use super::figures::{LOAD, MEMORY};
use crate::collect::facts::{Fact, Facts};
use crate::collect::linux::scan::{Form, decimal, fields, values};
use crate::collect::linux::{Source, made, show_numbers};
use crate::registry::{Observed, Registry};

/// In the order of [`MEMORY`].
const KEYS: [&str; MEMORY.len()] = [
    "MemTotal",
    "MemFree",
    "MemAvailable",
    "Buffers",
    "Cached",
    "SReclaimable",
    "Shmem",
    "Dirty",
    "SwapTotal",
    "SwapFree",
];

pub(crate) struct Memory {
    facts: Facts,
    series: Option<[Observed<f64>; KEYS.len()]>,
}

impl Memory {
    pub(crate) fn new(facts: Facts) -> Self {
        Self { facts, series: None }
    }

    fn tell(&self, total: Option<u64>, available: Option<u64>) {
        let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
        self.facts.set(Fact::MemoryTotal, bytes(total));
        self.facts.set(Fact::MemoryAvailable, bytes(available));
    }
}

impl Source for Memory {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let found = values(text, Form::Kib, &KEYS);
        self.tell(found[0], found[2]);
        let make = || MEMORY.map(|figure| figure.number(registry, &[]));
        show_numbers(made(&mut self.series, make), &found, 1.0);
        found.iter().any(Option::is_some)
    }

    fn clear(&mut self) {
        self.tell(None, None);
        self.series = None;
    }
}

#[derive(Default)]
pub(crate) struct Load(Option<[Observed<f64>; 3]>);

impl Source for Load {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let mut values = fields(text.trim_ascii_end()).map(decimal);
        let loads: [Option<f64>; 3] = std::array::from_fn(|_| values.next().flatten());
        let series = made(&mut self.0, || LOAD.map(|figure| figure.number(registry, &[])));
        for (series, load) in series.iter().zip(loads) {
            series.set_or_clear(load);
        }
        loads.iter().any(Option::is_some)
    }

    fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kibibytes_become_bytes_and_odd_lines_are_absent() {
        let text = "MemTotal:  2000 kB\nMemFree:  abc kB\nMemAvailable: 1500 kB\nBuffers: 3 MB\n\
            Cached: 18446744073709551615 kB\nHugePages_Total: 0\nDirty:0 kB\n";
        let registry = Registry::new();
        let facts = Facts::default();
        let mut memory = Memory::new(facts.clone());
        assert!(memory.show(text.as_bytes(), &registry));
        let snapshot = registry.snapshot();
        let value = |key| snapshot.value(&format!("node_memory_{key}_bytes"));
        assert_eq!(value("MemTotal"), Some(2_048_000.0));
        assert_eq!(value("Dirty"), Some(0.0));
        for absent in ["MemFree", "Buffers", "Cached", "SwapTotal"] {
            assert_eq!(value(absent), None, "{absent}");
        }
        assert_eq!(facts.find(Fact::MemoryAvailable), Some(1_536_000.0));
        assert!(!memory.show(b"nothing: here\n", &registry));
        assert_eq!(registry.snapshot().value("node_memory_MemTotal_bytes"), None);
    }

    #[test]
    fn loads_are_shown_as_they_are() {
        let registry = Registry::new();
        let mut load = Load::default();
        assert!(load.show(b"1.09 3.91 - 1/97 27766\n", &registry));
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.value("node_load1"), Some(1.09));
        assert_eq!(snapshot.value("node_load5"), Some(3.91));
        assert_eq!(snapshot.value("node_load15"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..300),
            text in "(MemTotal|Dirty|[a-z]{1,4})(:| |kB|[0-9]{1,21}|\n){0,30}")
        {
            let registry = Registry::new();
            for text in [&*bytes, text.as_bytes()] {
                Memory::new(Facts::default()).show(text, &registry);
                Load::default().show(text, &registry);
            }
        }
    }
}
