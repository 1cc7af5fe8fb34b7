//! Figures of a bench, and the file they are written to: of one shape for all benches, so that runs
//! can be compared by a program.

#![allow(dead_code, reason = "each bench uses its part")]

use std::{fs, io};

/// One measured value.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) system: String,
    pub(crate) threads: usize,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

impl Row {
    /// Measured on one thread.
    pub(crate) fn new(
        case: impl Into<String>,
        system: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self { case: case.into(), system: system.into(), threads: 1, value, unit }
    }

    pub(crate) fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }
}

/// One line a row.
pub(crate) fn print(rows: &[Row]) {
    println!("{:<36}{:<16}{:>12} unit", "case", "system", "value");
    for Row { case, system, value, unit, .. } in rows {
        println!("{case:<36}{system:<16}{value:>12.2} {unit}");
    }
}

/// Writes a list of objects, and says where. Names are plain identifiers, so nothing needs escaping.
pub(crate) fn write(path: &str, rows: impl IntoIterator<Item = Row>) {
    let object = |row: Row| {
        let Row { case, system, threads, value, unit } = row;
        format!(
            r#"  {{"case": "{case}", "system": "{system}", "threads": {threads}, "value": {value:.4}, "unit": "{unit}"}}"#
        )
    };
    let objects: Vec<String> = rows.into_iter().map(object).collect();
    let written: io::Result<()> = fs::create_dir_all("target")
        .and_then(|()| fs::write(path, format!("[\n{}\n]\n", objects.join(",\n"))));
    match written {
        Ok(()) => println!("written: {path}"),
        Err(error) => println!("not written: {path}: {error}"),
    }
}

/// Three digits or all of them before the point, whichever is more; at most so many after it.
pub(crate) fn short(value: f64, most: usize) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.*}", digits.min(most))
}
