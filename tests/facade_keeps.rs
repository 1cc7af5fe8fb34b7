//! What each thread keeps for the facade: nothing that was refused for now. A call site of the
//! facade that came at a bad moment counts from the next good one on.

#![cfg(all(feature = "log", feature = "test-util"))]

mod host;

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use nissa::{ManualClock, Recorder, Registry};

const IDLE: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(20);

/// Counts every event through the facade, and panics on one if told to.
struct Logger;

static EVENTS: AtomicU64 = AtomicU64::new(0);
static PANIC: AtomicBool = AtomicBool::new(false);

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {
        if PANIC.swap(false, Relaxed) {
            panic!("on purpose");
        }
        EVENTS.fetch_add(1, Relaxed);
        metrics::counter!("log_events_total").increment(1);
    }

    fn flush(&self) {}
}

/// Plays `body` in a child where nissa is the facade's recorder and `Logger` the logger.
fn in_child(test: &str, body: impl FnOnce()) {
    if host::scenario().is_none() {
        return host::play(test, test, LIMIT);
    }
    log::set_logger(&Logger).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    nissa::install().unwrap();
    body();
}

fn value(registry: &Registry, name: &str) -> Option<f64> {
    registry.snapshot().value(name)
}

/// Guards `lasting: false` in `Resolved::noop` (registry/lookup.rs).
#[test]
fn a_logger_that_counts_through_the_facade_goes_on_counting() {
    in_child("a_logger_that_counts_through_the_facade_goes_on_counting", || {
        nissa::counter!("k").increment(1);
        // Two kinds: nissa warns from within its own work, where the logger's counter is refused.
        nissa::gauge!("k").set(1);
        let (registry, refused) = (Registry::global(), EVENTS.load(Relaxed));
        assert!(refused > 0, "nissa had nothing to say, so nothing was tested");
        for _ in 0..1000 {
            log::warn!("of the program");
        }
        assert_eq!(value(registry, "log_events_total"), Some(1000.0));
        let recursion = registry.snapshot();
        let recursion = recursion.get("nissa_dropped_total", &[("reason", "recursion")]);
        assert_eq!(recursion.and_then(|count| count.as_f64()), Some(refused as f64));
    });
}

/// Guards `Done` in `remember` (recorder/cache.rs): a panic ends the thread's remembering.
#[test]
fn a_logger_that_panics_does_not_disable_the_facade() {
    in_child("a_logger_that_panics_does_not_disable_the_facade", || {
        std::panic::set_hook(Box::new(|_| ()));
        metrics::counter!("k").increment(1);
        PANIC.store(true, Relaxed);
        assert!(catch_unwind(|| metrics::gauge!("k").set(1)).is_err());
        for i in 0..100 {
            metrics::counter!("requests_total", "i" => i.to_string()).increment(1);
            metrics::counter!("k").increment(1);
        }
        nissa::counter!("own_total").increment(1);
        let registry = Registry::global();
        assert_eq!(value(registry, "requests_total"), Some(100.0));
        assert_eq!(value(registry, "k"), Some(101.0));
        assert_eq!(value(registry, "own_total"), Some(1.0));
    });
}

/// Guards `lasting` of `NotNow` and `Overflow` in `Found::count_and_resolve` (registry/lookup.rs).
#[test]
fn room_that_comes_back_is_used_by_the_facade() {
    let clock = ManualClock::new();
    let registry = Registry::builder().series(2).idle_timeout(IDLE).clock(clock.clone()).build();
    let recorder = Recorder::new(&registry);
    let record = || {
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("late_total").increment(1);
            metrics::counter!("old_total", "a" => "3").increment(1);
        });
    };
    let counts = || {
        let snapshot = registry.snapshot();
        let count = |name, labels: &[_]| {
            snapshot.get(name, labels).and_then(|count| count.as_f64()).unwrap_or(0.0)
        };
        [
            count("late_total", &[]),
            count("old_total", &[("a", "3")]),
            count("old_total", &[("nissa_overflow", "true")]),
        ]
    };
    for a in ["1", "2"] {
        registry.counter("old_total", &[("a", a)]).increment(1);
    }
    record();
    assert_eq!(counts(), [0.0, 0.0, 1.0], "refused, not known, and in overflow");
    // The overflow series stays in use, so that nothing but the refusal makes the facade ask again.
    for _ in 0..4 {
        clock.advance(IDLE / 2);
        registry.snapshot();
        record();
    }
    let [late, third, overflow] = counts();
    for _ in 0..100 {
        record();
    }
    assert_eq!(counts(), [late + 100.0, third + 100.0, overflow]);
}
