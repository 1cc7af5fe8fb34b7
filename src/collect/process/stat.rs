//! `/proc/self/stat`: memory, threads, start.

use std::path::PathBuf;

use super::figures::{RESIDENT, START, THREADS, VIRTUAL};
use crate::collect::figure::Figure;
use crate::collect::linux::Source;
use crate::collect::linux::scan::{fields, number, values};
use crate::registry::{Observed, Registry};

const SHOWN: [Figure; 3] = [THREADS, VIRTUAL, RESIDENT];

/// The kernel tells times in hundredths of a second on every machine Rust runs on.
const TICKS: f64 = 100.0;

pub(crate) struct Stat {
    page: u64,
    /// The machine's `/proc/stat`, for when it started.
    machine: PathBuf,
    series: Option<[Observed<f64>; SHOWN.len()]>,
    start: Option<Start>,
    resident: Option<f64>,
}

/// Told once for each start: the machine's start is worked out from the wall clock, and moves when
/// that is set.
struct Start {
    ticks: u64,
    _series: Option<Observed<f64>>,
}

/// What is read of the line.
#[derive(Debug, PartialEq)]
struct Parsed {
    threads: u64,
    start: u64,
    bytes: u64,
    pages: u64,
}

impl Stat {
    pub(crate) fn new(page: u64, machine: PathBuf) -> Self {
        Self { page, machine, series: None, start: None, resident: None }
    }

    /// Bytes of memory at the last reading.
    pub(crate) fn resident(&self) -> Option<f64> {
        self.resident
    }

    fn show_start(&mut self, ticks: u64, registry: &Registry) {
        if self.start.as_ref().is_some_and(|start| start.ticks == ticks) {
            return;
        }
        let text = std::fs::read(&self.machine).unwrap_or_default();
        let [boot] = values(&text, ["btime"]);
        let series = boot.map(|boot| {
            let series = START.number(registry, &[]);
            series.set(boot as f64 + ticks as f64 / TICKS);
            series
        });
        self.start = Some(Start { ticks, _series: series });
    }
}

impl Source for Stat {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let Some(parsed) = parse(text) else { return false };
        let make = || SHOWN.map(|figure| figure.number(registry, &[]));
        let series = self.series.get_or_insert_with(make);
        let resident = parsed.pages.saturating_mul(self.page) as f64;
        let values = [parsed.threads as f64, parsed.bytes as f64, resident];
        for (series, value) in series.iter().zip(values) {
            series.set(value);
        }
        self.resident = Some(resident);
        self.show_start(parsed.start, registry);
        true
    }

    fn clear(&mut self) {
        self.series = None;
        self.start = None;
        self.resident = None;
    }
}

fn parse(text: &[u8]) -> Option<Parsed> {
    // The name in parentheses may hold blanks and parentheses itself.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    // From the third field of proc(5) on.
    let mut fields = fields(text.get(end + 1..)?.trim_ascii_end());
    let threads = number(fields.nth(20 - 3)?)?;
    let start = number(fields.nth(22 - 20 - 1)?)?;
    let bytes = number(fields.next()?)?;
    let pages = number(fields.next()?)?;
    Some(Parsed { threads, start, bytes, pages })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::collect::probe::value;

    const LINE: &str = "27769 (a) b (c\n) R 27762 27762 10579 0 -1 4194304 104 0 0 0 0 0 0 0 20 0 \
        3 0 1228881 2998272 417 18446744073709551615 94509683974144 1 2 0 0\n";

    #[test]
    fn a_name_may_look_like_anything() {
        let expected = Parsed { threads: 3, start: 1_228_881, bytes: 2_998_272, pages: 417 };
        assert_eq!(parse(LINE.as_bytes()), Some(expected));
        let short = LINE.split_at(LINE.find("417").unwrap()).0;
        assert_eq!(parse(short.as_bytes()), None);
    }

    #[test]
    fn pages_are_bytes_and_the_start_is_told_once() {
        let machine = std::env::temp_dir().join(format!("nissa-btime-{}", std::process::id()));
        std::fs::write(&machine, "cpu 1\nbtime 1000\n").unwrap();
        let registry = Registry::new();
        let mut stat = Stat::new(16_384, machine.clone());
        assert!(stat.show(LINE.as_bytes(), &registry));
        std::fs::write(&machine, "btime 2000\n").unwrap();
        assert!(stat.show(LINE.as_bytes(), &registry));
        std::fs::remove_file(machine).unwrap();
        let of = |name| value(&registry, name, &[]);
        assert_eq!(of("process_resident_memory_bytes"), Some(417.0 * 16_384.0));
        assert_eq!(of("process_threads"), Some(3.0));
        assert_eq!(of("process_start_time_seconds"), Some(1000.0 + 12_288.81));
        stat.clear();
        assert_eq!(of("process_start_time_seconds"), None);
    }

    #[test]
    fn without_the_machines_start_there_is_no_start() {
        let registry = Registry::new();
        let mut stat = Stat::new(4096, "/no/such/file".into());
        assert!(stat.show(LINE.as_bytes(), &registry));
        assert_eq!(value(&registry, "process_start_time_seconds", &[]), None);
        assert_eq!(value(&registry, "process_threads", &[]), Some(3.0));
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "1 \\([a-z)( ]{0,5}\\)? R( [0-9]{1,21}){0,30}")
        {
            let _ = (parse(&bytes), parse(text.as_bytes()));
        }
    }
}
