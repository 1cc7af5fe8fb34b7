//! Series of what something else keeps: shown while it is known, absent else, forgotten with their
//! owner.

use nissa::{Matcher, Registry};

fn value(registry: &Registry, name: &str) -> Option<f64> {
    registry.snapshot().value(name)
}

#[test]
fn there_is_nothing_before_the_first_value_and_nothing_after_clear() {
    let registry = Registry::new();
    let gauge = registry.observed_gauge("load", &[]);
    assert!(registry.snapshot().family("load").is_none());
    gauge.set(0.0);
    assert_eq!(value(&registry, "load"), Some(0.0));
    gauge.clear();
    assert!(registry.snapshot().family("load").is_none());
    gauge.set(f64::NAN);
    assert!(value(&registry, "load").is_some_and(f64::is_nan));
    gauge.set_or_clear(None);
    assert_eq!(value(&registry, "load"), None);
}

#[test]
fn a_count_that_begins_again_is_shown_as_it_is() {
    let registry = Registry::new();
    let bytes = registry.observed_counter("bytes_total", &[]);
    bytes.set(u64::MAX);
    bytes.set(7);
    let seconds = registry.observed_float_counter("seconds_total", &[]);
    seconds.set(2.5);
    seconds.set(0.5);
    assert_eq!(value(&registry, "bytes_total"), Some(7.0));
    assert_eq!(value(&registry, "seconds_total"), Some(0.5));
}

#[test]
fn one_of_several_can_be_absent() {
    let registry = Registry::new();
    let of = |device| registry.observed_counter("bytes_total", &[("device", device)]);
    let (a, b) = (of("a"), of("b"));
    a.set(1);
    b.set(2);
    a.clear();
    let text = nissa::expose::text(&registry.snapshot());
    assert!(text.contains("bytes_total{device=\"b\"} 2"), "{text}");
    assert!(!text.contains("device=\"a\""), "{text}");
}

#[test]
fn a_dropped_one_gives_its_place_back() {
    let registry = Registry::builder().series_per_family(2).build();
    for device in 0..100 {
        let series = registry.observed_gauge("up", &[("device", &device.to_string())]);
        series.set(1.0);
        assert_eq!(registry.snapshot().family("up").map(|up| up.series().len()), Some(1));
        drop(series);
        assert!(registry.snapshot().family("up").is_none());
    }
    let infos = registry.families();
    assert_eq!(infos.iter().find(|info| info.name == "up").map(|info| info.series), Some(0));
    assert_eq!(value(&registry, "nissa_overflowed_total"), None);
}

#[test]
fn the_global_registry_gives_places_back_too() {
    let registry = Registry::global();
    // With what the crate shows about itself.
    registry.snapshot();
    let before = registry.cardinality().series;
    for device in 0..100 {
        registry.observed_gauge("plugged", &[("device", &device.to_string())]).set(1.0);
        registry.snapshot();
    }
    assert!(registry.snapshot().family("plugged").is_none());
    assert!(registry.cardinality().series < before + 20);
}

#[test]
fn whoever_else_holds_the_series_keeps_it() {
    let registry = Registry::new();
    let observed = registry.observed_gauge("depth", &[]);
    observed.set(1.0);
    let also = registry.observed_gauge("depth", &[]);
    also.set(1.5);
    drop(observed);
    assert_eq!(value(&registry, "depth"), Some(1.5));
    also.clear();
    assert_eq!(value(&registry, "depth"), None);
    also.set(2.0);
    assert_eq!(value(&registry, "depth"), Some(2.0));
    drop(also);
    registry.snapshot();
    // A new one of the same name is a new series, without the old value.
    let third = registry.observed_gauge("depth", &[]);
    assert_eq!(value(&registry, "depth"), None);
    third.set(3.0);
    assert_eq!(value(&registry, "depth"), Some(3.0));
}

#[test]
fn a_series_the_program_made_itself_stays() {
    let registry = Registry::new();
    registry.gauge("depth", &[]).set(1);
    let observed = registry.observed_gauge("depth", &[]);
    assert_eq!(value(&registry, "depth"), Some(1.0));
    drop(observed);
    registry.gauge("depth", &[]).set(2);
    let infos = registry.families();
    assert_eq!(infos.iter().find(|info| info.name == "depth").map(|info| info.series), Some(1));
}

#[test]
fn what_is_refused_shows_nothing() {
    let registry = Registry::builder().deny(Matcher::name("node_*")).series_per_family(1).build();
    registry.observed_gauge("node_load1", &[]).set(1.0);
    assert_eq!(value(&registry, "node_load1"), None);
    registry.counter("jobs_total", &[]).increment(1);
    registry.observed_gauge("jobs_total", &[]).set(9.0);
    assert_eq!(value(&registry, "jobs_total"), Some(1.0));
    let first = registry.observed_gauge("up", &[("device", "a")]);
    first.set(1.0);
    let second = registry.observed_gauge("up", &[("device", "b")]);
    second.set(5.0);
    assert_eq!(registry.snapshot().family("up").map(|up| up.series().len()), Some(1));
    assert_eq!(value(&registry, "nissa_overflowed_total"), Some(1.0));
}

/// A reader looks which series are in sight before it reads any cell; else it could find one that
/// came into sight meanwhile, with the cell as it was before.
#[test]
fn no_reader_sees_a_series_before_its_value() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let registry = Registry::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for _ in 0..2_000 {
                let gauge = registry.observed_gauge("zz", &[]);
                gauge.set(1.0);
                let counter = registry.observed_counter("zz_total", &[]);
                counter.set(1);
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            let snapshot = registry.snapshot();
            for name in ["zz", "zz_total"] {
                assert!(snapshot.value(name).is_none_or(|value| value == 1.0), "{name}");
            }
        }
    });
}
