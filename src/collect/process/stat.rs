//! `/proc/self/stat`: when the process started.
//!
//! It tells memory and threads too, but the kernel adds up much else for it that nobody wants, so
//! it is read seldom.

use std::path::PathBuf;

use super::figures::START;
use super::task::Task;
use crate::collect::linux::scan::{Form, values};
use crate::collect::linux::{Source, TICKS};
use crate::registry::{Observed, Registry};

pub(crate) struct Stat {
    /// The machine's `/proc/stat`, for when it started.
    machine: PathBuf,
    start: Option<Start>,
    threads: Option<u64>,
}

/// Told once for each start: the machine's start is worked out from the wall clock, and moves when
/// that is set.
struct Start {
    /// `None` if the machine's start could not be read, which may be the next time.
    ticks: Option<u64>,
    series: Observed<f64>,
}

impl Stat {
    pub(crate) fn new(machine: PathBuf) -> Self {
        Self { machine, start: None, threads: None }
    }

    /// Threads at the last reading.
    pub(crate) fn threads(&self) -> Option<u64> {
        self.threads
    }

    fn show_start(&mut self, ticks: u64, registry: &Registry) {
        if self.start.as_ref().is_some_and(|start| start.ticks == Some(ticks)) {
            return;
        }
        let text = std::fs::read(&self.machine).unwrap_or_default();
        let [boot] = values(&text, Form::Plain, &["btime"]);
        // The same series for a forked child: it may not be able to make another.
        let known = self.start.take().map(|start| start.series);
        let series = known.unwrap_or_else(|| START.number(registry, &[]));
        series.set_or_clear(boot.map(|boot| boot as f64 + ticks as f64 / TICKS));
        self.start = Some(Start { ticks: boot.and(Some(ticks)), series });
    }
}

impl Source for Stat {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let Some(task) = Task::parse(text) else { return false };
        self.threads = Some(task.threads);
        self.show_start(task.start, registry);
        true
    }

    fn clear(&mut self) {
        self.start = None;
        self.threads = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::probe::value;

    const LINE: &str = "27769 (a) b (c\n) R 27762 27762 10579 0 -1 4194304 104 0 0 0 0 0 0 0 20 0 \
        3 0 1228881 2998272 417 18446744073709551615 94509683974144 1 2 0 0\n";

    #[test]
    fn the_start_is_told_once() {
        let machine = std::env::temp_dir().join(format!("nissa-btime-{}", std::process::id()));
        std::fs::write(&machine, "cpu 1\nbtime 1000\n").unwrap();
        let registry = Registry::new();
        let mut stat = Stat::new(machine.clone());
        assert!(stat.show(LINE.as_bytes(), &registry));
        std::fs::write(&machine, "btime 2000\n").unwrap();
        assert!(stat.show(LINE.as_bytes(), &registry));
        let start = || value(&registry, "process_start_time_seconds", &[]);
        assert_eq!(start(), Some(1000.0 + 12_288.81));
        std::fs::remove_file(machine).unwrap();
        stat.clear();
        assert_eq!((start(), stat.threads()), (None, None));
    }

    #[test]
    fn without_the_machines_start_there_is_no_start() {
        let machine = std::env::temp_dir().join(format!("nissa-no-btime-{}", std::process::id()));
        let registry = Registry::new();
        let mut stat = Stat::new(machine.clone());
        let start = || value(&registry, "process_start_time_seconds", &[]);
        assert!(stat.show(LINE.as_bytes(), &registry));
        assert_eq!((start(), stat.threads()), (None, Some(3)));
        // It may be read the next time.
        std::fs::write(&machine, "btime 1000\n").unwrap();
        assert!(stat.show(LINE.as_bytes(), &registry));
        assert_eq!(start(), Some(1000.0 + 12_288.81));
        std::fs::remove_file(machine).unwrap();
    }
}
