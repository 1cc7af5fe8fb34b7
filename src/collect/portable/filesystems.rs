//! How full filesystems are, and what their disks carry. In a thread of its own: asking may hang.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sysinfo::{Disk, DiskRefreshKind, Disks};

use crate::collect::devices::Devices;
use crate::collect::facts::{Fact, Facts};
use crate::collect::hanging::{Clear, MayHang, Watched};
use crate::collect::host::figures::{DISK_COUNTS, FILESYSTEM};
use crate::collect::host::remote::may_hang;
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// Reads the filesystems that the chosen paths are on, and no others.
pub(crate) struct PortableFilesystems {
    paths: Vec<PathBuf>,
    /// Whether servers are asked too.
    network: bool,
    interval: Duration,
    disks: Disks,
    shown: MayHang<Shown>,
}

struct Shown {
    facts: Facts,
    /// Size and what is available, by mount point and type.
    mounts: Devices<[Observed<f64>; 2]>,
    /// Bytes read and written, by disk.
    devices: Devices<[Observed<u64>; 2]>,
    fullest: Option<f64>,
}

impl PortableFilesystems {
    pub(crate) fn new(
        paths: Vec<PathBuf>,
        network: bool,
        interval: Duration,
        facts: &Facts,
    ) -> Self {
        let shown = Shown {
            facts: facts.clone(),
            mounts: Devices::default(),
            devices: Devices::default(),
            fullest: None,
        };
        Self { paths, network, interval, disks: Disks::new(), shown: MayHang::new(shown) }
    }

    /// For the thread that looks whether this one hangs.
    pub(crate) fn watched(&self) -> Box<dyn Watched> {
        self.shown.watched()
    }

    /// Lists the disks, and asks those that the paths are on how full they are. Not all: one of
    /// another's that hangs is none of ours.
    fn refresh(&mut self) -> Vec<usize> {
        self.disks.refresh_specifics(true, DiskRefreshKind::nothing().with_io_usage());
        let mut chosen = Vec::new();
        for path in &self.paths {
            let Some(place) = deepest(self.disks.list(), &resolved(path)) else { continue };
            let Some(disk) = self.disks.list_mut().get_mut(place) else { continue };
            let kind = disk.file_system().to_string_lossy();
            if !chosen.contains(&place) && (self.network || !may_hang(&kind)) {
                disk.refresh_specifics(DiskRefreshKind::nothing().with_storage());
                chosen.push(place);
            }
        }
        chosen
    }
}

/// Without symbolic links, but on Windows, where that would be another way to write it.
fn resolved(path: &Path) -> PathBuf {
    let real = if cfg!(windows) { None } else { path.canonicalize().ok() };
    real.unwrap_or_else(|| path.to_owned())
}

/// Where in the list the disk stands that a path is on: the last of the deepest covers the others.
fn deepest(disks: &[Disk], path: &Path) -> Option<usize> {
    let on = disks.iter().enumerate().filter(|(_, disk)| path.starts_with(disk.mount_point()));
    on.max_by_key(|(_, disk)| disk.mount_point().components().count()).map(|(place, _)| place)
}

impl Collector for PortableFilesystems {
    fn name(&self) -> &str {
        "filesystem"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let shown = self.shown.clone();
        let chosen = shown.ask(|| self.refresh());
        let shown = &mut shown.lock().shown;
        let mut failures = Failures::new();
        shown.fullest = None;
        let disks = self.disks.list();
        chosen.into_iter().filter_map(|place| disks.get(place)).for_each(|disk| {
            shown.show(disk, registry);
        });
        disks.iter().for_each(|disk| shown.show_carried(disk, registry));
        shown.conclude(&mut failures);
        failures.into_result()
    }

    fn clear(&mut self) {
        self.shown.clear();
    }
}

impl Shown {
    fn show(&mut self, disk: &Disk, registry: &Registry) {
        let (size, available) = (disk.total_space() as f64, disk.available_space() as f64);
        let point = disk.mount_point().to_string_lossy();
        let fstype = disk.file_system().to_string_lossy();
        let make = |_: &str| {
            let labels = [("fstype", &*fstype), ("mountpoint", &*point)];
            [FILESYSTEM[0].number(registry, &labels), FILESYSTEM[1].number(registry, &labels)]
        };
        let key = [point.as_bytes(), b"\0", fstype.as_bytes()].concat();
        if let Some([total, free]) = self.mounts.find(&key, make) {
            total.set(size);
            free.set(available);
        }
        if size > 0.0 {
            self.fullest = Some((1.0 - available / size).max(self.fullest.unwrap_or(0.0)));
        }
    }

    fn show_carried(&mut self, disk: &Disk, registry: &Registry) {
        let name = disk.name().to_string_lossy();
        let name = name.trim_start_matches("/dev/");
        let make = |name: &str| {
            [1, 3].map(|place: usize| DISK_COUNTS[place].count(registry, &[("device", name)]))
        };
        if let Some([read, written]) = self.devices.find(name.as_bytes(), make) {
            read.set(disk.usage().total_read_bytes);
            written.set(disk.usage().total_written_bytes);
        }
    }

    fn conclude(&mut self, failures: &mut Failures) {
        self.mounts.forget_unseen();
        self.devices.forget_unseen();
        self.mounts.report_left_out("mount_limit", failures);
        self.devices.report_left_out("disk_limit", failures);
        self.facts.set(Fact::DiskUsed, self.fullest);
    }
}

impl Clear for Shown {
    fn clear(&mut self) {
        self.mounts.clear();
        self.devices.clear();
        self.facts.set(Fact::DiskUsed, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of another's may be a server's that has gone.
    #[test]
    fn only_what_was_chosen_is_asked() {
        let registry = Registry::new();
        let facts = Facts::default();
        let every = Duration::from_secs(10);
        let mut disks = PortableFilesystems::new(vec!["/".into()], false, every, &facts);
        disks.collect(&registry).unwrap();
        let asked = disks.disks.list().iter().filter(|disk| disk.total_space() > 0);
        let asked: Vec<&Path> = asked.map(Disk::mount_point).collect();
        let snapshot = registry.snapshot();
        let shown = snapshot.family("node_filesystem_size_bytes").map_or(0, |sizes| sizes.len());
        assert!(asked.iter().all(|point| *point == Path::new("/")), "{asked:?}");
        assert!(shown <= 1 && shown == asked.len(), "{shown} of {asked:?}");
        assert_eq!(facts.find(Fact::DiskUsed).is_some(), shown == 1);
    }
}
