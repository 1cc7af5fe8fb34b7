//! Many threads that come and go, and readers that look all the while: totals are exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use nissa::snapshot::Value;
use nissa::{Registry, Snapshot, counter, histogram};

/// Four threads record while a scraper renders all the while: the nearest peer loses samples.
#[test]
fn no_sample_is_lost_while_the_page_is_rendered() {
    const EACH: u32 = 1_000_000;
    let registry = Registry::new();
    let histogram = registry.histogram("latency_seconds", &[]);
    let record = || (0..EACH).for_each(|at| histogram.record(f64::from(at % 16)));
    recorded_under_scrapes(record, || {
        assert!(nissa::expose::text(&registry.snapshot()).contains("latency_seconds_count"));
    });
    let snapshot = registry.snapshot();
    let distribution = snapshot.distribution("latency_seconds").unwrap();
    assert_eq!(distribution.count(), 4 * u64::from(EACH));
    let sum: f64 = (0..EACH).map(|at| f64::from(at % 16)).sum();
    assert_eq!(distribution.sum(), 4.0 * sum, "small integers add up exactly");

    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let (handle, recorder) = (recorder.handle(), &recorder);
    let record = || {
        metrics::with_local_recorder(recorder, || {
            let histogram = metrics::histogram!("latency_seconds");
            (0..EACH).for_each(|at| histogram.record(f64::from(at % 16)));
        });
    };
    recorded_under_scrapes(record, || drop(handle.render()));
    let page = handle.render();
    let count = page.lines().find_map(|line| line.strip_prefix("latency_seconds_count "));
    let peer: u64 = count.map_or(0, |count| count.parse().unwrap());
    let lost = 4 * u64::from(EACH) - peer;
    println!("of {} samples nissa lost 0, metrics-exporter-prometheus {lost}", 4 * EACH);
}

/// Runs `record` on four threads and `scrape` on this one until they are done.
fn recorded_under_scrapes(record: impl Fn() + Sync, mut scrape: impl FnMut()) {
    std::thread::scope(|threads| {
        let workers: Vec<_> = (0..4).map(|_| threads.spawn(&record)).collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            scrape();
            // About what a fast scraper leaves between two looks.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
}

/// What a reader holds against the next snapshot.
#[derive(Default)]
struct Reader {
    counts: Vec<(String, u64)>,
    snapshots: usize,
}

impl Reader {
    /// Nothing goes back, no histogram disagrees with itself, nothing is above what was added.
    fn check(&mut self, snapshot: &Snapshot, most: u64) {
        let mut counts = Vec::new();
        for family in snapshot.families().filter(|family| family.name().starts_with("churn")) {
            for series in family.series() {
                let labels: Vec<_> = series.labels().collect();
                let name = format!("{}{labels:?}", family.name());
                match series.value() {
                    Value::Counter(count) => counts.push((name, count)),
                    Value::Distribution(distribution) => {
                        let buckets: u64 = distribution.buckets().map(|(_, count)| count).sum();
                        assert_eq!(distribution.count(), buckets);
                        counts.push((name, buckets));
                    }
                    _ => {}
                }
            }
        }
        for (name, last) in &self.counts {
            let now = counts.iter().find(|(known, _)| known == name).expect(name).1;
            assert!(now >= *last && now <= most, "{name}: {now} after {last}, most {most}");
        }
        self.counts = counts;
        self.snapshots += 1;
    }
}

/// Threads that come and go, series that are registered all the while, and a scraper in a loop.
#[test]
fn churning_threads_and_a_scraper_agree_to_the_last_one() {
    const WORKERS: usize = 4;
    let generations = if cfg!(debug_assertions) { 150 } else { 500 };
    const ROUNDS: usize = 200;
    let registry = Registry::new();
    let total = (WORKERS * generations * ROUNDS) as u64;
    let generation = |worker: usize, generation: usize| {
        let _scope = registry.enter();
        let held = registry.counter("churn_held_total", &[]);
        for round in 0..ROUNDS {
            held.increment(1);
            counter!("churn_total", "worker" => worker.to_string()).increment(1);
            histogram!("churn_seconds").record((round % 8) as f64);
            if round == 0 {
                counter!("churn_new_total", "number" => (generation % 50).to_string()).increment(1);
            }
        }
    };
    let (done, started) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut reader = Reader::default();
    std::thread::scope(|threads| {
        let scraper = threads.spawn(|| {
            while !done.load(Relaxed) {
                reader.check(&registry.snapshot(), total);
            }
        });
        let worker = |worker: usize| {
            for number in 0..generations {
                std::thread::scope(|threads| {
                    threads.spawn(|| generation(worker, number));
                });
                started.fetch_add(1, Relaxed);
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|at| threads.spawn(move || worker(at))).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        done.store(true, Relaxed);
        scraper.join().unwrap();
    });
    assert!(reader.snapshots > 10, "{} snapshots", reader.snapshots);
    assert_eq!(started.load(Relaxed), WORKERS * generations);
    let snapshot = registry.snapshot();
    reader.check(&snapshot, total);
    assert_eq!(snapshot.value("churn_held_total"), Some(total as f64));
    assert_eq!(snapshot.value("churn_total"), Some(total as f64));
    assert_eq!(snapshot.value("churn_new_total"), Some((WORKERS * generations) as f64));
    let distribution = snapshot.distribution("churn_seconds").unwrap();
    assert_eq!(distribution.count(), total);
    assert_eq!(distribution.sum(), 3.5 * total as f64);
}

/// A read that happens after a join sees all the thread did.
#[test]
fn a_join_shows_everything() {
    let registry = Arc::new(Registry::new());
    for number in 1..=2_000u64 {
        let there = Arc::clone(&registry);
        let add = move || there.counter("joined_total", &[]).increment(1);
        std::thread::spawn(add).join().unwrap();
        assert_eq!(registry.snapshot().get("joined_total", &[]), Some(Value::Counter(number)));
    }
}

/// Threads that ask for the same new series at the same time get one.
#[test]
fn one_series_comes_of_a_race_to_register_it() {
    const THREADS: usize = 8;
    for round in 0..50 {
        let registry = Registry::new();
        let barrier = std::sync::Barrier::new(THREADS);
        std::thread::scope(|threads| {
            for _ in 0..THREADS {
                threads.spawn(|| {
                    barrier.wait();
                    let _scope = registry.enter();
                    for number in 0..20 {
                        counter!("race_total", "number" => number.to_string()).increment(1);
                        registry.gauge(&format!("race_{number}"), &[]).increment(1);
                    }
                });
            }
        });
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.family("race_total").unwrap().len(), 20, "round {round}");
        for series in snapshot.family("race_total").unwrap().series() {
            assert_eq!(series.value(), Value::Counter(THREADS as u64));
        }
        assert_eq!(snapshot.value("race_7"), Some(THREADS as f64));
    }
}
