//! Scrapes over HTTP: nissa's endpoint beside metrics-exporter-prometheus's listener and
//! prometheus-client behind hyper, in one run.
//!
//! ```text
//! cargo bench --bench scrape --features server                 every case, some minutes
//! cargo bench --bench scrape --features server -- 10k gzip     cases whose name holds a word
//! SCRAPE_QUICK=1 cargo bench --bench scrape --features server  shorter rounds
//! ```
//!
//! Each system serves in a process of its own, over a registry of the same series; the client is
//! this process: blocking sockets on the loopback, kept alive, that read a page to its last byte.
//! The systems take turns in every round, and a figure is the median of the rounds. Prints a table
//! and the goals, and writes `target/scrape.json` in the shape of `target/versus.json`.

#![allow(unreachable_pub, reason = "a program exports nothing, so the word would be pub(crate)")]

mod client;
mod goals;
#[path = "../versus/os.rs"]
#[allow(dead_code, reason = "a part of what that bench asks")]
mod os;
mod process;
mod report;
#[path = "../results/mod.rs"]
mod results;
mod serve;
#[path = "../versus/workload.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "a part of what that bench does")]
mod workload;

use std::env;
use std::time::Duration;

use client::Load;
use process::Served;
use report::{Report, Row};
use serve::{Kind, SYSTEMS};

/// A registry to scrape.
#[derive(Clone, Copy)]
struct Size {
    name: &'static str,
    kind: Kind,
    series: usize,
}

const SIZES: [Size; 3] = [
    Size { name: "10k_counters", kind: Kind::Counter, series: 10_000 },
    Size { name: "100k_counters", kind: Kind::Counter, series: 100_000 },
    Size { name: "10k_histograms", kind: Kind::Histogram, series: 10_000 },
];

/// Scrapers at once.
const SCRAPERS: [usize; 2] = [1, 4];
/// Scrapes under way at once whose memory is measured.
const IN_FLIGHT: usize = 8;

fn main() {
    let mut words: Vec<String> = env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == process::CHILD) {
        return serve::child(&words[1..]);
    }
    // Cargo passes `--bench`.
    words.retain(|word| !word.starts_with('-'));
    let quick = env::var_os("SCRAPE_QUICK").is_some();
    let mut bench = Bench {
        words,
        report: Report::default(),
        round: Duration::from_millis(if quick { 300 } else { 1500 }),
        rounds: if quick { 3 } else { 7 },
    };
    for size in SIZES {
        bench.throughput(size);
        bench.compression(size);
        bench.memory(size);
    }
    bench.recording("scrape_recording_one", "one");
    bench.recording("scrape_recording_1000", "many");
    print!("{}", bench.report.table());
    println!("\ngoals of this run:\n{}", goals::table(&bench.report));
    bench.report.write_json("target/scrape.json");
}

struct Bench {
    words: Vec<String>,
    report: Report,
    round: Duration,
    rounds: usize,
}

impl Bench {
    fn wanted(&self, case: &str) -> bool {
        let wanted = self.words.is_empty() || self.words.iter().any(|word| case.contains(word));
        if wanted {
            eprintln!("measuring {case}");
        }
        wanted
    }

    /// Requests per second, latency and the server's processor time.
    fn throughput(&mut self, size: Size) {
        let case = format!("scrape_{}", size.name);
        if !self.wanted(&case) {
            return;
        }
        let servers: Vec<Served> =
            SYSTEMS.iter().map(|system| Served::start(system, size.kind, size.series)).collect();
        for scrapers in SCRAPERS {
            let mut rounds: Vec<Vec<Load>> = servers.iter().map(|_| Vec::new()).collect();
            for round in 0..=self.rounds {
                for (server, loads) in servers.iter().zip(&mut rounds) {
                    let load = server.load(scrapers, "identity", self.round);
                    // The first round warms up.
                    if round > 0 {
                        loads.push(load);
                    }
                }
            }
            for (server, loads) in servers.iter().zip(&rounds) {
                let mut push = |suffix: &str, unit, value: fn(&Load) -> f64| {
                    let value = median(loads.iter().map(value));
                    let case = format!("{case}{suffix}");
                    self.report.push(Row {
                        case,
                        system: server.system,
                        threads: scrapers,
                        value,
                        unit,
                    });
                };
                push("", "requests/s", Load::throughput);
                push("_p50", "ms", |load| load.latency(0.5));
                push("_p99", "ms", |load| load.latency(0.99));
                push("_cpu", "ms", Load::processor);
                if scrapers == 1 {
                    push("_first_byte_p50", "ms", |load| load.first_byte(0.5));
                    push("_first_byte_p99", "ms", |load| load.first_byte(0.99));
                }
            }
        }
    }

    /// Bytes and processor time by encoding, for nissa: the peers do not compress.
    fn compression(&mut self, size: Size) {
        let case = format!("scrape_{}", size.name);
        for encoding in ["identity", "gzip", "zstd"] {
            let name = format!("{case}_{encoding}");
            if !self.wanted(&name) {
                continue;
            }
            let server = Served::start("nissa", size.kind, size.series);
            server.load(1, encoding, self.round);
            let loads: Vec<Load> =
                (0..self.rounds).map(|_| server.load(1, encoding, self.round)).collect();
            let mut push = |suffix: &str, unit, value: fn(&Load) -> f64| {
                let value = median(loads.iter().map(value));
                let case = format!("{name}_{suffix}");
                self.report.push(Row { case, system: "nissa", threads: 1, value, unit });
            };
            push("bytes", "bytes", |load| load.bytes as f64);
            push("cpu", "ms", Load::processor);
            push("p50", "ms", |load| load.latency(0.5));
        }
    }

    /// The server's memory beyond what it had, at its peak, in bodies of the page. Nobody reads but
    /// the first bytes.
    ///
    /// The first scrape of a process also pays for what stays: the order of the series, a thread.
    /// So there is a figure for it and one for each further scrape that is under way with it.
    fn memory(&mut self, size: Size) {
        let case = format!("scrape_{}_memory", size.name);
        if !self.wanted(&case) {
            return;
        }
        for system in SYSTEMS {
            let peak = |scrapes| {
                let server = Served::start(system, size.kind, size.series);
                server.memory(scrapes)
            };
            let (Some(one), Some(all)) = (peak(1), peak(IN_FLIGHT)) else { continue };
            let mut push = |suffix, threads, value| {
                let case = format!("{case}_{suffix}");
                self.report.push(Row { case, system, threads, value, unit: "bodies" });
            };
            push("first", 1, one);
            push("further", IN_FLIGHT, (all - one) / (IN_FLIGHT - 1) as f64);
        }
    }

    /// Processor time of an operation of a thread that records, alone and beside a scraper that
    /// loops.
    fn recording(&mut self, case: &str, what: &str) {
        if !self.wanted(case) {
            return;
        }
        let servers: Vec<Served> =
            SYSTEMS.iter().map(|system| Served::start(system, Kind::Counter, 10_000)).collect();
        let mut figures: Vec<[Vec<f64>; 2]> = servers.iter().map(|_| Default::default()).collect();
        for _ in 0..self.rounds {
            for (server, [alone, beside]) in servers.iter().zip(&mut figures) {
                alone.extend(server.record(what, self.round));
                beside.extend(server.record_beside_scraper(what, self.round));
            }
        }
        for (server, [alone, beside]) in servers.iter().zip(figures) {
            for (suffix, values) in [("_alone", alone), ("_beside_scraper", beside)] {
                let (case, value) = (format!("{case}{suffix}"), median(values.into_iter()));
                let row = Row { case, system: server.system, threads: 1, value, unit: "ns" };
                self.report.push(row);
            }
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
