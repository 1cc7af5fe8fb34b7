//! What a tick of the collectors costs, beside reading the same files and nothing more, beside
//! `sysinfo`, and beside a scrape of node_exporter.
//!
//! ```text
//! cargo bench --features host --bench collect         a quarter of a minute
//! COLLECT_QUICK=1 cargo bench --features host ...     fewer rounds
//! ```
//!
//! Prints one table and the goals, and writes `target/collect.json`. Each round takes one of each,
//! after a pause: caches are as cold as for who wakes up seldom, and `sysinfo` answers from memory
//! if it is asked more often than each fifth of a second. A figure is the median of thread CPU time, or for
//! node_exporter the mean of its process's.

#![allow(unreachable_pub, reason = "a program exports nothing, so the word would be pub(crate)")]

mod allocations;
mod bare;
mod exporter;
mod measure;
mod through_sysinfo;

use std::time::Duration;
use std::{env, fs, thread};

use nissa::Registry;
use nissa::collect::{Host, Runner};

use bare::Bare;
use exporter::Exporter;
use measure::{Row, Samples, anonymous_memory, thread_time};
use through_sysinfo::ThroughSysinfo;

/// `sysinfo` tells the share it told before if it is asked sooner.
const PACE: Duration = Duration::from_millis(210);

/// The slow figures are read every tenth tick, so rounds come in tens.
const ROUNDS: usize = 60;
const QUICK: usize = 20;

fn main() {
    if !cfg!(target_os = "linux") {
        println!("the bench reads /proc");
        return;
    }
    let rounds = if env::var_os("COLLECT_QUICK").is_some() { QUICK } else { ROUNDS };
    if env::var_os("COLLECT_ALONE").is_some() {
        return alone();
    }
    let memory = memory_of_threads();
    let mut nissa = Nissa::new();
    nissa.tick();
    let mut bare = Bare::of_open_files();
    let mut sysinfo = ThroughSysinfo::new();
    let mut exporter = Exporter::start();
    if exporter.is_none() {
        println!("no node_exporter: scripts/servers.sh fetches it");
    }
    // Twice the slow figures, so that everything is there; then the first of ten ticks, in both.
    (1..20).for_each(|_| nissa.tick());
    bare.tick();
    sysinfo.tick();
    bare.rewind();
    let mut floor = Samples::new("bare_preads", "floor");
    let mut ours = Samples::new("nissa_tick", "nissa");
    let mut peer = Samples::new("sysinfo_tick", "sysinfo");
    let mut allocated = 0;
    let scraped = exporter.as_mut().map(Exporter::processor_time);
    for _ in 0..rounds {
        thread::sleep(PACE / 3);
        floor.add(thread_time(|| bare.tick()));
        exporter.as_mut().map(Exporter::scrape);
        thread::sleep(PACE / 3);
        let start = allocations::count();
        let time = thread_time(|| nissa.tick());
        allocated += allocations::count() - start;
        ours.add(time);
        thread::sleep(PACE / 3);
        peer.add(thread_time(|| sysinfo.tick()));
    }
    let mut rows: Vec<Row> = [&floor, &ours, &peer].into_iter().flat_map(Samples::rows).collect();
    rows.extend(back_to_back(&mut bare, &mut nissa));
    let spent = exporter.as_mut().map(Exporter::processor_time).zip(scraped);
    if let Some((after, before)) = spent {
        let each = (after - before).as_secs_f64() * 1e6 / rounds as f64;
        rows.push(Row::new("node_exporter_scrape", "node_exporter", each, "us"));
    }
    rows.push(Row::new("bare_reads", "floor", bare.reads_per_tick(), "reads"));
    rows.push(Row::new("nissa_allocations", "nissa", allocated as f64 / rounds as f64, "allocs"));
    rows.push(Row::new("nissa_memory", "nissa", memory as f64 / 1024.0, "KiB"));
    rows.push(Row::new("nissa_series", "nissa", nissa.series() as f64, "series"));
    report(&rows);
}

/// The two that are compared, in warm caches: what is left between them is parsing and storing.
fn back_to_back(bare: &mut Bare, nissa: &mut Nissa) -> Vec<Row> {
    let mut floor = Samples::new("bare_preads_warm", "floor");
    let mut ours = Samples::new("nissa_tick_warm", "nissa");
    for _ in 0..1_000 {
        floor.add(thread_time(|| bare.tick()));
        ours.add(thread_time(|| nissa.tick()));
    }
    [floor, ours].iter().flat_map(Samples::rows).collect()
}

/// A thousand ticks and nothing else, for `strace -c` and `perf`.
fn alone() {
    let mut nissa = Nissa::new();
    (0..20).for_each(|_| nissa.tick());
    println!("20 ticks are done; a thousand follow");
    let time = thread_time(|| (0..1_000).for_each(|_| nissa.tick()));
    println!("{:.1} us a tick", time.as_secs_f64() * 1e3);
}

/// What the threads take that a program has which collects by default: stacks, buffers, their part
/// of the heap. Not the code they run, nor the series, which are the registry's.
fn memory_of_threads() -> usize {
    let registry = Registry::new();
    let mut first = Runner::new(&registry);
    first.add(Host::default());
    first.collect();
    let before = anonymous_memory();
    let builder = nissa::builder().registry(registry.clone()).collect(Host::default());
    let guard = builder.start().expect("threads");
    // Not asking the registry, which takes memory as well. This is long enough for some ticks.
    thread::sleep(Duration::from_secs(3));
    let memory = anonymous_memory().saturating_sub(before);
    drop(guard);
    memory
}

/// What a program has that collects by default, on a clock of its own.
struct Nissa {
    registry: Registry,
    runner: Runner,
    at: Duration,
}

impl Nissa {
    fn new() -> Self {
        let registry = Registry::new();
        let mut runner = Runner::new(&registry);
        runner.add(Host::default());
        Self { registry, runner, at: Duration::ZERO }
    }

    fn tick(&mut self) {
        self.runner.tick(self.at);
        self.at += Duration::from_secs(1);
    }

    fn series(&self) -> usize {
        self.registry.snapshot().families().map(|family| family.len()).sum()
    }
}

fn report(rows: &[Row]) {
    println!("{:<28}{:<16}{:>12} unit", "case", "system", "value");
    for Row { case, system, value, unit } in rows {
        println!("{case:<28}{system:<16}{value:>12.2} {unit}");
    }
    let value = |case| rows.iter().find(|row| row.case == case).map(|row| row.value);
    let ratio = |a, b| Some(value(a)? / value(b)?);
    println!("\ngoals");
    goal("a tick, in bare reads of the same files", ratio("nissa_tick", "bare_preads"), "<=", 1.3);
    let warm = ratio("nissa_tick_warm", "bare_preads_warm");
    goal("the same with warm caches", warm, "<=", 1.3);
    goal("sysinfo, in ticks", ratio("sysinfo_tick", "nissa_tick"), ">=", 5.0);
    goal("node_exporter, in ticks", ratio("node_exporter_scrape", "nissa_tick"), ">=", 40.0);
    goal("allocations of a tick", value("nissa_allocations"), "<=", 0.0);
    goal("memory, KiB", value("nissa_memory"), "<=", 256.0);
    let json: Vec<String> = rows
        .iter()
        .map(|Row { case, system, value, unit }| {
            format!(
                r#"  {{"case": "{case}", "system": "{system}", "threads": 1, "value": {value:.4}, "unit": "{unit}"}}"#
            )
        })
        .collect();
    let written = fs::create_dir_all("target")
        .and_then(|()| fs::write("target/collect.json", format!("[\n{}\n]\n", json.join(",\n"))));
    if let Err(error) = written {
        println!("target/collect.json: {error}");
    }
}

fn goal(what: &str, figure: Option<f64>, sign: &str, limit: f64) {
    let Some(figure) = figure else { return println!("  {what:<44}{:>10}", "no figure") };
    let met = if sign == "<=" { figure <= limit } else { figure >= limit };
    let verdict = if met { "met" } else { "NOT met" };
    println!("  {what:<44}{figure:>10.2}  {sign} {limit:<6} {verdict}");
}
