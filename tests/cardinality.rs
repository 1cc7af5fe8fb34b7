//! Floods of label sets and names: memory stays bounded, sums stay exact, reports name the cause.

mod host;

use std::sync::{Mutex, PoisonError};

use nissa::snapshot::Value;
use nissa::{Matcher, Registry, Snapshot, counter, histogram};

const FLOOD: usize = 1_000_000;
const DEFAULT_LIMIT: usize = 2_000;

/// Memory can only be told of a whole process, so tests that look at it take turns.
static ALONE: Mutex<()> = Mutex::new(());

const MOST_GROWTH: usize = 64 << 20;

fn bounded(doing: &str, most: usize, work: impl FnOnce()) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = host::resident_bytes();
    work();
    host::assert_grown_at_most(most, before, doing);
}

fn number(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    snapshot.get(name, labels)?.as_f64()
}

/// A family at its limit: so many series, one that took the rest, and nothing lost.
fn assert_full(snapshot: &Snapshot, name: &str, limit: usize, total: usize) {
    assert_eq!(snapshot.family(name).unwrap().len(), limit + 1, "the limit and the overflow");
    assert_eq!(snapshot.value(name), Some(total as f64), "the sum over all series");
    let overflow = number(snapshot, name, &[("nissa_overflow", "true")]);
    assert_eq!(overflow, Some((total - limit) as f64));
}

#[test]
fn a_million_label_sets_are_two_thousand_series_and_one() {
    bounded("a million label sets", MOST_GROWTH, || {
        let registry = Registry::new();
        registry.in_scope(|| {
            for user in 0..FLOOD {
                counter!("logins_total", "user" => user.to_string()).increment(1);
            }
        });
        let snapshot = registry.snapshot();
        assert_full(&snapshot, "logins_total", DEFAULT_LIMIT, FLOOD);
        let refused = [("reason", "family_full")];
        let counted = number(&snapshot, "nissa_overflowed_total", &refused);
        assert_eq!(counted, Some((FLOOD - DEFAULT_LIMIT) as f64));
        let text = nissa::expose::text(&snapshot);
        assert!(text.len() < 200_000, "a page of {} bytes", text.len());
        assert!(text.contains("logins_total{nissa_overflow=\"true\"} 998000\n"));
    });
}

#[test]
fn a_million_label_sets_from_four_threads_sum_up_too() {
    const THREADS: usize = 4;
    bounded("a million label sets from four threads", MOST_GROWTH, || {
        let registry = Registry::new();
        std::thread::scope(|threads| {
            for thread in 0..THREADS {
                let registry = &registry;
                threads.spawn(move || {
                    for user in (thread..FLOOD).step_by(THREADS) {
                        let user = user.to_string();
                        registry.counter("logins_total", &[("user", &user)]).increment(1);
                    }
                });
            }
        });
        assert_full(&registry.snapshot(), "logins_total", DEFAULT_LIMIT, FLOOD);
    });
}

/// A name costs more than a label set, so the limit over all metrics is what bounds them.
#[test]
fn a_million_names_are_bounded_too() {
    const DEFAULT_SERIES: usize = 200_000;
    let most = DEFAULT_SERIES * 1_000;
    bounded("a million names", most, || {
        let registry = Registry::new();
        for name in 0..FLOOD {
            registry.counter(&format!("name_{name}"), &[]).increment(1);
        }
        let snapshot = registry.snapshot();
        let refused = number(&snapshot, "nissa_dropped_total", &[("reason", "registry_full")]);
        assert_eq!(refused, Some((FLOOD - DEFAULT_SERIES) as f64));
        assert_eq!(snapshot.families().len(), DEFAULT_SERIES + 1);
        assert_eq!(snapshot.value("name_199999"), Some(1.0));
        assert_eq!(snapshot.value("name_200000"), None);
    });
}

#[test]
fn the_registry_has_a_limit_over_all_metrics() {
    const LIMIT: usize = 100;
    let registry = Registry::builder().series(LIMIT).build();
    for metric in ["a_total", "b_total"] {
        for user in 0..70 {
            registry.counter(metric, &[("user", &user.to_string())]).increment(1);
        }
    }
    registry.gauge("late", &[]).set(1);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.family("a_total").unwrap().len(), 70);
    assert_full(&snapshot, "b_total", 30, 70);
    assert!(snapshot.family("late").is_none());
    let of = |metric, reason| number(&snapshot, metric, &[("reason", reason)]);
    assert_eq!(of("nissa_overflowed_total", "registry_full"), Some(40.0));
    assert_eq!(of("nissa_dropped_total", "registry_full"), Some(1.0));

    registry.counter("a_total", &[("user", "3")]).increment(5);
    let known = registry.snapshot();
    assert_eq!(number(&known, "a_total", &[("user", "3")]), Some(6.0), "what is there goes on");
}

#[test]
fn every_kind_overflows_into_a_series_of_its_own() {
    let registry = Registry::builder().series_per_family(2).build();
    for user in ["a", "b", "c", "d"] {
        let labels = [("user", user)];
        registry.counter("c_total", &labels).increment(2);
        registry.float_counter("f_total", &labels).increment(0.5);
        registry.gauge("g", &labels).set(user.len() as u32);
        registry.histogram("h_seconds", &labels).record(1.0);
    }
    let snapshot = registry.snapshot();
    let overflow = [("nissa_overflow", "true")];
    assert_eq!(number(&snapshot, "c_total", &overflow), Some(4.0));
    assert_eq!(number(&snapshot, "f_total", &overflow), Some(1.0));
    assert_eq!(number(&snapshot, "g", &overflow), Some(1.0));
    let Some(Value::Distribution(distribution)) = snapshot.get("h_seconds", &overflow) else {
        panic!("no overflow series");
    };
    assert_eq!((distribution.count(), distribution.sum()), (2, 2.0));
}

#[test]
fn a_limit_of_zero_leaves_the_overflow_series_alone() {
    let registry = Registry::builder().series_per_family(0).build();
    for user in ["a", "b"] {
        registry.counter("c_total", &[("user", user)]).increment(1);
    }
    registry.counter("c_total", &[]).increment(1);
    assert_full(&registry.snapshot(), "c_total", 0, 3);
}

/// A thread that has learnt that a metric is full refuses by itself; it must not refuse what the
/// registry would have let through.
#[test]
fn a_full_metric_still_knows_the_series_it_has() {
    let registry = Registry::builder().series_per_family(2).drop_label("noise").build();
    let record = |user: &str, noise: &str| {
        counter!("c_total", "user" => user, "noise" => noise).increment(1);
        histogram!("h_seconds", "le" => user, "x" => "y").record(1);
        counter!("twice_total", "user" => "shadowed", "user" => user).increment(1);
    };
    registry.in_scope(|| {
        for user in ["ann", "bob", "eve", "joe"] {
            record(user, "first");
        }
        for noise in 0..100 {
            record("ann", &noise.to_string());
        }
    });
    let snapshot = registry.snapshot();
    assert_eq!(number(&snapshot, "twice_total", &[("user", "ann")]), Some(101.0));
    let labels = [("exported_le", "ann"), ("x", "y")];
    let Some(Value::Distribution(ann)) = snapshot.get("h_seconds", &labels) else { panic!() };
    assert_eq!(ann.count(), 101);
    assert_eq!(number(&snapshot, "c_total", &[("user", "ann")]), Some(101.0));
}

#[test]
fn a_full_metric_still_honours_the_filters() {
    let denied = Matcher::name("c_total").label("user", "root*");
    let registry = Registry::builder().series_per_family(1).deny(denied).build();
    registry.in_scope(|| {
        for user in ["ann", "bob", "root", "root1", "root2"] {
            counter!("c_total", "user" => user.to_owned()).increment(1);
        }
    });
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.value("c_total"), Some(2.0));
    assert_eq!(number(&snapshot, "nissa_dropped_total", &[("reason", "filtered")]), Some(3.0));
}

/// The crate's own metrics are exempt from limits, so a name like theirs must not be.
#[test]
fn a_name_like_the_crates_own_is_limited_too() {
    let registry = Registry::builder().series_per_family(10).build();
    for user in 0..100 {
        registry.counter("nissa_clone_total", &[("user", &user.to_string())]).increment(1);
    }
    assert_full(&registry.snapshot(), "nissa_clone_total", 10, 100);
}

#[test]
fn the_report_names_the_metric_and_the_label_that_explode() {
    let registry = Registry::builder().series_per_family(50).build();
    for request in 0..100 {
        let (user, method) = (request.to_string(), ["GET", "PUT"][request % 2]);
        let labels = [("user", user.as_str()), ("method", method), ("host", "one")];
        registry.counter("requests_total", &labels).increment(1);
    }
    registry.gauge("up", &[]).set(1);
    let report = registry.cardinality();
    let worst = &report.families[0];
    assert_eq!(
        (worst.name.as_str(), worst.series, worst.overflowing),
        ("requests_total", 51, true)
    );
    let labels: Vec<_> = worst.labels.iter().map(|label| (&*label.name, label.values)).collect();
    assert_eq!(labels, [("user", 50), ("method", 2), ("host", 1), ("nissa_overflow", 1)]);
    let up = report.families.iter().find(|family| family.name == "up").unwrap();
    assert_eq!((up.series, up.overflowing, up.labels.len()), (1, false, 0));
    assert_eq!(report.series, report.families.iter().map(|family| family.series).sum::<usize>());
}

/// Guards `counted: Option` in `Overflow` (registry/lookup.rs): what cannot be counted is kept.
#[test]
fn a_gauge_of_the_overflow_counters_name_does_not_make_overflow_lossy() {
    let registry = Registry::builder().series_per_family(1).build();
    registry.gauge("nissa_overflowed_total", &[]).set(5);
    for i in 0..10 {
        registry.counter("c_total", &[("i", &i.to_string())]).increment(1);
        // A literal call site remembers that the metric is full.
        registry.in_scope(|| counter!("d_total", "i" => i.to_string()).increment(1));
    }
    let snapshot = registry.snapshot();
    assert_full(&snapshot, "c_total", 1, 10);
    assert_full(&snapshot, "d_total", 1, 10);
    assert_eq!(number(&snapshot, "nissa_overflowed_total", &[]), Some(5.0));
}

/// Guards `users` in `Inner::new_family` (registry/lookup.rs): series of no place are none at all.
#[test]
fn metrics_are_bounded_even_if_none_may_have_a_series() {
    let registry = Registry::builder().series_per_family(0).series(10).build();
    for i in 0..10_000 {
        registry.counter(&format!("metric_{i}_total"), &[]).increment(1);
    }
    let snapshot = registry.snapshot();
    let users = snapshot.families().filter(|family| !family.name().starts_with("nissa_"));
    assert_eq!(users.count(), 10);
    let refused = number(&snapshot, "nissa_dropped_total", &[("reason", "registry_full")]);
    assert_eq!(refused, Some(9_990.0));
}
