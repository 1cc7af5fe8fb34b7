//! One name has one kind, one help text and one unit: the first wins, the rest is counted.

use nissa::{Buckets, Kind, Matcher, Registry, Unit, expose};

fn noted(registry: &Registry, reason: &str) -> Option<f64> {
    let labels = [("reason", reason)];
    registry.snapshot().get("nissa_dropped_total", &labels).and_then(|value| value.as_f64())
}

fn text(registry: &Registry) -> String {
    expose::text(&registry.snapshot())
}

#[test]
fn the_first_kind_wins_and_later_ones_go_nowhere() {
    let registry = Registry::new();
    registry.counter("x", &[]).increment(1);
    let gauge = registry.gauge("x", &[("a", "b")]);
    gauge.set(5);
    gauge.clone().decrement(1);
    registry.histogram("x", &[]).record_many(3, 4);
    let float = registry.float_counter("x", &[]);
    float.increment(0.5);
    float.absolute(9.5);

    let page = text(&registry);
    assert!(page.contains("# TYPE x counter\nx 1\n"), "{page}");
    assert_eq!(page.matches("# TYPE x ").count(), 1, "{page}");
    assert_eq!(noted(&registry, "kind_conflict"), Some(3.0));
    assert_eq!(registry.families()[0].kind, Kind::Counter);
}

#[test]
fn no_op_handles_share_a_row_that_nobody_reads() {
    let registry = Registry::new();
    registry.gauge("taken", &[]).set(1);
    for _ in 0..100 {
        registry.counter("taken", &[]).increment(1);
        registry.counter("taken", &[]).absolute(1000);
        registry.histogram("taken", &[]).record(f64::INFINITY);
    }
    nissa::Counter::noop().increment(1);
    nissa::FloatCounter::noop().absolute(1.0);
    nissa::Gauge::noop().set(f64::NAN);
    nissa::Histogram::noop().record_many(-1, 7);
    let fresh = Registry::new();
    assert!(fresh.snapshot().families().next().is_none());
    fresh.counter("c_total", &[]).increment(1);
    fresh.histogram("h_seconds", &[]).record(1);
    assert_eq!(fresh.snapshot().value("c_total"), Some(1.0));
    assert_eq!(fresh.snapshot().distribution("h_seconds").unwrap().count(), 1);
}

#[test]
fn a_literal_call_site_of_the_wrong_kind_stays_silent() {
    let registry = Registry::new();
    registry.in_scope(|| {
        for round in 0..3 {
            nissa::counter!("mixed").increment(1);
            nissa::gauge!("mixed").set(round);
            nissa::histogram!("mixed", "a" => "b").record(round);
        }
    });
    assert_eq!(registry.snapshot().value("mixed"), Some(3.0));
    assert_eq!(noted(&registry, "kind_conflict"), Some(6.0));
}

#[test]
fn a_description_may_come_before_or_after_the_first_use() {
    let registry = Registry::new();
    registry.describe_counter("before_total", Some(Unit::Count), "Before.");
    registry.counter("before_total", &[]).increment(1);
    registry.counter("after_total", &[]).increment(1);
    registry.describe_counter("after_total", Some(Unit::Bytes), "After.");
    registry.describe_gauge("unused", None, "Never used.");
    assert_eq!(
        text(&registry),
        "# HELP after_total After.\n# TYPE after_total counter\nafter_total 1\n\
         # HELP before_total Before.\n# TYPE before_total counter\nbefore_total 1\n"
    );
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.family("before_total").unwrap().unit(), Some(Unit::Count));
    assert_eq!(snapshot.family("after_total").unwrap().unit(), Some(Unit::Bytes));
}

#[test]
fn the_first_description_wins_and_a_conflict_is_counted() {
    let registry = Registry::new();
    registry.gauge("used", &[]).set(1);
    for name in ["used", "unused"] {
        registry.describe_gauge(name, Some(Unit::Bytes), "First.");
        registry.describe_gauge(name, Some(Unit::Bytes), "First.");
    }
    assert_eq!(noted(&registry, "description_conflict"), None, "saying it twice is no conflict");
    for name in ["used", "unused"] {
        registry.describe_gauge(name, Some(Unit::Bytes), "Second.");
        registry.describe_gauge(name, Some(Unit::Seconds), "First.");
        registry.describe_gauge(name, None, "First.");
        registry.describe_counter(name, Some(Unit::Bytes), "First.");
    }
    assert_eq!(noted(&registry, "description_conflict"), Some(8.0));
    registry.gauge("unused", &[]).set(1);
    let snapshot = registry.snapshot();
    for name in ["used", "unused"] {
        let family = snapshot.family(name).unwrap();
        assert_eq!((family.help(), family.unit()), (Some("First."), Some(Unit::Bytes)), "{name}");
    }
}

#[test]
fn a_description_of_another_kind_than_the_use_is_dropped() {
    let registry = Registry::new();
    registry.describe_gauge("c_total", None, "A gauge, it says.");
    registry.counter("c_total", &[]).increment(1);
    assert_eq!(noted(&registry, "description_conflict"), Some(1.0));
    assert_eq!(registry.snapshot().family("c_total").unwrap().help(), None);
    registry.describe_counter("c_total", None, "A counter.");
    assert_eq!(registry.snapshot().family("c_total").unwrap().help(), Some("A counter."));
}

#[test]
fn a_summary_is_described_as_a_histogram() {
    let summary = Buckets::summary(&[0.9]).unwrap();
    let registry = Registry::builder().buckets(Matcher::name("*_seconds"), summary).build();
    registry.histogram("h_seconds", &[]).record(1);
    registry.describe_histogram("h_seconds", Some(Unit::Seconds), "Time.");
    let page = text(&registry);
    assert!(page.starts_with("# HELP h_seconds Time.\n# TYPE h_seconds summary\n"), "{page}");
}

#[test]
fn help_of_a_megabyte_and_help_with_newlines_stay_on_one_line() {
    let registry = Registry::new();
    let megabyte = "help\n".repeat(200_000);
    registry.counter("long_total", &[]).increment(1);
    registry.describe_counter("long_total", None, &megabyte);
    registry.gauge("odd", &[]).set(2);
    registry.describe_gauge("odd", None, "a\nb \\n \"quoted\"\n# TYPE odd counter");
    let page = text(&registry);
    assert_eq!(page.lines().count(), 6);
    assert!(page.lines().all(|line| line.starts_with('#') || line.split(' ').count() == 2));
    let odd = "# HELP odd a\\nb \\\\n \"quoted\"\\n# TYPE odd counter\n# TYPE odd gauge\nodd 2\n";
    assert!(page.contains(odd), "{}", &page[page.len() - 100..]);
}

#[test]
fn describing_what_cannot_be_used_does_no_harm() {
    let registry = Registry::new();
    registry.describe_counter("", None, "Nothing.");
    registry.describe_histogram(&"n".repeat(1 << 20), Some(Unit::Bytes), "Too long.");
    registry.counter("c_total", &[]).increment(1);
    assert_eq!(text(&registry), "# TYPE c_total counter\nc_total 1\n");
}
