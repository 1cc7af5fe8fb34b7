//! The table and the JSON file.

use std::fmt::Write as _;

use crate::results::{self, short};
use crate::serve::SYSTEMS;

/// One measured value.
pub struct Row {
    pub case: String,
    pub system: &'static str,
    /// Scrapers at once.
    pub threads: usize,
    pub value: f64,
    pub unit: &'static str,
}

#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub fn value(&self, case: &str, system: &str, threads: usize) -> Option<f64> {
        let is_it = |row: &&Row| (&*row.case, row.system, row.threads) == (case, system, threads);
        self.rows.iter().find(is_it).map(|row| row.value)
    }

    /// One line per case and number of scrapers, one column per system.
    pub fn table(&self) -> String {
        let mut table = format!("{:<42}{:>9} {:<11}", "case", "scrapers", "unit");
        for system in SYSTEMS {
            let _ = write!(table, "{system:>28}");
        }
        let mut lines = Vec::new();
        for row in &self.rows {
            let line = (&*row.case, row.threads, row.unit);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        for (case, threads, unit) in lines {
            let _ = write!(table, "\n{case:<42}{threads:>9} {unit:<11}");
            for system in SYSTEMS {
                let value = self.value(case, system, threads);
                let _ = write!(
                    table,
                    "{:>28}",
                    value.map_or_else(|| "-".to_owned(), |value| short(value, 3))
                );
            }
        }
        table.push('\n');
        table
    }

    pub fn write_json(&self, path: &str) {
        let row = |row: &Row| {
            results::Row::new(&*row.case, row.system, row.value, row.unit).threads(row.threads)
        };
        results::write(path, self.rows.iter().map(row));
    }
}
