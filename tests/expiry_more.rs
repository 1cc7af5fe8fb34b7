//! What expiry gives back: memory, time and places under the limits.

#![cfg(feature = "test-util")]
#![allow(unsafe_code, reason = "a thread's own time has no safe function")]

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

/// The processor time of this thread, which a busy machine does not make longer.
#[cfg(unix)]
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How many times as long as registering so many series it takes to forget them.
#[cfg(unix)]
fn forgetting(series: usize) -> f64 {
    let (builder, clock) = expiring();
    let registry = builder.series_per_family(series).series(series).build();
    let labelled = registry.clone();
    // On a thread of its own, which remembers nothing once it has ended.
    let register = move || {
        for i in 0..series {
            labelled.counter("c_total", &[("i", &i.to_string())]).increment(1);
        }
        thread_time()
    };
    let registering = std::thread::spawn(register).join().unwrap();
    registry.snapshot();
    clock.advance(LONG);
    let start = thread_time();
    registry.snapshot();
    let forgetting = thread_time() - start;
    assert_eq!(registry.cardinality().series, 0);
    forgetting.as_secs_f64() / registering.as_secs_f64()
}

/// Guards `retain` in `Family::forget` (registry/family.rs), which once took series out one by one.
#[cfg(unix)]
#[test]
fn forgetting_many_series_takes_time_in_proportion() {
    // Mostly less than 1; taken out one by one, about 3. The second try is for cold caches.
    let tries: Vec<f64> = (0..2).map(|_| forgetting(250_000)).take_while(|t| *t > 1.8).collect();
    assert!(tries.len() < 2, "forgetting took {tries:?} times as long as registering");
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
