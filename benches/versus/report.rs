//! The table, the JSON file and the goals.

use std::fmt::Write as _;

use crate::results::{self, short};
use crate::systems::System;

/// One measured value.
#[derive(Clone, Debug)]
pub struct Row {
    pub case: String,
    pub system: &'static str,
    pub threads: usize,
    pub value: f64,
    pub unit: &'static str,
    /// The lowest sample, where the value is a median.
    pub least: Option<f64>,
    /// Samples behind the value, where it is a median of a varying number of them.
    pub samples: Option<usize>,
}

#[derive(Clone, Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub fn last_mut(&mut self) -> Option<&mut Row> {
        self.rows.last_mut()
    }

    pub fn value(&self, case: &str, system: &str, threads: usize) -> Option<f64> {
        self.row(case, system, threads).map(|row| row.value)
    }

    fn row(&self, case: &str, system: &str, threads: usize) -> Option<&Row> {
        let wanted = |row: &&Row| (&*row.case, row.system, row.threads) == (case, system, threads);
        self.rows.iter().find(wanted)
    }

    /// The lowest value of a case among the systems other than `system`.
    pub fn best_peer(&self, case: &str, system: &str, threads: usize) -> Option<f64> {
        let peers = self.rows.iter().filter(|row| {
            row.case == case && row.threads == threads && ![system, "floor"].contains(&row.system)
        });
        peers.map(|row| row.value).min_by(f64::total_cmp)
    }

    /// One line per case and number of threads, one column per system: the value and how many
    /// times the first system's value it is.
    pub fn table(&self, systems: &[System]) -> String {
        let first = systems.first().map_or("", |system| system.name);
        let mut table = format!("{:<36}{:>3} {:<7}", "case", "thr", "unit");
        for system in systems {
            let _ = write!(table, "{:>16}", system.short);
        }
        for (case, threads, unit) in self.lines() {
            let _ = write!(table, "\n{case:<36}{threads:>3} {unit:<7}");
            let base = self.value(case, first, threads).filter(|&base| base > 0.0);
            for system in systems {
                let ratio = (system.name != first && system.name != "floor").then_some(base);
                let value = self.value(case, system.name, threads);
                let _ = write!(table, "{:>16}", cell(value, ratio.flatten()));
            }
            table.truncate(table.trim_end().len());
        }
        table.push('\n');
        table
    }

    /// How many two-thread samples stayed, for the cases where some system kept few.
    pub fn kept_samples(&self, wanted: usize) -> String {
        let mut text = String::new();
        for (case, threads, _) in self.lines() {
            let kept: Vec<(&str, usize)> = self
                .rows
                .iter()
                .filter(|row| row.case == case && row.threads == threads)
                .filter_map(|row| Some((row.system, row.samples?)))
                .filter(|&(_, samples)| samples < wanted)
                .collect();
            if !kept.is_empty() {
                let _ = writeln!(text, "  {case}, {threads} threads: {kept:?}");
            }
        }
        text
    }

    /// The distinct (case, threads, unit), in the order measured.
    fn lines(&self) -> Vec<(&str, usize, &'static str)> {
        let mut lines = Vec::new();
        for row in &self.rows {
            let line = (&*row.case, row.threads, row.unit);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// The rows, and after each median a row `<case>_min` with its lowest sample.
    pub fn write_json(&self, path: &str) {
        let rows = self.rows.iter().flat_map(|row| {
            let object = |case: String, value| {
                results::Row::new(case, row.system, value, row.unit).threads(row.threads)
            };
            let least = row.least.map(|least| object(format!("{}_min", row.case), least));
            [Some(object(row.case.clone(), row.value)), least].into_iter().flatten()
        });
        results::write(path, rows);
    }
}

fn cell(value: Option<f64>, base: Option<f64>) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    match base {
        Some(base) => format!("{} {:>7}", short(value, 2), format!("x{}", short(value / base, 2))),
        None => format!("{} {:>7}", short(value, 2), ""),
    }
}
