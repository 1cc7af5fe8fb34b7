//! The `prometheus-client` crate: families keyed by a label struct.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig};
use prometheus_client::registry::{Metric, Registry};

use super::{Kind, Reused, Store, System};
use crate::harness::Batch;
use crate::workload::{BOUNDS, durations, sixty_four_sites, visits};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
enum Method {
    Get,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    method: Method,
    status: u32,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SiteLabels {
    method: Method,
    site: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct UserLabels {
    user: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PathLabels {
    method: &'static str,
    path: String,
}

const OK: Labels = Labels { method: Method::Get, status: 200 };

type Counters<L> = Family<L, Counter>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

pub fn system() -> System {
    System::new("prometheus-client", "client")
        .batch("counter_literal", counter_literal)
        .batch("counter_handle", counter_handle)
        .batch("counter_64_sites", counter_64_sites)
        .batch("gauge_set_literal", gauge_set_literal)
        .batch("histogram_literal", || histogram_literal(explicit))
        .batch("histogram_exponential", || histogram_literal(exponential))
        .batch("histogram_handle", histogram_handle)
        .batch("counter_runtime_label", counter_runtime_label)
        .batch("counter_1000_series_random", counter_runtime_label)
        .store(Kind::Counter, counters)
        .store(Kind::Histogram, histograms)
}

fn explicit() -> Histogram {
    Histogram::new(BOUNDS)
}

/// Eight buckets per power of two: an error of 4.3 %, as nissa is set to.
fn exponential() -> Histogram {
    Histogram::new_native(NativeHistogramConfig::with_bucket_factor(1.1))
}

fn counter_literal() -> Batch {
    let counters = Counters::default();
    Batch::new(move |_| {
        counters.get_or_create(&OK).inc();
    })
}

fn counter_handle() -> Batch {
    let counter = Counters::default().get_or_create_owned(&OK);
    Batch::new(move |_| {
        counter.inc();
    })
}

fn counter_64_sites() -> Batch {
    let counters = Counters::default();
    let each = move |_| {
        macro_rules! site {
            ($site:literal) => {
                counters.get_or_create(&SiteLabels { method: Method::Get, site: $site }).inc()
            };
        }
        sixty_four_sites!(site);
    };
    Batch::new(each).operations(64)
}

fn gauge_set_literal() -> Batch {
    let gauges = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    Batch::new(move |i| {
        gauges.get_or_create(&OK).set(i as f64);
    })
}

fn histogram_literal(make: fn() -> Histogram) -> Batch {
    let (values, histograms) = (durations(), Histograms::new_with_constructor(make));
    Batch::new(move |i| histograms.get_or_create(&OK).observe(values[i & 1023]))
}

fn histogram_handle() -> Batch {
    let (values, histogram) = (durations(), explicit());
    Batch::new(move |i| histogram.observe(values[i & 1023]))
}

fn counter_runtime_label() -> Batch {
    let (visits, counters) = (visits(), Counters::default());
    Batch::new(move |i| {
        counters.get_or_create(&UserLabels { user: visits[i & 1023].clone() }).inc();
    })
}

fn counters() -> Store {
    let counters = Counters::default();
    store(counters.clone(), move |labels, value| {
        counters.get_or_create(&labels).inc_by(value);
    })
}

fn histograms() -> Store {
    let (values, histograms) = (durations(), Histograms::new_with_constructor(explicit));
    store(histograms.clone(), move |labels, value| {
        histograms.get_or_create(&labels).observe(values[value as usize & 1023]);
    })
}

fn store(family: impl Metric, update: impl Fn(PathLabels, u64) + Send + Sync + 'static) -> Store {
    let mut registry = Registry::default();
    registry.register("http_requests", "Requests", family);
    let registry = Arc::new(registry);
    Store::new(
        move |method, path, value| update(PathLabels { method, path: path.to_owned() }, value),
        move || {
            let registry = Arc::clone(&registry);
            Reused::new(move |page: &mut String| {
                page.clear();
                text::encode(page, &registry).expect("writing to a String");
            })
        },
    )
}
