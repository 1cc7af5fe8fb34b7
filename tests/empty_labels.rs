//! A label without a value is absent; the call site that leaves one out must not take one series for
//! another.

use nissa::{Registry, counter};

#[test]
fn one_call_site_keeps_labels_of_equal_length_apart() {
    let registry = Registry::new();
    let _scope = registry.enter();
    let hit = |a: &str, b: &str, c: &str| {
        counter!("c_total", "a" => a, "b" => b, "c" => c).increment(1);
    };
    for _ in 0..3 {
        hit("x", "", "");
        hit("", "x", "");
        hit("", "", "x");
        hit("", "", "");
        hit("x", "x", "");
    }
    let snapshot = registry.snapshot();
    let family = snapshot.family("c_total").unwrap();
    assert_eq!(family.series().len(), 5);
    assert!(family.series().all(|series| series.value().as_f64() == Some(3.0)));
}
