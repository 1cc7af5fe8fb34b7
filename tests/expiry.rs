//! Series that nobody uses leave the output; nothing that was counted is lost by it.

#![cfg(feature = "test-util")]

mod host;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use nissa::snapshot::Value;
use nissa::{Counter, ManualClock, Registry, RegistryBuilder, Snapshot};

const IDLE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(61);

fn expiring() -> (RegistryBuilder, ManualClock) {
    let clock = ManualClock::new();
    (Registry::builder().idle_timeout(IDLE).clock(clock.clone()), clock)
}

/// Long enough for every series that nobody holds to be forgotten.
fn forget(registry: &Registry, clock: &ManualClock) {
    for _ in 0..2 {
        shown_after(registry, clock, LONG);
        // A thread lets go of what it remembers when it looks something up.
        registry.counter("tick", &[]).increment(0);
    }
    shown_after(registry, clock, LONG);
}

/// The names shown after so long without use.
fn shown_after(registry: &Registry, clock: &ManualClock, idle: Duration) -> Vec<String> {
    registry.snapshot();
    clock.advance(idle);
    registry.snapshot().families().map(|family| family.name().to_owned()).collect()
}

#[test]
fn idle_series_leave_the_output_in_time_and_not_before() {
    let (builder, clock) = expiring();
    let registry = builder.build();
    registry.counter("a_total", &[]).increment(1);
    assert_eq!(shown_after(&registry, &clock, IDLE), ["a_total"]);
    assert!(shown_after(&registry, &clock, Duration::from_millis(1)).is_empty());
}

#[test]
fn every_update_is_shown_at_least_once() {
    let (builder, clock) = expiring();
    let registry = builder.build();
    let counter = registry.counter("a_total", &[]);
    for round in 1..5 {
        // Scraped more seldom than series expire.
        counter.increment(1);
        clock.advance(10 * LONG);
        assert_eq!(registry.snapshot().value("a_total"), Some(f64::from(round)));
        clock.advance(10 * LONG);
        assert_eq!(registry.snapshot().value("a_total"), None);
    }
}

#[test]
fn a_held_handle_brings_its_series_back_with_all_it_had() {
    let (builder, clock) = expiring();
    let registry = builder.build();
    let labels = [("a", "b")];
    let counter = registry.counter("c_total", &labels);
    let float = registry.float_counter("f_total", &labels);
    let gauge = registry.gauge("g", &labels);
    let histogram = registry.histogram("h", &labels);
    counter.increment(5);
    float.increment(0.5);
    gauge.set(7);
    histogram.record(1.0);
    for round in 1..4u32 {
        assert!(shown_after(&registry, &clock, LONG).is_empty());
        assert!(shown_after(&registry, &clock, LONG).is_empty());
        counter.increment(1);
        float.increment(0.25);
        gauge.increment(1);
        histogram.record(2.0);
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.value("c_total"), Some(f64::from(5 + round)));
        assert_eq!(snapshot.value("f_total"), Some(0.5 + 0.25 * f64::from(round)));
        assert_eq!(snapshot.value("g"), Some(f64::from(7 + round)));
        let distribution = snapshot.distribution("h").unwrap();
        assert_eq!(distribution.count(), u64::from(1 + round));
        assert_eq!(distribution.sum(), f64::from(1 + 2 * round));
    }
}

#[test]
fn setting_a_gauge_to_the_value_it_has_is_a_use() {
    let (builder, clock) = expiring();
    let registry = builder.build();
    let same = registry.gauge("same", &[]);
    let zero = registry.gauge("zero", &[]);
    same.set(3);
    for _ in 0..5 {
        same.set(3);
        zero.increment(0);
        assert_eq!(shown_after(&registry, &clock, LONG / 2), ["same", "zero"]);
    }
    assert!(shown_after(&registry, &clock, LONG).is_empty());
    same.set(3);
    assert_eq!(registry.snapshot().value("same"), Some(3.0));
}

#[test]
fn a_series_nobody_holds_begins_anew() {
    let (builder, clock) = expiring();
    let registry = builder.build();
    registry.describe_counter("c_total", None, "Told once.");
    registry.counter("c_total", &[("user", "ann")]).increment(5);
    forget(&registry, &clock);
    registry.counter("c_total", &[("user", "ann")]).increment(1);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.value("c_total"), Some(1.0));
    assert_eq!(snapshot.family("c_total").unwrap().help(), Some("Told once."));
}

#[test]
fn a_snapshot_keeps_what_it_saw() {
    let (builder, clock) = expiring();
    let registry = builder.build();
    for user in ["ann", "bob"] {
        registry.counter("c_total", &[("user", user)]).increment(5);
    }
    let kept = registry.snapshot();
    forget(&registry, &clock);
    registry.counter("other_total", &[]).increment(9);
    assert_eq!(kept.value("c_total"), Some(10.0));
    assert_eq!(nissa::expose::text(&kept).matches("} 5\n").count(), 2);
}

#[test]
fn room_under_the_limits_is_freed() {
    let (builder, clock) = expiring();
    let registry = builder.series_per_family(10).series(13).build();
    for round in 0..5 {
        for user in 0..12 {
            let user = format!("{round}-{user}");
            registry.counter("c_total", &[("user", &user)]).increment(1);
        }
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.family("c_total").unwrap().len(), 11, "round {round}");
        assert_eq!(snapshot.value("c_total"), Some(12.0), "round {round}");
        // A snapshot keeps its series from being forgotten.
        drop(snapshot);
        forget(&registry, &clock);
    }
}

#[test]
fn names_nobody_uses_are_freed() {
    let (builder, clock) = expiring();
    let registry = builder.series(1000).build();
    for round in 0..10 {
        for number in 0..500 {
            registry.counter(&format!("name_{round}_{number}"), &[]).increment(1);
        }
        forget(&registry, &clock);
    }
    let known = registry.families().len();
    assert!(known <= 1000, "{known} names are kept, of which none has a series");
}

/// Cells that other threads wrote, of series that are gone, are used again from zero.
#[test]
fn cells_are_used_again_without_ghosts() {
    let (builder, clock) = expiring();
    let registry = builder.build();
    for round in 1..6u32 {
        let record = |registry: &Registry, times: usize| {
            for series in 0..300 {
                let series = format!("{round}-{series}");
                let labels = [("series", series.as_str())];
                registry.counter("c_total", &labels).increment(times as u64);
                registry.float_counter("f_total", &labels).increment(times as f64);
                registry.gauge("g", &labels).set(round);
                registry.histogram("h", &labels).record_many(round, times);
            }
        };
        std::thread::scope(|threads| {
            (0..3).for_each(|_| drop(threads.spawn(|| record(&registry, 2))));
        });
        record(&registry, 1);
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.family("c_total").unwrap().len(), 300);
        for family in snapshot.families() {
            for series in family.series() {
                match series.value() {
                    Value::Counter(count) => assert_eq!(count, 7),
                    Value::FloatCounter(total) => assert_eq!(total, 7.0),
                    Value::Gauge(value) => assert_eq!(value, f64::from(round)),
                    Value::Distribution(distribution) => {
                        assert_eq!(distribution.count(), 7);
                        assert_eq!(distribution.sum(), 7.0 * f64::from(round));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        forget(&registry, &clock);
    }
}

/// What a series of the race was given and has shown: each increment is a bit of its own.
struct Bits {
    label: String,
    begun: AtomicU64,
    /// By a counter, a histogram, and a counter whose name tells series apart.
    shown: [AtomicU64; 3],
}

impl Bits {
    fn new(series: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self { label: series.to_string(), begun: zero(), shown: [zero(), zero(), zero()] }
    }
}

/// Increments race with the sweep that forgets idle series, through handles that are held and
/// through ones looked up each time. Every increment must be seen in some snapshot, nothing may be
/// seen that was not added, and what is held must be complete at the end.
#[test]
fn no_increment_is_lost_in_a_race_with_the_sweep() {
    let anew: usize = (0..50).map(|_| race()).sum();
    assert!(anew > 0, "no series was ever forgotten, so nothing was tested");
}

const WORKERS: u64 = 4;
const BITS: u64 = 15;
const ALL: u64 = (1 << (WORKERS * BITS)) - 1;

/// How many times a series was forgotten and began anew.
fn race() -> usize {
    let (builder, clock) = expiring();
    let registry = builder.build();
    let all: Vec<Bits> = (0..80).map(Bits::new).collect();
    let done = AtomicBool::new(false);
    let mut anew = 0;
    std::thread::scope(|threads| {
        let (registry, all) = (&registry, &all);
        let sweep = threads.spawn(|| {
            let mut anew = 0;
            while !done.load(Relaxed) {
                clock.advance(LONG);
                anew += check(&registry.snapshot(), all);
            }
            anew
        });
        let workers: Vec<_> =
            (0..WORKERS).map(|worker| threads.spawn(move || work(worker, registry, all))).collect();
        let held: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
        done.store(true, Relaxed);
        anew = sweep.join().unwrap() + check(&registry.snapshot(), all);
        held[0].iter().for_each(|held| held.increment(1 << 60));
        for series in registry.snapshot().family("held").unwrap().series() {
            assert_eq!(series.value(), Value::Counter(ALL + (1 << 60)));
        }
    });
    for series in &all {
        let shown = series.shown.each_ref().map(|bits| bits.load(Relaxed));
        assert_eq!(shown, [ALL; 3], "an increment was never shown");
    }
    anew
}

/// Adds each of the worker's bits to every series; gives back what it held.
fn work(worker: u64, registry: &Registry, all: &[Bits]) -> Vec<Counter> {
    let hold = |series: &Bits| registry.counter("held", &[("s", &series.label)]);
    let held: Vec<Counter> = all.iter().map(hold).collect();
    for bit in worker * BITS..(worker + 1) * BITS {
        for (series, held) in all.iter().zip(&held) {
            series.begun.fetch_or(1 << bit, SeqCst);
            held.increment(1 << bit);
            let labels = [("s", series.label.as_str())];
            registry.counter("c", &labels).increment(1 << bit);
            registry.histogram("h", &labels).record_many(1, 1 << bit);
            registry.counter(&series.label, &[]).increment(1 << bit);
        }
    }
    held
}

/// Notes what a snapshot shows of the series that are looked up; gives back how many of them it
/// shows without what an earlier one did, because they were forgotten and have begun anew.
fn check(snapshot: &Snapshot, all: &[Bits]) -> usize {
    let mut anew = 0;
    for family in snapshot.families() {
        for series in family.series() {
            let (place, number) = match family.name() {
                name if name == "held" || name.starts_with("nissa_") => continue,
                "c" => (0, series.label("s").unwrap()),
                "h" => (1, series.label("s").unwrap()),
                name => (2, name.into()),
            };
            let bits = &all[number.parse::<usize>().unwrap()];
            let seen = match series.value() {
                Value::Counter(count) => count,
                Value::Distribution(distribution) => distribution.count(),
                other => panic!("{other:?}"),
            };
            let begun = bits.begun.load(SeqCst);
            let name = family.name();
            assert_eq!(seen & !begun, 0, "{name}: {seen:#x} is shown, {begun:#x} was added");
            anew += usize::from(bits.shown[place].fetch_or(seen, Relaxed) & !seen != 0);
        }
    }
    anew
}
