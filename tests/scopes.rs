//! A registry of one's own: what macros record goes there, whatever their call sites remember.

// A host may forbid unsafe code: the macros expand to none.
#![forbid(unsafe_code)]

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Barrier};

use nissa::{Counter, Registry, counter, describe_counter, gauge, histogram};

/// Call sites that all tests here share, each of another form.
fn work(amount: u64, user: &str) {
    counter!("work_total").increment(amount);
    counter!("work_total", "by" => "literal").increment(amount);
    counter!("work_by_user_total", "user" => user).increment(amount);
    counter!(format!("work_{user}_total")).increment(amount);
    gauge!("work").set(amount as f64);
    histogram!("work_seconds").record_many(0.5, amount as usize);
    metrics::counter!("work_facade_total").increment(amount);
}

fn values(registry: &Registry) -> [Option<f64>; 5] {
    let snapshot = registry.snapshot();
    let count = snapshot.distribution("work_seconds").map(|seconds| seconds.count() as f64);
    [
        snapshot.value("work_total"),
        snapshot.value("work_by_user_total"),
        snapshot.value("work_ann_total"),
        snapshot.value("work"),
        count,
    ]
}

fn times(amount: u64, times: u64) -> [Option<f64>; 5] {
    let total = Some((amount * times) as f64);
    [Some(2.0 * (amount * times) as f64), total, total, Some(amount as f64), total]
}

/// As tests of one process do: the same call sites at the same time, each in its own registry.
#[test]
fn threads_in_registries_of_their_own_do_not_see_each_other() {
    const THREADS: u64 = 16;
    const ROUNDS: u64 = 200;
    let barrier = Barrier::new(THREADS as usize);
    std::thread::scope(|threads| {
        for amount in 1..=THREADS {
            let barrier = &barrier;
            threads.spawn(move || {
                let registry = Registry::new();
                let recorder = nissa::Recorder::new(&registry);
                barrier.wait();
                let _scope = registry.enter();
                for round in 1..=ROUNDS {
                    metrics::with_local_recorder(&recorder, || work(amount, "ann"));
                    if round % 50 == 0 {
                        assert_eq!(values(&registry), times(amount, round));
                    }
                }
                let facade = registry.snapshot().value("work_facade_total");
                assert_eq!(facade, Some((amount * ROUNDS) as f64));
            });
        }
    });
}

#[test]
fn the_global_registry_sees_only_what_no_scope_takes() {
    let site = |amount| counter!("outside_total").increment(amount);
    let global = || Registry::global().snapshot().value("outside_total");
    site(1);
    let registry = Registry::new();
    registry.in_scope(|| {
        site(10);
        std::thread::scope(|threads| threads.spawn(|| site(100)).join()).unwrap();
        site(10);
    });
    site(1);
    assert_eq!(global(), Some(102.0), "threads of a scope are not in it unless they enter");
    assert_eq!(registry.snapshot().value("outside_total"), Some(20.0));
}

#[test]
fn scopes_nest() {
    let [outer, inner] = [Registry::new(), Registry::new()];
    let site = || counter!("nested_total").increment(1);
    outer.in_scope(|| {
        site();
        {
            let _inner = inner.enter();
            site();
            let _again = outer.enter();
            site();
        }
        site();
        assert!(catch_unwind(|| Registry::new().in_scope(|| panic!("left by a panic"))).is_err());
        site();
    });
    assert_eq!(outer.snapshot().value("nested_total"), Some(4.0));
    assert_eq!(inner.snapshot().value("nested_total"), Some(1.0));
    assert_eq!(Registry::global().snapshot().value("nested_total"), None);
}

#[test]
fn descriptions_go_where_the_scope_is() {
    let registry = Registry::new();
    registry.in_scope(|| {
        describe_counter!("described_total", "In the scope.");
        counter!("described_total").increment(1);
        counter!(description: "Also.", "also_described_total").increment(1);
    });
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.family("described_total").unwrap().help(), Some("In the scope."));
    assert_eq!(snapshot.family("also_described_total").unwrap().help(), Some("Also."));
    assert!(Registry::global().snapshot().family("described_total").is_none());
}

/// A thread goes on in a registry that everybody else has let go of.
#[test]
fn a_scope_keeps_its_registry() {
    let registry = Registry::new();
    let (entered, dropped) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let thread = {
        let (registry, entered, dropped) =
            (registry.clone(), Arc::clone(&entered), Arc::clone(&dropped));
        std::thread::spawn(move || {
            let scope = registry.enter();
            drop(registry);
            work(1, "ann");
            entered.wait();
            dropped.wait();
            (0..99).for_each(|_| work(1, "ann"));
            let held = counter!("work_total");
            let now = counter!("work_total", "by" => "literal").clone();
            drop(scope);
            held.increment(1);
            now.increment(1);
        })
    };
    entered.wait();
    let last = Arc::new(registry.snapshot());
    drop(registry);
    dropped.wait();
    thread.join().unwrap();
    assert_eq!(last.value("work_by_user_total"), Some(1.0), "a snapshot outlives its registry");
}

/// Cells of a registry that is gone are used again; a handle that outlives it must not write there.
#[test]
fn a_handle_that_outlives_its_registry_disturbs_nobody() {
    let mut survivors: Vec<Counter> = Vec::new();
    for round in 0..20u64 {
        let registry = Registry::new();
        let labels: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        for label in &labels {
            registry.counter("c_total", &[("label", label)]).increment(7);
            registry.histogram("h_seconds", &[("label", label)]).record(7);
        }
        survivors.iter().for_each(|old| old.increment(1_000_000));
        survivors.push(registry.counter("c_total", &[("label", "3")]));
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.value("c_total"), Some(200.0 * 7.0), "round {round}");
        for series in snapshot.family("h_seconds").unwrap().series() {
            let nissa::snapshot::Value::Distribution(seconds) = series.value() else { panic!() };
            assert_eq!((seconds.count(), seconds.sum()), (1, 7.0), "round {round}");
        }
    }
}

/// A reader is in the middle of its work when a registry goes, and one of its cells comes to a new
/// series that is still to be read.
#[test]
fn a_reader_shows_nothing_of_a_registry_that_went() {
    const ROUNDS: usize = 300;
    let registry = Registry::new();
    for name in 0..500 {
        registry.counter(&format!("before_{name}"), &[]).increment(1);
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for round in 0..ROUNDS {
                let short = Registry::new();
                let label = |number: usize| format!("{round}-{number}");
                for number in 0..5 {
                    let labels = [("label", &*label(number))];
                    short.counter("short_total", &labels).increment(1_000_000);
                }
                drop(short);
                // Lets go of what this thread remembers of it.
                registry.counter("before_0", &[]).increment(0);
                for number in 0..5 {
                    registry.counter("later_total", &[("label", &*label(number))]).increment(1);
                }
            }
            done.store(true, Relaxed);
        });
        while !done.load(Relaxed) {
            let snapshot = registry.snapshot();
            for series in snapshot.family("later_total").into_iter().flat_map(|f| f.series()) {
                let count = series.value().as_f64().unwrap();
                assert!(count <= 1.0, "{count} of one is shown");
            }
        }
    });
}

/// Threads make and drop registries while others use theirs at the same call sites.
#[test]
fn registries_come_and_go_beside_each_other() {
    std::thread::scope(|threads| {
        for amount in 1..=4u64 {
            threads.spawn(move || {
                for _ in 0..300 {
                    let registry = Registry::new();
                    let recorder = nissa::Recorder::new(&registry);
                    registry.in_scope(|| {
                        metrics::with_local_recorder(&recorder, || {
                            (0..3).for_each(|_| work(amount, "ann"));
                        });
                    });
                    assert_eq!(values(&registry), times(amount, 3));
                }
            });
        }
    });
}
