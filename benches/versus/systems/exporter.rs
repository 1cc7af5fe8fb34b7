//! The `metrics` facade's macros over metrics-exporter-prometheus.
//!
//! The recorder is entered with `with_local_recorder` around the whole loop. As the global
//! recorder it would save each call a thread-local read, but a process has only one to give.

use metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use super::{Kind, Reused, Store, System};
use crate::harness::Batch;
use crate::workload::{BOUNDS, durations, sixty_four_sites, visits};

pub fn system() -> System {
    System::new("metrics-exporter-prometheus", "exporter")
        .batch("counter_literal", counter_literal)
        .batch("facade_counter", counter_literal)
        .batch("counter_handle", counter_handle)
        .batch("facade_counter_handle", counter_handle)
        .batch("counter_64_sites", counter_64_sites)
        .batch("gauge_set_literal", gauge_set_literal)
        .batch("histogram_literal", histogram_literal)
        .batch("facade_histogram", histogram_literal)
        .batch("histogram_handle", histogram_handle)
        .batch("counter_runtime_label", counter_runtime_label)
        .batch("facade_runtime_label", counter_runtime_label)
        .batch("counter_1000_series_random", counter_runtime_label)
        .store(Kind::Counter, counters)
        .store(Kind::Histogram, histograms)
}

fn recorder() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new().set_buckets(&BOUNDS).expect("bounds are not empty");
    builder.build_recorder()
}

/// A batch whose loop runs with a recorder of its own.
fn batch(operation: impl Fn(usize) + Send + Sync + 'static) -> Batch {
    let recorder = recorder();
    Batch::within(move |run| with_local_recorder(&recorder, run), operation)
}

fn counter_literal() -> Batch {
    batch(|_| counter!("requests_total", "method" => "GET", "status" => "200").increment(1))
}

fn counter_handle() -> Batch {
    let counter = with_local_recorder(
        &recorder(),
        || counter!("requests_total", "method" => "GET", "status" => "200"),
    );
    Batch::new(move |_| counter.increment(1))
}

fn counter_64_sites() -> Batch {
    macro_rules! site {
        ($site:literal) => {
            counter!("requests_total", "method" => "GET", "site" => $site).increment(1)
        };
    }
    batch(|_| sixty_four_sites!(site)).operations(64)
}

fn gauge_set_literal() -> Batch {
    batch(|i| gauge!("temperature", "method" => "GET", "status" => "200").set(i as f64))
}

/// A histogram keeps its samples in a queue until a scrape or an upkeep drains it.
fn histogram_literal() -> Batch {
    let values = durations();
    let recorder = recorder();
    let handle = recorder.handle();
    let record = move |i: usize| {
        histogram!("duration_seconds", "method" => "GET", "status" => "200")
            .record(values[i & 1023]);
    };
    Batch::within(move |run| with_local_recorder(&recorder, run), record)
        .upkeep(move || handle.run_upkeep())
}

fn histogram_handle() -> Batch {
    let values = durations();
    let recorder = recorder();
    let handle = recorder.handle();
    let histogram = with_local_recorder(
        &recorder,
        || histogram!("duration_seconds", "method" => "GET", "status" => "200"),
    );
    Batch::new(move |i| histogram.record(values[i & 1023])).upkeep(move || handle.run_upkeep())
}

fn counter_runtime_label() -> Batch {
    let visits = visits();
    batch(move |i| {
        counter!("user_requests_total", "user" => visits[i & 1023].clone()).increment(1);
    })
}

fn counters() -> Store {
    store(|method, path, value| {
        counter!("http_requests_total", "method" => method, "path" => path.to_owned())
            .increment(value);
    })
}

fn histograms() -> Store {
    let values = durations();
    store(move |method, path, value| {
        histogram!("http_duration_seconds", "method" => method, "path" => path.to_owned())
            .record(values[value as usize & 1023]);
    })
}

fn store(update: impl Fn(&'static str, &str, u64) + Send + Sync + 'static) -> Store {
    let recorder = recorder();
    let handle = recorder.handle();
    Store::new(
        move |method, path, value| {
            with_local_recorder(&recorder, || update(method, path, value));
        },
        move || {
            let handle = handle.clone();
            Reused::new(move |page: &mut Vec<u8>| {
                page.clear();
                handle.render_to_write(page).expect("writing to a Vec");
            })
        },
    )
}
