//! `/proc/meminfo` and `/proc/loadavg`.

use super::figures::{LOAD, MEMORY};
use crate::collect::facts::{Fact, Facts};
use crate::collect::linux::Source;
use crate::collect::linux::scan::{decimal, fields, lines, number, split_once};
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

    fn tell(&self, values: [Option<f64>; KEYS.len()]) {
        self.facts.set(Fact::MemoryTotal, values[0]);
        self.facts.set(Fact::MemoryAvailable, values[2]);
    }
}

impl Source for Memory {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let values = parse(text);
        self.tell(values);
        let make = || MEMORY.map(|figure| figure.number(registry, &[]));
        let series = self.series.get_or_insert_with(make);
        for (series, value) in series.iter().zip(values) {
            series.set_or_clear(value);
        }
        values.iter().any(Option::is_some)
    }

    fn clear(&mut self) {
        self.tell([None; KEYS.len()]);
        self.series = None;
    }
}

fn parse(text: &[u8]) -> [Option<f64>; KEYS.len()] {
    let mut values = [None; KEYS.len()];
    // The lines keep one order, so the next key is mostly the one after the last.
    let mut next = 0;
    let mut left = KEYS.len();
    for line in lines(text) {
        let Some((key, rest)) = split_once(line, b':') else { continue };
        let is = |place: usize| {
            let known = KEYS.get(place).map_or(&b""[..], |known| known.as_bytes());
            // Most keys are told apart without a call.
            known.len() == key.len() && known.first() == key.first() && known == key
        };
        let found = if is(next) { Some(next) } else { (0..KEYS.len()).find(|place| is(*place)) };
        let Some(place) = found else { continue };
        next = place + 1;
        left = left.saturating_sub(1);
        let mut fields = fields(rest);
        let bytes = fields.next().and_then(number).and_then(|kib| kib.checked_mul(1024));
        // Every line here is in kB; one in something else is not understood.
        let known = fields.next() == Some(b"kB") && fields.next().is_none();
        if let Some(value) = values.get_mut(place) {
            *value = bytes.filter(|_| known).map(|bytes| bytes as f64);
        }
        // More than half of the file is of no use to us.
        if left == 0 {
            break;
        }
    }
    values
}

#[derive(Default)]
pub(crate) struct Load(Option<[Observed<f64>; 3]>);

impl Source for Load {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let mut values = fields(text.trim_ascii_end()).map(decimal);
        let loads: [Option<f64>; 3] = std::array::from_fn(|_| values.next().flatten());
        let series = self.0.get_or_insert_with(|| LOAD.map(|figure| figure.number(registry, &[])));
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
