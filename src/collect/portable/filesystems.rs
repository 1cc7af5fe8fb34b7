//! How full filesystems are, and what their disks carry. In a thread of its own: asking may hang.

use std::path::PathBuf;
use std::time::Duration;

use sysinfo::{Disk, Disks};

use crate::collect::devices::Devices;
use crate::collect::facts::{Fact, Facts};
use crate::collect::host::figures::{DISK_COUNTS, FILESYSTEM};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// Reads the filesystems that the chosen paths are on.
pub(crate) struct PortableFilesystems {
    paths: Vec<PathBuf>,
    interval: Duration,
    facts: Facts,
    disks: Disks,
    /// Size and what is available, by mount point.
    mounts: Devices<[Observed<f64>; 2]>,
    /// Bytes read and written, by disk.
    devices: Devices<[Observed<u64>; 2]>,
}

impl PortableFilesystems {
    pub(crate) fn new(paths: Vec<PathBuf>, interval: Duration, facts: &Facts) -> Self {
        Self {
            paths,
            interval,
            facts: facts.clone(),
            disks: Disks::new(),
            mounts: Devices::default(),
            devices: Devices::default(),
        }
    }
}

impl Collector for PortableFilesystems {
    fn name(&self) -> &str {
        "filesystem"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        self.disks.refresh(true);
        let disks = self.disks.list();
        let depth = |disk: &&Disk| disk.mount_point().components().count();
        let mut fullest: Option<f64> = None;
        for path in &self.paths {
            let on = disks.iter().filter(|disk| path.starts_with(disk.mount_point()));
            let Some(disk) = on.max_by_key(depth) else { continue };
            let (size, available) = (disk.total_space() as f64, disk.available_space() as f64);
            let point = disk.mount_point().to_string_lossy();
            let fstype = disk.file_system().to_string_lossy();
            let make = |point: &str| {
                let labels = [("fstype", &*fstype), ("mountpoint", point)];
                [FILESYSTEM[0].number(registry, &labels), FILESYSTEM[1].number(registry, &labels)]
            };
            if let Some([total, free]) = self.mounts.find(point.as_bytes(), make) {
                total.set(size);
                free.set(available);
            }
            if size > 0.0 {
                fullest = Some((1.0 - available / size).max(fullest.unwrap_or(0.0)));
            }
        }
        for disk in disks {
            let name = disk.name().to_string_lossy();
            let name = name.trim_start_matches("/dev/");
            let make = |name: &str| {
                [1, 3].map(|place: usize| DISK_COUNTS[place].count(registry, &[("device", name)]))
            };
            let Some([read, written]) = self.devices.find(name.as_bytes(), make) else { continue };
            read.set(disk.usage().total_read_bytes);
            written.set(disk.usage().total_written_bytes);
        }
        self.mounts.forget_unseen();
        self.devices.forget_unseen();
        self.facts.set(Fact::DiskUsed, fullest);
        Ok(())
    }
}
