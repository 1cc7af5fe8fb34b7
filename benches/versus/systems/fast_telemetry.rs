//! The `fast-telemetry` crate: cells sharded by thread, found by string labels or by an enum.
//!
//! The enum form takes one label only, so it is listed as a system of its own. Durations are
//! integers here: microseconds.

use std::sync::Arc;
use std::thread;

use fast_telemetry::{
    DynamicCounter, DynamicDistribution, DynamicGauge, DynamicHistogram, LabelEnum, LabeledCounter,
    LabeledGauge, LabeledHistogram, PrometheusExport,
};

use super::{Kind, Reused, Store, System};
use crate::harness::Batch;
use crate::workload::{BOUNDS_MICROS, CAP, micros, sixty_four_sites, visits};

const OK: [(&str, &str); 2] = [("method", "GET"), ("status", "200")];

/// Far above the number of series used, since its default of 2,000 is not what is measured.
const UNCAPPED: usize = 10_000_000;

pub fn labels() -> System {
    System::new("fast-telemetry", "fast-tel.")
        .batch("counter_literal", counter_literal)
        .batch("counter_handle", counter_handle)
        .batch("counter_64_sites", counter_64_sites)
        .batch("gauge_set_literal", gauge_set_literal)
        .batch("histogram_literal", histogram_literal)
        .batch("histogram_exponential", histogram_exponential)
        .batch("histogram_handle", histogram_handle)
        .batch("counter_runtime_label", counter_runtime_label)
        .batch("counter_1000_series_random", counter_runtime_label)
        .batch("counter_refused", counter_refused)
        .store(Kind::Counter, counters)
        .store(Kind::Histogram, histograms)
}

pub fn enums() -> System {
    System::new("fast-telemetry-enum", "f-t enum")
        .batch("counter_literal", enum_counter_literal)
        .batch("counter_64_sites", enum_counter_64_sites)
        .batch("gauge_set_literal", enum_gauge_set_literal)
        .batch("histogram_literal", enum_histogram_literal)
}

/// As its documentation advises: one shard per processor.
fn shards() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn counter_literal() -> Batch {
    let counters = DynamicCounter::new(shards());
    Batch::new(move |_| counters.inc(&OK))
}

fn counter_handle() -> Batch {
    let counter = DynamicCounter::new(shards()).series(&OK);
    Batch::new(move |_| counter.inc())
}

fn counter_64_sites() -> Batch {
    let counters = DynamicCounter::new(shards());
    let each = move |_| {
        macro_rules! site {
            ($site:literal) => {
                counters.inc(&[("method", "GET"), ("site", $site)])
            };
        }
        sixty_four_sites!(site);
    };
    Batch::new(each).operations(64)
}

fn gauge_set_literal() -> Batch {
    let gauges = DynamicGauge::new(shards());
    Batch::new(move |i| gauges.set(&OK, i as f64))
}

fn histogram_literal() -> Batch {
    let (values, histograms) = (micros(), DynamicHistogram::new(&BOUNDS_MICROS, shards()));
    Batch::new(move |i| histograms.record(&OK, values[i & 1023]))
}

fn histogram_exponential() -> Batch {
    let (values, histograms) = (micros(), DynamicDistribution::new(shards()));
    Batch::new(move |i| histograms.record(&OK, values[i & 1023]))
}

fn histogram_handle() -> Batch {
    let histogram = DynamicHistogram::new(&BOUNDS_MICROS, shards()).series(&OK);
    let values = micros();
    Batch::new(move |i| histogram.record(values[i & 1023]))
}

fn counter_runtime_label() -> Batch {
    let (visits, counters) = (visits(), DynamicCounter::new(shards()));
    Batch::new(move |i| counters.inc(&[("user", &visits[i & 1023])]))
}

fn counter_refused() -> Batch {
    let (visits, counters) = (visits(), DynamicCounter::with_max_series(shards(), CAP));
    for known in 0..CAP {
        counters.inc(&[("user", &known.to_string())]);
    }
    Batch::new(move |i| counters.inc(&[("user", &visits[i & 1023])]))
}

fn enum_counter_literal() -> Batch {
    let counters = LabeledCounter::new(shards());
    Batch::new(move |_| counters.inc(Endpoint::Get200))
}

fn enum_counter_64_sites() -> Batch {
    let counters = LabeledCounter::new(shards());
    let each = move |_| {
        macro_rules! site {
            ($site:literal) => {
                counters.inc(const { Site::new($site) })
            };
        }
        sixty_four_sites!(site);
    };
    Batch::new(each).operations(64)
}

fn enum_gauge_set_literal() -> Batch {
    let gauges = LabeledGauge::new();
    Batch::new(move |i| gauges.set(Endpoint::Get200, i as i64))
}

fn enum_histogram_literal() -> Batch {
    let (values, histograms) = (micros(), LabeledHistogram::new(&BOUNDS_MICROS, shards()));
    Batch::new(move |i| histograms.record(Endpoint::Get200, values[i & 1023]))
}

fn counters() -> Store {
    store(DynamicCounter::with_max_series(shards(), UNCAPPED), |counters, labels, value| {
        counters.add(labels, value as isize);
    })
}

fn histograms() -> Store {
    let values = micros();
    let histograms = DynamicHistogram::with_limits(&BOUNDS_MICROS, shards(), UNCAPPED);
    store(histograms, move |histograms, labels, value| {
        histograms.record(labels, values[value as usize & 1023]);
    })
}

fn store<M: PrometheusExport + Send + Sync + 'static>(
    metric: M,
    update: impl Fn(&M, &[(&str, &str)], u64) + Send + Sync + 'static,
) -> Store {
    let metric = Arc::new(metric);
    let updated = Arc::clone(&metric);
    Store::new(
        move |method, path, value| {
            update(&updated, &[("method", method), ("path", path)], value);
        },
        move || {
            let metric = Arc::clone(&metric);
            Reused::new(move |page: &mut String| {
                page.clear();
                metric.export_prometheus(page, "http_requests", "Requests.");
            })
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Endpoint {
    Get200,
    Get404,
}

impl LabelEnum for Endpoint {
    const CARDINALITY: usize = 2;
    const LABEL_NAME: &'static str = "endpoint";

    fn as_index(self) -> usize {
        self as usize
    }

    fn from_index(index: usize) -> Self {
        if index == 0 { Self::Get200 } else { Self::Get404 }
    }

    fn variant_name(self) -> &'static str {
        match self {
            Self::Get200 => "get_200",
            Self::Get404 => "get_404",
        }
    }
}

/// One of 64 label values that are known when compiling, as two digits.
#[derive(Clone, Copy, Debug)]
struct Site(u8);

impl Site {
    const fn new(digits: &'static str) -> Self {
        let digits = digits.as_bytes();
        Self((digits[0] - b'0') * 10 + (digits[1] - b'0'))
    }
}

impl LabelEnum for Site {
    const CARDINALITY: usize = 64;
    const LABEL_NAME: &'static str = "site";

    fn as_index(self) -> usize {
        usize::from(self.0)
    }

    fn from_index(index: usize) -> Self {
        Self(index as u8)
    }

    fn variant_name(self) -> &'static str {
        "site"
    }
}
