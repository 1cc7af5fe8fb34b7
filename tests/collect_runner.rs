//! When collectors are called, and what becomes of those that fail, panic or hang.

#![cfg(feature = "monitor")]

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nissa::collect::{Collector, Collectors, Failures, Runner};
use nissa::{Observed, Registry};

/// Does what it is told, and counts how often.
struct Scripted {
    name: &'static str,
    interval: Duration,
    calls: Arc<AtomicU32>,
    act: Act,
}

/// Is told the number of the call.
type Act = Box<dyn FnMut(u32, &Registry) -> Result<(), Failures> + Send>;

impl Scripted {
    fn new(
        name: &'static str,
        act: impl FnMut(u32, &Registry) -> Result<(), Failures> + Send + 'static,
    ) -> (Self, Arc<AtomicU32>) {
        let calls = Arc::new(AtomicU32::new(0));
        let shared = Arc::clone(&calls);
        let interval = Duration::from_secs(1);
        (Self { name, interval, calls: shared, act: Box::new(act) }, calls)
    }

    fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }
}

impl Collector for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        (self.act)(self.calls.fetch_add(1, Relaxed) + 1, registry)
    }
}

fn value(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    registry.snapshot().get(name, labels).and_then(|value| value.as_f64())
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_first_call_is_at_once_and_the_rest_on_the_beat() {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    assert_eq!(runner.tick(seconds(0)), None);
    let (collector, calls) = Scripted::new("beat", |_, _| Ok(()));
    runner.add(collector);
    let start = Duration::from_millis(7_300);
    assert_eq!(runner.tick(start), Some(start + seconds(1)));
    assert_eq!(runner.tick(start + Duration::from_millis(999)), Some(start + seconds(1)));
    assert_eq!(calls.load(Relaxed), 1);
    // A little late, and the next is on time all the same.
    assert_eq!(runner.tick(start + Duration::from_millis(1_400)), Some(start + seconds(2)));
    assert_eq!(calls.load(Relaxed), 2);
}

/// A process that is stopped, a machine that sleeps, a collector slower than its interval: one
/// call when it can, and what was missed is counted.
#[test]
fn what_was_missed_is_not_made_up_for() {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    let (collector, calls) = Scripted::new("late", |_, _| Ok(()));
    runner.add(collector);
    runner.tick(seconds(0));
    assert_eq!(runner.tick(Duration::from_millis(6_200)), Some(seconds(7)));
    assert_eq!(calls.load(Relaxed), 2);
    let skipped = || value(&registry, "nissa_collector_skipped_total", &[("collector", "late")]);
    assert_eq!(skipped(), Some(5.0));
    // A day later, and for ever: no overflow.
    runner.tick(seconds(86_400));
    runner.tick(Duration::from_secs(u64::MAX / 4));
    assert_eq!(calls.load(Relaxed), 4);
    // A clock that went back calls nobody.
    runner.tick(seconds(1));
    assert_eq!(calls.load(Relaxed), 4);
}

#[test]
fn each_keeps_its_own_interval() {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    let (quick, quick_calls) = Scripted::new("quick", |_, _| Ok(()));
    let (slow, slow_calls) = Scripted::new("slow", |_, _| Ok(()));
    runner.add(Collectors::together([quick, slow.every(seconds(10))]));
    let mut at = seconds(0);
    while at < seconds(30) {
        at = runner.tick(at).unwrap();
    }
    assert_eq!((quick_calls.load(Relaxed), slow_calls.load(Relaxed)), (30, 3));
}

#[test]
fn failures_are_listed_by_source_and_successes_dated() {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    let (collector, _) = Scripted::new("disk", |call, registry| {
        registry.gauge("worked", &[]).set(call);
        let mut failures = Failures::new();
        if call < 3 {
            failures.add("smart", format!("no answer, {call}"));
            failures.check("size", "x".parse::<u32>());
        }
        failures.into_result()
    });
    runner.add(collector);
    runner.collect();
    runner.collect();
    let errors = runner.errors();
    let told: Vec<_> =
        errors.iter().map(|e| (&*e.collector, &*e.source, &*e.error, e.count)).collect();
    let expected = [
        ("disk", "size", "invalid digit found in string", 2),
        ("disk", "smart", "no answer, 2", 2),
    ];
    assert_eq!(told, expected);
    assert!(errors[0].unix > Duration::from_secs(1_600_000_000));
    let labels = [("collector", "disk"), ("source", "smart")];
    assert_eq!(value(&registry, "nissa_collector_errors_total", &labels), Some(2.0));
    let last = || {
        let labels = [("collector", "disk")];
        value(&registry, "nissa_collector_last_success_timestamp_seconds", &labels)
    };
    assert_eq!(last(), None);
    runner.collect();
    assert!(last() > Some(1.6e9));
    assert_eq!(value(&registry, "worked", &[]), Some(3.0));
    let labels = [("collector", "disk")];
    assert!(value(&registry, "nissa_collector_duration_seconds", &labels).is_some());
}

/// Sources a collector makes up fill neither the memory nor the page.
#[test]
fn there_is_an_end_to_sources() {
    let registry = Registry::builder().series_per_family(100).build();
    let mut runner = Runner::new(&registry);
    let (collector, _) = Scripted::new("wild", |call, _| {
        let mut failures = Failures::new();
        (0..500).for_each(|n| failures.add(format!("source {call} {n}"), "no"));
        Err(failures)
    });
    runner.add(collector);
    (0..40).for_each(|_| runner.collect());
    assert_eq!(runner.errors().len(), 1_000);
    let labels = [("collector", "wild"), ("source", "further")];
    let unsaid = value(&registry, "nissa_collector_errors_total", &labels);
    assert_eq!(unsaid, Some(40.0 * (500.0 - 64.0)));
    let errors = registry.snapshot();
    assert!(errors.family("nissa_collector_errors_total").unwrap().len() <= 101);
}

#[test]
fn one_that_panics_is_called_less_and_less_and_forgiven() {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    let (shaky, shaky_calls) = Scripted::new("shaky", |call, _| match call {
        1..=20 => panic!("call {call}"),
        _ => Ok(()),
    });
    let (steady, steady_calls) = Scripted::new("steady", |_, _| Ok(()));
    runner.add(Collectors::together([shaky, steady]));
    let mut gaps = Vec::new();
    let (mut seen, mut last) = (0, seconds(0));
    let mut at = seconds(0);
    while shaky_calls.load(Relaxed) < 23 {
        let next = runner.tick(at).unwrap();
        if shaky_calls.load(Relaxed) > seen {
            gaps.push((at - last).as_secs());
            (seen, last) = (shaky_calls.load(Relaxed), at);
        }
        at = next;
    }
    assert_eq!(gaps[..10], [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]);
    assert!(gaps[10..20].iter().all(|gap| *gap == 300), "{gaps:?}");
    // It came right at its 21st call.
    assert_eq!(gaps[20..], [300, 1, 1]);
    assert_eq!(u64::from(steady_calls.load(Relaxed)), last.as_secs() + 1);
    let errors = runner.errors();
    assert_eq!((&*errors[0].source, &*errors[0].error, errors[0].count), ("panic", "call 20", 20));
}

/// What it last showed would stand there for as long as it is left alone.
#[test]
fn what_a_collector_that_panics_has_shown_is_absent_until_it_is_called_again() {
    struct Queue(Option<Observed<f64>>, u32);

    impl Collector for Queue {
        fn name(&self) -> &str {
            "queue"
        }

        fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
            let depth = self.0.get_or_insert_with(|| registry.observed_gauge("depth", &[]));
            self.1 += 1;
            assert!(self.1 != 2, "as the test wants it");
            depth.set(f64::from(self.1));
            Ok(())
        }

        fn clear(&mut self) {
            self.0 = None;
            assert!(self.1 != 2, "and again");
        }
    }

    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    runner.add(Queue(None, 0));
    let depths = (0..3).map(|at| {
        runner.tick(seconds(at));
        value(&registry, "depth", &[])
    });
    assert_eq!(depths.collect::<Vec<_>>(), [Some(1.0), None, Some(3.0)]);
    assert_eq!(runner.errors()[0].source, "panic");
}

/// An error that cannot even be written.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("as the test wants it")
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn an_error_that_panics_when_written_is_a_failure_like_any() {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    let (bad, _) = Scripted::new("bad", |_, _| Err(Unspeakable.into()));
    let (good, calls) = Scripted::new("good", |_, _| Ok(()));
    runner.add(bad);
    runner.add(good);
    runner.collect();
    assert_eq!(calls.load(Relaxed), 1, "the next one is called");
    assert_eq!(runner.errors()[0].error, "an error that panics when written");
}

/// As the wrapper of NVIDIA's library does if that is only half there.
#[test]
fn one_that_panics_as_it_is_dropped_is_let_go_of() {
    struct Bomb(Observed<f64>);

    impl Collector for Bomb {
        fn name(&self) -> &str {
            "bomb"
        }

        fn collect(&mut self, _: &Registry) -> Result<(), Failures> {
            self.0.set(1.0);
            Ok(())
        }
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("expected function");
        }
    }

    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    runner.add(Bomb(registry.observed_gauge("fuse", &[])));
    runner.collect();
    assert_eq!(value(&registry, "fuse", &[]), Some(1.0));
    drop(runner);
    assert_eq!(value(&registry, "fuse", &[]), None);
}

/// Threads of this process that collect.
#[cfg(target_os = "linux")]
fn collecting() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim() == "nissa-collect").count()
}

/// Tests that start threads, one after another, so that they can count them.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Tells each call, and waits in it until it is let go.
fn held() -> (Scripted, Receiver<u32>, Sender<()>) {
    let (tell, told) = channel();
    let (release, hold) = channel::<()>();
    let (collector, _) = Scripted::new("held", move |call, _| {
        tell.send(call)?;
        let _ = hold.recv();
        Ok(())
    });
    (collector, told, release)
}

fn ticking() -> (Scripted, Receiver<u32>) {
    let (tell, told) = channel();
    let (collector, _) = Scripted::new("ticking", move |call, registry| {
        registry.gauge("calls", &[]).set(call);
        // Nobody may be listening any more.
        let _ = tell.send(call);
        Ok(())
    });
    (collector.every(Duration::from_millis(1)), told)
}

#[test]
fn one_that_hangs_holds_up_nobody_and_is_left_behind() {
    let _alone = alone();
    let registry = Registry::new();
    let (hanging, hangs, release) = held();
    let (ticking, ticks) = ticking();
    let builder = nissa::builder().registry(registry.clone());
    let guard = builder.collect(hanging).collect(ticking).start().unwrap();
    assert_eq!(hangs.recv(), Ok(1));
    let detached = || {
        let labels = [("reason", "thread_detached")];
        value(Registry::global(), "nissa_failures_total", &labels).unwrap_or(0.0)
    };
    let before = detached();
    // The other is called again and again meanwhile.
    let first = ticks.recv().unwrap();
    assert!(ticks.iter().any(|call| call == first + 5));
    assert_eq!(guard.collection_errors(), []);
    // Returns, though the collector does not.
    drop(guard);
    assert_eq!(detached(), before + 1.0);
    // It ends once it is let go, and is not called again.
    drop(release);
    assert!(hangs.recv().is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn threads_end_with_the_guard() {
    let _alone = alone();
    let registry = Registry::new();
    let (one, first) = ticking();
    let (two, second) = ticking();
    let builder = nissa::builder().registry(registry.clone());
    let guard = builder.collect(one.every(seconds(3_600))).collect(two).start().unwrap();
    assert_eq!((first.recv(), second.recv()), (Ok(1), Ok(1)));
    assert_eq!(collecting(), 2);
    assert!(guard.shutdown());
    assert_eq!(collecting(), 0);
}

#[test]
fn the_guard_lists_what_failed() {
    let _alone = alone();
    let registry = Registry::new();
    let (collector, calls) =
        Scripted::new("broken", |_, _| Err("x".parse::<u32>().unwrap_err().into()));
    let builder = nissa::builder().registry(registry.clone());
    let guard = builder.collect(collector.every(Duration::from_millis(1))).start().unwrap();
    while calls.load(Relaxed) < 3 {
        std::thread::yield_now();
    }
    let errors = guard.collection_errors();
    assert_eq!((&*errors[0].collector, &*errors[0].source), ("broken", "collect"));
    assert!(errors[0].count >= 2);
    let other = nissa::builder().registry(Registry::new()).start().unwrap();
    assert_eq!(other.collection_errors(), []);
}
