//! `io.prometheus.client` as prost decodes it, declared from the public `metrics.proto`.

use std::collections::BTreeMap;

use prost::Message;

use super::{Exemplar, Native, Page, bound, with};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) metric: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    pub(crate) unit: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub(crate) label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    pub(crate) gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    pub(crate) counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    pub(crate) summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    pub(crate) histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LabelPair {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Gauge {
    #[prost(double, optional, tag = "1")]
    pub(crate) value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Counter {
    #[prost(double, optional, tag = "1")]
    pub(crate) value: Option<f64>,
    #[prost(message, optional, tag = "2")]
    pub(crate) exemplar: Option<WireExemplar>,
    #[prost(message, optional, tag = "3")]
    pub(crate) created_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Summary {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) quantile: Vec<Quantile>,
    #[prost(message, optional, tag = "4")]
    pub(crate) created_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Quantile {
    #[prost(double, optional, tag = "1")]
    pub(crate) quantile: Option<f64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    pub(crate) schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    pub(crate) zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    pub(crate) zero_count: Option<u64>,
    #[prost(message, repeated, tag = "9")]
    pub(crate) negative_span: Vec<BucketSpan>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    pub(crate) positive_delta: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    pub(crate) created_timestamp: Option<Timestamp>,
    #[prost(message, repeated, tag = "16")]
    pub(crate) exemplars: Vec<WireExemplar>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    pub(crate) exemplar: Option<WireExemplar>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    pub(crate) offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WireExemplar {
    #[prost(message, repeated, tag = "1")]
    pub(crate) label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    pub(crate) value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    pub(crate) timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

impl Timestamp {
    fn seconds(&self) -> f64 {
        self.seconds as f64 + f64::from(self.nanos) / 1e9
    }
}

/// The messages of a page.
pub(crate) fn families(mut page: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !page.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut page).unwrap());
    }
    families
}

pub(crate) fn read(bytes: &[u8]) -> Page {
    let mut page = Page::default();
    for family in families(bytes) {
        let name = family.name.clone().unwrap();
        let kind = ["counter", "gauge", "summary", "untyped", "histogram"];
        let kind = kind[usize::try_from(family.kind.unwrap()).unwrap()];
        let before = page.types.insert(name.clone(), kind.to_owned());
        assert!(before.is_none(), "family twice: {name}");
        family.unit.clone().map(|unit| page.units.insert(name.clone(), unit));
        family.help.clone().map(|help| page.helps.insert(name.clone(), help));
        for metric in &family.metric {
            let labels = pairs(&metric.label);
            match kind {
                "counter" => counter(&mut page, &name, &labels, metric.counter.as_ref().unwrap()),
                "gauge" => {
                    page.sample(&name, &labels, metric.gauge.as_ref().unwrap().value.unwrap());
                }
                "summary" => summary(&mut page, &name, &labels, metric.summary.as_ref().unwrap()),
                _ => histogram(&mut page, &name, &labels, metric.histogram.as_ref().unwrap()),
            }
        }
    }
    page
}

fn pairs(labels: &[LabelPair]) -> BTreeMap<String, String> {
    let pair = |label: &LabelPair| (label.name.clone().unwrap(), label.value.clone().unwrap());
    let map: BTreeMap<_, _> = labels.iter().map(pair).collect();
    assert_eq!(map.len(), labels.len(), "a label twice: {labels:?}");
    map
}

fn exemplar(exemplar: &WireExemplar) -> Exemplar {
    Exemplar {
        labels: pairs(&exemplar.label),
        value: exemplar.value.unwrap(),
        seconds: exemplar.timestamp.as_ref().unwrap().seconds(),
    }
}

fn start(page: &mut Page, name: &str, labels: &BTreeMap<String, String>, at: &Option<Timestamp>) {
    if let Some(at) = at {
        page.starts.insert((name.to_owned(), labels.clone()), at.seconds());
    }
}

fn counter(page: &mut Page, name: &str, labels: &BTreeMap<String, String>, counter: &Counter) {
    page.sample(name, labels, counter.value.unwrap());
    start(page, name, labels, &counter.created_timestamp);
    if let Some(wire) = &counter.exemplar {
        page.exemplars.insert((name.to_owned(), labels.clone()), exemplar(wire));
    }
}

fn summary(page: &mut Page, name: &str, labels: &BTreeMap<String, String>, summary: &Summary) {
    for quantile in &summary.quantile {
        let labels = with(labels, "quantile", bound(quantile.quantile.unwrap()));
        page.sample(name, &labels, quantile.value.unwrap());
    }
    page.sample(&format!("{name}_sum"), labels, summary.sample_sum.unwrap());
    page.sample(&format!("{name}_count"), labels, summary.sample_count.unwrap() as f64);
    start(page, name, labels, &summary.created_timestamp);
}

fn histogram(
    page: &mut Page,
    name: &str,
    labels: &BTreeMap<String, String>,
    histogram: &Histogram,
) {
    for bucket in &histogram.bucket {
        let labels = with(labels, "le", bound(bucket.upper_bound.unwrap()));
        let name = format!("{name}_bucket");
        page.sample(&name, &labels, bucket.cumulative_count.unwrap() as f64);
        if let Some(wire) = &bucket.exemplar {
            page.exemplars.insert((name, labels), exemplar(wire));
        }
    }
    page.sample(&format!("{name}_sum"), labels, histogram.sample_sum.unwrap());
    page.sample(&format!("{name}_count"), labels, histogram.sample_count.unwrap() as f64);
    start(page, name, labels, &histogram.created_timestamp);
    let Some(schema) = histogram.schema else {
        assert!(histogram.positive_span.is_empty() && histogram.zero_threshold.is_none());
        return;
    };
    let mut buckets = BTreeMap::new();
    let (mut number, mut count) = (0i64, 0i64);
    let mut deltas = histogram.positive_delta.iter();
    for span in &histogram.positive_span {
        number += i64::from(span.offset.unwrap());
        for _ in 0..span.length.unwrap() {
            count += deltas.next().unwrap();
            buckets.insert(number, u64::try_from(count).unwrap());
            number += 1;
        }
    }
    assert_eq!(deltas.next(), None, "a delta of no bucket");
    let native = Native {
        schema,
        zero_threshold: histogram.zero_threshold.unwrap(),
        zero_count: histogram.zero_count.unwrap(),
        buckets,
    };
    let exemplars: Vec<Exemplar> = histogram.exemplars.iter().map(exemplar).collect();
    let of_buckets = histogram.bucket.iter().filter_map(|bucket| bucket.exemplar.as_ref());
    assert_eq!(exemplars, of_buckets.map(exemplar).collect::<Vec<_>>());
    page.natives.insert((name.to_owned(), labels.clone()), native);
}
