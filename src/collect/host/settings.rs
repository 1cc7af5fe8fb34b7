//! What is collected of machine, process and container, and how often.

use std::path::PathBuf;
use std::time::Duration;

use crate::collect::facts::Facts;
use crate::collect::hanging::{Watched, Watching};
use crate::collect::portable::{PortableFilesystems, PortableHost, PortableProcess, Temperatures};
use crate::collect::{Collector, Collectors};
use crate::health;

/// Of what changes slowly, and may take a while to answer: filesystems, sensors, processors.
const SLOW: Duration = Duration::from_secs(10);

/// The machine, this process and its container.
///
/// On Linux one thread reads files of `/proc` and of the control groups that it holds open, each
/// second, and another asks filesystems every ten; elsewhere `sysinfo` is asked. `docs/METRICS.md`
/// lists what is shown, under which names. `/health` tells the resources `cpu`, `memory`, `disk`,
/// `open_files` and `container_memory`.
///
/// ```
/// use nissa::Registry;
/// use nissa::collect::{Host, Runner};
///
/// let registry = Registry::new();
/// let mut runner = Runner::new(&registry);
/// runner.add(Host::default().filesystems(["/"]));
/// runner.collect();
/// let snapshot = registry.snapshot();
/// assert!(snapshot.value("process_resident_memory_bytes") > Some(0.0));
/// assert!(snapshot.value("node_memory_MemTotal_bytes") > Some(0.0));
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until they are given to the builder"]
pub struct Host {
    interval: Duration,
    per_core: bool,
    machine: bool,
    process: bool,
    container: bool,
    temperatures: bool,
    cpu_frequency: bool,
    cpu_modes: bool,
    threads: bool,
    process_tree: bool,
    paths: Vec<PathBuf>,
    network_filesystems: bool,
    portable: bool,
    root: PathBuf,
    facts: Facts,
}

impl Default for Host {
    fn default() -> Self {
        let here = std::env::current_dir().ok();
        Self {
            interval: Duration::from_secs(1),
            per_core: false,
            machine: true,
            process: true,
            container: true,
            temperatures: false,
            cpu_frequency: false,
            cpu_modes: false,
            threads: false,
            process_tree: false,
            paths: [PathBuf::from("/")].into_iter().chain(here).collect(),
            network_filesystems: false,
            portable: !cfg!(target_os = "linux"),
            root: PathBuf::from("/"),
            facts: Facts::default(),
        }
    }
}

impl Host {
    /// This process alone.
    ///
    /// ```
    /// use nissa::Registry;
    /// use nissa::collect::{Host, Runner};
    ///
    /// let registry = Registry::new();
    /// let mut runner = Runner::new(&registry);
    /// runner.add(Host::process_alone());
    /// runner.collect();
    /// assert!(registry.snapshot().value("process_start_time_seconds") > Some(0.0));
    /// assert!(registry.snapshot().family("node_load1").is_none());
    /// ```
    pub fn process_alone() -> Self {
        Self { machine: false, container: false, paths: Vec::new(), ..Self::default() }
    }

    /// How often the quick figures are read (1 s). The slow ones are read every 10 s, or as seldom
    /// as the quick ones.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Shows processor time core by core, in place of their sum (off).
    pub fn per_core(mut self, on: bool) -> Self {
        self.per_core = on;
        self
    }

    /// Whether the machine's figures are read (on).
    pub fn machine(mut self, on: bool) -> Self {
        self.machine = on;
        self
    }

    /// Whether this process's figures are read (on).
    pub fn process(mut self, on: bool) -> Self {
        self.process = on;
        self
    }

    /// Whether the container's figures are read (on).
    pub fn container(mut self, on: bool) -> Self {
        self.container = on;
        self
    }

    /// The paths whose filesystems are asked: `/` and the working directory, if nothing else is
    /// said. Empty for none. A relative one counts from the working directory of now; symbolic
    /// links are followed, again each time that something is mounted.
    pub fn filesystems<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        self.paths = paths.into_iter().map(|path| whole(path.into())).collect();
        self
    }

    /// Asks filesystems of servers too (off): NFS, CIFS, FUSE. Each such path gets a thread of its
    /// own, since a server that is away keeps it for good.
    pub fn network_filesystems(mut self, on: bool) -> Self {
        self.network_filesystems = on;
        self
    }

    /// Reads the machine's sensors every ten seconds (off: some take milliseconds to answer).
    pub fn temperatures(mut self, on: bool) -> Self {
        self.temperatures = on;
        self
    }

    /// Shows how fast each processor runs, on Linux, every ten seconds (off: asking wakes some).
    pub fn cpu_frequency(mut self, on: bool) -> Self {
        self.cpu_frequency = on;
        self
    }

    /// Shows this process's processor time by mode, user and system, in place of their sum, on
    /// Linux (off).
    pub fn cpu_modes(mut self, on: bool) -> Self {
        self.cpu_modes = on;
        self
    }

    /// Shows this process's processor time by names of threads too, on Linux (off: some
    /// microseconds a thread). At most 1,024 threads are read.
    pub fn threads(mut self, on: bool) -> Self {
        self.threads = on;
        self
    }

    /// Shows processor time and memory of this process with all its children, on Linux, every ten
    /// seconds (off): loaders of data work in processes of their own. At most 4,096 are read.
    pub fn process_tree(mut self, on: bool) -> Self {
        self.process_tree = on;
        self
    }

    /// Asks `sysinfo` on Linux too (off). Dearer, and knows less.
    pub fn portable(mut self, on: bool) -> Self {
        self.portable = on || !cfg!(target_os = "linux");
        self
    }

    /// Where `/proc` and `/sys` are found, on Linux (`/`): the machine's own, say, mounted into a
    /// container. Network devices and filesystems are the machine's then, as its first process sees
    /// them, and filesystems are shown as far as they are mounted below that place too; what is not
    /// is absent and counted. Process and container stay this process's own.
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    pub(crate) fn health(&self) -> health::Source {
        self.facts.health()
    }

    fn portable_collectors(
        &self,
        mut collectors: Collectors,
        mut watched: Vec<Box<dyn Watched>>,
    ) -> Collectors {
        let Self { interval, facts, .. } = self;
        let mut quick: Vec<Box<dyn Collector>> = Vec::new();
        if self.machine {
            quick.push(Box::new(PortableHost::new(*interval, facts)));
        }
        if self.process {
            quick.push(Box::new(PortableProcess::new(*interval, facts)));
        }
        if !self.paths.is_empty() {
            let (paths, every) = (self.paths.clone(), SLOW.max(*interval));
            let asked = PortableFilesystems::new(paths, self.network_filesystems, every, facts);
            watched.push(asked.watched());
            collectors.alone(asked);
        }
        Watching::join(&mut quick, watched, *interval);
        collectors.thread(quick);
        collectors
    }
}

impl From<Host> for Collectors {
    fn from(host: Host) -> Self {
        let mut collectors = Self::default();
        collectors.report(host.health());
        let mut watched = Vec::new();
        if host.temperatures {
            let sensors = Temperatures::new(SLOW.max(host.interval));
            watched.push(sensors.watched());
            collectors.alone(sensors);
        }
        match host.portable {
            true => host.portable_collectors(collectors, watched),
            false => native::collectors(&host, collectors, watched),
        }
    }
}

#[cfg(target_os = "linux")]
mod native {
    use super::*;
    use crate::collect::container::linux::Cgroups;
    use crate::collect::host::filesystems::{Filesystems, Fullest};
    use crate::collect::host::frequency::Frequencies;
    use crate::collect::host::linux::Machine;
    use crate::collect::host::places::Only;
    use crate::collect::linux::{Place, SharedBuffer};
    use crate::collect::process::linux::{LinuxProcess, page_size};
    use crate::collect::process::threads::Threads;
    use crate::collect::process::tree::Tree;

    /// The container before the process, which shows its memory as a share of the container's
    /// limit, and the machine before both.
    pub(super) fn collectors(
        host: &Host,
        mut collectors: Collectors,
        mut watched: Vec<Box<dyn Watched>>,
    ) -> Collectors {
        let Host { root, interval, facts, .. } = host;
        let every = SLOW.max(*interval);
        let fullest = Fullest::new(facts);
        let asked =
            |paths: Vec<PathBuf>, only| Filesystems::new(root, paths, only, every, &fullest);
        if !host.paths.is_empty() {
            let local = asked(host.paths.clone(), Only::Local);
            watched.push(local.watched());
            collectors.alone(local);
        }
        if host.network_filesystems {
            for path in &host.paths {
                let remote = asked(vec![path.clone()], Only::MayHang);
                watched.push(remote.watched());
                collectors.alone(remote);
            }
        }
        let buffer = &SharedBuffer::new();
        let place = Place { root, interval: *interval, facts, buffer };
        if host.cpu_frequency {
            let frequencies = Frequencies::new(root, every);
            watched.push(frequencies.watched());
            collectors.alone(frequencies);
        }
        if host.threads {
            collectors.alone(Threads::new(&place));
        }
        if host.process_tree {
            collectors.alone(Tree::new(&place, page_size()));
        }
        let mut quick: Vec<Box<dyn Collector>> = Vec::new();
        if host.machine {
            quick.push(Box::new(Machine::new(&place, host.per_core)));
        }
        if host.container {
            quick.push(Box::new(Cgroups::new(&place)));
        }
        if host.process {
            quick.push(Box::new(LinuxProcess::new(&place, host.cpu_modes)));
        }
        Watching::join(&mut quick, watched, *interval);
        collectors.thread(quick);
        collectors
    }
}

#[cfg(not(target_os = "linux"))]
mod native {
    use super::*;

    /// There is nothing but what is portable here.
    pub(super) fn collectors(
        host: &Host,
        collectors: Collectors,
        watched: Vec<Box<dyn Watched>>,
    ) -> Collectors {
        host.portable_collectors(collectors, watched)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn every_kind() -> Host {
        let host = Host::default().temperatures(true).cpu_frequency(true).threads(true);
        host.process_tree(true).filesystems(["/", "/data"]).network_filesystems(true)
    }

    fn all(host: Host) -> Vec<Box<dyn Collector>> {
        Collectors::from(host).threads.into_iter().flatten().collect()
    }

    #[test]
    fn nothing_is_read_more_often_than_said() {
        let minute = Duration::from_secs(60);
        for portable in [false, true] {
            let collectors = all(every_kind().interval(minute).portable(portable));
            assert!(collectors.iter().all(|collector| collector.interval() == minute));
            let collectors = all(every_kind().portable(portable));
            assert!(collectors.iter().all(|collector| collector.interval() <= SLOW));
        }
    }

    /// One that answers does not speak for another that hangs.
    #[test]
    fn who_has_a_thread_of_its_own_has_a_name_of_its_own() {
        let names: Vec<String> =
            all(every_kind()).iter().map(|collector| collector.name().to_owned()).collect();
        let mut others = names.clone();
        others.sort();
        others.dedup();
        assert_eq!(others.len(), names.len(), "{names:?}");
        assert!(names.contains(&"network_filesystem:/data".to_owned()), "{names:?}");
    }
}
