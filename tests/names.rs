//! Metric names that no sane program sends, and where each of them ends.

mod page;

use nissa::Registry;
use page::{noted, page};

#[test]
fn empty_and_endless_names_are_refused_and_counted() {
    let registry = Registry::new();
    let megabyte = "n".repeat(1 << 20);
    for name in ["", &megabyte] {
        let counter = registry.counter(name, &[]);
        counter.increment(1);
        counter.absolute(5);
        registry.gauge(name, &[]).set(1);
        registry.histogram(name, &[("a", "b")]).record(1);
    }
    assert_eq!(noted(&registry, "nissa_dropped_total", "invalid_name"), Some(6.0));
    assert_eq!(
        page(&registry),
        "# HELP nissa_dropped_total Updates and registrations that went nowhere.\n\
         # TYPE nissa_dropped_total counter\n\
         nissa_dropped_total{reason=\"invalid_name\"} 6\n"
    );
}

#[test]
fn the_longest_name_allowed_is_shown() {
    let registry = Registry::new();
    let name = "n".repeat(1024);
    registry.counter(&name, &[]).increment(7);
    assert_eq!(page(&registry), format!("# TYPE {name} counter\n{name} 7\n"));
}

#[test]
fn names_with_odd_characters_are_written_with_underscores() {
    let registry = Registry::new();
    for name in ["http.requests", "1st", "día", "a b\n\"c\"", "\0", "🦀"] {
        registry.counter(name, &[]).increment(1);
        assert_eq!(registry.snapshot().value(name), Some(1.0), "{name:?} by its own name");
    }
    let text = page(&registry);
    for written in ["http_requests 1\n", "_st 1\n", "d_a 1\n", "a_b__c_ 1\n"] {
        assert!(text.contains(written), "{written:?} in\n{text}");
    }
    let own = |line: &&str| !line.starts_with("nissa_") && line.ends_with(" 1");
    assert_eq!(text.lines().filter(own).count(), 6, "{text}");
}

#[test]
fn names_that_would_become_one_are_kept_apart() {
    let registry = Registry::new();
    registry.counter("a.b", &[]).increment(1);
    registry.counter("a/b", &[]).increment(2);
    let text = page(&registry);
    assert!(text.contains("# TYPE U__a_2e_b counter\nU__a_2e_b 1\n"), "{text}");
    assert!(text.contains("# TYPE U__a_2f_b counter\nU__a_2f_b 2\n"), "{text}");
    assert!(noted(&registry, "nissa_adjusted_total", "name_collision") >= Some(1.0));
    registry.gauge("a_b", &[]).set(3);
    assert!(page(&registry).contains("# TYPE a_b gauge\na_b 3\n"), "a legal name is not touched");
}

#[test]
fn a_name_that_looks_escaped_is_kept_apart_too() {
    let registry = Registry::new();
    registry.counter("a.b", &[]).increment(1);
    registry.counter("a_b", &[]).increment(2);
    registry.counter("U__a_2e_b", &[]).increment(4);
    let text = page(&registry);
    for value in [" 1\n", " 2\n", " 4\n"] {
        assert!(text.contains(value), "{value:?} in\n{text}");
    }
}

#[test]
fn a_name_made_for_one_that_gave_way_is_not_taken_from_another() {
    let registry = Registry::new();
    registry.histogram("x", &[]).record(1);
    registry.counter("x_sum", &[]).increment(1);
    // Its lines are `U__x__sum` and so on, which is how `x_sum` is written beside `x`.
    registry.histogram("U__x_", &[]).record(1);
    registry.counter("U__x__sum", &[]).increment(1);
    page(&registry);
}

#[test]
fn a_histogram_and_its_neighbours_are_kept_apart() {
    let registry = Registry::new();
    registry.histogram("x", &[]).record(1);
    for name in ["x_sum", "x_count", "x_bucket", "x.sum"] {
        registry.counter(name, &[]).increment(5);
    }
    let text = page(&registry);
    assert!(text.contains("\nx_sum 1\n") && text.contains("\nx_count 1\n"), "{text}");
    assert_eq!(text.matches(" 5\n").count(), 4, "{text}");
}

/// Guards `histograms` in `clashes` (expose/names.rs), a set apart from the names' takers.
#[test]
fn a_histogram_whose_name_and_lines_are_both_taken_keeps_them() {
    let registry = Registry::new();
    registry.histogram("a_b", &[]).record(1);
    registry.counter("a~b", &[]).increment(5);
    registry.counter("a_b_sum", &[]).increment(77);
    let text = page(&registry);
    for line in
        ["# TYPE a_b histogram\n", "\na_b_sum 1\n", "\nU__a_7e_b 5\n", "\nU__a__b__sum 77\n"]
    {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
}
