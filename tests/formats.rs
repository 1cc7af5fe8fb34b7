//! Every format says the same of one frozen registry, hostile names and values included.

mod scrape;

use std::collections::BTreeMap;

use nissa::expose::{Escaping, Format, json};
use nissa::snapshot::Value;
use nissa::{Buckets, Matcher, Registry, Snapshot, Unit};
use proptest::prelude::*;
use scrape::{Key, Page, bound, with};

const SCHEMES: [Escaping; 4] =
    [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];

/// What the pages of one escaping scheme say: text, OpenMetrics 1.0, protobuf, OpenMetrics 2.0.
fn pages(snapshot: &Snapshot, escaping: Escaping) -> [Page; 4] {
    let encode = |format: Format| format.escaping(escaping).encode(snapshot);
    [
        scrape::text::read(&encode(Format::TEXT_1)),
        scrape::text::read_openmetrics(&encode(Format::OPENMETRICS_1)),
        scrape::protobuf::read(&encode(Format::PROTOBUF)),
        scrape::openmetrics2::read(&encode(Format::OPENMETRICS_2)),
    ]
}

/// What the snapshot holds, as series of numbers; with names as they were recorded, so that some
/// may be there twice.
fn truth(snapshot: &Snapshot) -> Vec<(Key, u64)> {
    let mut samples = Vec::new();
    let mut sample = |name: &str, labels: &BTreeMap<String, String>, value: f64| {
        let mut page = Page::default();
        page.sample(name, labels, value);
        samples.extend(page.values());
    };
    for family in snapshot.families() {
        let name = family.name();
        for series in family.series() {
            let mut labels: BTreeMap<String, String> =
                snapshot.global_labels().iter().cloned().collect();
            labels.extend(series.labels().map(|(n, v)| (n.into_owned(), v.into_owned())));
            match series.value() {
                Value::Distribution(distribution) => {
                    let scheme = distribution.scheme();
                    let mut below = 0;
                    for (upper, count) in distribution.buckets() {
                        below += count;
                        let shown = count > 0 || upper == f64::INFINITY || !scheme.is_exponential();
                        if shown && scheme.quantiles().is_none() {
                            let labels = with(&labels, "le", bound(upper));
                            sample(&format!("{name}_bucket"), &labels, below as f64);
                        }
                    }
                    for q in scheme.quantiles().unwrap_or(&[]) {
                        let value = distribution.quantile(*q).unwrap_or(f64::NAN);
                        sample(name, &with(&labels, "quantile", bound(*q)), value);
                    }
                    sample(&format!("{name}_sum"), &labels, distribution.sum());
                    sample(&format!("{name}_count"), &labels, below as f64);
                }
                value => sample(name, &labels, value.as_f64().unwrap()),
            }
        }
    }
    samples
}

/// What is recorded, and under which names.
#[derive(Clone, Debug)]
enum Recording {
    Counter(u64),
    FloatCounter(f64),
    Gauge(f64),
    /// Explicit, exponential or summary, by its name's end.
    Histogram(Vec<f64>),
}

/// A name, labels, and what is recorded under them.
type Recorded = (String, Vec<(String, String)>, Recording);

fn recording() -> impl Strategy<Value = Recorded> {
    let name = prop_oneof![
        "[ab]{1,2}(_total|_seconds|_sum|_count|_bucket|_created)?",
        "[ab][._/:é ]b?(_total|_seconds_total)?",
        "U__[ab_]{0,3}|[0-9]a|\\PC{1,3}",
    ];
    let label = ("[ab]|[ab][.:_/]b?|le|U__a|\\PC{1,2}", "[ab\"\\\\\n,={} #é]{0,4}");
    let number = prop_oneof![prop::num::f64::ANY, -2.0..2.0, Just(0.25), Just(1.0)];
    let recording = prop_oneof![
        any::<u64>().prop_map(|count| Recording::Counter(count >> 12)),
        (0.0..1e9).prop_map(Recording::FloatCounter),
        number.clone().prop_map(Recording::Gauge),
        prop::collection::vec(number, 1..6).prop_map(Recording::Histogram),
    ];
    (name, prop::collection::vec(label, 0..3), recording)
}

fn registry(recordings: &[Recorded], global: bool) -> Registry {
    let mut builder = Registry::builder()
        .buckets(Matcher::name("*b"), Buckets::exponential(0.05).unwrap())
        .buckets(Matcher::name("*_seconds"), Buckets::summary(&[0.5, 0.99]).unwrap())
        .default_buckets(Buckets::explicit(&[-1.0, 0.25, 1.0]).unwrap());
    if global {
        builder = builder.global_label("job", "x\"y").global_label("a.b", "global");
    }
    let registry = builder.build();
    for (name, labels, recording) in recordings {
        let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (&**n, &**v)).collect();
        let trace = [("trace_id", "abc"), ("é.x", "y\"z")];
        match recording {
            Recording::Counter(count) => {
                registry.counter(name, &labels).increment_with_exemplar(*count, &trace);
            }
            Recording::FloatCounter(amount) => {
                registry.float_counter(name, &labels).increment(*amount);
            }
            Recording::Gauge(value) => registry.gauge(name, &labels).set(*value),
            Recording::Histogram(values) => {
                let histogram = registry.histogram(name, &labels);
                for value in values {
                    histogram.record_with_exemplar(*value, &trace);
                }
            }
        }
        registry.describe_counter(name, Some(Unit::Seconds), "a \"help\" \\ text\nof two lines");
    }
    registry
}

/// The values of each series, whatever it is called.
fn numbers(values: impl IntoIterator<Item = (Key, u64)>) -> Vec<u64> {
    let mut numbers: Vec<u64> = values.into_iter().map(|(_, value)| value).collect();
    numbers.sort_unstable();
    numbers
}

/// Whether no metric has a name that a distribution's lines take, with one of these endings.
fn is_clear(types: &BTreeMap<String, String>, lines: &[&str]) -> bool {
    let distribution =
        |name: &str| types.get(name).is_some_and(|kind| kind == "histogram" || kind == "summary");
    types
        .keys()
        .all(|name| !lines.iter().any(|line| name.strip_suffix(line).is_some_and(distribution)))
}

/// The classic buckets of native histograms, which OpenMetrics 2.0 leaves out.
fn without_classic(page: &Page, natives: &BTreeMap<Key, scrape::Native>) -> BTreeMap<Key, u64> {
    let mut values = page.values();
    values.retain(|(name, labels), _| {
        let mut labels = labels.clone();
        let is_bucket = labels.remove("le").is_some();
        let stem = name.strip_suffix("_bucket").filter(|_| is_bucket);
        stem.is_none_or(|stem| !natives.contains_key(&(stem.to_owned(), labels)))
    });
    values
}

/// Whether native buckets hold what the classic ones beside them do.
fn check_natives(page: &Page) {
    for ((name, labels), native) in &page.natives {
        let growth = 2f64.powf(0.5f64.powi(native.schema));
        let upper = |number: i64| growth.powf(number as f64);
        let below = |bound: f64| -> u64 {
            // Bounds are known to the last digits alone, and lie far apart.
            let within = |number: &i64| upper(*number) <= bound * (1.0 + 1e-9);
            let buckets = native.buckets.iter().filter(|(number, _)| within(number));
            native.zero_count + buckets.map(|(_, count)| count).sum::<u64>()
        };
        let classic = page.samples.iter().filter(|((line, of), _)| {
            let mut of = of.clone();
            *line == format!("{name}_bucket") && of.remove("le").is_some() && of == *labels
        });
        let mut seen = 0;
        for ((_, labels), count) in classic {
            assert_eq!(below(labels["le"].parse().unwrap()) as f64, *count, "{name} {labels:?}");
            seen += 1;
        }
        assert!(seen > 0 && native.buckets.values().all(|count| *count < u64::MAX));
    }
}

/// Times are told to the millisecond or better.
fn check_times(page: &Page, other: &Page) {
    assert_eq!(page.starts.len(), other.starts.len());
    for (key, start) in &page.starts {
        assert!((start - other.starts[key]).abs() < 0.001_1, "{key:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn every_format_says_the_same(
        recordings in prop::collection::vec(recording(), 0..12),
        global in any::<bool>(),
    ) {
        let snapshot = registry(&recordings, global).snapshot();
        let truth = truth(&snapshot);
        let types = |family: &nissa::snapshot::Family| {
            (family.name().to_owned(), family.kind().as_str().to_owned())
        };
        let recorded: BTreeMap<String, String> = snapshot.families().map(types).collect();
        let clear = is_clear(&recorded, &["_bucket", "_count", "_sum", "_created"]);
        for escaping in SCHEMES {
            let pages = pages(&snapshot, escaping);
            let [text, openmetrics, protobuf, openmetrics2] = &pages;
            let values = text.values();
            prop_assert_eq!(numbers(values.clone()), numbers(truth.clone()), "{:?}", escaping);
            prop_assert_eq!(&protobuf.values(), &values, "{:?}", escaping);
            let fewer = without_classic(text, &protobuf.natives);
            prop_assert_eq!(&openmetrics2.values(), &fewer, "{:?}", escaping);
            // But for clashes that OpenMetrics 1.0 alone knows, it has the same names too.
            prop_assert_eq!(numbers(openmetrics.values()), numbers(values.clone()));
            if is_clear(&text.types, &["_created"]) {
                prop_assert_eq!(&openmetrics.values(), &values, "{:?}", escaping);
                for (key, exemplar) in &openmetrics.exemplars {
                    let other = &protobuf.exemplars[key];
                    prop_assert_eq!(&exemplar.labels, &other.labels);
                    prop_assert_eq!(exemplar.value, other.value);
                    prop_assert!((exemplar.seconds - other.seconds).abs() < 0.001_1);
                }
            }
            if clear && escaping == Escaping::AllowUtf8 {
                let truth: BTreeMap<Key, u64> = truth.iter().cloned().collect();
                prop_assert_eq!(&values, &truth);
                let json = scrape::json::read(&json(&snapshot));
                prop_assert_eq!(&json.values(), &truth);
                prop_assert_eq!(&json.types, &recorded);
                prop_assert_eq!(
                    json.exemplars.keys().collect::<Vec<_>>(),
                    protobuf.exemplars.keys().collect::<Vec<_>>()
                );
                check_times(&json, protobuf);
            }
            prop_assert_eq!(&protobuf.natives, &openmetrics2.natives);
            check_natives(protobuf);
            check_times(protobuf, openmetrics2);
        }
        let text = scrape::text::read(&Format::TEXT.encode(&snapshot));
        let [underscores, ..] = pages(&snapshot, Escaping::Underscores);
        prop_assert_eq!(text.values(), underscores.values());
    }
}

/// The rules forbid it to be a summary, but not to be there.
#[test]
fn in_openmetrics_2_a_summary_below_zero_has_no_type() {
    let registry = Registry::builder().default_buckets(Buckets::summary(&[0.5]).unwrap()).build();
    registry.histogram("above", &[]).record(2);
    registry.histogram("below", &[]).record(-2);
    let page = Format::OPENMETRICS_2.encode(&registry.snapshot());
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("# TYPE above summary\n"), "{page}");
    assert!(page.contains("# TYPE below unknown\nbelow {count:1,sum:-2,quantile:["), "{page}");
}
