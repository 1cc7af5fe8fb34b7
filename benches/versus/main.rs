//! nissa beside its peers, in one process and one run.
//!
//! ```text
//! cargo bench --bench versus                        every case, some minutes
//! cargo bench --bench versus -- counter histogram   cases whose name holds one of the words
//! VERSUS_QUICK=1 cargo bench --bench versus         fewer rounds
//! ```
//!
//! Prints one table and the goals, and writes `target/versus.json`. On one thread a figure is the
//! median of interleaved rounds of thread CPU time; on two it is wall time per operation and
//! thread, without the samples in which a thread lost its processor. All loops find their data in
//! the nearest cache unless the case says otherwise, so ratios tell more than nanoseconds.

#![allow(unreachable_pub, reason = "a program exports nothing, so the word would be pub(crate)")]

mod goals;
mod harness;
mod os;
mod pairs;
mod plugin;
mod report;
#[path = "../results/mod.rs"]
mod results;
mod systems;
mod whole;
mod workload;

use std::time::Duration;
use std::{env, fs, thread};

use harness::{Batch, Effort, Figure};
use report::{Report, Row};
use systems::{Kind, Store, System};
use whole::{Memory, Render};

/// How a case is measured.
#[derive(Clone, Copy)]
enum Measure {
    /// A hot loop, on one thread and on two.
    Hot,
    /// A hot loop whose two-thread form would say nothing new.
    HotAlone,
    /// So many operations with cold caches.
    Cold(u64),
    /// The hot loop of another case, compiled into a shared library.
    Plugin(&'static str),
    Render(Render),
    Memory(Kind, Memory),
    InsertStall,
    LostSamples,
    Handover,
}

const COUNTER: Kind = Kind::Counter;
const HISTOGRAM: Kind = Kind::Histogram;

const CASES: [(&str, Measure); 33] = [
    ("floor_tls_add", Measure::Hot),
    ("floor_fetch_add", Measure::Hot),
    ("floor_handover", Measure::Handover),
    ("floor_memcpy", Measure::HotAlone),
    ("counter_literal", Measure::Hot),
    ("counter_handle", Measure::Hot),
    ("counter_64_sites", Measure::HotAlone),
    ("gauge_set_literal", Measure::Hot),
    ("histogram_literal", Measure::Hot),
    ("histogram_handle", Measure::Hot),
    ("histogram_exponential", Measure::Hot),
    ("counter_runtime_label", Measure::Hot),
    ("counter_1000_series_random", Measure::Cold(1_000)),
    ("counter_refused", Measure::Hot),
    ("facade_counter", Measure::Hot),
    ("facade_counter_handle", Measure::Hot),
    ("facade_histogram", Measure::Hot),
    ("facade_runtime_label", Measure::Hot),
    ("cdylib_counter_literal", Measure::Plugin("counter_literal")),
    ("cdylib_counter_runtime_label", Measure::Plugin("counter_runtime_label")),
    ("render_10k_counters", render(COUNTER, 10_000, false)),
    ("render_100k_counters", render(COUNTER, 100_000, false)),
    ("render_10k_histograms", render(HISTOGRAM, 10_000, false)),
    ("render_10k_counters_fresh_buffer", render(COUNTER, 10_000, true)),
    ("render_100k_counters_fresh_buffer", render(COUNTER, 100_000, true)),
    ("render_10k_histograms_fresh_buffer", render(HISTOGRAM, 10_000, true)),
    ("render_bytes_beside_output", Measure::Memory(COUNTER, Memory::Scrape)),
    ("bytes_per_counter", Measure::Memory(COUNTER, Memory::Series { threads: 1 })),
    ("bytes_per_histogram", Measure::Memory(HISTOGRAM, Memory::Series { threads: 1 })),
    ("bytes_per_counter", Measure::Memory(COUNTER, Memory::Series { threads: 16 })),
    ("bytes_per_counter", Measure::Memory(COUNTER, Memory::Series { threads: 512 })),
    ("insert_stall_worst", Measure::InsertStall),
    ("scrape_histogram_loss", Measure::LostSamples),
];

const fn render(kind: Kind, series: usize, fresh: bool) -> Measure {
    Measure::Render(Render { kind, series, fresh })
}

fn main() {
    let mut words: Vec<String> = env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == whole::CHILD) {
        return whole::child(&words[1..]);
    }
    // Cargo passes `--bench`.
    words.retain(|word| !word.starts_with('-'));

    let mut bench = Bench::new(env::var_os("VERSUS_QUICK").is_some());
    for (case, measure) in CASES {
        if words.is_empty() || words.iter().any(|word| case.contains(word.as_str())) {
            eprintln!("measuring {case}");
            bench.measure(case, measure);
        }
    }
    bench.print(words.is_empty());
}

struct Bench {
    systems: Vec<System>,
    report: Report,
    effort: Effort,
    quick: bool,
}

impl Bench {
    fn new(quick: bool) -> Self {
        let effort = if quick { Effort::QUICK } else { Effort::FULL };
        Self { systems: systems::all(), report: Report::default(), effort, quick }
    }

    fn measure(&mut self, case: &str, measure: Measure) {
        match measure {
            Measure::Hot => {
                self.hot(case, harness::one_thread);
                self.pairs(case);
            }
            Measure::HotAlone => self.hot(case, harness::one_thread),
            Measure::Cold(visits) => {
                self.hot(case, |batches, effort| harness::one_cold_thread(batches, visits, effort))
            }
            Measure::Plugin(inner) => self.plugin(case, inner),
            Measure::Render(render) => self.render(case, render),
            Measure::Memory(kind, memory) => self.memory(case, kind, memory),
            Measure::InsertStall => self.insert_stall(case),
            Measure::LostSamples => self.lost_samples(case),
            Measure::Handover => {
                if let Some(figure) = pairs::handover(self.effort) {
                    self.push_figure(case, "floor", 2, figure);
                }
            }
        }
    }

    fn hot(&mut self, case: &str, time: impl FnOnce(&[Batch], Effort) -> Vec<Figure>) {
        let (names, batches) = self.batches(case);
        self.time(case, names, &batches, time);
    }

    fn plugin(&mut self, case: &str, inner: &str) {
        let plugin = match plugin::load() {
            Ok(plugin) => plugin,
            Err(reason) => return eprintln!("  no shared library: {reason}"),
        };
        let systems = self.systems.iter().enumerate();
        let (names, batches): (Vec<_>, Vec<_>) =
            systems.filter_map(|(i, it)| Some((it.name, plugin.batch(inner, i)?))).unzip();
        self.time(case, names, &batches, harness::one_thread);
    }

    fn time(
        &mut self,
        case: &str,
        names: Vec<&'static str>,
        batches: &[Batch],
        time: impl FnOnce(&[Batch], Effort) -> Vec<Figure>,
    ) {
        for (system, figure) in names.into_iter().zip(time(batches, self.effort)) {
            self.push_figure(case, system, 1, figure);
            if let Some(upkeep) = figure.upkeep {
                self.push(&format!("{case}_upkeep"), system, 1, upkeep, "ns");
            }
        }
    }

    fn pairs(&mut self, case: &str) {
        let (names, batches) = self.batches(case);
        for (system, figure) in names.into_iter().zip(pairs::two_threads(&batches, self.effort)) {
            if let Some(figure) = figure {
                self.push_figure(case, system, 2, figure);
            }
        }
    }

    fn render(&mut self, case: &str, render: Render) {
        let values = render.measure(if self.quick { 2 } else { 7 });
        for (system, millis) in values {
            let known = self.systems.iter().find(|it| it.name == system).map(|it| it.name);
            if let Some(name) = known {
                self.push(case, name, 1, millis, "ms");
            }
        }
    }

    fn memory(&mut self, case: &str, kind: Kind, memory: Memory) {
        let threads = match memory {
            Memory::Series { threads } => threads,
            Memory::Scrape => 1,
        };
        for i in 0..self.systems.len() {
            let System { name, memory_per_thread, .. } = self.systems[i];
            if threads > 1 && !memory_per_thread {
                continue; // One thread has told all.
            }
            if let Some(bytes) = whole::measure_memory(name, kind, memory) {
                self.push(case, name, threads, bytes, "bytes");
            }
        }
    }

    fn insert_stall(&mut self, case: &str) {
        let duration = Duration::from_secs(if self.quick { 1 } else { 4 });
        let (names, stores) = self.stores(Kind::Counter);
        for (system, store) in names.into_iter().zip(stores) {
            let (worst, inserts) = whole::insert_stall(&store, duration);
            eprintln!("  {system}: {inserts} inserts measured");
            self.push(case, system, 1, worst, "ms");
        }
    }

    /// The worst of two tries, since a race does not show every time.
    fn lost_samples(&mut self, case: &str) {
        let each = if self.quick { 100_000 } else { 1_000_000 };
        let (names, stores) = self.stores(Kind::Histogram);
        let (_, again) = self.stores(Kind::Histogram);
        for (system, stores) in names.into_iter().zip(stores.into_iter().zip(again)) {
            let lost = [stores.0, stores.1].map(|store| whole::lost_samples(&store, each));
            self.push(case, system, 4, lost[0].max(lost[1]), "samples");
        }
    }

    fn batches(&self, case: &str) -> (Vec<&'static str>, Vec<Batch>) {
        self.systems.iter().filter_map(|it| Some((it.name, it.make_batch(case)?))).unzip()
    }

    fn stores(&self, kind: Kind) -> (Vec<&'static str>, Vec<Store>) {
        self.systems.iter().filter_map(|it| Some((it.name, it.make_store(kind)?))).unzip()
    }

    fn push_figure(&mut self, case: &str, system: &'static str, threads: usize, figure: Figure) {
        let Figure { nanos, least, samples, .. } = figure;
        self.push(case, system, threads, nanos, "ns");
        if let Some(row) = self.report.last_mut() {
            row.least = Some(least);
            row.samples = (threads > 1).then_some(samples);
        }
    }

    fn push(
        &mut self,
        case: &str,
        system: &'static str,
        threads: usize,
        value: f64,
        unit: &'static str,
    ) {
        let case = case.to_owned();
        self.report.push(Row { case, system, threads, value, unit, least: None, samples: None });
    }

    fn print(&self, complete: bool) {
        println!("\n{}", machine());
        print!("\n{}", self.report.table(&self.systems));
        let Effort { rounds, pairs, .. } = self.effort;
        println!("\n{rounds} rounds on one thread; {pairs} samples kept on two, fewer here:");
        print!("{}", self.report.kept_samples(pairs));
        println!("\ngoals");
        print!("{}", goals::table(&self.report, complete));
        self.report.write_json(JSON);
    }
}

const JSON: &str = "target/versus.json";

fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |line| line.trim_start_matches(['\t', ' ', ':']));
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    format!("{model}, {cpus} processors, load {}", load.join(" "))
}
