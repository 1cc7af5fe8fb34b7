//! Races for the places under a limit: none is taken twice, none is lost.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use nissa::Registry;

const LABELS: [(&str, &str); 1] = [("k", "v")];

/// Waits until all threads have come here `rounds` times; they leave at about the same time.
fn meet(arrived: &AtomicUsize, all: usize) {
    arrived.fetch_add(1, SeqCst);
    let mut spins = 0u32;
    while arrived.load(SeqCst) < all {
        spins += 1;
        // Where both threads have a core to themselves, spinning makes the race closer.
        if spins % 64 == 0 {
            std::thread::yield_now();
        }
        std::hint::spin_loop();
    }
}

/// Two threads do `work` for each round at the same time.
fn twice(rounds: usize, work: impl Fn(usize) + Sync) {
    let arrived = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                for round in 0..rounds {
                    meet(&arrived, 2 * (round + 1));
                    work(round);
                }
            });
        }
    });
}

/// Guards `make` under the lock in `Table::find_or_add` (registry/table.rs).
#[test]
fn the_last_place_of_a_metric_is_not_taken_twice_for_one_series() {
    const ROUNDS: usize = 20_000;
    let registry = Registry::builder().series_per_family(1).series(2 * ROUNDS).build();
    // Of each metric, the only series it may have.
    let names: Vec<String> = (0..ROUNDS).map(|round| format!("x_{round}")).collect();
    twice(ROUNDS, |round| registry.counter(&names[round], &LABELS).increment(1));
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.value("nissa_overflowed_total"), None);
    for name in &names {
        let count = snapshot.get(name, &LABELS).and_then(|count| count.as_f64());
        assert_eq!(count, Some(2.0), "{name}");
    }
}

/// Guards the same, for the registry's limit.
#[test]
fn the_last_place_of_a_registry_is_not_taken_twice_for_one_series() {
    const ROUNDS: usize = 2_000;
    let new = |_| {
        let registry = Registry::builder().series(2).build();
        registry.counter("x", &[("first", "1")]).increment(1);
        registry
    };
    let registries: Vec<Registry> = (0..ROUNDS).map(new).collect();
    twice(ROUNDS, |round| registries[round].counter("x", &LABELS).increment(1));
    for registry in &registries {
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.value("nissa_overflowed_total"), None);
        assert_eq!(snapshot.get("x", &LABELS).and_then(|count| count.as_f64()), Some(2.0));
    }
}

/// Guards `is_gone` in `Family::mark_idle` (registry/family.rs): nothing forgotten wakes.
#[cfg(feature = "test-util")]
#[test]
fn concurrent_snapshots_do_not_leak_places() {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use nissa::ManualClock;

    const ROUNDS: usize = 100;
    const LONG: Duration = Duration::from_secs(61);
    const FAMILY: usize = 150;
    let clock = ManualClock::new();
    let registry = Registry::builder()
        .series_per_family(FAMILY)
        .idle_timeout(Duration::from_secs(60))
        .clock(clock.clone())
        .build();
    // Read before `zz`, so that each reader is a while behind its list of series.
    let slow = |i: usize| registry.counter(&format!("a_{}", i / 100), &[("i", &i.to_string())]);
    let _slow: Vec<_> = (0..3000).map(slow).collect();
    // So that the metric stays, and with it the count of its places.
    let kept = registry.counter("zz", &[("kept", "1")]);
    let (read, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let fresh = |round: usize, many: usize| {
        let registry = registry.clone();
        // A thread of its own, which remembers nothing once it has ended.
        let register = move || {
            for i in 0..many {
                registry.counter("zz", &[("i", &format!("{round}-{i}"))]).increment(1);
            }
        };
        std::thread::spawn(register).join().unwrap();
    };
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !done.load(SeqCst) {
                    registry.snapshot();
                    read.fetch_add(1, SeqCst);
                }
            });
        }
        for round in 0..ROUNDS {
            kept.increment(1);
            fresh(round, 100);
            // Seen in use by some reader, then idle while the other is on its way.
            for _ in 0..2 {
                let before = read.load(SeqCst);
                while read.load(SeqCst) < before + 3 {
                    std::thread::yield_now();
                }
                clock.advance(LONG);
            }
        }
        done.store(true, SeqCst);
    });
    for _ in 0..3 {
        clock.advance(LONG);
        registry.snapshot();
    }
    kept.increment(1);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.family("zz").map(|family| family.len()), Some(1));
    let overflowed = |registry: &Registry| registry.snapshot().value("nissa_overflowed_total");
    let before = overflowed(&registry);
    fresh(ROUNDS, FAMILY - 1);
    assert_eq!(overflowed(&registry), before, "places were lost");
    fresh(ROUNDS + 1, 1);
    assert!(overflowed(&registry) > before, "places were given back twice");
}
