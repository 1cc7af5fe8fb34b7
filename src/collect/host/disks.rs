//! What disks read and write: from `/proc/diskstats`, or from each disk's own file.
//!
//! The first lists every partition, loop device and ramdisk too, and the kernel adds up each over
//! all processors. Where disks are few, reading `/sys/block/<disk>/stat` costs a third; the list is
//! then looked at seldom, for disks that come and go.

use std::path::{Path, PathBuf};

use super::figures::{DISK_COUNTS, DISK_SECONDS};
use crate::collect::Failures;
use crate::collect::devices::{Devices, Series};
use crate::collect::linux::scan::{fields, lines, numbers};
use crate::collect::linux::{Buffer, HeldFile, Source, show_counts, show_numbers};
use crate::registry::{Observed, Registry};

/// The kernel counts in these, whatever the disk's own sectors are.
const SECTOR: u64 = 512;

/// It tells times in thousandths of a second.
const MILLIS: f64 = 1e3;

/// Opening and reading a file costs as much as this many lines.
const LINES_PER_FILE: usize = 2;

pub(crate) struct Disks {
    /// `/sys/block` lists whole disks.
    blocks: PathBuf,
    /// `None` for what is not a whole disk.
    devices: Devices<Option<Disk>>,
    /// Whether each is cheaper to read by itself.
    few: bool,
}

struct Disk {
    /// What the disk says of itself.
    stat: HeldFile,
    counts: [Observed<u64>; DISK_COUNTS.len()],
    seconds: [Observed<f64>; DISK_SECONDS.len()],
}

impl Disks {
    pub(crate) fn new(blocks: impl Into<PathBuf>) -> Self {
        Self { blocks: blocks.into(), devices: Devices::default(), few: false }
    }

    /// Reads the disks that the list named, each by itself. False if the list has to be read
    /// instead: they are many, one has gone, or this system has no such files.
    pub(crate) fn show_known(&mut self, buffer: &mut Buffer) -> bool {
        let shown = |disk: &mut Disk| {
            let told = disk.stat.read(buffer).ok().flatten().and_then(parse);
            told.map(|told| disk.show(&told)).is_some()
        };
        self.few && self.devices.iter_mut().flatten().all(shown)
    }
}

impl Source for Disks {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let blocks = &self.blocks;
        // A machine may have no disk at all.
        let mut understood = text.is_empty();
        let (mut lines_told, mut disks, mut refused) = (0, 0, false);
        for line in lines(text) {
            lines_told += 1;
            if is_no_disk(line) {
                understood = true;
                continue;
            }
            let Some((name, told)) = named(line) else { continue };
            understood = true;
            let make = |name: &str| Disk::find(registry, blocks, name);
            let Some(Some(disk)) = self.devices.find(name, make) else { continue };
            disk.show(&told);
            disks += 1;
            refused |= disk.is_refused();
        }
        self.devices.forget_unseen();
        // A registry that was full is asked again when the list is read.
        self.few = disks * LINES_PER_FILE <= lines_told && !refused && blocks.is_dir();
        understood
    }

    fn report_left_out(&mut self, failures: &mut Failures) {
        self.devices.report_left_out("diskstats_limit", failures);
    }

    fn clear(&mut self) {
        self.devices.clear();
        self.few = false;
    }
}

impl Disk {
    /// `None` for a part of a disk.
    fn find(registry: &Registry, blocks: &Path, name: &str) -> Option<Self> {
        // The kernel writes a slash in a name so there.
        let folder = blocks.join(name.replace('/', "!"));
        let labels = [("device", name)];
        is_whole(name, blocks, &folder).then(|| Self {
            stat: HeldFile::whole(folder.join("stat")),
            counts: DISK_COUNTS.map(|figure| figure.count(registry, &labels)),
            seconds: DISK_SECONDS.map(|figure| figure.number(registry, &labels)),
        })
    }

    fn show(&self, told: &[u64; COLUMNS]) {
        let [reads, _, read, reading, writes, _, written, writing, _, busy] = *told;
        let counts = [reads, read.wrapping_mul(SECTOR), writes, written.wrapping_mul(SECTOR)];
        show_counts(&self.counts, &counts.map(Some));
        show_numbers(&self.seconds, &[reading, writing, busy].map(Some), MILLIS);
    }
}

impl Series for Disk {
    fn is_refused(&self) -> bool {
        self.counts.is_refused() || self.seconds.is_refused()
    }
}

/// Whether this line is about a file or memory that looks like a disk, by the name without its
/// number. There are many, so they are told apart before anything is looked up.
fn is_no_disk(line: &[u8]) -> bool {
    const NONE: [&[u8]; 4] = [b"loop", b"ram", b"zram", b"fd"];
    let name = fields(line).nth(2).unwrap_or_default();
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && name.get(..name.len() - digits).is_some_and(|stem| NONE.contains(&stem))
}

/// Whether this is a disk, not a part of one.
fn is_whole(name: &str, blocks: &Path, folder: &Path) -> bool {
    let stem = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
    if blocks.is_dir() {
        return folder.exists();
    }
    // What parts are called: sda1, nvme0n1p1, mmcblk0p1.
    let is_part = |stem: &str| {
        let named = ["hd", "sd", "vd", "xvd"].iter().any(|kind| {
            let letters = stem.strip_prefix(kind).unwrap_or_default();
            !letters.is_empty() && letters.bytes().all(|letter| letter.is_ascii_lowercase())
        });
        let numbered = ["nvme", "mmcblk"].iter().any(|kind| stem.starts_with(kind));
        named || (numbered && stem.ends_with('p'))
    };
    stem == name || !is_part(stem)
}

/// Counts of a disk; newer kernels tell more.
const COLUMNS: usize = 10;

fn parse(text: &[u8]) -> Option<[u64; COLUMNS]> {
    let mut columns = [0; COLUMNS];
    let (count, _) = numbers(text, &mut columns)?;
    (count == COLUMNS).then_some(columns)
}

/// Numbers of the device, its name, then what it counts.
fn named(line: &[u8]) -> Option<(&[u8], [u64; COLUMNS])> {
    let mut fields = fields(line);
    let name = fields.nth(2)?;
    Some((name, parse(fields.rest())?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::collect::probe::value;

    const TEXT: &str = "   7       0 loop0 1 0 2 3 4 5 6 7 8 9 10\n \
        254 0 vda 1689305 52718 49474130 2300184 159237 349222 157544296 782950 0 123772 3112361 1 2\n \
        254 1 vda1 1 1 1 1 1 1 1 1 1 1 1\n 259 0 nvme0n1 1 0 2 3 4 5 6 7 8 9 10\n \
        259 1 nvme0n1p1 1 0 2 3 4 5 6 7 8 9 10\n 253 0 dm-0 1 0 2 3 4 5 6 7 8 9 10\n 9 9 bad 1 2\n";

    #[test]
    fn whole_disks_in_bytes_and_seconds() {
        let registry = Registry::new();
        let mut disks = Disks::new("/no/such/folder");
        assert!(disks.show(TEXT.as_bytes(), &registry));
        let snapshot = registry.snapshot();
        let vda = |name: &str| value(&registry, name, &[("device", "vda")]);
        assert_eq!(vda("node_disk_reads_completed_total"), Some(1_689_305.0));
        assert_eq!(vda("node_disk_read_bytes_total"), Some(49_474_130.0 * 512.0));
        assert_eq!(vda("node_disk_written_bytes_total"), Some(157_544_296.0 * 512.0));
        assert_eq!(vda("node_disk_read_time_seconds_total"), Some(2300.184));
        assert_eq!(vda("node_disk_write_time_seconds_total"), Some(782.95));
        assert_eq!(vda("node_disk_io_time_seconds_total"), Some(123.772));
        let devices = snapshot.family("node_disk_read_bytes_total").unwrap().series();
        let devices: Vec<_> =
            devices.map(|s| s.labels().map(|(_, v)| v.into_owned()).collect::<String>()).collect();
        assert_eq!(devices, ["dm-0", "nvme0n1", "vda"]);
    }

    #[test]
    fn the_kernel_says_what_is_whole_where_it_can_be_asked() {
        let blocks = std::env::temp_dir().join(format!("nissa-blocks-{}", std::process::id()));
        std::fs::create_dir_all(blocks.join("cciss!c0d0")).unwrap();
        let found = |name| Disk::find(&Registry::new(), &blocks, name).is_some();
        assert!(found("cciss/c0d0"));
        assert!(!found("sda"));
        std::fs::remove_dir_all(blocks).unwrap();
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..300),
            text in "( ?[0-9]{1,3} [0-9] [a-z]{1,4}[0-9]?( [0-9]{1,21}){0,14}\n){0,4}")
        {
            let registry = Registry::new();
            let mut disks = Disks::new("/no/such/folder");
            disks.show(&bytes, &registry);
            disks.show(text.as_bytes(), &registry);
        }
    }
}
