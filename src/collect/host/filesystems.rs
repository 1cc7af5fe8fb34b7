//! How full filesystems are.
//!
//! Asking one may hang for as long as its server is away or its disk dies, so it is done in a
//! thread of its own, and only for the paths that were chosen. What hangs is taken out of the
//! output by the thread that reads the rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::statvfs::{Statvfs, statvfs};

use super::figures::FILESYSTEM;
use super::mounts::{self, Mount};
use crate::clock;
use crate::collect::devices::Devices;
use crate::collect::facts::{Fact, Facts};
use crate::collect::linux::{Buffer, HeldFile};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};
use crate::sync::Mutex;

/// Longer than any disk that is well takes.
const HUNG: Duration = Duration::from_secs(30);

/// Which of the chosen paths a collector looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Only {
    Local,
    MayHang,
}

pub(crate) struct Filesystems {
    root: PathBuf,
    paths: Vec<PathBuf>,
    only: Only,
    interval: Duration,
    buffer: Buffer,
    mountinfo: HeldFile,
    /// The table the mounts were chosen by, which seldom changes.
    table: Vec<u8>,
    chosen: Vec<Chosen>,
    shown: Shown,
}

/// A mount that is asked.
struct Chosen {
    point: String,
    kind: String,
    path: PathBuf,
}

/// What is shown of them. Locked for a moment only, never while a filesystem is asked.
#[derive(Clone)]
pub(crate) struct Shown(Arc<Mutex<State>>);

/// The fullest filesystem of all, whichever thread asks it.
#[derive(Clone)]
pub(crate) struct Fullest {
    facts: Facts,
    /// Each thread's own.
    shares: Arc<Mutex<Vec<Option<f64>>>>,
}

struct State {
    all: Fullest,
    /// Where in `all` this one's share stands.
    place: usize,
    mounts: Devices<[Observed<f64>; FILESYSTEM.len()]>,
    fullest: Option<f64>,
    /// When a filesystem was asked that has not answered yet.
    asked: Option<Instant>,
}

impl Filesystems {
    pub(crate) fn new(
        root: &Path,
        paths: Vec<PathBuf>,
        only: Only,
        interval: Duration,
        all: &Fullest,
    ) -> Self {
        Self {
            root: root.to_owned(),
            paths,
            only,
            interval,
            buffer: Buffer::new(),
            mountinfo: HeldFile::records(root.join("proc/self/mountinfo")),
            table: Vec::new(),
            chosen: Vec::new(),
            shown: Shown::new(all),
        }
    }

    /// Chooses the mounts that the paths are on, each once.
    fn choose(&mut self, failures: &mut Failures) {
        let read = failures.check("mountinfo", self.mountinfo.read(&mut self.buffer));
        let table = read.flatten().unwrap_or_default();
        if table == self.table {
            return;
        }
        self.chosen.clear();
        let mounts: Vec<Mount<'_>> = mounts::parse(table).collect();
        for path in &self.paths {
            let Some(mount) = mounts::of_path(&mounts, path) else { continue };
            let wanted = mounts::may_hang(mount.kind) == (self.only == Only::MayHang);
            if wanted && !self.chosen.iter().any(|there| there.point == *mount.point) {
                let path = self.root.join(mount.point.trim_start_matches('/'));
                let (point, kind) = (mount.point.into_owned(), mount.kind.to_owned());
                self.chosen.push(Chosen { point, kind, path });
            }
        }
        self.table = table.to_vec();
    }

    /// For the thread that looks whether this one hangs.
    pub(crate) fn shown(&self) -> Shown {
        self.shown.clone()
    }
}

impl Collector for Filesystems {
    fn name(&self) -> &str {
        "filesystem"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let mut failures = Failures::new();
        self.buffer.begin();
        self.choose(&mut failures);
        self.shown.0.lock().fullest = None;
        for mount in &self.chosen {
            self.shown.0.lock().asked = Some(clock::now());
            let told = statvfs(&mount.path);
            let mut shown = self.shown.0.lock();
            shown.asked = None;
            match told {
                Ok(told) => shown.show(mount, &told, registry),
                Err(error) => failures.add("statvfs", format!("{}: {error}", mount.path.display())),
            }
        }
        let mut shown = self.shown.0.lock();
        shown.mounts.forget_unseen();
        shown.all.set(shown.place, shown.fullest);
        failures.into_result()
    }
}

impl Shown {
    fn new(all: &Fullest) -> Self {
        let (all, place) = (all.clone(), all.add());
        let state = State { all, place, mounts: Devices::default(), fullest: None, asked: None };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Takes everything out of the output if a filesystem has not answered for long.
    pub(crate) fn clear_if_hung(&self) {
        let mut state = self.0.lock();
        if state.asked.is_some_and(|asked| clock::since(asked) > HUNG) {
            state.mounts.clear();
            state.all.set(state.place, None);
        }
    }
}

impl Fullest {
    pub(crate) fn new(facts: &Facts) -> Self {
        Self { facts: facts.clone(), shares: Arc::default() }
    }

    /// A place for one thread more.
    fn add(&self) -> usize {
        let mut shares = self.shares.lock();
        shares.push(None);
        shares.len() - 1
    }

    fn set(&self, place: usize, share: Option<f64>) {
        let mut shares = self.shares.lock();
        if let Some(there) = shares.get_mut(place) {
            *there = share;
        }
        self.facts.set(Fact::DiskUsed, shares.iter().flatten().copied().reduce(f64::max));
    }
}

impl State {
    fn show(&mut self, mount: &Chosen, told: &Statvfs, registry: &Registry) {
        let make = |point: &str| {
            let labels = [("fstype", &*mount.kind), ("mountpoint", point)];
            FILESYSTEM.map(|figure| figure.number(registry, &labels))
        };
        let block = told.fragment_size() as f64;
        let [size, avail, free] =
            [told.blocks(), told.blocks_available(), told.blocks_free()].map(|n| n as f64 * block);
        let values = [size, avail, free, told.files() as f64, told.files_free() as f64];
        let Some(series) = self.mounts.find(mount.point.as_bytes(), make) else { return };
        for (series, value) in series.iter().zip(values) {
            series.set(value);
        }
        // As df counts: what the administrator keeps is nobody's.
        let used = size - free;
        if used + avail > 0.0 {
            self.fullest = Some((used / (used + avail)).max(self.fullest.unwrap_or(0.0)));
        }
    }
}

/// A collector in another thread, which looks each time whether a filesystem hangs.
pub(crate) struct Watching {
    collector: Box<dyn Collector>,
    shown: Vec<Shown>,
}

impl Watching {
    pub(crate) fn new(collector: Box<dyn Collector>, shown: Vec<Shown>) -> Self {
        Self { collector, shown }
    }
}

impl Collector for Watching {
    fn name(&self) -> &str {
        self.collector.name()
    }

    fn interval(&self) -> Duration {
        self.collector.interval()
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        self.shown.iter().for_each(Shown::clear_if_hung);
        self.collector.collect(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::probe::value;

    #[test]
    fn what_hangs_is_out_of_the_output() {
        let registry = Registry::new();
        let facts = Facts::default();
        let paths = vec!["/".into(), "/proc/self".into(), "relative".into()];
        let every = Duration::from_secs(1);
        let mut disks =
            Filesystems::new(Path::new("/"), paths, Only::Local, every, &Fullest::new(&facts));
        disks.collect(&registry).unwrap();
        let sizes = registry.snapshot();
        let sizes = sizes.family("node_filesystem_size_bytes").unwrap();
        let size = |point: &str| {
            let mut series = sizes.series();
            series
                .find(|series| series.label("mountpoint").as_deref() == Some(point))?
                .value()
                .as_f64()
        };
        assert!(size("/").unwrap() > 0.0);
        assert_eq!(size("/proc"), Some(0.0));
        assert!((0.0..=1.0).contains(&facts.find(Fact::DiskUsed).unwrap()));

        let shown = disks.shown();
        shown.clear_if_hung();
        assert!(registry.snapshot().family("node_filesystem_size_bytes").is_some());
        shown.0.lock().asked = clock::now().checked_sub(HUNG * 2);
        shown.clear_if_hung();
        assert!(registry.snapshot().family("node_filesystem_size_bytes").is_none());
        assert_eq!(facts.find(Fact::DiskUsed), None);
        assert_eq!(value(&registry, "node_filesystem_files", &[]), None);

        disks.collect(&registry).unwrap();
        assert!(registry.snapshot().family("node_filesystem_size_bytes").is_some());
    }

    #[test]
    fn a_thread_without_filesystems_hides_no_others_from_health() {
        let (registry, facts) = (Registry::new(), Facts::default());
        let (all, every) = (Fullest::new(&facts), Duration::from_secs(1));
        let asked = |only| Filesystems::new(Path::new("/"), vec!["/".into()], only, every, &all);
        let (mut here, mut away) = (asked(Only::Local), asked(Only::MayHang));
        here.collect(&registry).unwrap();
        away.collect(&registry).unwrap();
        assert!(facts.find(Fact::DiskUsed).is_some());
        let (fuller, less) = (all.add(), all.add());
        all.set(fuller, Some(1.5));
        all.set(less, Some(0.0));
        assert_eq!(facts.find(Fact::DiskUsed), Some(1.5));
        all.set(fuller, None);
        assert!(facts.find(Fact::DiskUsed) < Some(1.5));
    }
}
