//! What is told of a tokio runtime.
#![cfg(feature = "tokio-runtime")]

use std::sync::mpsc::channel;

use nissa::Registry;
use nissa::collect::{Runner, TokioRuntime};
use tokio::runtime::Builder;

fn value(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    registry.snapshot().get(name, labels).and_then(|value| value.as_f64())
}

/// A worker that is held shows a task that is alive, one that waits, and time it was busy once it
/// is let go.
#[test]
fn a_worker_that_is_held_can_be_seen() {
    let held = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let other = Builder::new_multi_thread().worker_threads(3).build().unwrap();
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    runner.add(TokioRuntime::new(held.handle()).name("held"));
    runner.add(TokioRuntime::new(other.handle()).name("other"));
    let (tell, running) = channel();
    let (release, hold) = channel::<()>();
    let stuck = held.spawn(async move {
        tell.send(()).unwrap();
        let _ = hold.recv();
    });
    running.recv().unwrap();
    let waiting = held.spawn(async {});
    runner.collect();
    let of = |runtime, name: &str| value(&registry, name, &[("runtime", runtime)]);
    assert_eq!(of("held", "tokio_workers"), Some(1.0));
    assert_eq!(of("held", "tokio_alive_tasks"), Some(2.0));
    assert_eq!(of("held", "tokio_global_queue_depth"), Some(1.0));
    assert_eq!(of("other", "tokio_workers"), Some(3.0));
    assert_eq!(of("other", "tokio_alive_tasks"), Some(0.0));
    assert!(
        value(&registry, "tokio_worker_parks_total", &[("runtime", "other"), ("worker", "2")])
            .is_some()
    );

    let busy = || {
        value(&registry, "tokio_worker_busy_seconds_total", &[("runtime", "held"), ("worker", "0")])
    };
    let before = busy().unwrap();
    drop(release);
    held.block_on(async {
        stuck.await.unwrap();
        waiting.await.unwrap();
    });
    // The worker adds up its time as it parks, a moment after its last task.
    while busy().unwrap() <= before {
        runner.collect();
    }
    assert_eq!(of("held", "tokio_alive_tasks"), Some(0.0));
    assert_eq!(runner.errors(), []);
}

/// Threads of the collector's own, a guard dropped inside the runtime, a runtime gone before it:
/// nothing blocks, nothing panics.
#[test]
fn a_runtime_may_go_first() {
    let registry = Registry::new();
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let collector = TokioRuntime::new(runtime.handle());
    let guard = nissa::builder().registry(registry.clone()).collect(collector).start().unwrap();
    while value(&registry, "tokio_workers", &[]).is_none() {
        std::thread::yield_now();
    }
    drop(runtime);
    assert_eq!(guard.collection_errors(), []);
    let other = Builder::new_current_thread().build().unwrap();
    other.block_on(async move { assert!(guard.shutdown()) });
    assert_eq!(value(&registry, "tokio_workers", &[]), None);
}

#[test]
fn more_workers_than_are_shown_are_counted_as_left_out() {
    let runtime = Builder::new_multi_thread().worker_threads(260).build().unwrap();
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    runner.add(TokioRuntime::new(runtime.handle()));
    runner.collect();
    assert_eq!(value(&registry, "tokio_workers", &[]), Some(260.0));
    let workers = registry.snapshot();
    assert_eq!(workers.family("tokio_worker_parks_total").unwrap().series().len(), 256);
    let errors = runner.errors();
    assert_eq!(errors[0].source, "worker_limit");
    assert_eq!(errors[0].error, "4 beyond the first 256 are left out");
}
