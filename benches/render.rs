//! What does it cost to turn a snapshot into a page, in each format, and what of that is the buffer?
#![allow(missing_docs, reason = "criterion's macros define functions without docs")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nissa::expose::{self, Escaping, Format};
use nissa::{Buckets, Registry, Snapshot};

fn counters(criterion: &mut Criterion) {
    for series in [1_000, 10_000, 100_000] {
        let snapshot = snapshot(series, |registry, labels, i| {
            registry.counter("bench_requests_total", labels).increment(i as u64 * 7_919);
        });
        bench(criterion, "counters", series, &snapshot);
        if series == 10_000 {
            formats(criterion, "counters", &snapshot);
        }
    }
}

fn gauges(criterion: &mut Criterion) {
    let snapshot = snapshot(10_000, |registry, labels, i| {
        // Most fractions need all their digits, which is what a shortest-float writer is for.
        registry.gauge("bench_level", labels).set(i as f64 / 7.0);
    });
    bench(criterion, "gauges", 10_000, &snapshot);
    formats(criterion, "gauges", &snapshot);
}

fn histograms(criterion: &mut Criterion) {
    let snapshot = snapshot(10_000, |registry, labels, i| {
        registry.histogram("bench_duration_seconds", labels).record(i as f64 / 1_000.0);
    });
    bench(criterion, "histograms", 10_000, &snapshot);
    formats(criterion, "histograms", &snapshot);
}

fn native_histograms(criterion: &mut Criterion) {
    let snapshot = snapshot(10_000, |registry, labels, i| {
        registry.describe_buckets("bench_duration_seconds", Buckets::exponential(0.05).unwrap());
        let histogram = registry.histogram("bench_duration_seconds", labels);
        (0..20).for_each(|step| histogram.record((i * step) as f64 / 1_000.0));
    });
    formats(criterion, "native_histograms", &snapshot);
}

/// One snapshot in every format.
fn formats(criterion: &mut Criterion, name: &str, snapshot: &Snapshot) {
    let mut group = criterion.benchmark_group("formats");
    let formats = [
        ("text", Format::TEXT),
        ("text_utf8", Format::TEXT_1.escaping(Escaping::AllowUtf8)),
        ("openmetrics", Format::OPENMETRICS_1),
        ("openmetrics2", Format::OPENMETRICS_2),
        ("protobuf", Format::PROTOBUF),
    ];
    for (format_name, format) in formats {
        let mut page = format.encode(snapshot);
        let series: usize = snapshot.families().map(|family| family.len()).sum();
        group.throughput(Throughput::Elements(series as u64));
        group.bench_function(BenchmarkId::new(name, format_name), |bencher| {
            bencher.iter(|| {
                page.clear();
                format.encode_into(snapshot, &mut page);
                page.len()
            });
        });
    }
}

fn bench(criterion: &mut Criterion, name: &str, series: usize, snapshot: &Snapshot) {
    let mut group = criterion.benchmark_group("render");
    let mut page = Vec::new();
    expose::text_into(snapshot, &mut page);
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function(BenchmarkId::new(name, series), |bencher| {
        bencher.iter(|| {
            page.clear();
            expose::text_into(snapshot, &mut page);
            page.len()
        });
    });
    group.bench_function(BenchmarkId::new(format!("{name}_fresh_buffer"), series), |bencher| {
        bencher.iter_with_large_drop(|| expose::text(snapshot));
    });
}

fn snapshot(series: usize, record: impl Fn(&Registry, &[(&str, &str)], usize)) -> Snapshot {
    let registry = Registry::builder().series_per_family(200_000).build();
    for i in 0..series {
        let path = format!("/api/v1/resource/{i}");
        record(&registry, &[("method", "GET"), ("path", &path)], i);
    }
    registry.snapshot()
}

criterion_group!(benches, counters, gauges, histograms, native_histograms);
criterion_main!(benches);
