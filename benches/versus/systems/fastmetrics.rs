//! The `fastmetrics` crate: families keyed by a label struct.

use std::sync::Arc;

use fastmetrics::derive::{EncodeLabelValue, LabelSet};
use fastmetrics::format::text::{self, TextProfile};
use fastmetrics::metrics::counter::Counter;
use fastmetrics::metrics::family::Family;
use fastmetrics::metrics::gauge::Gauge;
use fastmetrics::metrics::histogram::Histogram;
use fastmetrics::registry::Registry;

use super::{Kind, Reused, Store, System};
use crate::harness::Batch;
use crate::workload::{BOUNDS, durations, sixty_four_sites, visits};

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Method {
    Get,
}

#[derive(Clone, PartialEq, Eq, Hash, LabelSet)]
struct Labels {
    method: Method,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, LabelSet)]
struct SiteLabels {
    method: Method,
    site: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, LabelSet)]
struct UserLabels {
    user: String,
}

#[derive(Clone, PartialEq, Eq, Hash, LabelSet)]
struct PathLabels {
    method: &'static str,
    path: String,
}

const OK: Labels = Labels { method: Method::Get, status: 200 };

type Counters<L> = Family<L, Counter>;
type Histograms<L> = Family<L, Histogram>;

pub fn system() -> System {
    System::new("fastmetrics", "fastmetrics")
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

fn histogram() -> Histogram {
    Histogram::new(BOUNDS)
}

fn counter_literal() -> Batch {
    let counters = Counters::default();
    Batch::new(move |_| counters.with_or_new(&OK, Counter::inc))
}

fn counter_handle() -> Batch {
    let counter = Counters::default().with_or_new(&OK, Counter::clone);
    Batch::new(move |_| counter.inc())
}

fn counter_64_sites() -> Batch {
    let counters = Counters::default();
    let each = move |_| {
        macro_rules! site {
            ($site:literal) => {
                counters.with_or_new(&SiteLabels { method: Method::Get, site: $site }, Counter::inc)
            };
        }
        sixty_four_sites!(site);
    };
    Batch::new(each).operations(64)
}

fn gauge_set_literal() -> Batch {
    let gauges = Family::<Labels, Gauge<f64>>::default();
    Batch::new(move |i| gauges.with_or_new(&OK, |gauge| gauge.set(i as f64)))
}

fn histogram_literal() -> Batch {
    let (values, histograms) = (durations(), Histograms::new(histogram));
    Batch::new(move |i| histograms.with_or_new(&OK, |it| it.observe(values[i & 1023])))
}

fn histogram_handle() -> Batch {
    let (values, histogram) = (durations(), histogram());
    Batch::new(move |i| histogram.observe(values[i & 1023]))
}

fn counter_runtime_label() -> Batch {
    let (visits, counters) = (visits(), Counters::default());
    Batch::new(move |i| {
        counters.with_or_new(&UserLabels { user: visits[i & 1023].clone() }, Counter::inc);
    })
}

fn counters() -> Store {
    let counters = Counters::default();
    let mut registry = Registry::default();
    registry.register("http_requests", "Requests", counters.clone()).expect("a legal name");
    store(registry, move |labels, value| counters.with_or_new(&labels, |it| it.inc_by(value)))
}

fn histograms() -> Store {
    let (values, histograms) = (durations(), Histograms::new(histogram));
    let mut registry = Registry::default();
    registry.register("http_duration", "Durations", histograms.clone()).expect("a legal name");
    store(registry, move |labels, value| {
        histograms.with_or_new(&labels, |it| it.observe(values[value as usize & 1023]));
    })
}

fn store(registry: Registry, update: impl Fn(PathLabels, u64) + Send + Sync + 'static) -> Store {
    let registry = Arc::new(registry);
    Store::new(
        move |method, path, value| update(PathLabels { method, path: path.to_owned() }, value),
        move || {
            let registry = Arc::clone(&registry);
            Reused::new(move |page: &mut String| {
                page.clear();
                text::encode(page, &registry, TextProfile::PrometheusV0_0_4)
                    .expect("writing to a String");
            })
        },
    )
}
