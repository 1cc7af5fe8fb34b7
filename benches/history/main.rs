//! What it costs to keep the past, beside doing nothing clever (raw `f64`s), `zstd` of those, and
//! `pco` at its default level over each whole series.
//!
//! ```text
//! cargo bench --features history,test-util --bench history
//! cargo bench --features history,test-util --bench history -- crowd nab    # some of it
//! ```
//!
//! Times are processor time of one thread; of ticks, wall time without those in which the thread
//! lost its processor, for asking how much it got takes longer than a small tick. Prints one table
//! and writes `target/history.json`, in the shape of `target/versus.json`. The history's figures are
//! of the whole thing: bytes are those of closed blocks with their bookkeeping, appending is the
//! time of ticks until the last sample is packed, the best of five runs, and reading goes through the library's `range`.

#![allow(unreachable_pub, reason = "a program exports nothing, so the word would be pub(crate)")]

mod crowd;
mod data;
mod keep;
#[path = "../results/mod.rs"]
mod results;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use data::Set;
use results::Row;

/// Collects rows.
#[derive(Debug)]
pub struct Report(Vec<Row>);

impl Report {
    /// Notes a figure of a data set.
    pub fn push(
        &mut self,
        set: &str,
        figure: &str,
        system: &'static str,
        value: f64,
        unit: &'static str,
    ) {
        self.0.push(Row::new(format!("{set}_{figure}"), system, value, unit));
    }

    fn print(&self) {
        const SYSTEMS: [&str; 4] = ["nissa", "pco", "zstd", "raw"];
        let mut cases: Vec<(&str, &str)> =
            self.0.iter().map(|row| (&*row.case, row.unit)).collect();
        let mut seen = std::collections::HashSet::new();
        cases.retain(|(case, _)| seen.insert(*case));
        let mut table = format!("{:<34}{:<14}", "case", "unit");
        SYSTEMS.iter().for_each(|system| _ = write!(table, "{system:>12}"));
        for (case, unit) in cases {
            let _ = write!(table, "\n{case:<34}{unit:<14}");
            for system in SYSTEMS {
                let row = self.0.iter().find(|row| row.case == case && row.system == system);
                let _ = match row {
                    Some(row) => write!(table, "{:>12.3}", row.value),
                    None => write!(table, "{:>12}", "-"),
                };
            }
        }
        println!("{table}");
    }
}

fn main() {
    let mut report = Report(Vec::new());
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(&**word));
    for set in data::all().iter().filter(|set| wanted(set.name)) {
        println!("{}: {} series, {} samples", set.name, set.series.len(), set.samples());
        keep::measure(set, &mut report);
        alone(set, &mut report);
    }
    if wanted("crowd") {
        crowd::measure(&mut report);
    }
    report.print();
    goals(&report);
    results::write("target/history.json", report.0);
}

/// Processor time of this thread, which a busy machine does not stretch.
pub fn spent() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock").into()
}

/// What codecs do to each whole series.
fn alone(set: &Set, report: &mut Report) {
    let samples = set.samples() as f64;
    let bytes_of =
        |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let (mut bytes, mut write, mut read) = ([0usize; 2], [0.0; 2], [0.0; 2]);
    for series in &set.series {
        let started = spent();
        let packed = pco::standalone::simpler_compress(&series.values, 8).expect("pco");
        write[0] += (spent() - started).as_secs_f64();
        let started = spent();
        black_box(pco::standalone::simple_decompress::<f64>(&packed).expect("pco"));
        read[0] += (spent() - started).as_secs_f64();
        let raw = bytes_of(&series.values);
        let started = spent();
        let squeezed = zstd::bulk::compress(&raw, 3).expect("zstd");
        write[1] += (spent() - started).as_secs_f64();
        let started = spent();
        black_box(zstd::bulk::decompress(&squeezed, raw.len()).expect("zstd"));
        read[1] += (spent() - started).as_secs_f64();
        (bytes[0], bytes[1]) = (bytes[0] + packed.len(), bytes[1] + squeezed.len());
    }
    for (index, system) in ["pco", "zstd"].into_iter().enumerate() {
        report.push(set.name, "bytes", system, bytes[index] as f64 / samples, "B/sample");
        report.push(set.name, "append", system, write[index] * 1e9 / samples, "ns/sample");
        report.push(set.name, "read", system, samples / read[index] / 1e6, "M samples/s");
    }
    report.push(set.name, "bytes", "raw", 8.0, "B/sample");
}

fn goals(report: &Report) {
    let value = |case: &str, system| {
        report.0.iter().find(|row| row.case == case && row.system == system).map(|row| row.value)
    };
    let goal = |what: String, value: Option<f64>, reached: fn(f64, f64) -> bool, limit: f64| {
        let Some(value) = value else { return };
        let verdict = if reached(value, limit) { "reached" } else { "NOT REACHED" };
        println!("{what}: {value:.3}, goal {limit:.3}: {verdict}");
    };
    let (most, least) = (|value, limit| value <= limit, |value, limit| value >= limit);
    for set in ["host_1s", "host_10s"] {
        goal(format!("{set}, bytes a sample"), value(&format!("{set}_bytes"), "nissa"), most, 2.0);
    }
    for set in ["training", "nab"] {
        let alone = value(&format!("{set}_bytes"), "pco").unwrap_or(f64::NAN);
        goal(
            format!("{set}, bytes a sample"),
            value(&format!("{set}_bytes"), "nissa"),
            most,
            1.1 * alone,
        );
    }
    for set in ["host_1s", "host_10s", "training", "nab", "crowd"] {
        goal(format!("{set}, ns to append"), value(&format!("{set}_append"), "nissa"), most, 50.0);
        goal(
            format!("{set}, M samples/s read"),
            value(&format!("{set}_read"), "nissa"),
            least,
            50.0,
        );
    }
    goal(
        "10,000 series, ms a tick (median)".into(),
        value("crowd_tick_median", "nissa"),
        most,
        1.0,
    );
    goal("10,000 series, ms a tick (99th)".into(), value("crowd_tick_99th", "nissa"), most, 1.0);
}
