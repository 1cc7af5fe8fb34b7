//! nissa: its own macros, its registry's handles, and the facade's macros over its recorder.

use metrics::with_local_recorder;
use nissa::expose;
use nissa::{Buckets, Matcher, Recorder, Registry, counter, gauge, histogram};

use super::{Kind, Reused, Store, System};
use crate::harness::Batch;
use crate::workload::{CAP, durations, sixty_four_sites, visits};

pub fn system() -> System {
    choose_buckets();
    let system = System { memory_per_thread: true, ..System::new("nissa", "nissa") };
    system
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
        .batch("facade_counter", facade_counter)
        .batch("facade_counter_handle", facade_counter_handle)
        .batch("facade_histogram", facade_histogram)
        .batch("facade_runtime_label", facade_runtime_label)
        .store(Kind::Counter, counters)
        .store(Kind::Histogram, histograms)
}

/// Before the first use of the global registry, the only one whose series call sites remember.
fn choose_buckets() {
    let exponential = Buckets::exponential(0.05).expect("an error that 1,000 buckets can hold");
    let matcher = Matcher::name("versus_exponential_seconds");
    // Refused when this was done before in this process, which is just as well.
    let _ = Registry::builder().buckets(matcher, exponential).install();
}

fn counter_literal() -> Batch {
    Batch::new(|_| {
        counter!("versus_requests_total", "method" => "GET", "status" => "200").increment(1);
    })
}

fn counter_handle() -> Batch {
    let counter = counter!("versus_requests_total", "method" => "GET", "status" => "200");
    Batch::new(move |_| counter.increment(1))
}

fn counter_64_sites() -> Batch {
    macro_rules! site {
        ($site:literal) => {
            counter!("versus_sites_total", "method" => "GET", "site" => $site).increment(1)
        };
    }
    Batch::new(|_| sixty_four_sites!(site)).operations(64)
}

fn gauge_set_literal() -> Batch {
    Batch::new(|i| {
        gauge!("versus_temperature", "method" => "GET", "status" => "200").set(i as f64);
    })
}

fn histogram_literal() -> Batch {
    let values = durations();
    Batch::new(move |i| {
        histogram!("versus_duration_seconds", "method" => "GET", "status" => "200")
            .record(values[i & 1023]);
    })
}

fn histogram_exponential() -> Batch {
    let values = durations();
    Batch::new(move |i| {
        histogram!("versus_exponential_seconds", "method" => "GET", "status" => "200")
            .record(values[i & 1023]);
    })
}

fn histogram_handle() -> Batch {
    let values = durations();
    let histogram = histogram!("versus_duration_seconds", "method" => "GET", "status" => "200");
    Batch::new(move |i| histogram.record(values[i & 1023]))
}

fn counter_runtime_label() -> Batch {
    let visits = visits();
    Batch::new(move |i| {
        counter!("versus_user_requests_total", "user" => &visits[i & 1023]).increment(1);
    })
}

/// A family that is full, so that every user goes to the overflow series.
fn counter_refused() -> Batch {
    for known in 0..CAP {
        counter!("versus_refused_total", "user" => known.to_string()).increment(1);
    }
    let visits = visits();
    Batch::new(move |i| {
        counter!("versus_refused_total", "user" => &visits[i & 1023]).increment(1);
    })
}

/// A batch of the facade's macros; compare with the exporter's, which is entered the same way.
fn facade(operation: impl Fn(usize) + Send + Sync + 'static) -> Batch {
    let recorder = Recorder::new(&Registry::new());
    Batch::within(move |run| with_local_recorder(&recorder, run), operation)
}

fn facade_counter() -> Batch {
    facade(|_| {
        metrics::counter!("requests_total", "method" => "GET", "status" => "200").increment(1);
    })
}

fn facade_counter_handle() -> Batch {
    let recorder = Recorder::new(Registry::global());
    let counter = with_local_recorder(
        &recorder,
        || metrics::counter!("requests_total", "method" => "GET", "status" => "200"),
    );
    Batch::new(move |_| counter.increment(1))
}

fn facade_histogram() -> Batch {
    let values = durations();
    facade(move |i| {
        metrics::histogram!("duration_seconds", "method" => "GET", "status" => "200")
            .record(values[i & 1023]);
    })
}

fn facade_runtime_label() -> Batch {
    let visits = visits();
    facade(move |i| {
        metrics::counter!("user_requests_total", "user" => visits[i & 1023].clone()).increment(1);
    })
}

fn counters() -> Store {
    store(|registry, labels, value| {
        registry.counter("http_requests_total", labels).increment(value);
    })
}

fn histograms() -> Store {
    let values = durations();
    store(move |registry, labels, value| {
        registry.histogram("http_duration_seconds", labels).record(values[value as usize & 1023]);
    })
}

fn store(update: impl Fn(&Registry, &[(&str, &str)], u64) + Send + Sync + 'static) -> Store {
    let registry = Registry::builder().series_per_family(200_000).series(2_000_000).build();
    let scraped = registry.clone();
    Store::new(
        move |method, path, value| {
            update(&registry, &[("method", method), ("path", path)], value);
        },
        move || {
            let registry = scraped.clone();
            Reused::new(move |page: &mut Vec<u8>| {
                page.clear();
                expose::text_into(&registry.snapshot(), page);
            })
        },
    )
}
