//! What collecting takes of the program, tick after tick: no allocation, no file, no thread, no
//! memory; and nothing of the parent's in a forked child.
#![cfg(all(feature = "host", target_os = "linux"))]
#![allow(unsafe_code, reason = "fork and limits have no safe wrapper")]

mod counting;
mod host;

use std::fs;
use std::time::Duration;

use counting::allocations;
use nissa::Registry;
use nissa::collect::{Host, Runner};

/// What `Host::default()` collects, ticked as fast as it goes on a clock of its own.
struct Ticking {
    registry: Registry,
    runner: Runner,
    at: Duration,
}

impl Ticking {
    fn new(host: Host) -> Self {
        let registry = Registry::new();
        let mut runner = Runner::new(&registry);
        runner.add(host);
        Self { registry, runner, at: Duration::ZERO }
    }

    fn tick(&mut self, times: u64) {
        for _ in 0..times {
            self.runner.tick(self.at);
            self.at += Duration::from_secs(1);
        }
    }

    fn value(&self, name: &str) -> f64 {
        self.registry.snapshot().value(name).unwrap_or(f64::NAN)
    }
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn ticks_allocate_nothing() {
    let mut ticking = Ticking::new(Host::default());
    // Everything is there after the slow figures were read twice.
    ticking.tick(11);
    // A device or mount that appears meanwhile would be a reason; tests make none.
    assert_eq!(allocations(|| ticking.tick(100)), 0);
    assert_eq!(ticking.runner.errors(), []);
    assert!(allocations(|| Box::new(ticking)) > 0, "the counting counts");
}

/// In a process of its own, since other tests open files and start threads too.
#[test]
fn a_hundred_thousand_ticks_leave_nothing_behind() {
    const TEST: &str = "a_hundred_thousand_ticks_leave_nothing_behind";
    if host::scenario().is_none() {
        return host::play(TEST, "long", Duration::from_secs(600));
    }
    let mut ticking = Ticking::new(Host::default());
    ticking.tick(1_000);
    let before = (open_files(), threads(), ticking.registry.cardinality().series);
    let memory = host::resident_bytes();
    ticking.tick(99_000);
    let after = (open_files(), threads(), ticking.registry.cardinality().series);
    assert_eq!(before, after);
    host::assert_grown_at_most(256 << 10, memory, "99,000 ticks");
    assert_eq!(ticking.runner.errors(), []);
    assert!(ticking.value("process_cpu_seconds_total") > 1.0);
}

/// A file of `/proc/self` that stays open is that of the process which opened it. In a process of
/// its own: a child forked while another test registers a series could show nothing more.
#[test]
fn a_forked_child_reads_its_own_files() {
    const TEST: &str = "a_forked_child_reads_its_own_files";
    if host::scenario().is_none() {
        return host::play(TEST, "fork", Duration::from_secs(60));
    }
    let mut ticking = Ticking::new(Host::default().filesystems([""; 0]));
    let (release, hold) = std::sync::mpsc::channel::<()>();
    let parked = std::thread::spawn(move || {
        let _ = hold.recv();
    });
    ticking.tick(1);
    assert!(ticking.value("process_threads") >= 3.0);
    // SAFETY: the child reads, and ends without returning to the test harness.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        ticking.tick(1);
        let started = ticking.value("process_start_time_seconds") - own_start();
        let own = ticking.value("process_threads") == 1.0 && started.abs() < 0.001;
        // SAFETY: always allowed.
        unsafe { libc::_exit(if own { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: `status` is a place for the answer about a child that is ours.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status}");
    ticking.tick(1);
    assert!(ticking.value("process_threads") >= 3.0);
    drop(release);
    parked.join().unwrap();
}

/// When this process started, as Unix time.
fn own_start() -> f64 {
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    let ticks: f64 = own.rsplit(')').next().unwrap().split(' ').nth(20).unwrap().parse().unwrap();
    let machine = fs::read_to_string("/proc/stat").unwrap();
    let boot = machine.lines().find_map(|line| line.strip_prefix("btime ")).unwrap();
    boot.parse::<f64>().unwrap() + ticks / 100.0
}

/// A system that gives no more threads: an error, not a panic, and figures can still be collected
/// before each scrape.
#[test]
fn without_threads_there_is_an_error_and_a_way() {
    const TEST: &str = "without_threads_there_is_an_error_and_a_way";
    if host::scenario().is_none() {
        return host::play(TEST, "no memory for a stack", Duration::from_secs(60));
    }
    let registry = Registry::new();
    let builder = nissa::builder().registry(registry.clone()).collect(Host::default());
    let size = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = size.split_whitespace().next().unwrap().parse().unwrap();
    let limit = libc::rlimit { rlim_cur: (pages + 64) * 4096, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is a live rlimit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let error = builder.start().unwrap_err();
    assert!(std::error::Error::source(&error).is_some(), "{error}");
    let mut runner = Runner::new(&registry);
    runner.add(Host::default());
    runner.collect();
    assert!(registry.snapshot().value("process_virtual_memory_max_bytes").is_some());
}
