//! What does a new series cost, and what finding one that exists?
#![allow(missing_docs, reason = "criterion's macros define functions without docs")]

mod crowd;

use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crowd::{THREADS, on_threads};
use nissa::Registry;

/// Series made at a time: enough for the map to grow several times over.
const SERIES: usize = 1_000;

/// A thousand new series in an empty registry, dropped with it.
fn new_series(criterion: &mut Criterion) {
    let users: Vec<String> = (0..SERIES).map(|user| format!("user-{user:06}")).collect();
    let mut group = criterion.benchmark_group("register");
    group.throughput(Throughput::Elements(SERIES as u64));
    group.bench_function("new", |bencher| {
        bencher.iter_batched(
            Registry::new,
            |registry| {
                for user in &users {
                    registry.counter("bench_total", &[("user", user)]).increment(1);
                }
                registry
            },
            BatchSize::PerIteration,
        );
    });
}

/// Series that exist already, asked for by name again.
fn existing(criterion: &mut Criterion) {
    let users: Vec<String> = (0..1_024).map(|user| format!("user-{user:06}")).collect();
    let registry = Registry::new();
    bench(criterion, "existing", |i| {
        let user = &users[i as usize & 1023];
        registry.counter("bench_total", &[("user", user)]).increment(1);
    });
}

/// Past the cap on series: every name is new and refused.
fn refused(criterion: &mut Criterion) {
    let registry = Registry::builder().series_per_family(100).build();
    let next = AtomicU64::new(0);
    bench(criterion, "refused", |_| {
        let user = next.fetch_add(1, Ordering::Relaxed).to_string();
        registry.counter("bench_total", &[("user", &user)]).increment(1);
    });
}

fn bench(criterion: &mut Criterion, name: &str, operation: impl Fn(u64) + Sync) {
    let mut group = criterion.benchmark_group("register");
    for threads in THREADS {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(BenchmarkId::new(name, threads), |bencher| {
            bencher.iter_custom(|iterations| on_threads(threads, iterations, &operation));
        });
    }
}

criterion_group!(benches, new_series, existing, refused);
criterion_main!(benches);
