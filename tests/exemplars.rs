//! Exemplars and start times: what a series has beside its value.

#![cfg(feature = "test-util")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nissa::expose::{Escaping, Format};
use nissa::snapshot::Series;
use nissa::{Buckets, ManualClock, Registry, Snapshot};

fn only<'a>(snapshot: &'a Snapshot, name: &str) -> Series<'a> {
    let family = snapshot.family(name).unwrap();
    assert_eq!(family.len(), 1);
    family.series().next().unwrap()
}

/// Value and `trace_id` of each exemplar.
fn exemplars(snapshot: &Snapshot, name: &str) -> Vec<(f64, String)> {
    let trace = |exemplar: nissa::snapshot::Exemplar<'_>| {
        (exemplar.value(), exemplar.label("trace_id").unwrap().into_owned())
    };
    only(snapshot, name).exemplars().map(trace).collect()
}

fn histogram(bounds: &[f64]) -> Registry {
    Registry::builder().default_buckets(Buckets::explicit(bounds).unwrap()).build()
}

/// Lets 183 seconds pass: every series falls asleep, is let go of by this thread, and forgotten.
fn forget(registry: &Registry, clock: &ManualClock) {
    for _ in 0..3 {
        clock.advance(Duration::from_secs(61));
        registry.snapshot();
        registry.counter("tick_total", &[]).increment(0);
    }
}

#[test]
fn each_bucket_keeps_its_last() {
    let registry = histogram(&[1.0, 10.0]);
    let sizes = registry.histogram("sizes", &[]);
    for (value, trace) in [(20.0, "a"), (0.5, "b"), (0.25, "c"), (f64::INFINITY, "d")] {
        sizes.record_with_exemplar(value, &[("trace_id", trace)]);
    }
    sizes.record(5.0);
    let before = registry.snapshot();
    let expected = [(0.25, "c".to_owned()), (f64::INFINITY, "d".to_owned())];
    assert_eq!(exemplars(&before, "sizes"), expected);
    assert_eq!(before.distribution("sizes").unwrap().count(), 5, "each is recorded too");

    sizes.record_with_exemplar(7.0, &[("trace_id", "e")]);
    assert_eq!(exemplars(&registry.snapshot(), "sizes").len(), 3);
    assert_eq!(exemplars(&before, "sizes"), expected, "a snapshot does not change");
}

#[test]
fn counters_keep_one() {
    let registry = Registry::new();
    let counter = registry.counter("errors_total", &[]);
    counter.increment_with_exemplar(1, &[("trace_id", "a")]);
    counter.increment_with_exemplar(2, &[("trace_id", "b")]);
    let float = registry.float_counter("busy_seconds_total", &[]);
    float.increment_with_exemplar(0.5, &[("trace_id", "c")]);
    float.increment_with_exemplar(-1.0, &[("trace_id", "refused")]);
    let snapshot = registry.snapshot();
    assert_eq!(exemplars(&snapshot, "errors_total"), [(2.0, "b".to_owned())]);
    assert_eq!(exemplars(&snapshot, "busy_seconds_total"), [(0.5, "c".to_owned())]);
    assert_eq!(snapshot.value("errors_total"), Some(3.0));
}

/// Only counters and buckets may have them.
#[test]
fn summaries_keep_none() {
    let buckets = Buckets::summary(&[0.5]).unwrap();
    let registry = Registry::builder().default_buckets(buckets).build();
    let summary = registry.histogram("wait_seconds", &[]);
    summary.record_with_exemplar(0.5, &[("trace_id", "a")]);
    let snapshot = registry.snapshot();
    assert_eq!(exemplars(&snapshot, "wait_seconds"), []);
    let page = String::from_utf8(Format::OPENMETRICS_2.encode(&snapshot)).unwrap();
    assert!(page.contains("{count:1,") && !page.contains("trace_id"), "{page}");
}

#[test]
fn the_time_is_the_wall_clocks() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let registry = Registry::new();
    let before = now();
    registry.counter("a_total", &[]).increment_with_exemplar(1, &[("trace_id", "a")]);
    let after = now();
    let snapshot = registry.snapshot();
    let unix = only(&snapshot, "a_total").exemplars().next().unwrap().unix();
    assert!(before <= unix && unix <= after, "{before:?} {unix:?} {after:?}");
}

#[test]
fn labels_have_at_most_128_characters() {
    let dropped = || {
        let snapshot = Registry::global().snapshot();
        let labels = [("reason", "exemplar_labels")];
        snapshot.get("nissa_dropped_total", &labels).unwrap().as_f64().unwrap()
    };
    let registry = Registry::new();
    let counter = registry.counter("a_total", &[]);
    let before = dropped();
    // Characters, not bytes.
    let fits = "é".repeat(128 - "trace_id".len());
    counter.increment_with_exemplar(1, &[("trace_id", &fits)]);
    assert_eq!(exemplars(&registry.snapshot(), "a_total"), [(1.0, fits.clone())]);
    assert_eq!(dropped(), before);

    counter.increment_with_exemplar(1, &[("trace_id", &(fits.clone() + "x"))]);
    // Fits until it is renamed.
    counter.increment_with_exemplar(1, &[("__race_id", &fits[..fits.len() - 2])]);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.value("a_total"), Some(3.0), "counted all the same");
    assert_eq!(exemplars(&snapshot, "a_total"), [(1.0, fits)]);
    assert_eq!(dropped(), before + 2.0);
}

#[test]
fn exponential_buckets_keep_the_last_64() {
    let buckets = Buckets::exponential(0.05).unwrap();
    let registry = Registry::builder().default_buckets(buckets).build();
    let values = registry.histogram("values", &[]);
    for number in 0..200 {
        let trace = number.to_string();
        values.record_with_exemplar(1.1_f64.powi(number), &[("trace_id", &trace)]);
    }
    let kept = exemplars(&registry.snapshot(), "values");
    assert_eq!(kept.len(), 64);
    assert!(kept.is_sorted_by(|a, b| a.0 < b.0), "by bucket");
    assert!(kept.iter().any(|(_, trace)| trace == "199"), "the newest is among them");
}

/// A row that goes to another series takes no exemplar along.
#[test]
fn a_new_series_has_no_old_exemplar() {
    const SERIES: usize = 200;
    let name = |number: usize| number.to_string();
    let clock = ManualClock::new();
    let registry = Registry::builder()
        .idle_timeout(Duration::from_secs(60))
        .clock(clock.clone())
        .default_buckets(Buckets::explicit(&[17.0, 19.0]).unwrap())
        .build();
    for number in 0..SERIES {
        let labels = [("number", &*name(number))];
        let trace = [("trace_id", "old")];
        registry.histogram("sizes", &labels).record_with_exemplar(18.0, &trace);
        registry.counter("a_total", &labels).increment_with_exemplar(1, &trace);
    }
    let count = |registry: &Registry| -> usize {
        let snapshot = registry.snapshot();
        let all = snapshot.families().flat_map(|family| family.series());
        all.map(|series| series.exemplars().len()).sum()
    };
    assert_eq!(count(&registry), 2 * SERIES);
    forget(&registry, &clock);
    assert!(registry.snapshot().family("sizes").is_none());
    for number in 0..SERIES {
        let labels = [("other", &*name(number))];
        registry.histogram("sizes", &labels).record(18.0);
        registry.counter("a_total", &labels).increment(1);
    }
    assert_eq!(count(&registry), 0);
}

/// What is shown is whole: labels, value and bucket of one recording.
#[test]
fn exemplars_are_not_torn() {
    let registry = histogram(&[100.0, 200.0, 300.0]);
    let sizes = registry.histogram("sizes", &[]);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let sizes = sizes.clone();
            scope.spawn(move || {
                for round in 0..2_000 {
                    let value = (thread * 100 + round % 100) as f64;
                    sizes.record_with_exemplar(value, &[("trace_id", &value.to_string())]);
                }
            });
        }
        for _ in 0..200 {
            let snapshot = registry.snapshot();
            let Some(family) = snapshot.family("sizes") else { continue };
            let series = family.series().next().unwrap();
            let nissa::snapshot::Value::Distribution(counts) = series.value() else { panic!() };
            let buckets: Vec<(f64, u64)> = counts.buckets().collect();
            for exemplar in series.exemplars() {
                assert_eq!(exemplar.label("trace_id").unwrap(), exemplar.value().to_string());
                let bucket = buckets.iter().find(|(bound, _)| exemplar.value() <= *bound).unwrap();
                assert!(bucket.1 > 0, "an exemplar of what was not recorded yet");
            }
        }
    });
}

#[test]
fn openmetrics_shows_them_and_text_does_not() {
    let registry = histogram(&[1.0, 10.0]);
    let trace = [("trace.id", "a\"b\\\n"), ("span", "7")];
    registry.histogram("sizes", &[("k", "v")]).record_with_exemplar(0.5, &trace);
    registry.counter("errors_total", &[]).increment_with_exemplar(2, &[]);
    registry.counter("bare", &[]).increment_with_exemplar(2, &trace);
    let snapshot = registry.snapshot();
    let lines = |format: Format| {
        let page = String::from_utf8(format.encode(&snapshot)).unwrap();
        let lines = page.lines().filter(|line| line.contains(" # "));
        // The time is whatever it was.
        lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        lines(Format::OPENMETRICS_1),
        [
            "errors_total 2 # {} 2",
            r#"sizes_bucket{k="v",le="1.0"} 1 # {span="7",trace_id="a\"b\\\n"} 0.5"#,
        ]
    );
    let utf8 = lines(Format::OPENMETRICS_1.escaping(Escaping::AllowUtf8));
    assert_eq!(utf8[1], r#"sizes_bucket{k="v",le="1.0"} 1 # {span="7","trace.id"="a\"b\\\n"} 0.5"#);
    assert!(lines(Format::TEXT).is_empty());
}

#[test]
fn series_tell_when_they_began() {
    let clock = ManualClock::new();
    let idle = Duration::from_secs(60);
    let registry = Registry::builder().idle_timeout(idle).clock(clock.clone()).build();
    let start = |name: &str| only(&registry.snapshot(), name).start();
    let seconds = |seconds: f64| Some(Duration::from_secs_f64(seconds));

    clock.advance(Duration::from_millis(1_500));
    let counter = registry.counter("a_total", &[]);
    registry.gauge("b", &[]).set(1);
    clock.advance(Duration::from_secs(1));
    registry.histogram("c", &[]).record(1);
    registry.float_counter("d_total", &[]).increment(0.5);
    registry.counter("raised_total", &[]).absolute(5);
    registry.float_counter("raised_seconds_total", &[]).absolute(0.5);
    counter.increment(1);
    assert_eq!(start("a_total"), seconds(1.5));
    assert_eq!(start("b"), None, "a gauge has no beginning");
    assert_eq!(start("c"), seconds(2.5));
    assert_eq!(start("d_total"), seconds(2.5));
    assert_eq!(start("raised_total"), None);
    assert_eq!(start("raised_seconds_total"), None);
    let observed = registry.observed_counter("observed_total", &[]);
    observed.set(0);
    assert_eq!(start("observed_total"), None);

    forget(&registry, &clock);
    counter.increment(1);
    assert_eq!(start("a_total"), seconds(1.5), "it slept and goes on counting");
    registry.histogram("c", &[]).record(1);
    assert_eq!(start("c"), seconds(185.5), "it was forgotten and is a new one");
}

#[test]
fn what_begins_now_began_now() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let before = now();
    let registry = Registry::new();
    registry.counter("a_total", &[]).increment(1);
    let after = now();
    let start = only(&registry.snapshot(), "a_total").start().unwrap();
    let rounding = Duration::from_secs(1) / 16;
    assert!(before - rounding <= start && start <= after, "{before:?} {start:?} {after:?}");
}
