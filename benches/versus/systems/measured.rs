//! The `measured` crate: enum labels index an array, strings are interned by `paracord`.

use std::sync::Arc;

use measured::label::{LabelValue, LabelVisitor};
use measured::metric::histogram::Thresholds;
use measured::text::TextEncoder;
use measured::{
    CounterVec, FixedCardinalityLabel, FloatGaugeVec, HistogramVec, LabelGroup, MetricGroup,
};
use paracord::ParaCord;

use super::{Kind, Reused, Store, System};
use crate::harness::Batch;
use crate::workload::{BOUNDS, durations, sixty_four_sites, visits};

#[derive(Clone, Copy, FixedCardinalityLabel)]
#[label(rename_all = "SHOUTY-KEBAB-CASE")]
enum Method {
    Get,
    Post,
    Put,
    Delete,
}

#[derive(Clone, Copy, FixedCardinalityLabel)]
enum Status {
    Ok = 200,
    NotFound = 404,
}

#[derive(Clone, Copy, LabelGroup)]
#[label(set = LabelsSet)]
struct Labels {
    method: Method,
    status: Status,
}

#[derive(Clone, Copy, LabelGroup)]
#[label(set = SiteSet)]
struct SiteLabels {
    method: Method,
    site: Site,
}

#[derive(Clone, Copy, LabelGroup)]
#[label(set = UserSet)]
struct UserLabels<'a> {
    #[label(dynamic_with = ParaCord, default)]
    user: &'a str,
}

#[derive(Clone, Copy, LabelGroup)]
#[label(set = PathSet)]
struct PathLabels<'a> {
    method: Method,
    #[label(dynamic_with = ParaCord, default)]
    path: &'a str,
}

#[derive(MetricGroup)]
#[metric(new())]
struct Counters {
    /// Requests.
    #[metric(label_set = PathSet::new())]
    http_requests_total: CounterVec<PathSet>,
}

#[derive(MetricGroup)]
#[metric(new())]
struct Histograms {
    /// Durations.
    #[metric(label_set = PathSet::new(), metadata = Thresholds::with_buckets(BOUNDS))]
    http_duration_seconds: HistogramVec<PathSet, 11>,
}

const OK: Labels = Labels { method: Method::Get, status: Status::Ok };

pub fn system() -> System {
    System::new("measured", "measured")
        .batch("counter_literal", counter_literal)
        .batch("counter_handle", counter_handle)
        .batch("counter_64_sites", counter_64_sites)
        .batch("gauge_set_literal", gauge_set_literal)
        .batch("histogram_literal", histogram_literal)
        .batch("histogram_handle", histogram_handle)
        .batch("counter_runtime_label", counter_runtime_label)
        .batch("counter_1000_series_random", counter_runtime_label)
        .store(Kind::Counter, counters)
        .store(Kind::Histogram, histograms)
}

fn counter_literal() -> Batch {
    let counters = CounterVec::<LabelsSet>::new();
    Batch::new(move |_| counters.inc(OK))
}

fn counter_handle() -> Batch {
    let counters = CounterVec::<LabelsSet>::new();
    let id = counters.with_labels(OK);
    Batch::new(move |_| counters.get_metric(id).inc())
}

fn counter_64_sites() -> Batch {
    let counters = CounterVec::<SiteSet>::new();
    let each = move |_| {
        macro_rules! site {
            ($site:literal) => {
                counters.inc(SiteLabels { method: Method::Get, site: const { Site::new($site) } })
            };
        }
        sixty_four_sites!(site);
    };
    Batch::new(each).operations(64)
}

fn gauge_set_literal() -> Batch {
    let gauges = FloatGaugeVec::<LabelsSet>::new();
    Batch::new(move |i| gauges.set(OK, i as f64))
}

fn histogram_vec() -> HistogramVec<LabelsSet, 11> {
    HistogramVec::with_metadata(Thresholds::with_buckets(BOUNDS))
}

fn histogram_literal() -> Batch {
    let (values, histograms) = (durations(), histogram_vec());
    Batch::new(move |i| histograms.observe(OK, values[i & 1023]))
}

fn histogram_handle() -> Batch {
    let (values, histograms) = (durations(), histogram_vec());
    let id = histograms.with_labels(OK);
    Batch::new(move |i| histograms.get_metric(id).observe(values[i & 1023]))
}

fn counter_runtime_label() -> Batch {
    let (visits, counters) = (visits(), CounterVec::with_label_set(UserSet::new()));
    Batch::new(move |i| counters.inc(UserLabels { user: &visits[i & 1023] }))
}

fn counters() -> Store {
    store(Counters::new(), |counters, labels, value| {
        counters.http_requests_total.inc_by(labels, value);
    })
}

fn histograms() -> Store {
    let values = durations();
    store(Histograms::new(), move |histograms, labels, value| {
        histograms.http_duration_seconds.observe(labels, values[value as usize & 1023]);
    })
}

fn store<G>(group: G, update: impl Fn(&G, PathLabels<'_>, u64) + Send + Sync + 'static) -> Store
where
    G: for<'a> MetricGroup<TextEncoder<&'a mut Vec<u8>>> + Send + Sync + 'static,
{
    let group = Arc::new(group);
    let updated = Arc::clone(&group);
    Store::new(
        move |method, path, value| {
            update(&updated, PathLabels { method: Method::from(method), path }, value);
        },
        move || {
            let group = Arc::clone(&group);
            Reused::new(move |page: &mut Vec<u8>| {
                page.clear();
                group.collect_group_into(&mut TextEncoder::new(page)).expect("writing to a Vec");
            })
        },
    )
}

impl From<&'static str> for Method {
    fn from(name: &'static str) -> Self {
        match name {
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            _ => Self::Get,
        }
    }
}

/// One of 64 label values that are known when compiling, as two digits.
#[derive(Clone, Copy)]
struct Site(u8);

impl Site {
    const fn new(digits: &'static str) -> Self {
        let digits = digits.as_bytes();
        Self((digits[0] - b'0') * 10 + (digits[1] - b'0'))
    }
}

impl LabelValue for Site {
    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
        visitor.write_int(i64::from(self.0))
    }
}

impl FixedCardinalityLabel for Site {
    fn cardinality() -> usize {
        64
    }

    fn encode(&self) -> usize {
        usize::from(self.0)
    }

    fn decode(value: usize) -> Self {
        Self(value as u8)
    }
}
