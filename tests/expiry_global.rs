//! Idle expiry of the global registry: what call sites have resolved for good must come back.
//! There is one global registry a process, so every test here plays in a child of its own.

#![cfg(feature = "test-util")]

mod host;

use std::time::Duration;

use nissa::{ManualClock, Registry, RegistryBuilder, counter, gauge, histogram};

const IDLE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(61);
const LIMIT: Duration = Duration::from_secs(20);

/// Plays `body` in a child, with a clock for the global registry it is to build.
fn in_child(test: &str, body: impl FnOnce(RegistryBuilder, ManualClock)) {
    if host::scenario().is_none() {
        return host::play(test, test, LIMIT);
    }
    let clock = ManualClock::new();
    body(Registry::builder().idle_timeout(IDLE).clock(clock.clone()), clock);
}

fn sleep_long(clock: &ManualClock) {
    for _ in 0..3 {
        Registry::global().snapshot();
        clock.advance(LONG);
        counter!("tick_total", "any" => String::from("runtime")).increment(1);
    }
}

fn value(name: &str) -> Option<f64> {
    Registry::global().snapshot().value(name)
}

#[test]
fn literal_call_sites_survive() {
    in_child("literal_call_sites_survive", |builder, clock| {
        builder.install().unwrap();
        let record = || {
            counter!("c_total", "by" => "literal").increment(1);
            gauge!("g", "by" => "literal").set(7);
            histogram!("h").record(1);
            metrics::counter!("facade_total", "by" => "literal").increment(1);
        };
        for round in 1..6u32 {
            record();
            let snapshot = Registry::global().snapshot();
            let count = Some(f64::from(round));
            assert_eq!((snapshot.value("c_total"), snapshot.value("g")), (count, Some(7.0)));
            assert_eq!(snapshot.distribution("h").unwrap().count(), u64::from(round));
            assert!(snapshot.value("facade_total") >= Some(1.0));
            drop(snapshot);
            sleep_long(&clock);
            assert_eq!((value("c_total"), value("g"), value("h")), (None, None, None));
            // Newcomers must not get the cells of what sleeps.
            for user in 0..100 {
                let user = format!("{round}-{user}");
                counter!("newcomers_total", "user" => user).increment(1);
            }
            assert_eq!(value("newcomers_total"), Some(100.0));
        }
    });
}

/// A call site that found no room asks again when there is some.
#[test]
fn a_literal_call_site_that_was_refused_finds_room_later() {
    in_child("a_literal_call_site_that_was_refused_finds_room_later", |builder, clock| {
        builder.series(100).install().unwrap();
        let late = || counter!("late_total").increment(1);
        // The registry's own series count too.
        for user in 0..200 {
            counter!("flood_total", "user" => user.to_string()).increment(1);
        }
        late();
        assert_eq!(value("late_total"), None);
        sleep_long(&clock);
        sleep_long(&clock);
        late();
        late();
        assert_eq!(value("late_total"), Some(2.0));
    });
}

/// Guards `for_good` in `Inner::family` (registry/lookup.rs): a site does not keep the refusal.
#[test]
fn a_literal_call_site_counts_once_another_kind_has_given_up_its_name() {
    in_child(
        "a_literal_call_site_counts_once_another_kind_has_given_up_its_name",
        |builder, clock| {
            builder.install().unwrap();
            let registry = Registry::global();
            // Of a thread that remembers nothing once it has ended.
            std::thread::spawn(|| Registry::global().gauge("k", &[]).set(1)).join().unwrap();
            let site = || counter!("k").increment(1);
            site();
            assert_eq!(registry.snapshot().value("k"), Some(1.0), "the gauge");
            sleep_long(&clock);
            sleep_long(&clock);
            assert!(!registry.families().iter().any(|family| family.name == "k"));
            for _ in 0..50 {
                site();
            }
            assert_eq!(registry.snapshot().value("k"), Some(50.0));
        },
    );
}
