//! This process as `/proc/self` and the kernel's calls tell it.

use std::io;
use std::time::Duration;

use nix::sys::resource::{RLIM_INFINITY, Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;
use nix::unistd::{SysconfVar, sysconf};

use super::figures::{self, Usage};
use super::folders::{OpenFiles, Threads};
use super::io::Io;
use super::stat::Stat;
use super::statm::Memory;
use crate::collect::facts::{Fact, Facts};
use crate::collect::linux::{
    Beat, HeldFile, Place, SharedBuffer, Source, Watched, made, show_counts, show_numbers,
};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// Reads this process's own figures.
pub(crate) struct LinuxProcess {
    interval: Duration,
    facts: Facts,
    buffer: SharedBuffer,
    beat: Beat,
    /// Whose start is shown: a forked child has its own.
    process: Option<u32>,
    stat: Watched<Stat>,
    memory: Watched<Memory>,
    io: Watched<Io>,
    /// Whether processor time is shown by mode.
    by_mode: bool,
    usage: Option<Usage>,
    threads: Threads,
    files: OpenFiles,
    counted: Option<[Observed<f64>; 2]>,
    limits: Option<Limits>,
    memory_limit_ratio: Option<Observed<f64>>,
}

impl LinuxProcess {
    pub(crate) fn new(place: &Place<'_>, by_mode: bool) -> Self {
        let Place { root, interval, facts, buffer } = *place;
        let file = |path: &str| HeldFile::whole(root.join(path));
        let stat = Stat::new(root.join("proc/stat"));
        Self {
            interval,
            facts: facts.clone(),
            buffer: buffer.clone(),
            beat: Beat::new(interval),
            process: None,
            stat: Watched::new("stat", file("proc/self/stat"), stat),
            memory: Watched::new("statm", file("proc/self/statm"), Memory::new(page_size())),
            io: Watched::new("io", file("proc/self/io"), Io::default()),
            by_mode,
            usage: None,
            threads: Threads::new(root.join("proc/self/task")),
            files: OpenFiles::new(root.join("proc/self/fd")),
            counted: None,
            limits: None,
            memory_limit_ratio: None,
        }
    }

    /// Threads and open files.
    fn show_counted(&mut self, process: u32, slow: bool, registry: &Registry) -> io::Result<()> {
        let threads = self.threads.count(process).or(self.stat.source.threads());
        let files = self.files.count(process, slow);
        let counts = [threads, files.as_ref().ok().copied()];
        self.facts.set(Fact::OpenFiles, counts[1].map(|files| files as f64));
        let make = || [figures::THREADS, figures::OPEN_FDS].map(|one| one.number(registry, &[]));
        show_numbers(made(&mut self.counted, make), &counts, 1.0);
        files.map(drop)
    }

    fn show_usage(&mut self, registry: &Registry) -> Result<(), nix::Error> {
        let usage = getrusage(UsageWho::RUSAGE_SELF).inspect_err(|_| self.usage = None)?;
        let by_mode = self.by_mode;
        let shown = made(&mut self.usage, || Usage::new(by_mode, registry));
        let [user, system] = [usage.user_time(), usage.system_time()].map(seconds);
        let times = if by_mode { [user, system] } else { [user + system, system] };
        for (series, seconds) in shown.cpu.iter().zip(times) {
            series.set(seconds);
        }
        let counts = [
            usage.major_page_faults(),
            usage.minor_page_faults(),
            usage.voluntary_context_switches(),
            usage.involuntary_context_switches(),
        ];
        show_counts(&shown.counts, &counts.map(|count| u64::try_from(count).ok()));
        Ok(())
    }

    fn show_limits(&mut self, registry: &Registry) -> Result<(), nix::Error> {
        let limits = made(&mut self.limits, || Limits::new(registry));
        let limit = |resource| {
            getrlimit(resource).map(|(soft, _)| (soft != RLIM_INFINITY).then_some(soft as f64))
        };
        let files = limit(Resource::RLIMIT_NOFILE);
        let memory = limit(Resource::RLIMIT_AS);
        self.facts.set(Fact::MostFiles, files.unwrap_or_default());
        limits.files.set_or_clear(files.unwrap_or_default());
        limits.memory.set_or_clear(memory.unwrap_or_default());
        files.and(memory).map(drop)
    }

    fn show_memory_limit(&mut self, registry: &Registry) {
        let resident = self.memory.source.resident();
        let limit = self.facts.memory_limit();
        let ratio = resident.zip(limit).map(|(part, whole)| part as f64 / whole);
        let make = || figures::MEMORY_LIMIT_RATIO.number(registry, &[]);
        made(&mut self.memory_limit_ratio, make).set_or_clear(ratio);
    }
}

impl Collector for LinuxProcess {
    fn name(&self) -> &str {
        "process"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let mut failures = Failures::new();
        let due = self.beat.next();
        let process = {
            let mut buffer = self.buffer.begin();
            self.memory.collect(&mut buffer, registry, &mut failures);
            self.io.collect(&mut buffer, registry, &mut failures);
            let process = buffer.process();
            let forked = self.process.replace(process) != Some(process);
            if due.slow || forked {
                self.stat.collect(&mut buffer, registry, &mut failures);
            }
            process
        };
        let usage = self.show_usage(registry);
        failures.check("rusage", usage);
        let counted = self.show_counted(process, due.slow, registry);
        failures.check("fd", counted);
        if due.slow {
            let limits = self.show_limits(registry);
            failures.check("limits", limits);
        }
        self.show_memory_limit(registry);
        failures.into_result()
    }

    fn clear(&mut self) {
        self.stat.source.clear();
        self.memory.source.clear();
        self.io.source.clear();
        self.counted = None;
        (self.usage, self.limits, self.memory_limit_ratio) = (None, None, None);
        for fact in [Fact::OpenFiles, Fact::MostFiles] {
            self.facts.set(fact, None);
        }
        self.beat = Beat::new(self.interval);
    }
}

struct Limits {
    files: Observed<f64>,
    memory: Observed<f64>,
}

impl Limits {
    fn new(registry: &Registry) -> Self {
        Self {
            files: figures::MAX_FDS.number(registry, &[]),
            memory: figures::VIRTUAL_MEMORY_MAX.number(registry, &[]),
        }
    }
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

pub(crate) fn page_size() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}
