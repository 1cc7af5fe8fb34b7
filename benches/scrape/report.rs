//! The table and the JSON file.

use std::fmt::Write as _;
use std::{fs, io};

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
                let _ = write!(table, "{:>28}", value.map_or_else(|| "-".to_owned(), short));
            }
        }
        table.push('\n');
        table
    }

    /// As `versus` writes it. Names are plain identifiers, so nothing needs escaping.
    pub fn write_json(&self, path: &str) -> io::Result<()> {
        let object = |row: &Row| {
            let Row { case, system, threads, value, unit } = row;
            format!(
                r#"  {{"case": "{case}", "system": "{system}", "threads": {threads}, "value": {value:.4}, "unit": "{unit}"}}"#
            )
        };
        let objects: Vec<String> = self.rows.iter().map(object).collect();
        fs::create_dir_all("target")?;
        fs::write(path, format!("[\n{}\n]\n", objects.join(",\n")))
    }
}

/// Three digits or all of them before the point, whichever is more.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
