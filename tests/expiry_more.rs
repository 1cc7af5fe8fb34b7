//! What expiry gives back: memory, and places under the limits.

#![cfg(feature = "test-util")]

mod host;

use std::sync::Barrier;
use std::time::Duration;

use nissa::{ManualClock, Registry, RegistryBuilder, counter};

const IDLE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(61);
const LIMIT: Duration = Duration::from_secs(20);

fn expiring() -> (RegistryBuilder, ManualClock) {
    let clock = ManualClock::new();
    (Registry::builder().idle_timeout(IDLE).clock(clock.clone()), clock)
}

/// Uses names that nobody uses again, in a child whose memory must not grow by it. What a leaked
/// name costs is the name at least.
fn names_come_and_go(test: &str, name: impl Fn(usize) -> String, used: impl Fn(&Registry, &str)) {
    const AT_ONCE: usize = 20;
    if host::scenario().is_none() {
        return host::play(test, test, LIMIT);
    }
    let (builder, clock) = expiring();
    let registry = builder.series(100).build();
    let rounds = |from: usize, to: usize| {
        for round in from..to {
            for number in 0..AT_ONCE {
                let name = name(round * AT_ONCE + number);
                registry.counter(&name, &[]).increment(1);
                used(&registry, &name);
            }
            for _ in 0..2 {
                registry.snapshot();
                clock.advance(LONG);
                // So that this thread lets go of what it remembers.
                registry.counter("tick", &[]).increment(1);
            }
        }
    };
    rounds(0, 100);
    let before = host::resident_bytes();
    rounds(100, 600);
    host::assert_grown_at_most(3 << 20, before, test);
    assert_eq!(registry.snapshot().value("nissa_dropped_total"), None, "all names had room");
}

/// Guards `escaped.remove` in `Families::remove` (registry/lookup.rs).
#[test]
fn illegal_names_leave_nothing_behind() {
    let name = |number| format!("job.{number:0800}");
    names_come_and_go("illegal_names_leave_nothing_behind", name, |_, _| ());
}

/// Guards `room` in `Inner::forget_empty` (registry/read.rs).
#[test]
fn described_names_leave_little_behind() {
    let name = |number| format!("job_{number:0800}");
    names_come_and_go("described_names_leave_little_behind", name, |registry, name| {
        registry.describe_counter(name, None, "Some help text.");
    });
}

/// Guards `fetch_sub` in `Family::mark_idle` (registry/family.rs): it does not wait for holders.
#[test]
fn sleeping_series_take_no_place_even_if_a_parked_thread_remembers_them() {
    const MOST: usize = 100;
    let (builder, clock) = expiring();
    let registry = builder.series(MOST).build();
    let turn = Barrier::new(2);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let use_all = || {
                for user in 0..MOST {
                    counter!("requests_total", "user" => user.to_string()).increment(1);
                }
            };
            registry.in_scope(use_all);
            turn.wait();
            turn.wait();
            registry.in_scope(use_all);
        });
        turn.wait();
        for _ in 0..3 {
            clock.advance(LONG);
            registry.snapshot();
        }
        registry.counter("new_total", &[]).increment(1);
        let snapshot = registry.snapshot();
        // Before anything can fail, which would leave the thread parked.
        turn.wait();
        assert_eq!(snapshot.value("requests_total"), None);
        assert_eq!(snapshot.value("new_total"), Some(1.0));
        assert_eq!(snapshot.value("nissa_dropped_total"), None);
    });
    // What slept has lost nothing, and wakes whether there is room or not.
    assert_eq!(registry.snapshot().value("requests_total"), Some(2.0 * MOST as f64));
}
