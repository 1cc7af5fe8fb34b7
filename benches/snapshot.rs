//! What does reading the whole registry cost, and does it grow with the threads that recorded?
#![allow(missing_docs, reason = "criterion's macros define functions without docs")]

use std::sync::Barrier;
use std::thread;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nissa::Registry;

/// By number of series, recorded by one thread.
fn series(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    for series in [0, 1_000, 10_000, 100_000] {
        let registry = registry();
        record(&registry, series);
        group.throughput(Throughput::Elements(series as u64));
        group.bench_function(BenchmarkId::new("series", series), |bencher| {
            bencher.iter_with_large_drop(|| registry.snapshot());
        });
    }
}

/// 10,000 series that each of so many live threads has a cell of.
fn threads(criterion: &mut Criterion) {
    const SERIES: usize = 10_000;
    let mut group = criterion.benchmark_group("snapshot");
    group.throughput(Throughput::Elements(SERIES as u64));
    for threads in [1, 2, 4, 8] {
        let registry = registry();
        let (recorded, leave) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    record(&registry, SERIES);
                    recorded.wait();
                    leave.wait();
                });
            }
            recorded.wait();
            group.bench_function(BenchmarkId::new("threads", threads), |bencher| {
                bencher.iter_with_large_drop(|| registry.snapshot());
            });
            leave.wait();
        });
    }
}

fn registry() -> Registry {
    Registry::builder().series_per_family(200_000).build()
}

fn record(registry: &Registry, series: usize) {
    for i in 0..series {
        let path = format!("/api/v1/resource/{i}");
        let labels = [("method", "GET"), ("path", &*path)];
        registry.counter("bench_requests_total", &labels).increment(i as u64);
    }
}

criterion_group!(benches, series, threads);
criterion_main!(benches);
