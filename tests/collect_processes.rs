//! Processor time by thread and by mode, and children: against what the kernel tells otherwise.

#![cfg(all(feature = "host", target_os = "linux"))]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use nissa::Registry;
use nissa::collect::{Host, Runner};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

/// The kernel tells these times in hundredths of a second, user's and its own apart.
const TICKS: f64 = 0.02;

fn runner(host: Host) -> (Registry, Runner) {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    runner.add(host.filesystems([""; 0]));
    (registry, runner)
}

fn value(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> f64 {
    let snapshot = registry.snapshot();
    snapshot.get(name, labels).and_then(|value| value.as_f64()).unwrap_or(f64::NAN)
}

fn seconds(clock: ClockId) -> f64 {
    Duration::from(clock_gettime(clock).unwrap()).as_secs_f64()
}

/// Works until the thread has taken that much processor time.
fn work(until: f64) -> f64 {
    loop {
        std::hint::black_box((0..10_000_u64).map(std::hint::black_box).sum::<u64>());
        let taken = seconds(ClockId::CLOCK_THREAD_CPUTIME_ID);
        if taken >= until {
            return taken;
        }
    }
}

#[test]
fn a_thread_that_works_is_seen_by_its_name() {
    let (tell, told) = channel();
    let (next, wait) = channel::<()>();
    let busy = std::thread::Builder::new().name("busy loader".into());
    let busy = busy.spawn(move || {
        tell.send(work(0.2)).unwrap();
        wait.recv().unwrap();
        // Awake for a moment since.
        seconds(ClockId::CLOCK_THREAD_CPUTIME_ID)
    });
    let least = told.recv().unwrap();
    let (registry, mut runner) = runner(Host::process_alone().threads(true));
    runner.collect();
    let name = "process_thread_cpu_seconds_total";
    let taken = value(&registry, name, &[("thread", "busy loader")]);
    next.send(()).unwrap();
    let most = busy.unwrap().join().unwrap();
    assert!(taken >= least - TICKS && taken <= most + TICKS, "{least} {taken} {most}");
    assert_eq!(runner.errors(), []);
    // It has ended, though the kernel may list it for a moment after it was joined.
    while !value(&registry, name, &[("thread", "busy loader")]).is_nan() {
        runner.collect();
    }
    assert!(registry.snapshot().family(name).is_some(), "the others go on");
}

#[test]
fn modes_take_the_place_of_their_sum() {
    let (registry, mut runner) = runner(Host::process_alone().cpu_modes(true));
    let modes = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
        [usage.user_time(), usage.system_time()]
            .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
    };
    work(seconds(ClockId::CLOCK_THREAD_CPUTIME_ID) + 0.05);
    let before = modes();
    runner.collect();
    let after = modes();
    let name = "process_cpu_seconds_total";
    for (place, mode) in ["user", "system"].into_iter().enumerate() {
        let told = value(&registry, name, &[("mode", mode)]);
        assert!(
            told >= before[place] && told <= after[place],
            "{mode}: {before:?} {told} {after:?}"
        );
    }
    assert_eq!(registry.snapshot().family(name).unwrap().len(), 2);
}

const CHILD: &str = "NISSA_TEST_CHILD";
const MEMORY: usize = 64 << 20;
const WORK: f64 = 0.2;

/// A child of the test below; by itself it does nothing.
#[test]
fn child_that_fills_memory_and_works() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let memory = std::hint::black_box(vec![1_u8; MEMORY]);
    work(WORK);
    println!("ready");
    std::io::stdout().flush().unwrap();
    // Until the parent lets go.
    let _ = std::io::stdin().read(&mut [0]);
    drop(memory);
}

/// How coarsely this kernel tells resident memory: it counts pages of three kinds on each processor,
/// and from 6.2 to 6.15 adds up by the batch.
fn told_to() -> f64 {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|it: char| !it.is_ascii_digit()).map(|it| it.parse().ok());
    let version: (Option<u32>, Option<u32>) = (numbers.next().flatten(), numbers.next().flatten());
    if !((Some(6), Some(2))..=(Some(6), Some(15))).contains(&version) {
        return 0.0;
    }
    let told = |variable| sysconf(variable).ok().flatten().unwrap_or(4096) as f64;
    let processors = told(SysconfVar::_NPROCESSORS_CONF);
    3.0 * (2.0 * processors).max(32.0) * processors * told(SysconfVar::PAGE_SIZE)
}

#[test]
fn children_count_in_the_tree_and_leave_their_time_to_it() {
    if !std::path::Path::new("/proc/thread-self/children").exists() {
        return println!("skipped: this kernel tells no children");
    }
    let (registry, mut runner) = runner(Host::process_alone().process_tree(true));
    let tree = |of: &str| value(&registry, &format!("process_tree_{of}"), &[]);
    let own = || value(&registry, "process_resident_memory_bytes", &[]);
    runner.collect();
    assert_eq!(tree("processes"), 1.0);
    let time = tree("cpu_seconds_total");
    // What shared libraries and threads come and go with is little beside the child's.
    let slack = (MEMORY / 4) as f64 + told_to();
    assert!((tree("resident_memory_bytes") - own()).abs() < slack);

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_fills_memory_and_works", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Held until it has ended, for it has a word to say then.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("ready")));
    runner.collect();
    assert_eq!(tree("processes"), 2.0);
    let children = tree("resident_memory_bytes") - own();
    let memory = MEMORY as f64;
    assert!(children > memory - slack && children < memory * 2.0 + slack, "{children}");
    let with_child = tree("cpu_seconds_total");
    assert!(with_child >= time + WORK - TICKS, "{time} {with_child}");

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    drop(lines);
    runner.collect();
    assert_eq!(tree("processes"), 1.0);
    assert!(tree("cpu_seconds_total") >= with_child);
    assert!((tree("resident_memory_bytes") - own()).abs() < slack);
    assert_eq!(runner.errors(), []);
}
