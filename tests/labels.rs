//! Labels that no sane program sends, labels that every series shows, and labels that filter.

mod page;

use nissa::{Matcher, Registry, RegistryBuilder};
use page::{noted, page};

#[test]
fn label_names_that_would_become_one_are_kept_apart() {
    let registry = Registry::new();
    registry.counter("c_total", &[("a.b", "1"), ("a/b", "2"), ("a_b", "3")]).increment(1);
    let text = page(&registry);
    assert!(text.contains(r#"{U__a_2e_b="1",U__a_2f_b="2",a_b="3"} 1"#), "{text}");
}

#[test]
fn a_label_name_that_looks_escaped_is_kept_apart_too() {
    let registry = Registry::new();
    registry.counter("d_total", &[("a.b", "1"), ("U__a_2e_b", "2"), ("a_b", "3")]).increment(1);
    page(&registry);
}

#[test]
fn reserved_labels_are_renamed_and_counted() {
    let registry = Registry::new();
    registry.histogram("h_seconds", &[("le", "mine")]).record(1);
    registry.counter("c_total", &[("__name__", "other"), ("le", "kept")]).increment(1);
    let text = page(&registry);
    assert!(text.contains(r#"h_seconds_count{exported_le="mine"} 1"#), "{text}");
    assert!(text.contains(r#"c_total{exported_name__="other",le="kept"} 1"#), "{text}");
    assert_eq!(noted(&registry, "nissa_adjusted_total", "reserved_label"), Some(2.0));

    let quantiles = nissa::Buckets::summary(&[0.5]).unwrap();
    let registry = Registry::builder().default_buckets(quantiles).build();
    registry.histogram("s_seconds", &[("quantile", "mine")]).record(1);
    assert!(page(&registry).contains(r#"s_seconds_count{exported_quantile="mine"} 1"#));
}

#[test]
fn hostile_label_values_stay_on_their_line() {
    const VALUES: &[&str] = &[
        "\n",
        "\r",
        "\"",
        "\\",
        "\\n",
        "\\\"",
        "\0",
        "\u{1b}[2J",
        "🦀",
        "\u{fffd}",
        "{}",
        ",",
        "=",
        "a=\"b\",c=\"d",
        "\"} 1\nevil 2",
    ];
    let registry = Registry::new();
    for value in VALUES {
        registry.counter("c_total", &[("value", value)]).increment(1);
        registry.counter("c_total", &[("value", value)]).increment(1);
    }
    let snapshot = registry.snapshot();
    for value in VALUES {
        let found = snapshot.get("c_total", &[("value", value)]).unwrap();
        assert_eq!(found.as_f64(), Some(2.0), "{value:?}");
    }
    assert_eq!(snapshot.family("c_total").unwrap().len(), VALUES.len());
    let text = page(&registry);
    assert_eq!(text.lines().count(), VALUES.len() + 1, "{text}");
    assert!(text.contains("c_total{value=\"\\\"} 1\\nevil 2\"} 2\n"), "{text}");
}

#[test]
fn endless_label_values_are_cut_marked_and_counted() {
    let registry = Registry::new();
    let megabyte = "🦀".repeat(1 << 18);
    registry.counter("c_total", &[("value", &megabyte)]).increment(1);
    let snapshot = registry.snapshot();
    let series = snapshot.family("c_total").unwrap().series().next().unwrap();
    let kept = series.label("value").unwrap();
    assert!(kept.len() <= 4096 && kept.len() > 4090, "{}", kept.len());
    assert!(kept.ends_with('…') && megabyte.starts_with(kept.trim_end_matches('…')));
    assert_eq!(noted(&registry, "nissa_adjusted_total", "long_value"), Some(1.0));

    // A limit that would leave nothing but the mark is raised to 16.
    let registry = Registry::builder().label_value_bytes(0).build();
    registry.counter("c_total", &[("value", "seventeen letters")]).increment(1);
    assert!(page(&registry).contains("c_total{value=\"seventeen let…\"} 1\n"));
}

#[test]
fn empty_and_endless_label_names_are_left_out_and_counted() {
    let registry = Registry::new();
    let megabyte = "l".repeat(1 << 20);
    registry.counter("c_total", &[("", "x"), (&megabyte, "y"), ("good", "z")]).increment(1);
    assert!(page(&registry).contains("c_total{good=\"z\"} 1\n"));
    assert_eq!(noted(&registry, "nissa_adjusted_total", "invalid_label"), Some(2.0));
}

#[test]
fn many_labels_make_one_series() {
    let names: Vec<String> = (0..1000).map(|number| format!("label_{number}")).collect();
    let mut labels: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "x")).collect();
    let registry = Registry::new();
    registry.counter("c_total", &labels).increment(1);
    labels.reverse();
    registry.counter("c_total", &labels).increment(1);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.family("c_total").unwrap().len(), 1);
    assert_eq!(snapshot.get("c_total", &labels).unwrap().as_f64(), Some(2.0));
    page(&registry);
}

#[test]
fn label_order_and_empty_values_never_make_two_series() {
    let registry = Registry::new();
    let orders: [&[(&str, &str)]; 4] = [
        &[("a", "1"), ("b", "2"), ("c", "3")],
        &[("c", "3"), ("a", "1"), ("b", "2")],
        &[("b", "2"), ("none", ""), ("c", "3"), ("a", "1")],
        &[("c", "3"), ("b", "2"), ("a", "1"), ("zero", "")],
    ];
    for labels in orders {
        registry.counter("c_total", labels).increment(1);
    }
    let (a, b, c) = (String::from("1"), String::from("2"), String::from("3"));
    registry.in_scope(|| {
        nissa::counter!("c_total", "c" => c, "b" => b, "none" => "", "a" => a).increment(1);
        nissa::counter!("c_total", "b" => "2", "a" => "1", "c" => "3").increment(1);
    });
    assert_eq!(page(&registry), "# TYPE c_total counter\nc_total{a=\"1\",b=\"2\",c=\"3\"} 6\n");
}

/// At one call site the names are known, so threads compare values only; an empty value takes its
/// name away.
#[test]
fn empty_values_do_not_make_one_series_of_two() {
    let registry = Registry::new();
    let record = |a: &str, b: &str, c: &str| {
        nissa::counter!("c_total", "a" => a, "b" => b, "c" => c).increment(1);
    };
    let _scope = registry.enter();
    for _ in 0..2 {
        record("v", "", "");
        record("", "v", "");
        record("", "", "v");
        record("v", "w", "");
        record("v", "", "w");
        record("", "v", "w");
        record("", "", "");
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.family("c_total").unwrap().len(), 7, "{}", page(&registry));
    for series in snapshot.family("c_total").unwrap().series() {
        assert_eq!(series.value().as_f64(), Some(2.0), "{}", page(&registry));
    }
}

#[test]
fn the_last_of_two_equal_labels_wins_and_is_counted() {
    let registry = Registry::new();
    registry.counter("c_total", &[("a", "first"), ("b", "x"), ("a", "last")]).increment(1);
    let (first, last) = (String::from("first"), String::from("last"));
    registry.in_scope(|| {
        nissa::counter!("c_total", "a" => "first", "b" => "x", "a" => "last").increment(1);
        nissa::counter!("c_total", "a" => first, "b" => "x", "a" => last).increment(1);
    });
    assert!(page(&registry).contains("c_total{a=\"last\",b=\"x\"} 3\n"));
    assert_eq!(noted(&registry, "nissa_adjusted_total", "duplicate_label"), Some(3.0));
}

fn with_globals(labels: &[(&str, &str)]) -> RegistryBuilder {
    labels.iter().fold(Registry::builder(), |builder, (k, v)| builder.global_label(*k, *v))
}

#[test]
fn global_labels_show_on_every_series_unless_it_has_its_own() {
    let registry = with_globals(&[("job", "train"), ("host", "a\"b")]).build();
    registry.counter("c_total", &[]).increment(1);
    registry.counter("c_total", &[("job", "own")]).increment(2);
    registry.histogram("h_seconds", &[("x", "y")]).record(1);
    let text = page(&registry);
    assert!(text.contains("c_total{host=\"a\\\"b\",job=\"train\"} 1\n"), "{text}");
    assert!(text.contains("c_total{host=\"a\\\"b\",job=\"own\"} 2\n"), "{text}");
    let bucket = "h_seconds_bucket{host=\"a\\\"b\",job=\"train\",x=\"y\",le=\"+Inf\"} 1\n";
    assert!(text.contains(bucket), "{text}");
}

/// The page of a counter and a histogram that show these global labels.
fn global_page(labels: &[(&str, &str)]) -> String {
    let registry = with_globals(labels).build();
    registry.counter("c_total", &[("x", "y")]).increment(1);
    registry.histogram("h_seconds", &[]).record(1);
    page(&registry)
}

#[test]
fn odd_global_labels_leave_the_page_readable() {
    let text = global_page(&[("a.b", "1"), ("a_b", "2"), ("none", "")]);
    assert!(text.contains("U__a_2e_b=\"1\",a_b=\"2\""), "{text}");
    global_page(&[("__name__", "evil")]);
    global_page(&[("quantile", "mine")]);
}

#[test]
fn a_global_label_given_twice_shows_once() {
    let text = global_page(&[("job", "first"), ("job", "last")]);
    assert!(text.contains("job=\"last\"") && !text.contains("first"), "{text}");
}

#[test]
fn a_global_label_without_a_name_is_left_out() {
    assert!(!global_page(&[("", "empty")]).contains("empty"));
}

#[test]
fn a_global_label_that_a_histogram_needs_is_renamed() {
    let text = global_page(&[("le", "mine")]);
    assert!(text.contains("h_seconds_bucket{exported_le=\"mine\",le=\"+Inf\"} 1"), "{text}");
}

#[test]
fn filters_refuse_and_count() {
    let registry = Registry::builder()
        .allow(Matcher::name("app_*"))
        .deny(Matcher::name("*").label("user", "*"))
        .build();
    registry.counter("app_total", &[]).increment(1);
    registry.counter("other_total", &[]).increment(1);
    registry.counter("app_total", &[("user", "ann")]).increment(1);
    let text = page(&registry);
    assert!(text.contains("app_total 1\n") && !text.contains("other") && !text.contains("ann"));
    assert_eq!(noted(&registry, "nissa_dropped_total", "filtered"), Some(2.0));
}

#[test]
fn a_dropped_label_merges_what_it_told_apart() {
    let registry = Registry::builder().drop_label("user").build();
    for user in ["ann", "bob", "bob"] {
        registry.counter("c_total", &[("user", user), ("x", "y")]).increment(1);
    }
    assert_eq!(page(&registry), "# TYPE c_total counter\nc_total{x=\"y\"} 3\n");
}

/// Guards `is_own` in `Inner::rules` (registry/lookup.rs).
#[test]
fn label_value_bytes_does_not_cut_the_registrys_own_labels() {
    // Becomes the least there can be, which is shorter than some reasons.
    let registry = Registry::builder().series_per_family(1).label_value_bytes(0).build();
    for help in ["One.", "Two."] {
        registry.describe_counter("c_total", None, help);
    }
    for user in ["ann", "a value of more bytes than sixteen", "bob"] {
        registry.counter("c_total", &[("user", user)]).increment(1);
    }
    assert_eq!(noted(&registry, "nissa_dropped_total", "description_conflict"), Some(1.0));
    assert_eq!(noted(&registry, "nissa_overflowed_total", "family_full"), Some(2.0));
    assert_eq!(noted(&registry, "nissa_adjusted_total", "long_value"), Some(1.0));
    assert!(page(&registry).contains("c_total{nissa_overflow=\"true\"} 2\n"));
}
