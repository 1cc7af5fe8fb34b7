//! The `prometheus` crate: vectors looked up by label values in declaration order.

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder,
};

use super::{Kind, Reused, Store, System};
use crate::harness::Batch;
use crate::workload::{BOUNDS, durations, sixty_four_sites, visits};

pub fn system() -> System {
    System::new("prometheus", "prometheus")
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

fn counter_vec(labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new("requests_total", "Requests."), labels).expect("a valid name")
}

fn histogram_vec(labels: &[&str]) -> HistogramVec {
    let options = HistogramOpts::new("duration_seconds", "Durations.").buckets(BOUNDS.to_vec());
    HistogramVec::new(options, labels).expect("a valid name")
}

fn counter_literal() -> Batch {
    let counters = counter_vec(&["method", "status"]);
    Batch::new(move |_| counters.with_label_values(&["GET", "200"]).inc())
}

fn counter_handle() -> Batch {
    let counter = counter_vec(&["method", "status"]).with_label_values(&["GET", "200"]);
    Batch::new(move |_| counter.inc())
}

fn counter_64_sites() -> Batch {
    let counters = counter_vec(&["method", "site"]);
    let each = move |_| {
        macro_rules! site {
            ($site:literal) => {
                counters.with_label_values(&["GET", $site]).inc()
            };
        }
        sixty_four_sites!(site);
    };
    Batch::new(each).operations(64)
}

fn gauge_set_literal() -> Batch {
    let gauges = GaugeVec::new(Opts::new("temperature", "Now."), &["method", "status"])
        .expect("a valid name");
    Batch::new(move |i| gauges.with_label_values(&["GET", "200"]).set(i as f64))
}

fn histogram_literal() -> Batch {
    let (values, histograms) = (durations(), histogram_vec(&["method", "status"]));
    Batch::new(move |i| {
        histograms.with_label_values(&["GET", "200"]).observe(values[i & 1023]);
    })
}

fn histogram_handle() -> Batch {
    let histogram = histogram_vec(&["method", "status"]).with_label_values(&["GET", "200"]);
    let values = durations();
    Batch::new(move |i| histogram.observe(values[i & 1023]))
}

fn counter_runtime_label() -> Batch {
    let (visits, counters) = (visits(), counter_vec(&["user"]));
    Batch::new(move |i| counters.with_label_values(&[visits[i & 1023].as_str()]).inc())
}

fn counters() -> Store {
    let counters = counter_vec(&["method", "path"]);
    store(counters.clone(), move |method, path, value| {
        counters.with_label_values(&[method, path]).inc_by(value);
    })
}

fn histograms() -> Store {
    let (values, histograms) = (durations(), histogram_vec(&["method", "path"]));
    store(histograms.clone(), move |method, path, value| {
        histograms.with_label_values(&[method, path]).observe(values[value as usize & 1023]);
    })
}

fn store(
    collector: impl Collector + 'static,
    update: impl Fn(&'static str, &str, u64) + Send + Sync + 'static,
) -> Store {
    let registry = Registry::new();
    registry.register(Box::new(collector)).expect("the first of its name");
    Store::new(update, move || {
        let registry = registry.clone();
        Reused::new(move |page: &mut String| {
            page.clear();
            TextEncoder::new().encode_utf8(&registry.gather(), page).expect("legal names");
        })
    })
}
