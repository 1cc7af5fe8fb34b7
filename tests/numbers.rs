//! Numbers at the edge: what is not a number, what has no end, what does not fit.

use nissa::snapshot::Value;
use nissa::{Buckets, Registry, Snapshot, expose};

/// The value of the line that starts with `key`.
fn line<'t>(text: &'t str, key: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no line of {key} in\n{text}"))
}

fn parse(number: &str) -> f64 {
    number.replace("Inf", "inf").parse().unwrap()
}

fn text(registry: &Registry) -> String {
    expose::text(&registry.snapshot())
}

#[test]
fn gauges_show_what_is_not_a_finite_number() {
    let registry = Registry::new();
    let gauge = registry.gauge("g", &[]);
    for (value, written) in
        [(f64::NAN, "NaN"), (f64::INFINITY, "+Inf"), (f64::NEG_INFINITY, "-Inf"), (1.5, "1.5")]
    {
        gauge.set(value);
        assert_eq!(line(&text(&registry), "g"), written);
    }
    gauge.set(f64::INFINITY);
    gauge.decrement(f64::INFINITY);
    assert_eq!(line(&text(&registry), "g"), "NaN", "as arithmetic has it");
    gauge.set(2);
    assert_eq!(line(&text(&registry), "g"), "2", "and it is not for ever");
}

#[test]
fn every_double_reads_back_bit_by_bit() {
    let registry = Registry::new();
    let values = [
        0.0,
        -0.0,
        5e-324,
        -5e-324,
        f64::MIN_POSITIVE,
        f64::MIN_POSITIVE.next_down(),
        f64::MAX,
        f64::MIN,
        f64::EPSILON,
        0.1,
        1.0 / 3.0,
        1e15,
        1e15 + 1.0,
        9_007_199_254_740_993.0,
        1e21,
        -1e22,
        123_456_789.125,
    ];
    for (index, value) in values.iter().enumerate() {
        registry.gauge("g", &[("i", &index.to_string())]).set(*value);
    }
    let text = text(&registry);
    for (index, value) in values.iter().enumerate() {
        let back = parse(line(&text, &format!("g{{i=\"{index}\"}}")));
        assert_eq!(back.to_bits(), value.to_bits(), "{value:e}");
    }
}

fn dropped_nans(snapshot: &Snapshot) -> f64 {
    let labels = [("reason", "nan")];
    snapshot.get("nissa_dropped_total", &labels).and_then(|value| value.as_f64()).unwrap()
}

#[test]
fn nan_never_enters_a_histogram_and_is_counted() {
    let registry = Registry::builder().default_buckets(Buckets::exponential(0.1).unwrap()).build();
    let before = dropped_nans(&Registry::global().snapshot());
    for histogram in [registry.histogram("a", &[]), Registry::new().histogram("b", &[])] {
        histogram.record(f64::NAN);
        histogram.record(1.5);
        histogram.record_many(-f64::NAN, 1000);
        histogram.record(f32::NAN);
    }
    let snapshot = registry.snapshot();
    let distribution = snapshot.distribution("a").unwrap();
    assert_eq!((distribution.count(), distribution.sum()), (1, 1.5));
    // What is refused belongs to no registry, so the global one tells of it.
    assert_eq!(dropped_nans(&Registry::global().snapshot()) - before, 6.0);
}

#[test]
fn infinities_count_in_the_outermost_buckets_and_not_in_the_sum() {
    for buckets in [Buckets::explicit(&[-1.0, 1.0]), Buckets::exponential_in(0.1, 0.5, 8.0)] {
        let registry = Registry::builder().default_buckets(buckets.unwrap()).build();
        let histogram = registry.histogram("h", &[]);
        histogram.record(f64::INFINITY);
        histogram.record_many(f64::NEG_INFINITY, 2);
        histogram.record(0.75);
        let snapshot = registry.snapshot();
        let distribution = snapshot.distribution("h").unwrap();
        let counts: Vec<u64> = distribution.buckets().map(|(_, count)| count).collect();
        assert_eq!((counts[0], counts[counts.len() - 1]), (2, 1));
        assert_eq!((distribution.count(), distribution.sum()), (4, 0.75));
        let text = text(&registry);
        assert_eq!(line(&text, "h_bucket{le=\"+Inf\"}"), "4");
        assert_eq!((line(&text, "h_sum"), line(&text, "h_count")), ("0.75", "4"));
    }
}

/// What would make a sum endless, or NaN once it is so in both directions, counts and is left out
/// of it.
#[test]
fn a_sum_leaves_out_what_it_cannot_hold() {
    let registry = Registry::new();
    let histogram = registry.histogram("h", &[]);
    histogram.record_many(f64::MAX, 2);
    histogram.record_many(f64::MIN, 2);
    histogram.record_many(1e300, usize::MAX);
    histogram.record(-2);
    histogram.record(1.5);
    let text = text(&registry);
    assert_eq!((line(&text, "h_sum"), line(&text, "h_count")), ("-0.5", "5"));
}

#[test]
fn counts_that_outgrow_an_integer_wrap_and_panic_nowhere() {
    let summary = Buckets::summary(&[0.5]).unwrap();
    for buckets in [Buckets::default(), Buckets::exponential(0.1).unwrap(), summary] {
        let registry = Registry::builder().default_buckets(buckets).build();
        let histogram = registry.histogram("h", &[]);
        histogram.record_many(0.001, usize::MAX);
        histogram.record_many(5, 3);
        let snapshot = registry.snapshot();
        let distribution = snapshot.distribution("h").unwrap();
        assert_eq!(distribution.count(), 2);
        assert!(distribution.quantile(0.5).is_none_or(f64::is_finite));
        assert!(snapshot.quantile("h", 0.99).is_none_or(f64::is_finite));
        assert_eq!(line(&text(&registry), "h_count"), "2");
    }
}

#[test]
fn counters_wrap_at_the_end_of_their_range() {
    let registry = Registry::new();
    let counter = registry.counter("c_total", &[]);
    counter.increment(u64::MAX);
    assert_eq!(line(&text(&registry), "c_total"), "18446744073709551615");
    std::thread::scope(|threads| threads.spawn(|| counter.increment(3)).join()).unwrap();
    assert_eq!(line(&text(&registry), "c_total"), "2", "across threads too");
}

#[test]
fn counts_beyond_the_doubles_are_exact_in_text() {
    let registry = Registry::new();
    let counter = registry.counter("c_total", &[]);
    counter.increment((1 << 53) + 1);
    assert_eq!(line(&text(&registry), "c_total"), "9007199254740993");
    counter.absolute(u64::MAX - 1);
    assert_eq!(line(&text(&registry), "c_total"), "18446744073709551614");
    let value = registry.snapshot().get("c_total", &[]).unwrap().as_f64();
    assert_eq!(value, Some(u64::MAX as f64));
    assert_eq!(registry.snapshot().get("c_total", &[]), Some(Value::Counter(u64::MAX - 1)));

    registry.histogram("h", &[]).record_many(0, (1 << 53) + 1);
    assert_eq!(line(&text(&registry), "h_count"), "9007199254740993");
}

#[test]
fn absolute_raises_and_never_lowers() {
    let registry = Registry::new();
    let counter = registry.counter("c_total", &[]);
    for (absolute, total) in [(5, 5), (3, 5), (0, 5), (5, 5), (6, 6)] {
        counter.absolute(absolute);
        assert_eq!(registry.snapshot().value("c_total"), Some(f64::from(total)));
    }
    counter.increment(10);
    counter.absolute(15);
    assert_eq!(registry.snapshot().value("c_total"), Some(16.0));
    counter.absolute(20);
    counter.increment(1);
    assert_eq!(registry.snapshot().value("c_total"), Some(21.0));
}

/// However `absolute` and `increment` race, a reader never sees the total go back, and all
/// increments since the last `absolute` that took are in it.
#[test]
fn absolute_never_goes_back_while_others_increment() {
    const ROUNDS: u64 = 20_000;
    let registry = Registry::new();
    let counter = registry.counter("c_total", &[]);
    std::thread::scope(|threads| {
        let adder = threads.spawn(|| (0..ROUNDS).for_each(|_| counter.increment(1)));
        let raiser = threads.spawn(|| (0..ROUNDS).for_each(|at| counter.absolute(at * 2)));
        let mut last = 0;
        while !(adder.is_finished() && raiser.is_finished()) {
            let snapshot = registry.snapshot();
            let Some(Value::Counter(total)) = snapshot.get("c_total", &[]) else { panic!() };
            assert!(total >= last, "{total} after {last}");
            last = total;
        }
    });
    let total = registry.snapshot().value("c_total").unwrap() as u64;
    let highest = (ROUNDS - 1) * 2;
    assert!((highest..=highest + ROUNDS).contains(&total), "{total}");
}

#[test]
fn float_counters_ignore_what_would_lower_or_spoil_them() {
    let registry = Registry::new();
    let counter = registry.float_counter("c_total", &[]);
    counter.increment(0.5);
    for odd in [f64::NAN, -1.0, f64::INFINITY, f64::NEG_INFINITY, -0.0] {
        counter.increment(odd);
        counter.absolute(odd);
        assert_eq!(line(&text(&registry), "c_total"), "0.5", "{odd}");
    }
    counter.absolute(3.0);
    counter.increment(1.0);
    assert_eq!(line(&text(&registry), "c_total"), "4");
    for large in [f64::MAX, 1e300] {
        counter.increment(large);
        counter.absolute(large);
        assert_eq!(line(&text(&registry), "c_total"), "4", "a total never becomes endless");
    }
}

#[test]
fn bounds_are_checked_when_they_are_made() {
    for (bounds, why) in [
        (&[][..], "none"),
        (&[f64::INFINITY], "none that is finite"),
        (&[1.0, f64::NAN], "not a number"),
        (&[f64::NEG_INFINITY, 1.0], "below everything"),
    ] {
        assert!(Buckets::explicit(bounds).unwrap_err().is_buckets(), "{why}");
    }
    let many: Vec<f64> = (0..10_000).map(f64::from).collect();
    assert!(Buckets::explicit(&many).unwrap_err().is_buckets());
    assert!(Buckets::explicit(&many[..999]).is_ok());
    assert!(Buckets::explicit(&many[..1000]).is_err());

    let messy = Buckets::explicit(&[3.0, -1.0, f64::INFINITY, 3.0, 0.0, -0.0, 1e-320]).unwrap();
    assert_eq!(messy.bounds(), [-1.0, 0.0, 1e-320, 3.0]);

    for error in [f64::NAN, 0.0, -1.0, f64::NEG_INFINITY, 1e-9] {
        assert!(Buckets::exponential(error).unwrap_err().is_buckets(), "{error}");
    }
    for (least, most) in [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)]
    {
        assert!(Buckets::exponential_in(0.1, least, most).is_err(), "{least} to {most}");
    }
    for quantiles in [&[][..], &[f64::NAN], &[-0.1], &[1.1], &[0.5, f64::INFINITY]] {
        assert!(Buckets::summary(quantiles).unwrap_err().is_buckets(), "{quantiles:?}");
    }
}

#[test]
fn every_value_finds_its_bucket_whatever_the_bounds() {
    let edges = [f64::MIN, -1.0, -5e-324, 5e-324, f64::MIN_POSITIVE, 1.0, 1.5, f64::MAX];
    for first in 0..edges.len() {
        for last in first + 1..=edges.len() {
            let bounds = &edges[first..last];
            let buckets = Buckets::explicit(bounds).unwrap();
            let registry = Registry::builder().default_buckets(buckets).build();
            let histogram = registry.histogram("h", &[]);
            let values: Vec<f64> = edges.iter().flat_map(|e| [*e, e.next_up()]).collect();
            values.iter().filter(|v| v.is_finite()).for_each(|value| histogram.record(*value));
            let snapshot = registry.snapshot();
            let mut below = f64::NEG_INFINITY;
            for (bound, count) in snapshot.distribution("h").unwrap().buckets() {
                let inside = |v: &&f64| v.is_finite() && **v > below && **v <= bound;
                assert_eq!(count, values.iter().filter(inside).count() as u64, "up to {bound:e}");
                below = bound;
            }
        }
    }
}

/// Guards `upper_bound(..).is_finite()` in `Exponential::new` (buckets/exponential.rs).
#[test]
fn an_exponential_range_up_to_the_largest_double_is_refused() {
    for error in [0.3, 0.1, 0.05] {
        let refused = Buckets::exponential_in(error, 1e300, f64::MAX);
        assert!(refused.unwrap_err().is_buckets(), "{error}");
    }
    let buckets = Buckets::exponential_in(0.3, 1e300, f64::MAX / 2.0).unwrap();
    assert!(buckets.bounds().iter().all(|bound| bound.is_finite()));
    let registry = Registry::builder().default_buckets(buckets).build();
    registry.histogram("h", &[]).record(1.7e308);
    assert!(registry.snapshot().quantile("h", 0.5).unwrap().is_finite());
}
