//! The series, the timing, the table.

#[path = "../results/mod.rs"]
mod results;

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use results::Row;

/// Samples of a series, five minutes apart: a day's wave with noise, a spike now and then, a shift.
pub fn series(length: usize) -> Vec<(f64, Duration)> {
    let mut seed = 7;
    let mut noise = || {
        seed = u64::wrapping_mul(seed, 6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as f64 / f64::from(u32::MAX >> 1) - 0.5
    };
    let sample = |i: usize| {
        let day = (i as f64 / 288.0 * std::f64::consts::TAU).sin();
        let spike = if i % 1013 == 1012 { 60.0 } else { 0.0 };
        let shift = if i > length / 2 { 15.0 } else { 0.0 };
        let value = 100.0 + 20.0 * day + 5.0 * noise() + spike + shift;
        (value, Duration::from_secs(1_700_000_000 + 300 * i as u64))
    };
    (0..length).map(sample).collect()
}

/// Processor time of this thread: time in which others had the processor does not count.
pub fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Median of eleven rounds, per operation.
pub fn nanoseconds(operations: usize, mut round: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..11)
        .map(|_| {
            let start = thread_time();
            round();
            (thread_time() - start).as_nanos() as f64 / operations as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    goals: Vec<(String, f64, f64)>,
}

impl Report {
    pub fn push(&mut self, case: &'static str, system: &str, value: f64, unit: &'static str) {
        println!("{case:<22}{system:<34}{value:>14.1} {unit}");
        self.rows.push(Row::new(case, system, value, unit));
    }

    pub fn goal(&mut self, what: &str, value: f64, limit: f64) {
        self.goals.push((what.to_owned(), value, limit));
    }

    /// Prints the goals and writes the file.
    pub fn finish(self) {
        println!();
        for (what, value, limit) in &self.goals {
            let met = if value <= limit { "met" } else { "MISSED" };
            println!("goal {met:<7}{what}: {value:.1}, at most {limit}");
        }
        results::write("target/detect.json", self.rows);
    }
}
