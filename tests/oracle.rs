//! The differential oracle: the same random recordings through the facade into
//! metrics-exporter-prometheus and into nissa, whose texts must parse to the same numbers.
//!
//! Where the two differ on purpose the recordings keep away from it; `what_differs_on_purpose` has
//! each of those differences, with what both make of it.

use std::collections::BTreeMap;
use std::thread;

use metrics::{
    Label, Recorder, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use nissa::{Buckets, Registry, expose};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const BOUNDS: [f64; 5] = [-2.0, 0.5, 1.0, 8.0, 1e6];
const NAMES: [[&str; 3]; 3] = [
    ["requests_total", "http.requests", "ключ:x"],
    ["queue_depth", "9lives", "a-b c"],
    ["latency_seconds", "batch size", "_"],
];
const LABELS: [&str; 4] = ["code", "le_mans", "method.name", "zone"];
const VALUES: [&str; 7] = ["200", "a b", "\"", "x\\y", "two\nlines", "🦀", "} 1\nforged 2"];

#[derive(Clone, Debug)]
struct Recording {
    kind: usize,
    name: usize,
    labels: Vec<(&'static str, &'static str)>,
    /// What to do: each kind has three verbs.
    verb: usize,
    integer: u64,
    float: f64,
}

impl Recording {
    /// Through the facade, into whatever recorder the thread has.
    fn through_the_facade(&self) {
        let name = NAMES[self.kind][self.name];
        let labels: Vec<Label> = self.labels.iter().map(Label::from).collect();
        match (self.kind, self.verb) {
            (0, 0) => counter!(name, labels).absolute(self.integer),
            (0, _) => counter!(name, labels).increment(self.integer),
            (1, 0) => gauge!(name, labels).set(self.float),
            (1, 1) => gauge!(name, labels).decrement(self.float),
            (1, _) => gauge!(name, labels).increment(self.float),
            (_, 0) => histogram!(name, labels).record_many(self.float, self.integer as usize % 5),
            (_, _) => histogram!(name, labels).record(self.float),
        }
    }

    /// Through nissa's own interface.
    fn directly(&self, registry: &Registry) {
        let name = NAMES[self.kind][self.name];
        match (self.kind, self.verb) {
            (0, 0) => registry.counter(name, &self.labels).absolute(self.integer),
            (0, _) => registry.counter(name, &self.labels).increment(self.integer),
            (1, 0) => registry.gauge(name, &self.labels).set(self.float),
            (1, 1) => registry.gauge(name, &self.labels).decrement(self.float),
            (1, _) => registry.gauge(name, &self.labels).increment(self.float),
            (_, 0) => {
                let times = self.integer as usize % 5;
                registry.histogram(name, &self.labels).record_many(self.float, times);
            }
            (_, _) => registry.histogram(name, &self.labels).record(self.float),
        }
    }

    /// Whether it comes to the same whatever others do meanwhile.
    fn is_addition(&self) -> bool {
        self.verb != 0 || self.kind == 2
    }
}

fn recording() -> impl Strategy<Value = Recording> {
    let labels = subsequence(&LABELS[..], 0..3)
        .prop_flat_map(|names| {
            let values = vec![select(&VALUES[..]); names.len()];
            (Just(names), values)
        })
        .prop_map(|(names, values)| names.into_iter().zip(values).collect());
    let integer = prop_oneof![3 => 0u64..1000, 1 => Just((1 << 53) + 1), 1 => Just(u64::MAX / 3)];
    let floats = [0.0, 0.5, 1.0, 2.0, 8.0, 1e6, 3e9, -1.0, -2.0, -64.0];
    (0usize..3, 0usize..3, labels, 0usize..3, integer, select(floats.to_vec())).prop_map(
        |(kind, name, labels, verb, integer, float)| Recording {
            kind,
            name,
            labels,
            verb,
            integer,
            float,
        },
    )
}

/// One thread does all it has; the others, at the same time afterwards, only add.
fn replay(threads: &[Vec<Recording>], record: impl Fn(&Recording) + Sync) {
    let (first, others) = threads.split_first().unwrap();
    first.iter().for_each(&record);
    thread::scope(|scope| {
        for recordings in others {
            scope.spawn(|| recordings.iter().filter(|r| r.is_addition()).for_each(&record));
        }
    });
}

fn exporter() -> PrometheusRecorder {
    PrometheusBuilder::new().set_buckets(&BOUNDS).unwrap().build_recorder()
}

fn registry() -> Registry {
    Registry::builder().default_buckets(Buckets::explicit(&BOUNDS).unwrap()).build()
}

fn describe(recorder: &impl Recorder) {
    with_local_recorder(recorder, || {
        describe_counter!(NAMES[0][0], "Requests, \"all\".");
        describe_gauge!(NAMES[1][2], "two\nlines");
        describe_histogram!(NAMES[2][1], Unit::Bytes, "Sizes, {\\x}.");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_texts_parse_to_the_same_numbers(
        threads in prop::collection::vec(prop::collection::vec(recording(), 0..40), 1..4),
    ) {
        let (exporter, registry) = (exporter(), registry());
        let recorder = nissa::Recorder::new(&registry);
        describe(&exporter);
        describe(&recorder);
        replay(&threads, |r| with_local_recorder(&exporter, || r.through_the_facade()));
        replay(&threads, |r| with_local_recorder(&recorder, || r.through_the_facade()));
        let text = expose::text(&registry.snapshot());
        prop_assert_eq!(Page::parse(&text), Page::parse(&exporter.handle().render()));

        let direct = crate::registry();
        describe(&nissa::Recorder::new(&direct));
        replay(&threads, |r| r.directly(&direct));
        prop_assert_eq!(expose::text(&direct.snapshot()), text);
    }
}

/// A scrape, as far as Prometheus can tell it apart.
#[derive(Debug, Default, PartialEq)]
struct Page {
    types: BTreeMap<String, String>,
    helps: BTreeMap<String, String>,
    samples: BTreeMap<(String, BTreeMap<String, String>), Number>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    /// Exact, where a double would not be.
    Integer(u64),
    Double(f64),
}

impl Page {
    fn parse(text: &str) -> Self {
        let mut page = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let twice = match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
                ["#", "TYPE", name, kind] => page.types.insert(name.into(), kind.into()).is_some(),
                ["#", "HELP", name, help] => {
                    page.helps.insert(name.into(), unescape(help)).is_some()
                }
                _ => {
                    let (series, number) = sample(line);
                    page.samples.insert(series, number).is_some()
                }
            };
            assert!(!twice, "said twice: {line}\n{text}");
        }
        page
    }

    fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<Number> {
        let label = |(name, value): &(&str, &str)| (String::from(*name), String::from(*value));
        self.samples.get(&(name.to_owned(), labels.iter().map(label).collect())).copied()
    }
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> ((String, BTreeMap<String, String>), Number) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        while let Some((label, value)) = inside.split_once("=\"") {
            let end = closing_quote(value);
            let value_read = match label {
                // 1 and 1.0 are one bound.
                "le" => value[..end].parse::<f64>().unwrap().to_string(),
                _ => unescape(&value[..end]),
            };
            assert_eq!(labels.insert(label.to_owned(), value_read), None, "label twice: {line}");
            inside = value[end + 1..].trim_start_matches(',');
            if inside.starts_with('}') {
                break;
            }
        }
        rest = inside.strip_prefix('}').unwrap();
    }
    let number = rest.trim();
    let number = match number.parse::<u64>() {
        Ok(integer) => Number::Integer(integer),
        Err(_) => Number::Double(number.parse().unwrap()),
    };
    ((name.to_owned(), labels), number)
}

fn closing_quote(value: &str) -> usize {
    let mut escaped = false;
    let is_end = |byte: u8| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    };
    value.bytes().position(is_end).unwrap()
}

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next().unwrap() {
                'n' => '\n',
                other => other,
            },
            other => other,
        });
    }
    plain
}

/// What the exporter and nissa make of the same thing.
fn both(record: impl Fn()) -> [Page; 2] {
    texts(record).map(|text| Page::parse(&text))
}

fn texts(record: impl Fn()) -> [String; 2] {
    let (exporter, registry) = (exporter(), registry());
    with_local_recorder(&exporter, &record);
    with_local_recorder(&nissa::Recorder::new(&registry), &record);
    [exporter.handle().render(), expose::text(&registry.snapshot())]
}

#[test]
fn what_differs_on_purpose() {
    let one = Some(Number::Integer(1));

    // Names that become one in the text: one of the numbers is lost there, both are kept here.
    let [exporter, nissa] = both(|| {
        counter!("a.b").increment(1);
        counter!("a_b").increment(2);
    });
    assert_eq!(exporter.samples.len(), 1);
    assert_eq!(nissa.get("U__a_2e_b", &[]), one);
    assert_eq!(nissa.get("a_b", &[]), Some(Number::Integer(2)));

    // An infinity: makes the sum infinite there, is left out of it here.
    let [exporter, nissa] = both(|| {
        histogram!("h").record(1);
        histogram!("h").record(f64::INFINITY);
    });
    assert_eq!(exporter.get("h_sum", &[]), Some(Number::Double(f64::INFINITY)));
    assert_eq!(nissa.get("h_sum", &[]), one);
    assert_eq!(nissa.get("h_count", &[]), exporter.get("h_count", &[]));

    // NaN: counted and added there, refused here (`nissa_dropped_total` of the global registry).
    let [exporter, nissa] = both(|| histogram!("h").record(f64::NAN));
    assert_eq!(exporter.get("h_count", &[]), one);
    assert_eq!(nissa.get("h_count", &[]), Some(Number::Integer(0)));

    // An empty value, which to Prometheus is no label: a second series there, the same here.
    let [exporter, nissa] = both(|| {
        counter!("c", "k" => "").increment(1);
        counter!("c").increment(1);
    });
    assert_eq!((exporter.get("c", &[]), exporter.get("c", &[("k", "")])), (one, one));
    assert_eq!(nissa.get("c", &[]), Some(Number::Integer(2)));

    // Two kinds under one name: a page that cannot be there, the first wins here.
    let texts = texts(|| {
        gauge!("g", "k" => "gauge").set(1);
        counter!("g", "k" => "counter").increment(1);
    });
    assert!(texts[0].contains("# TYPE g gauge\n") && texts[0].contains("# TYPE g counter\n"));
    let nissa = Page::parse(&texts[1]);
    assert_eq!(nissa.types["g"], "gauge");
    assert_eq!(nissa.get("g", &[("k", "gauge")]), one);
    assert_eq!(nissa.get("g", &[("k", "counter")]), None);
    let conflict = nissa.get("nissa_dropped_total", &[("reason", "kind_conflict")]);
    assert_eq!(conflict, one);
}
