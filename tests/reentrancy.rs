//! Metrics recorded from inside the global allocator, which nissa itself calls to record them.
//!
//! The risky parts run in children, so that a deadlock or an overflow of the stack is a failure
//! and not the end of the tests.

#![allow(unsafe_code, reason = "a global allocator is unsafe by signature")]

mod host;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use nissa::{Registry, counter, gauge, histogram};

const LIMIT: Duration = Duration::from_secs(10);

/// What the allocator does beside allocating.
const UNKNOWN: u8 = 0;
const NOTHING: u8 = 1;
const LITERAL: u8 = 2;
const RUNTIME: u8 = 3;
const FACADE: u8 = 4;
const FRESH: u8 = 5;

static MODE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// The truth: how often the allocator recorded something.
static CALLS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Instrumented = Instrumented;

struct Instrumented;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Instrumented {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn note(size: usize) {
    match MODE.load(Relaxed) {
        NOTHING => {}
        UNKNOWN => find_mode(),
        mode => {
            CALLS.fetch_add(1, Relaxed);
            match mode {
                LITERAL => literal(size),
                RUNTIME => counter!("allocations_total", "class" => class(size)).increment(1),
                FRESH => fresh(),
                _ => metrics::counter!("allocations_total").increment(1),
            }
        }
    }
}

fn literal(size: usize) {
    counter!("allocations_total", "by" => "test").increment(1);
    histogram!("allocation_bytes").record(size as f64);
    gauge!("last_allocation_bytes").set(size as f64);
}

fn class(size: usize) -> &'static str {
    const CLASSES: [&str; 6] = ["8", "64", "512", "4096", "32768", "more"];
    let index = (size.max(1).ilog2() as usize).div_ceil(3);
    CLASSES[index.clamp(1, CLASSES.len()) - 1]
}

/// A series of its own for every allocation, as a leaky label would make.
fn fresh() {
    let number = CALLS.load(Relaxed);
    let mut text = [0; 20];
    let mut at = text.len();
    let mut rest = number;
    while at == text.len() || rest > 0 {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let text = std::str::from_utf8(&text[at..]).unwrap_or_default();
    counter!("fresh_total", "number" => text).increment(1);
}

/// Asked by the first allocation of the process, before `main`, so without `std::env`.
fn find_mode() {
    // SAFETY: nobody changes the environment while this process starts.
    let from_start = unsafe { !libc::getenv(c"NISSA_TEST_FROM_START".as_ptr()).is_null() };
    MODE.store(if from_start { LITERAL } else { NOTHING }, Relaxed);
}

/// Runs `work` with an allocator that records.
fn recording<R>(mode: u8, work: impl FnOnce() -> R) -> R {
    MODE.store(mode, Relaxed);
    let result = work();
    MODE.store(NOTHING, Relaxed);
    result
}

/// All allocations are there, but for those that `nissa_dropped_total` speaks of.
fn check_total(name: &str) {
    let calls = CALLS.load(Relaxed);
    let snapshot = Registry::global().snapshot();
    let counted = snapshot.value(name).unwrap() as u64;
    assert!(counted > 0 && counted <= calls, "{counted} counted of {calls}");
    let missing = calls - counted;
    let dropped = snapshot.value("nissa_dropped_total").unwrap() as u64;
    assert!(missing <= dropped, "{missing} of {calls} missing, {dropped} told of");
}

/// What a program does with metrics, on several threads.
fn work() {
    std::thread::scope(|threads| {
        for thread in 0..4 {
            threads.spawn(move || {
                for number in 0..300 {
                    let label = format!("{thread}-{number}");
                    counter!("work_total", "label" => &label).increment(1);
                    gauge!("work", "label" => &label).set(number);
                    histogram!("work_seconds", "label" => &label).record(0.1);
                    if number % 100 == 0 {
                        let text = nissa::expose::text(&Registry::global().snapshot());
                        assert!(text.len() > 100);
                    }
                }
            });
        }
    });
    let snapshot = Registry::global().snapshot();
    assert_eq!(snapshot.value("work_total"), Some(1200.0), "the program's own metrics are exact");
}

/// Plays `body` in a process of its own.
fn in_child(test: &str, body: impl FnOnce()) {
    match host::scenario() {
        Some(_) => body(),
        None => host::play(test, test, LIMIT),
    }
}

#[test]
fn from_the_first_allocation_of_the_process() {
    const TEST: &str = "from_the_first_allocation_of_the_process";
    if host::scenario().is_some() {
        assert_eq!(MODE.load(Relaxed), LITERAL);
        work();
        MODE.store(NOTHING, Relaxed);
        return check_total("allocations_total");
    }
    let (status, said) = host::play_with(TEST, TEST, &[("NISSA_TEST_FROM_START", "1")], LIMIT);
    assert!(status.is_some_and(|status| status.success()), "{status:?}\n{said}");
}

#[test]
fn while_the_global_registry_is_made() {
    in_child("while_the_global_registry_is_made", || {
        recording(LITERAL, work);
        check_total("allocations_total");
    });
}

#[test]
fn with_literal_labels() {
    in_child("with_literal_labels", || {
        Registry::global();
        recording(LITERAL, work);
        check_total("allocations_total");
    });
}

#[test]
fn with_runtime_labels() {
    in_child("with_runtime_labels", || {
        Registry::global();
        recording(RUNTIME, work);
        check_total("allocations_total");
    });
}

#[test]
fn with_a_new_series_each_time() {
    in_child("with_a_new_series_each_time", || {
        Registry::global();
        recording(FRESH, work);
        check_total("fresh_total");
    });
}

#[test]
fn through_the_facade() {
    in_child("through_the_facade", || {
        nissa::install().unwrap();
        Registry::global();
        recording(FACADE, work);
        check_total("allocations_total");
    });
}

#[test]
fn in_a_scoped_registry() {
    in_child("in_a_scoped_registry", || {
        let registry = Registry::new();
        registry.in_scope(|| recording(LITERAL, || drop(vec![1u8; 100])));
        let snapshot = registry.snapshot();
        let counted = snapshot.value("allocations_total").unwrap_or(0.0);
        assert!(counted as u64 <= CALLS.load(Relaxed));
    });
}

/// The list of entered registries has to grow while it is looked at.
#[test]
fn in_scopes_within_scopes() {
    in_child("in_scopes_within_scopes", || {
        let registries: Vec<Registry> = (0..100).map(|_| Registry::new()).collect();
        let mut scopes = Vec::with_capacity(100);
        recording(RUNTIME, || {
            registries.iter().for_each(|registry| scopes.push(registry.enter()));
            while scopes.pop().is_some() {}
        });
    });
}

/// A registry that goes gives its cells back, which makes a list grow; and threads let go of what
/// they remember of it whenever they look something up, so also within that growing.
#[test]
fn while_a_registry_goes() {
    in_child("while_a_registry_goes", || drop_registries(RUNTIME));
}

#[test]
fn while_a_registry_goes_with_a_new_series_each_time() {
    in_child("while_a_registry_goes_with_a_new_series_each_time", || drop_registries(FRESH));
}

fn drop_registries(mode: u8) {
    Registry::global();
    recording(mode, || drop(vec![1u8; 100]));
    for round in 0..8 {
        let registry = Registry::new();
        let register = |who: &str, count: usize| {
            for number in 0..count {
                let label = format!("{who}{number}");
                registry.counter("goes_total", &[("label", &label)]).increment(1);
                registry.histogram("goes_seconds", &[("label", &label)]).record(1);
            }
        };
        std::thread::scope(|threads| threads.spawn(|| register("other", 16 << round)).join())
            .unwrap();
        register("own", 16 << round);
        recording(mode, || drop(registry));
    }
}

/// The same, within the making of a thread's first memory.
#[test]
fn while_a_thread_records_for_the_first_time() {
    in_child("while_a_thread_records_for_the_first_time", || {
        let held = Registry::global().counter("first_total", &[]);
        let registry = Registry::new();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                drop(registry.counter("goes_total", &[("label", "remembered by this thread")]));
                drop(registry);
                recording(RUNTIME, || held.increment(1));
            });
        });
        assert_eq!(Registry::global().snapshot().value("first_total"), Some(1.0));
    });
}

/// The reports walk the same lists as a scrape.
#[test]
fn while_a_report_is_made() {
    in_child("while_a_report_is_made", || {
        counter!("some_total").increment(1);
        recording(FRESH, || {
            for _ in 0..50 {
                assert!(!Registry::global().families().is_empty());
                assert!(Registry::global().cardinality().series > 0);
            }
        });
    });
}
