//! The machine, this process and its container, as they really are here.

#![cfg(feature = "host")]

use std::time::Duration;

use nissa::Registry;
use nissa::collect::{Host, Runner};
use nissa::health::{Health, Status};

#[test]
fn everything_that_is_here_is_read_without_an_error() {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    runner.add(Host::default());
    runner.collect();
    assert_eq!(runner.errors(), []);
    let snapshot = registry.snapshot();
    for name in ["node_load1", "node_memory_MemAvailable_bytes", "process_open_fds"] {
        assert!(snapshot.value(name).is_some(), "{name}");
    }
}

/// Both ways of reading fill the same names, with the same figures where they cannot move.
#[test]
fn what_is_portable_has_the_same_names() {
    let read = |host: Host| {
        let registry = Registry::new();
        let mut runner = Runner::new(&registry);
        runner.add(host);
        runner.collect();
        assert_eq!(runner.errors(), []);
        // The figures go with who reads them.
        (registry, runner)
    };
    let (native, _reads) = read(Host::default());
    let (portable, _reads_too) = read(Host::default().portable(true));
    let names: Vec<String> = native.families().into_iter().map(|family| family.name).collect();
    for family in portable.families() {
        assert!(names.contains(&family.name), "{} is shown by sysinfo alone", family.name);
    }
    assert!(portable.families().len() > 25);
    let snapshots = (native.snapshot(), portable.snapshot());
    for name in ["node_memory_MemTotal_bytes", "node_memory_SwapTotal_bytes"] {
        assert!(snapshots.0.value(name).is_some());
        assert_eq!(snapshots.0.value(name), snapshots.1.value(name), "{name}");
    }
    for (name, most) in [("process_start_time_seconds", 2.0), ("node_boot_time_seconds", 2.0)] {
        let apart = snapshots.0.value(name).unwrap() - snapshots.1.value(name).unwrap();
        assert!(apart.abs() <= most, "{name}: {apart} s apart");
    }
}

#[test]
fn health_tells_the_resources_and_forgets_them_with_the_guard() {
    let (registry, health) = (Registry::new(), Health::new());
    let host = Host::default().interval(Duration::from_millis(5)).filesystems(["/"]);
    let builder = nissa::builder().registry(registry).health(health.clone());
    let guard = builder.collect(host).start().unwrap();
    let used = |name: &str| {
        let report = health.report();
        report.resources().find(|resource| resource.name == name).map(|resource| resource.used)
    };
    // Processor time needs two readings.
    for name in ["cpu", "memory", "disk", "open_files"] {
        while used(name).is_none() {
            std::thread::yield_now();
        }
        assert!((0.0..=1.0).contains(&used(name).unwrap()), "{name}");
    }
    health.threshold("memory", 0.0);
    assert_eq!(health.report().overall(), Status::Degraded);
    drop(guard);
    assert_eq!(health.report().resources().count(), 0);
}
