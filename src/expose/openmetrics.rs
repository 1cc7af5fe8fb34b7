//! OpenMetrics 1.0: the text format's lines under stricter rules.
//!
//! The family of a counter is named without the `_total` of its lines. What the rules forbid (a
//! counter whose name lacks `_total`, or whose family's name another metric has; the sum and count
//! of a histogram that saw negative values) is shown as `unknown`, a family a line: so a scrape
//! holds the same series under the same names whatever was negotiated.
//!
//! There are no `_created` lines: readers that do not know them take them for series, and those
//! that do can have the start time in a better place, protobuf or OpenMetrics 2.0.

use std::borrow::Cow;
use std::collections::HashSet;

use super::line::Output;
use super::names::{self, Labels};
use super::number::canonical;
use super::text::Lines;
use crate::entry::Kind;
use crate::escape::Escaping;
use crate::snapshot::{Family, Snapshot, Value};

pub(super) fn write(snapshot: &Snapshot, escaping: Escaping, out: &mut Vec<u8>) {
    let labels = Labels::new(snapshot, escaping);
    let names = names::of_families(snapshot, escaping, true);
    let mut page = Output::new(out);
    let counters = counters(snapshot, &names);
    for ((family, name), is_counter) in snapshot.families().zip(&names).zip(counters) {
        let mut lines = Lines {
            family,
            name,
            labels: &labels,
            bound: canonical,
            exemplars: is_counter || family.kind() == Kind::Histogram,
            only: None,
        };
        match apart(family) {
            None => {
                let (stem, kind) = match family.kind() {
                    Kind::Counter if is_counter => {
                        (name.strip_suffix(TOTAL), Kind::Counter.as_str())
                    }
                    Kind::Counter => (None, UNKNOWN),
                    kind => (None, kind.as_str()),
                };
                let name = stem.unwrap_or(name);
                header(family, name, kind, names::unit(family, name), &mut page);
                lines.write(&mut page);
            }
            Some(parts) => {
                for part in parts {
                    header(family, &format!("{name}{part}"), UNKNOWN, None, &mut page);
                    lines.only = Some(part);
                    lines.exemplars = false;
                    lines.write(&mut page);
                }
            }
        }
    }
    page.put(b"# EOF\n");
}

const TOTAL: &str = "_total";
pub(super) const UNKNOWN: &str = "unknown";

/// Which families may be called counters: those whose lines end in `_total`, unless another metric
/// has one of the names that the family then takes.
fn counters(snapshot: &Snapshot, names: &[Cow<'_, str>]) -> Vec<bool> {
    let mut taken: HashSet<String> = names.iter().map(|name| name.to_string()).collect();
    for (family, name) in snapshot.families().zip(names) {
        if matches!(family.kind(), Kind::Histogram | Kind::Summary) {
            for suffix in ["_bucket", "_count", "_sum", CREATED] {
                taken.insert(format!("{name}{suffix}"));
            }
        }
    }
    let is_counter = |(family, name): (&Family, &Cow<'_, str>)| {
        let Some(stem) = name.strip_suffix(TOTAL).filter(|stem| !stem.is_empty()) else {
            return false;
        };
        let created = format!("{stem}{CREATED}");
        let free =
            family.kind() == Kind::Counter && !taken.contains(stem) && !taken.contains(&created);
        if free {
            taken.insert(stem.to_owned());
            taken.insert(created);
        }
        free
    };
    snapshot.families().zip(names).map(is_counter).collect()
}

/// Readers hold this to belong to counters and distributions even where it is never written.
const CREATED: &str = "_created";

/// The parts of a distribution that has to be taken apart, because the rules forbid its sums and
/// with them its counts: a sum that is negative, or could be, is no counter.
fn apart(family: &Family) -> Option<[&'static str; 3]> {
    let first = match family.kind() {
        Kind::Histogram => "_bucket",
        Kind::Summary => "",
        Kind::Counter | Kind::Gauge => return None,
    };
    let could_be = family.buckets().is_some_and(|buckets| buckets.range().0 < 0.0);
    (could_be || has_negative_sum(family)).then_some([first, "_sum", "_count"])
}

pub(super) fn has_negative_sum(family: &Family) -> bool {
    let is = |value| matches!(value, Value::Distribution(values) if values.sum() < 0.0);
    family.series().any(|series| is(series.value()))
}

/// `# TYPE`, `# UNIT` and `# HELP`.
pub(super) fn header(
    family: &Family,
    name: &str,
    kind: &str,
    unit: Option<&str>,
    page: &mut Output<'_>,
) {
    let quoted = names::quoted(name);
    let mut text = format!("# TYPE {quoted} {kind}\n");
    if let Some(unit) = unit {
        text.push_str(&format!("# UNIT {quoted} {unit}\n"));
    }
    if let Some(help) = family.help().filter(|help| !help.is_empty()) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
        text.push_str(&format!("# HELP {quoted} {help}\n"));
    }
    page.put(text.as_bytes());
}
