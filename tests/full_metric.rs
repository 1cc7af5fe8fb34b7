//! A thread that refuses further labels of a full metric by itself (see `registry/cache.rs`) must
//! not take updates away from series that exist, nor count what a filter refuses.

use nissa::{Matcher, Registry, counter, histogram, snapshot::Value};

fn count(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    registry.snapshot().get(name, labels).and_then(|value| value.as_f64())
}

#[test]
fn a_dropped_label_still_leads_to_its_series() {
    let registry = Registry::builder().series_per_family(2).drop_label("user").build();
    let _scope = registry.enter();
    counter!("primer_total", "some" => "x".to_string()).increment(1);
    let hit = |user: &str, method: &str| {
        counter!("a_total", "user" => user, "method" => method).increment(1);
    };
    hit("1", "GET");
    hit("2", "PUT");
    hit("3", "POST"); // refused: the site learns that the metric is full
    hit("4", "GET");
    assert_eq!(count(&registry, "a_total", &[("method", "GET")]), Some(2.0));
}

#[test]
fn a_renamed_label_still_leads_to_its_series() {
    let registry = Registry::builder().series_per_family(2).build();
    let _scope = registry.enter();
    counter!("primer_total", "some" => "x".to_string()).increment(1);
    let hit = |le: &str| histogram!("b_seconds", "le" => le).record(1);
    ["1", "2", "3", "1"].iter().for_each(|le| hit(le));
    match registry.snapshot().get("b_seconds", &[("exported_le", "1")]) {
        Some(Value::Distribution(d)) => assert_eq!(d.count(), 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn filters_still_hold() {
    let registry = Registry::builder()
        .series_per_family(2)
        .deny(Matcher::name("*").label("path", "/health*"))
        .build();
    let _scope = registry.enter();
    let hit = |path: &str| counter!("c_total", "path" => path).increment(1);
    ["/a", "/b", "/c", "/healthz"].iter().for_each(|path| hit(path));
    assert_eq!(registry.snapshot().value("c_total"), Some(3.0));
}

/// Values that comparing cannot find stay with the registry.
#[test]
fn escaped_and_empty_values_still_lead_to_their_series() {
    let registry = Registry::builder().series_per_family(2).build();
    let _scope = registry.enter();
    let hit = |user: &str| counter!("d_total", "user" => user, "tenant" => "").increment(1);
    ["plain", "\"quoted\"", "third", "fourth", "\"quoted\"", "plain"]
        .iter()
        .for_each(|user| hit(user));
    assert_eq!(count(&registry, "d_total", &[("user", "\"quoted\"")]), Some(2.0));
    assert_eq!(count(&registry, "d_total", &[("user", "plain")]), Some(2.0));
    assert_eq!(count(&registry, "d_total", &[("nissa_overflow", "true")]), Some(2.0));
    let overflowed = count(&registry, "nissa_overflowed_total", &[("reason", "family_full")]);
    assert_eq!(overflowed, Some(2.0));
}
