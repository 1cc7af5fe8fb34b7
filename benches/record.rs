//! What does it cost to record a duration, by kind of histogram and number of threads?
#![allow(missing_docs, reason = "criterion's macros define functions without docs")]

mod crowd;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crowd::{THREADS, on_threads};
use nissa::{Buckets, Histogram, Registry, histogram};

fn record(criterion: &mut Criterion) {
    let values = durations();
    let explicit = histogram_with(Buckets::default());
    let exponential = histogram_with(Buckets::exponential(0.05).expect("an error within (0, 1)"));

    bench(criterion, "nothing", |_| ());
    bench(criterion, "macro", |i| {
        histogram!("bench_duration_seconds", "method" => "GET").record(values[i as usize & 1023]);
    });
    bench(criterion, "explicit", |i| explicit.record(values[i as usize & 1023]));
    bench(criterion, "exponential", |i| exponential.record(values[i as usize & 1023]));
    bench(criterion, "many", |i| explicit.record_many(values[i as usize & 1023], 8));
}

fn histogram_with(buckets: Buckets) -> Histogram {
    let registry = Registry::builder().default_buckets(buckets).build();
    registry.histogram("bench_duration_seconds", &[("method", "GET")])
}

/// 1,024 durations from 0.1 ms to 20 s, in an order no branch predictor learns.
fn durations() -> Vec<f64> {
    let mixed = (0..1_024_u32).map(|i| i.wrapping_mul(2_654_435_761) >> 22);
    mixed.map(|step| 1e-4 * 2e5_f64.powf(f64::from(step) / 1023.0)).collect()
}

fn bench(criterion: &mut Criterion, name: &str, operation: impl Fn(u64) + Sync) {
    let mut group = criterion.benchmark_group("record");
    for threads in THREADS {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(BenchmarkId::new(name, threads), |bencher| {
            bencher.iter_custom(|iterations| on_threads(threads, iterations, &operation));
        });
    }
}

criterion_group!(benches, record);
criterion_main!(benches);
