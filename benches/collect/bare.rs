//! The floor: the files that a tick reads, read and not looked at.

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The files that are open already, whoever opened them: this process holds no others of the
/// kernel's than those the collectors read.
pub struct Bare {
    quick: Vec<File>,
    /// Read every tenth tick.
    slow: Vec<File>,
    buffer: Vec<u8>,
    ticks: usize,
}

impl Bare {
    pub fn of_open_files() -> Self {
        let links = fs::read_dir("/proc/self/fd").expect("/proc/self/fd").flatten();
        let files = links.filter_map(|link| fs::read_link(link.path()).ok());
        let own = format!("/proc/{}", std::process::id());
        let of_kernel = |path: &PathBuf| {
            let folder = [own.clone(), format!("{own}/fd")];
            let listed = folder.iter().any(|folder| path == Path::new(folder));
            (path.starts_with("/proc") || path.starts_with("/sys")) && !listed
        };
        let open = |path: &PathBuf| File::open(path).expect("a file that is open already");
        let (slow, quick): (Vec<_>, Vec<_>) =
            files.filter(of_kernel).partition(|path| is_slow(path));
        Self {
            quick: quick.iter().map(open).collect(),
            slow: slow.iter().map(open).collect(),
            buffer: vec![0; 64 << 10],
            ticks: 0,
        }
    }

    pub fn tick(&mut self) {
        read_all(&self.quick, &mut self.buffer);
        if self.ticks % 10 == 0 {
            read_all(&self.slow, &mut self.buffer);
        }
        self.ticks += 1;
    }

    /// Makes the next tick the first of ten.
    pub fn rewind(&mut self) {
        self.ticks = 0;
    }

    pub fn reads_per_tick(&self) -> f64 {
        self.quick.len() as f64 + self.slow.len() as f64 / 10.0
    }
}

fn read_all(files: &[File], buffer: &mut [u8]) {
    for file in files {
        let _ = black_box(file.read_at(buffer, 0));
    }
}

fn is_slow(path: &Path) -> bool {
    const SLOW: [&str; 13] = [
        "cgroup",
        "cpu.cfs_period_us",
        "cpu.cfs_quota_us",
        "cpu.max",
        "cpuset.cpus.effective",
        "cpuset.effective_cpus",
        "memory.events",
        "memory.limit_in_bytes",
        "memory.max",
        "memory.oom_control",
        "mountinfo",
        "pids.max",
        "vmstat",
    ];
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    SLOW.contains(&name) || (name.ends_with(".pressure") && path.starts_with("/sys"))
}
