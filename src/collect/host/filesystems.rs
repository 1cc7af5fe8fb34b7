//! How full filesystems are.
//!
//! Asking one may hang for as long as its server is away or its disk dies, so it is done in a
//! thread of its own, and only for the paths that were chosen. What hangs is taken out of the
//! output by the thread that reads the rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::statvfs::{Statvfs, statvfs};

use super::figures::FILESYSTEM;
use super::places::{Only, Place, Places};
use crate::collect::devices::Devices;
use crate::collect::facts::{Fact, Facts};
use crate::collect::hanging::{Clear, MayHang, Watched};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};
use crate::sync::Mutex;

pub(crate) struct Filesystems {
    /// One that answers must not speak for another that hangs.
    name: String,
    interval: Duration,
    places: Places,
    chosen: Vec<Chosen>,
    shown: MayHang<Shown>,
}

struct Chosen {
    place: Place,
    /// Point and type: another filesystem at the same point is another one.
    key: Vec<u8>,
}

/// What is shown of them.
struct Shown {
    all: Fullest,
    /// Where in `all` this one's share stands.
    place: usize,
    mounts: Devices<[Observed<f64>; FILESYSTEM.len()]>,
    fullest: Option<f64>,
}

/// The fullest filesystem of all, whichever thread asks it.
#[derive(Clone)]
pub(crate) struct Fullest {
    facts: Facts,
    /// Each thread's own.
    shares: Arc<Mutex<Vec<Option<f64>>>>,
}

impl Filesystems {
    pub(crate) fn new(
        root: &Path,
        paths: Vec<PathBuf>,
        only: Only,
        interval: Duration,
        all: &Fullest,
    ) -> Self {
        let name = match (only, &*paths) {
            (Only::MayHang, [path, ..]) => format!("network_filesystem:{}", path.display()),
            _ => "filesystem".to_owned(),
        };
        let places = Places::new(root, paths, only);
        let (all, place) = (all.clone(), all.add());
        let shown = Shown { all, place, mounts: Devices::default(), fullest: None };
        Self { name, interval, places, chosen: Vec::new(), shown: MayHang::new(shown) }
    }

    /// For the thread that looks whether this one hangs.
    pub(crate) fn watched(&self) -> Box<dyn Watched> {
        self.shown.watched()
    }
}

impl Collector for Filesystems {
    fn name(&self) -> &str {
        &self.name
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let mut failures = Failures::new();
        if let Some(places) = self.shown.ask(|| self.places.choose(&mut failures)) {
            self.chosen = places.into_iter().map(Chosen::new).collect();
        }
        self.shown.lock().shown.fullest = None;
        for mount in &self.chosen {
            let path = &mount.place.path;
            match self.shown.ask(|| statvfs(path)) {
                Ok(told) => self.shown.lock().shown.show(mount, &told, registry),
                Err(error) => failures.add("statvfs", format!("{}: {error}", path.display())),
            }
        }
        self.shown.lock().shown.conclude(&mut failures);
        failures.into_result()
    }

    fn clear(&mut self) {
        self.shown.clear();
    }
}

impl Chosen {
    fn new(place: Place) -> Self {
        let key = [place.point.as_bytes(), b"\0", place.kind.as_bytes()].concat();
        Self { place, key }
    }
}

impl Shown {
    fn show(&mut self, mount: &Chosen, told: &Statvfs, registry: &Registry) {
        let Place { point, kind, .. } = &mount.place;
        let make = |_: &str| {
            let labels = [("fstype", &**kind), ("mountpoint", &**point)];
            FILESYSTEM.map(|figure| figure.number(registry, &labels))
        };
        let block = told.fragment_size() as f64;
        let [size, avail, free] =
            [told.blocks(), told.blocks_available(), told.blocks_free()].map(|n| n as f64 * block);
        let values = [size, avail, free, told.files() as f64, told.files_free() as f64];
        let Some(series) = self.mounts.find(&mount.key, make) else { return };
        for (series, value) in series.iter().zip(values) {
            series.set(value);
        }
        // As df counts: what the administrator keeps is nobody's.
        let used = size - free;
        if used + avail > 0.0 {
            self.fullest = Some((used / (used + avail)).max(self.fullest.unwrap_or(0.0)));
        }
    }

    fn conclude(&mut self, failures: &mut Failures) {
        self.mounts.forget_unseen();
        self.mounts.report_left_out("mount_limit", failures);
        self.all.set(self.place, self.fullest);
    }
}

impl Clear for Shown {
    fn clear(&mut self) {
        self.mounts.clear();
        self.all.set(self.place, None);
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::collect::probe::root_is_local;

    fn local(root: &Path, paths: &[&str], facts: &Facts) -> Filesystems {
        let paths = paths.iter().map(PathBuf::from).collect();
        Filesystems::new(root, paths, Only::Local, Duration::from_secs(1), &Fullest::new(facts))
    }

    /// Point, type and size of each that is shown.
    fn shown(registry: &Registry) -> Vec<(String, String, f64)> {
        let snapshot = registry.snapshot();
        let Some(sizes) = snapshot.family("node_filesystem_size_bytes") else { return Vec::new() };
        let label = |series: &crate::snapshot::Series<'_>, name| {
            series.label(name).unwrap_or_default().into_owned()
        };
        let series = sizes.series().map(|series| {
            let size = series.value().as_f64().unwrap();
            (label(&series, "mountpoint"), label(&series, "fstype"), size)
        });
        series.collect()
    }

    #[test]
    fn each_filesystem_is_shown_once_and_goes_when_asked_to() {
        if !root_is_local() {
            return;
        }
        let (registry, facts) = (Registry::new(), Facts::default());
        let mut disks = local(Path::new("/"), &["/", "/proc/self"], &facts);
        disks.collect(&registry).unwrap();
        let all = shown(&registry);
        let points: Vec<&str> = all.iter().map(|(point, ..)| &**point).collect();
        assert_eq!(points, ["/", "/proc"]);
        assert!(all[0].2 > 0.0 && all[1].2 == 0.0, "{all:?}");
        assert!((0.0..=1.0).contains(&facts.find(Fact::DiskUsed).unwrap()));
        disks.clear();
        assert_eq!((shown(&registry), facts.find(Fact::DiskUsed)), (Vec::new(), None));
        disks.collect(&registry).unwrap();
        assert_eq!(shown(&registry).len(), 2);
    }

    /// Between two readings one filesystem took another's place.
    #[test]
    fn another_filesystem_at_the_same_place_is_another_series() {
        let root = std::env::temp_dir().join(format!("nissa-remount-{}", std::process::id()));
        fs::create_dir_all(root.join("proc/self")).unwrap();
        let table = root.join("proc/self/mountinfo");
        fs::write(&table, "1 0 0:1 / / rw - ext4 x rw\n").unwrap();
        let (registry, facts) = (Registry::new(), Facts::default());
        let mut disks = local(&root, &["/"], &facts);
        let mut kinds = || {
            disks.collect(&registry).unwrap();
            shown(&registry).into_iter().map(|(_, kind, _)| kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(), ["ext4"]);
        fs::write(&table, "1 0 0:2 / / rw - btrfs x rw\n").unwrap();
        assert_eq!(kinds(), ["btrfs"]);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_thread_without_filesystems_hides_no_others_from_health() {
        if !root_is_local() {
            return;
        }
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
