//! Every format says the same of one frozen registry, hostile names and values included.

mod scrape;

use std::collections::{BTreeMap, BTreeSet};

use nissa::expose::{Escaping, Format};
use nissa::snapshot::Value;
use nissa::{Buckets, Matcher, Registry, Snapshot, Unit};
use proptest::prelude::*;
use scrape::{Key, Page, bound, with};

const SCHEMES: [Escaping; 4] =
    [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];

/// What the pages of one escaping scheme say.
fn pages(snapshot: &Snapshot, escaping: Escaping) -> Vec<(&'static str, Page)> {
    let encode = |format: Format| format.escaping(escaping).encode(snapshot);
    vec![
        ("text 1.0.0", scrape::text::read(&encode(Format::TEXT_1))),
        ("OpenMetrics 1.0", scrape::text::read_openmetrics(&encode(Format::OPENMETRICS_1))),
        ("protobuf", scrape::protobuf::read(&encode(Format::PROTOBUF))),
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
        for escaping in SCHEMES {
            let pages = pages(&snapshot, escaping);
            for (format, page) in &pages {
                let values = page.values();
                prop_assert_eq!(numbers(values.clone()), numbers(truth.clone()), "{} {:?}", format, escaping);
                // But for clashes that OpenMetrics alone knows, all say it of the same names.
                if *format != "OpenMetrics 1.0" || is_clear(&pages[0].1.types, &["_created"]) {
                    prop_assert_eq!(&values, &pages[0].1.values(), "{} {:?}", format, escaping);
                }
                let clear = is_clear(&recorded, &["_bucket", "_count", "_sum", "_created"]);
                if clear && escaping == Escaping::AllowUtf8 {
                    let truth = truth.iter().cloned().collect();
                    prop_assert_eq!(&values, &truth, "{}", format);
                }
            }
            let keys = |page: &Page| page.exemplars.keys().cloned().collect::<BTreeSet<_>>();
            let (openmetrics, protobuf) = (keys(&pages[1].1), keys(&pages[2].1));
            let clear = is_clear(&pages[0].1.types, &["_created"]);
            prop_assert!(!clear || openmetrics.is_subset(&protobuf));
        }
        let text = scrape::text::read(&Format::TEXT.encode(&snapshot));
        let underscores = &pages(&snapshot, Escaping::Underscores)[0].1;
        prop_assert_eq!(text.values(), underscores.values());
    }
}
