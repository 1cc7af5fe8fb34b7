#![cfg(feature = "host")]
//! The machine, this process and its container, as they really are here.

use nissa::Registry;
use nissa::collect::{Host, Runner};

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
