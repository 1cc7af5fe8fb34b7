//! Holds `docs/METRICS.md` to what is shown.

use std::collections::BTreeSet;

use super::figure::Figure;
use super::{container, host, process};
use crate::registry::Registry;

const DOCUMENT: &str = include_str!("../../docs/METRICS.md");

/// "name kind" of the rows under this heading.
fn rows(heading: &str) -> BTreeSet<String> {
    let sections = DOCUMENT.split("\n## ").filter_map(|section| section.split_once('\n'));
    let text = sections.filter(|(title, _)| *title == heading).map(|(_, text)| text);
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        Some(format!("{} {}", cells.next()?.trim_end_matches('`'), cells.next()?))
    };
    text.flat_map(str::lines).filter_map(row).collect()
}

fn shown(figures: impl IntoIterator<Item = Figure>) -> BTreeSet<String> {
    figures.into_iter().map(|f| format!("{} {}", f.name, f.kind.as_str())).collect()
}

#[test]
fn the_document_lists_what_is_shown() {
    let of_container = |figure: &Figure| figure.name.starts_with("container_");
    let (pressure, machine): (Vec<Figure>, Vec<Figure>) =
        host::figures::figures().into_iter().partition(of_container);
    assert_eq!(rows("Machine"), shown(machine));
    assert_eq!(rows("Process"), shown(process::figures::figures()));
    let container = container::figures::FIGURES.into_iter().chain(pressure);
    assert_eq!(rows("Container"), shown(container));
}

#[test]
fn what_runs_shows_nothing_that_is_not_listed() {
    let registry = Registry::new();
    let mut runner = super::Runner::new(&registry);
    let host = super::Host::default().temperatures(true).per_core(true).cpu_frequency(true);
    runner.add(host.cpu_modes(true).threads(true).process_tree(true));
    runner.collect();
    let listed: BTreeSet<String> =
        ["Machine", "Process", "Container", "Collectors"].into_iter().flat_map(rows).collect();
    let families = registry.families();
    assert!(families.len() > 60, "{} families", families.len());
    for family in families {
        let row = format!("{} {}", family.name, family.kind.as_str());
        let failed = family.name == "nissa_collector_errors_total";
        assert!(listed.contains(&row) || failed, "{row} is not in docs/METRICS.md");
        assert!(!family.help.is_empty(), "{row} has no help");
    }
}
