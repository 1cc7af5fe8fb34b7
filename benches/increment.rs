//! What does it cost to count one thing, and does it cost more when others count it too?
#![allow(missing_docs, reason = "criterion's macros define functions without docs")]

mod crowd;

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crowd::{THREADS, on_threads};
use nissa::{Recorder, Registry, counter, gauge};

thread_local! {
    static PLAIN: Cell<u64> = const { Cell::new(0) };
}

static SHARED: AtomicU64 = AtomicU64::new(0);

fn increment(criterion: &mut Criterion) {
    let held = counter!("bench_requests_total", "method" => "GET");
    let users: Vec<String> = (0..1_024).map(|user| format!("user-{user:06}")).collect();

    bench(criterion, "nothing", |_| ());
    bench(criterion, "thread_local_add", |_| {
        // By pointer, as a library's cells are: see `benches/versus/systems/floor.rs`.
        PLAIN.with(|cell| {
            let cell = black_box(cell);
            cell.set(cell.get() + 1);
        });
    });
    bench(criterion, "fetch_add", |_| {
        SHARED.fetch_add(1, Ordering::Relaxed);
    });
    bench(criterion, "macro", |_| {
        counter!("bench_requests_total", "method" => "GET").increment(1);
    });
    bench(criterion, "handle", |_| held.increment(1));
    bench(criterion, "gauge", |i| gauge!("bench_level", "method" => "GET").set(i as f64));
    bench(criterion, "runtime_label", |i| {
        counter!("bench_user_requests_total", "user" => &users[i as usize & 1023]).increment(1);
    });
}

fn facade(criterion: &mut Criterion) {
    let registry = Registry::new();
    // The first recorder of the process: nobody else installs one here.
    let _ = metrics::set_global_recorder(Recorder::new(&registry));
    let held = metrics::counter!("bench_requests_total", "method" => "GET");

    bench(criterion, "facade_macro", |_| {
        metrics::counter!("bench_requests_total", "method" => "GET").increment(1);
    });
    bench(criterion, "facade_handle", |_| held.increment(1));
}

fn bench(criterion: &mut Criterion, name: &str, operation: impl Fn(u64) + Sync) {
    let mut group = criterion.benchmark_group("increment");
    for threads in THREADS {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(BenchmarkId::new(name, threads), |bencher| {
            bencher.iter_custom(|iterations| on_threads(threads, iterations, &operation));
        });
    }
}

criterion_group!(benches, increment, facade);
criterion_main!(benches);
