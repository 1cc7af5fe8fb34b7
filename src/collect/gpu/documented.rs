//! Holds the section on GPUs of `docs/METRICS.md` to what is shown.

use std::collections::BTreeSet;

use super::metric::HELP;

const DOCUMENT: &str = include_str!("../../../docs/METRICS.md");

/// "name kind" of the rows about GPUs.
fn rows() -> BTreeSet<String> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with("GPU\n"));
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        Some(format!("{} {}", cells.next()?.trim_end_matches('`'), cells.next()?))
    };
    section.unwrap().lines().filter_map(row).collect()
}

#[test]
fn the_document_lists_what_is_shown() {
    let kind = |name: &str| if name.ends_with("_total") { "counter" } else { "gauge" };
    let shown: BTreeSet<String> =
        HELP.iter().map(|(name, ..)| format!("{name} {}", kind(name))).collect();
    assert_eq!(rows(), shown);
}
