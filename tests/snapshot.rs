//! What a snapshot answers.

use nissa::snapshot::Value;
use nissa::{Buckets, Registry};

#[test]
fn a_quantile_is_over_all_series_of_a_histogram() {
    let buckets = Buckets::explicit(&[1.0, 2.0, 4.0]).unwrap();
    let registry = Registry::builder().default_buckets(buckets).build();
    registry.histogram("h", &[("k", "low")]).record_many(1.0, 3);
    registry.histogram("h", &[("k", "high")]).record_many(4.0, 1);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.quantile("h", 0.75), Some(1.0));
    assert_eq!(snapshot.quantile("h", 1.0), Some(4.0));
    assert_eq!(snapshot.quantile("absent", 0.5), None);
    assert!(snapshot.distribution("h").is_none(), "two series have no one distribution");
}

#[test]
fn series_are_found_by_labels_in_any_order() {
    let registry = Registry::new();
    registry.gauge("g", &[("b", "2"), ("a", "1")]).set(7);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.get("g", &[("a", "1"), ("b", "2")]), Some(Value::Gauge(7.0)));
    assert_eq!(snapshot.get("g", &[("a", "1")]), None);
    assert_eq!(snapshot.value("g"), Some(7.0));
}

#[test]
fn what_happened_since_leaves_gauges_and_counts_new_series_in_full() {
    let registry = Registry::new();
    let (old, gauge) = (registry.counter("c", &[("k", "old")]), registry.gauge("g", &[]));
    let seconds = registry.float_counter("s", &[]);
    let histogram = registry.histogram("h", &[]);
    old.increment(5);
    gauge.set(1);
    seconds.increment(0.5);
    histogram.record(0.02);
    let before = registry.snapshot();
    old.increment(2);
    gauge.set(9);
    seconds.increment(0.25);
    histogram.record(3.0);
    registry.counter("c", &[("k", "new")]).increment(4);
    let since = registry.snapshot().since(&before);
    assert_eq!(since.get("c", &[("k", "old")]), Some(Value::Counter(2)));
    assert_eq!(since.get("c", &[("k", "new")]), Some(Value::Counter(4)));
    assert_eq!(since.value("g"), Some(9.0));
    assert_eq!(since.value("s"), Some(0.25));
    let distribution = since.distribution("h").unwrap();
    assert_eq!((distribution.count(), distribution.sum()), (1, 3.0));
    // Reading changed nothing.
    assert_eq!(registry.snapshot().value("s"), Some(0.75));
}

/// Guards `twice` in `Snapshot::get` (snapshot/mod.rs).
#[test]
fn no_series_has_a_label_that_is_asked_for_twice() {
    let registry = Registry::new();
    registry.counter("c_total", &[("a", "1"), ("b", "2")]).increment(9);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.get("c_total", &[("a", "1"), ("a", "1")]), None);
    assert_eq!(snapshot.get("c_total", &[("b", "2"), ("a", "1"), ("b", "2")]), None);
    assert_eq!(snapshot.get("c_total", &[("a", "1"), ("b", "2")]), Some(Value::Counter(9)));
}

#[test]
fn a_snapshot_of_some_metrics_holds_those_and_no_others() {
    let registry = Registry::new();
    for name in ["a_total", "b_total", "c_total"] {
        registry.counter(name, &[]).increment(1);
    }
    let names = |snapshot: &nissa::Snapshot| -> Vec<String> {
        snapshot.families().map(|family| family.name().to_owned()).collect()
    };
    let some = registry.snapshot_of(|name| {
        // Whoever chooses may record meanwhile.
        registry.counter("asked_total", &[("name", name)]).increment(1);
        name != "b_total"
    });
    assert_eq!(names(&some), ["a_total", "c_total"]);
    let asked = registry.snapshot();
    assert_eq!(asked.value("asked_total"), Some(3.0));
    assert_eq!(some.get("c_total", &[]), asked.get("c_total", &[]));
    assert_eq!(names(&registry.snapshot_of(|_| false)), [""; 0]);
}
