//! How often recording and reading allocate, counted by the allocator itself.

mod counting;

use counting::allocations;
use nissa::{Buckets, Matcher, Registry, counter, gauge, histogram};

/// After the first time, a thousand more must not allocate once.
#[track_caller]
fn assert_free(what: &str, record: impl Fn()) {
    record();
    let count = allocations(|| (0..1000).for_each(|_| record()));
    assert_eq!(count, 0, "{what}: allocations in 1,000 recordings");
}

#[test]
fn the_counting_counts() {
    assert_eq!(allocations(|| Box::new(1u64)), 1);
    assert_eq!(allocations(|| 1u64), 0);
}

#[test]
fn literal_macros_do_not_allocate() {
    assert_free("counter", || counter!("lit_total").increment(1));
    assert_free("counter, labels", || counter!("lit_total", "a" => "b", "c" => "d").increment(1));
    assert_free("gauge", || gauge!("lit", "a" => "b").set(1.5));
    assert_free("gauge, add", || gauge!("lit").increment(1.5));
    assert_free("histogram", || histogram!("lit_seconds", "a" => "b").record(0.1));
    assert_free("histogram, many", || histogram!("lit_seconds").record_many(0.1, 5));
    assert_free("histogram, time", || histogram!("lit_seconds").time(|| ()));
    assert_free("histogram, NaN", || histogram!("lit_seconds").record(f64::NAN));
    assert_free("histogram, infinity", || histogram!("lit_seconds").record(f64::INFINITY));
}

#[test]
fn held_handles_do_not_allocate() {
    let registry = Registry::builder()
        .buckets(Matcher::name("exp_*"), Buckets::exponential(0.05).unwrap())
        .build();
    let labels = [("a", "b")];
    let counter = registry.counter("c_total", &labels);
    assert_free("counter", || counter.increment(1));
    assert_free("counter, absolute", || counter.absolute(1_000_000));
    let float = registry.float_counter("f_total", &labels);
    assert_free("float counter", || float.increment(0.5));
    let gauge = registry.gauge("g", &labels);
    assert_free("gauge", || gauge.set(1));
    let histogram = registry.histogram("h", &labels);
    assert_free("histogram", || histogram.record(0.1));
    assert_free("timer", || drop(histogram.start_timer()));
    let exponential = registry.histogram("exp_h", &labels);
    assert_free("exponential histogram", || exponential.record(0.1));
    assert_free("clone", || drop(counter.clone()));
    let noop = nissa::Counter::noop();
    assert_free("no-op", || noop.increment(1));
}

#[test]
fn runtime_labels_do_not_allocate_on_a_hit() {
    let (user, method) = (String::from("ann"), String::from("GET"));
    assert_free("one", || counter!("run_total", "user" => user).increment(1));
    assert_free("two", || {
        counter!("run_two_total", "user" => user, "method" => &*method).increment(1)
    });
    assert_free("gauge", || gauge!("run", "user" => user).set(1));
    assert_free("histogram", || histogram!("run_seconds", "user" => user).record(1));
    let name = String::from("run_name_total");
    assert_free("name", || counter!(name).increment(1));
    assert_free("name and labels", || counter!(name, "user" => user, "b" => "c").increment(1));
    assert_free("no value", || counter!(name, "user" => user, "none" => "").increment(1));
}

#[test]
fn a_runtime_label_without_a_value_does_not_allocate_on_a_hit() {
    let (user, none) = (String::from("ann"), String::new());
    assert_free("empty", || {
        counter!("run_empty_total", "user" => user, "none" => none).increment(1)
    });
}

#[test]
fn a_thousand_label_values_do_not_allocate_on_a_hit() {
    let users: Vec<String> = (0..1000).map(|user| user.to_string()).collect();
    let record = || {
        users.iter().for_each(|user| counter!("many_total", "user" => user).increment(1));
    };
    record();
    assert_eq!(allocations(|| (0..10).for_each(|_| record())), 0);
}

#[test]
fn asking_a_registry_again_does_not_allocate() {
    let registry = Registry::new();
    let user = String::from("ann");
    for labels in [&[][..], &[("a", "b")], &[("user", &user), ("a", "b")]] {
        assert_free("counter", || registry.counter("c_total", labels).increment(1));
        assert_free("float counter", || registry.float_counter("f_total", labels).increment(1.0));
        assert_free("gauge", || registry.gauge("g", labels).set(1));
        assert_free("histogram", || registry.histogram("h", labels).record(1));
    }
}

#[test]
fn scoped_macros_do_not_allocate() {
    let registry = Registry::new();
    let user = String::from("ann");
    registry.in_scope(|| {
        assert_free("literal", || counter!("c_total").increment(1));
        assert_free("literal, labels", || counter!("c_total", "a" => "b").increment(1));
        assert_free("runtime", || counter!("c_total", "user" => user).increment(1));
    });
}

#[test]
fn the_facade_does_not_allocate_on_a_hit() {
    let registry = Registry::new();
    let recorder = nissa::Recorder::new(&registry);
    metrics::with_local_recorder(&recorder, || {
        assert_free("counter", || metrics::counter!("c_total").increment(1));
        assert_free("labels", || metrics::counter!("c_total", "a" => "b").increment(1));
        assert_free("gauge", || metrics::gauge!("g").set(1));
        assert_free("histogram", || metrics::histogram!("h").record(1));
        let held = metrics::counter!("held_total", "user" => String::from("ann"));
        assert_free("held", || held.increment(1));
    });
}

#[test]
fn refusals_do_not_allocate_at_a_literal_call_site() {
    gauge!("taken").set(1);
    assert_free("kind conflict", || counter!("taken").increment(1));
    assert_free("name", || counter!("").increment(1));
}

fn filled(series: usize) -> Registry {
    let registry = Registry::builder().series_per_family(series).build();
    for user in 0..series {
        let user = user.to_string();
        registry.counter("c_total", &[("user", &user)]).increment(1_234_567);
        registry.gauge("g", &[("user", &user)]).set(0.1 + user.len() as f64);
        registry.histogram("h_seconds", &[("user", &user)]).record(0.1);
    }
    // The first reader sorts the series in.
    registry.snapshot();
    registry
}

/// A snapshot allocates for each family and not for each series: 11 times for three families of ten
/// series, 22 times for three of 10,000, because of lists that grow by doubling.
#[test]
fn a_snapshot_allocates_by_the_family() {
    let [few, many] = [10, 10_000].map(|series| {
        let registry = filled(series);
        allocations(|| registry.snapshot())
    });
    assert!(few <= 20, "{few} allocations for 3 families of 10 series");
    assert!(many <= few + 20, "{many} allocations for 10,000 series, {few} for 10");
}

/// Writing into a buffer that was used before allocates for names, headers and bucket bounds, and
/// not for series.
#[test]
fn a_page_into_a_used_buffer_allocates_by_the_family() {
    use nissa::expose::Format;
    let formats = [Format::TEXT, Format::OPENMETRICS_1, Format::OPENMETRICS_2, Format::PROTOBUF];
    for format in formats {
        let [few, many] = [10, 10_000].map(|series| {
            let snapshot = filled(series).snapshot();
            let mut page = Vec::new();
            format.encode_into(&snapshot, &mut page);
            page.clear();
            allocations(|| format.encode_into(&snapshot, &mut page))
        });
        assert!(few <= 90, "{format:?}: {few} allocations for 3 families of 10 series");
        // The value of a histogram in OpenMetrics 2.0 grows a little with its digits.
        assert!(many <= few + 4, "{format:?}: {many} for 10,000 series, {few} for 10");
    }
}
