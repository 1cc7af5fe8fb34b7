//! This process.

use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::collect::facts::{Fact, Facts};
use crate::collect::figure::Figure;
use crate::collect::process::figures::{
    CPU, IO, MAX_FDS, MEMORY_LIMIT_RATIO, OPEN_FDS, RESIDENT, START, VIRTUAL,
};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

const SHOWN: [Figure; 7] = [CPU, RESIDENT, VIRTUAL, START, OPEN_FDS, MAX_FDS, MEMORY_LIMIT_RATIO];

/// Reads what the system tells of this process.
pub(crate) struct PortableProcess {
    interval: Duration,
    facts: Facts,
    system: System,
    series: Option<[Observed<f64>; SHOWN.len()]>,
    /// Bytes read and written.
    io: Option<[Observed<u64>; 2]>,
}

impl PortableProcess {
    pub(crate) fn new(interval: Duration, facts: &Facts) -> Self {
        let facts = facts.clone();
        Self { interval, facts, system: System::new(), series: None, io: None }
    }
}

impl Collector for PortableProcess {
    fn name(&self) -> &str {
        "process"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let process = Pid::from_u32(std::process::id());
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory().with_disk_usage();
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[process]),
            true,
            wanted.without_tasks(),
        );
        let Some(process) = self.system.process(process) else {
            (self.series, self.io) = (None, None);
            let mut failures = Failures::new();
            failures.add("process", "sysinfo does not find it");
            return Err(failures);
        };
        let resident = process.memory() as f64;
        let files = process.open_files().map(|files| files as f64);
        let most = process.open_files_limit().map(|files| files as f64);
        self.facts.set(Fact::OpenFiles, files);
        self.facts.set(Fact::MostFiles, most);
        let values = [
            Some(process.accumulated_cpu_time() as f64 / 1e3),
            Some(resident),
            Some(process.virtual_memory() as f64),
            Some(process.start_time() as f64),
            files,
            most,
            self.facts.memory_limit().map(|limit| resident / limit),
        ];
        let make = || SHOWN.map(|figure| figure.number(registry, &[]));
        for (series, value) in self.series.get_or_insert_with(make).iter().zip(values) {
            series.set_or_clear(value);
        }
        let usage = process.disk_usage();
        let make = || [IO[0].count(registry, &[]), IO[1].count(registry, &[])];
        let [read, written] = self.io.get_or_insert_with(make);
        read.set(usage.total_read_bytes);
        written.set(usage.total_written_bytes);
        Ok(())
    }

    fn clear(&mut self) {
        (self.series, self.io) = (None, None);
        for fact in [Fact::OpenFiles, Fact::MostFiles] {
            self.facts.set(fact, None);
        }
    }
}
