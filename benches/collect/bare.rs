//! The floor: the files that a tick reads, read and not looked at.

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Each second, every fifth and every tenth.
const BEATS: [usize; 3] = [1, 5, 10];

/// The files that are open already, whoever opened them: this process holds no others of the
/// kernel's than those the collectors read.
pub struct Bare {
    /// By [`BEATS`].
    files: [Vec<File>; BEATS.len()],
    buffer: Vec<u8>,
    ticks: usize,
}

impl Bare {
    pub fn of_open_files() -> Self {
        let links = fs::read_dir("/proc/self/fd").expect("/proc/self/fd").flatten();
        let paths = links.filter_map(|link| fs::read_link(link.path()).ok());
        let paths: Vec<PathBuf> = paths.filter(|path| is_of_kernel(path)).collect();
        let files = BEATS.map(|beat| {
            let due = paths.iter().filter(|path| beat_of(path) == beat);
            due.map(|path| File::open(path).expect("a file that is open already")).collect()
        });
        Self { files, buffer: vec![0; 64 << 10], ticks: 0 }
    }

    pub fn tick(&mut self) {
        for (beat, files) in BEATS.iter().zip(&self.files) {
            if self.ticks % beat == 0 {
                for file in files {
                    let _ = black_box(file.read_at(&mut self.buffer, 0));
                }
            }
        }
        self.ticks += 1;
    }

    /// Makes the next tick the first of ten.
    pub fn rewind(&mut self) {
        self.ticks = 0;
    }
}

/// How often this process called the kernel to read in the meantime, and how many bytes it was
/// given.
pub fn reads_of(work: impl FnOnce()) -> (f64, f64) {
    let none = counted();
    let before = counted();
    work();
    let after = counted();
    // Less what counting takes.
    let part = |of: fn(&(f64, f64)) -> f64| of(&after) - of(&before) - (of(&before) - of(&none));
    (part(|(calls, _)| *calls), part(|(_, bytes)| *bytes))
}

fn counted() -> (f64, f64) {
    let text = fs::read_to_string("/proc/self/io").expect("/proc/self/io");
    let value = |key: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
        found.expect("a number beside the key")
    };
    (value("syscr:"), value("rchar:"))
}

/// Not a folder.
fn is_of_kernel(path: &Path) -> bool {
    (path.starts_with("/proc") || path.starts_with("/sys")) && path.is_file()
}

/// Which of the files are read seldom. `main` compares with what a tick reads.
fn beat_of(path: &Path) -> usize {
    const SLOW: [&str; 14] = [
        "cgroup",
        "cpu.cfs_period_us",
        "cpu.cfs_quota_us",
        "cpu.max",
        "cpuset.cpus.effective",
        "cpuset.effective_cpus",
        "diskstats",
        "memory.events",
        "memory.limit_in_bytes",
        "memory.max",
        "memory.oom_control",
        "mountinfo",
        "pids.max",
        "vmstat",
    ];
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let pressure = name.ends_with(".pressure") && path.starts_with("/sys");
    let own_stat = name == "stat" && path.starts_with(format!("/proc/{}", std::process::id()));
    // Of the first version of control groups, without a quota.
    let throttling = name == "cpu.stat"
        && fs::read(path.with_file_name("cpu.cfs_quota_us")).is_ok_and(|quota| quota == b"-1\n");
    match name {
        "loadavg" => 5,
        _ if SLOW.contains(&name) || pressure || own_stat || throttling => 10,
        _ => 1,
    }
}
