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
//! if it is asked more often than each fifth of a second. Every other round goes the other way, so
//! that floor and tick come after the same others. A figure is the median of thread CPU time, or
//! for node_exporter the mean of its process's. The kernel counts what ten of each read: the floor
//! must not read more than a tick.

#![allow(unreachable_pub, reason = "a program exports nothing, so the word would be pub(crate)")]

mod allocations;
mod bare;
mod exporter;
mod measure;
#[path = "../results/mod.rs"]
mod results;
mod through_sysinfo;

use std::time::Duration;
use std::{env, thread};

use nissa::Registry;
use nissa::collect::{Host, Runner};

use bare::{Bare, reads_of};
use exporter::Exporter;
use measure::{Samples, anonymous_memory, thread_time};
use results::Row;
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
    let mut bench = Bench::new();
    let mut rows = bench.reads();
    bench.rounds(rounds);
    rows.extend([&bench.floor, &bench.ours, &bench.peer].into_iter().flat_map(Samples::rows));
    rows.extend(back_to_back(&mut bench.bare, &mut bench.nissa));
    if let Some(spent) = bench.scraping {
        let each = spent.as_secs_f64() * 1e6 / rounds as f64;
        rows.push(Row::new("node_exporter_scrape", "node_exporter", each, "us"));
    }
    let allocated = bench.allocated as f64 / rounds as f64;
    rows.push(Row::new("nissa_allocations", "nissa", allocated, "allocs"));
    rows.push(Row::new("nissa_memory", "nissa", memory as f64 / 1024.0, "KiB"));
    rows.push(Row::new("nissa_series", "nissa", bench.nissa.series() as f64, "series"));
    results::print(&rows);
    goals(&rows);
    results::write("target/collect.json", rows);
}

struct Bench {
    bare: Bare,
    nissa: Nissa,
    sysinfo: ThroughSysinfo,
    exporter: Option<Exporter>,
    floor: Samples,
    ours: Samples,
    peer: Samples,
    /// By node_exporter, for its scrapes.
    scraping: Option<Duration>,
    allocated: usize,
}

impl Bench {
    /// Floor and tick are at the first of ten ticks.
    fn new() -> Self {
        let mut nissa = Nissa::new();
        // Twice the slow figures, so that everything is there.
        (0..20).for_each(|_| nissa.tick());
        let mut bare = Bare::of_open_files();
        let mut sysinfo = ThroughSysinfo::new();
        bare.tick();
        sysinfo.tick();
        bare.rewind();
        let exporter = Exporter::start();
        if exporter.is_none() {
            println!("no node_exporter: scripts/servers.sh fetches it");
        }
        Self {
            bare,
            nissa,
            sysinfo,
            exporter,
            floor: Samples::new("bare_preads", "floor"),
            ours: Samples::new("nissa_tick", "nissa"),
            peer: Samples::new("sysinfo_tick", "sysinfo"),
            scraping: None,
            allocated: 0,
        }
    }

    /// What ten ticks read. The floor reads nothing that a tick does not; it leaves out the calls
    /// that tell where a long file ends.
    fn reads(&mut self) -> Vec<Row> {
        let floor = reads_of(|| (0..10).for_each(|_| self.bare.tick()));
        let ours = reads_of(|| (0..10).for_each(|_| self.nissa.tick()));
        let within = floor.0 <= ours.0 && floor.1 <= 1.01 * ours.1;
        assert!(within, "the floor reads more than a tick: {floor:?}, {ours:?}");
        let row = |case, system, value, unit| Row::new(case, system, value / 10.0, unit);
        vec![
            row("bare_reads", "floor", floor.0, "reads"),
            row("nissa_reads", "nissa", ours.0, "reads"),
            row("bare_bytes", "floor", floor.1, "bytes"),
            row("nissa_bytes", "nissa", ours.1, "bytes"),
        ]
    }

    fn rounds(&mut self, rounds: usize) {
        let scraped = self.exporter.as_mut().map(Exporter::processor_time);
        for round in 0..rounds {
            self.pause();
            self.peer.add(thread_time(|| self.sysinfo.tick()));
            let turns: [fn(&mut Self); 3] = [Self::floor, Self::scrape, Self::ours];
            let mut order = [0, 1, 2];
            if round % 2 == 1 {
                order.reverse();
            }
            for turn in order {
                self.pause();
                turns[turn](self);
            }
        }
        let spent = self.exporter.as_mut().map(Exporter::processor_time).zip(scraped);
        self.scraping = spent.map(|(after, before)| after - before);
    }

    fn pause(&self) {
        thread::sleep(PACE / 3);
    }

    fn floor(&mut self) {
        self.floor.add(thread_time(|| self.bare.tick()));
    }

    fn scrape(&mut self) {
        self.exporter.as_mut().map(Exporter::scrape);
    }

    fn ours(&mut self) {
        let start = allocations::count();
        let time = thread_time(|| self.nissa.tick());
        self.allocated += allocations::count() - start;
        self.ours.add(time);
    }
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

fn goals(rows: &[Row]) {
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
}

fn goal(what: &str, figure: Option<f64>, sign: &str, limit: f64) {
    let Some(figure) = figure else { return println!("  {what:<44}{:>10}", "no figure") };
    let met = if sign == "<=" { figure <= limit } else { figure >= limit };
    let verdict = if met { "met" } else { "NOT met" };
    println!("  {what:<44}{figure:>10.2}  {sign} {limit:<6} {verdict}");
}
