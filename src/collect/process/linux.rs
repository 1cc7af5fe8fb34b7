//! This process as `/proc/self` and the kernel's calls tell it.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::resource::{RLIM_INFINITY, Resource, UsageWho, getrlimit, getrusage};
use nix::sys::stat::fstat;
use nix::sys::time::TimeVal;
use nix::unistd::{SysconfVar, sysconf};

use super::figures::{self, Usage};
use super::io::Io;
use super::stat::Stat;
use crate::collect::facts::{Fact, Facts};
use crate::collect::linux::{HeldFile, Place, SharedBuffer, Source, Watched};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// Calls from one reading of the slow figures to the next.
const SLOWLY: u64 = 10;

/// Reads this process's own figures.
pub(crate) struct LinuxProcess {
    interval: Duration,
    facts: Facts,
    buffer: SharedBuffer,
    calls: u64,
    stat: Watched<Stat>,
    io: Watched<Io>,
    /// Whether processor time is shown by mode.
    by_mode: bool,
    usage: Option<Usage>,
    files: OpenFiles,
    limits: Option<Limits>,
    memory_limit_ratio: Option<Observed<f64>>,
}

impl LinuxProcess {
    pub(crate) fn new(place: &Place<'_>, by_mode: bool) -> Self {
        let Place { root, interval, facts, buffer } = *place;
        let stat = Stat::new(page_size(), root.join("proc/stat"));
        Self {
            interval,
            facts: facts.clone(),
            buffer: buffer.clone(),
            calls: 0,
            stat: Watched::new("stat", HeldFile::whole(root.join("proc/self/stat")), stat),
            io: Watched::new("io", HeldFile::whole(root.join("proc/self/io")), Io::default()),
            by_mode,
            usage: None,
            files: OpenFiles::new(root.join("proc/self/fd")),
            limits: None,
            memory_limit_ratio: None,
        }
    }

    fn show_usage(&mut self, registry: &Registry) -> Result<(), nix::Error> {
        let usage = getrusage(UsageWho::RUSAGE_SELF).inspect_err(|_| self.usage = None)?;
        let by_mode = self.by_mode;
        let shown = self.usage.get_or_insert_with(|| Usage::new(by_mode, registry));
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
        for (series, count) in shown.counts.iter().zip(counts) {
            series.set_or_clear(u64::try_from(count).ok());
        }
        Ok(())
    }

    fn show_limits(&mut self, registry: &Registry) -> Result<(), nix::Error> {
        let limits = self.limits.get_or_insert_with(|| Limits::new(registry));
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
        let resident = self.stat.source.resident();
        let ratio = resident.zip(self.facts.memory_limit()).map(|(part, whole)| part / whole);
        let make = || figures::MEMORY_LIMIT_RATIO.number(registry, &[]);
        self.memory_limit_ratio.get_or_insert_with(make).set_or_clear(ratio);
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
        let process = {
            let mut buffer = self.buffer.begin();
            self.stat.collect(&mut buffer, registry, &mut failures);
            self.io.collect(&mut buffer, registry, &mut failures);
            buffer.process()
        };
        let usage = self.show_usage(registry);
        failures.check("rusage", usage);
        let slowly = self.calls % SLOWLY == 0;
        let files = self.files.show(process, slowly, registry);
        self.facts.set(Fact::OpenFiles, failures.check("fd", files).map(|files| files as f64));
        if slowly {
            let limits = self.show_limits(registry);
            failures.check("limits", limits);
        }
        self.show_memory_limit(registry);
        self.calls += 1;
        failures.into_result()
    }

    fn clear(&mut self) {
        self.stat.source.clear();
        self.io.source.clear();
        self.files.series = None;
        (self.usage, self.limits, self.memory_limit_ratio) = (None, None, None);
        for fact in [Fact::OpenFiles, Fact::MostFiles] {
            self.facts.set(fact, None);
        }
        self.calls = 0;
    }
}

/// How many files are open.
struct OpenFiles {
    folder: PathBuf,
    held: Option<File>,
    process: u32,
    /// Counted by going through the folder, where the kernel does not tell.
    counted: Option<u64>,
    series: Option<Observed<f64>>,
}

impl OpenFiles {
    fn new(folder: PathBuf) -> Self {
        Self { folder, held: None, process: 0, counted: None, series: None }
    }

    fn show(&mut self, process: u32, slowly: bool, registry: &Registry) -> io::Result<u64> {
        let files = self.count(process, slowly).inspect_err(|_| {
            self.held = None;
            self.series = None;
        })?;
        let make = || figures::OPEN_FDS.number(registry, &[]);
        self.series.get_or_insert_with(make).set(files as f64);
        Ok(files)
    }

    /// The folder's size is the count since Linux 6.2; before, it is 0, and going through it costs
    /// 0.4 µs a file, so that is done seldom.
    fn count(&mut self, process: u32, slowly: bool) -> io::Result<u64> {
        if self.process != process {
            self.held = None;
            self.counted = None;
            self.process = process;
        }
        let folder = match &mut self.held {
            Some(folder) => folder,
            none => none.insert(File::open(&self.folder)?),
        };
        let told = u64::try_from(fstat(folder)?.st_size).unwrap_or_default();
        if told > 0 {
            return Ok(told);
        }
        match self.counted.filter(|_| !slowly) {
            Some(counted) => Ok(counted),
            None => {
                // Less the one that counting opens.
                let count = fs::read_dir(&self.folder)?.count().saturating_sub(1) as u64;
                Ok(*self.counted.insert(count))
            }
        }
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
