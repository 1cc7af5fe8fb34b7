//! Names that the text format cannot carry as they are.
//!
//! One rule: characters outside `[a-zA-Z0-9_:]` become `_`. Where that would make two metrics
//! (or two labels of a series) one, the names that were illegal are written in Prometheus's
//! `values` escaping instead, which no two names share: `U__a_2e_b` for `a.b`. Legal names are
//! never touched, with two exceptions: a metric whose name a histogram needs for its own lines
//! (`x_sum` beside a histogram `x`) is written so too, because one page cannot hold both; and so
//! is, where anything is, a legal name that looks escaped (`U__…`).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::entry::Kind;
use crate::escape::{underscores, values};
use crate::key;
use crate::snapshot::Snapshot;

/// The name each family is written under, in the snapshot's order.
pub(super) fn of_families(snapshot: &Snapshot) -> Vec<Cow<'_, str>> {
    let mut names: Vec<Cow<'_, str>> =
        snapshot.families().map(|family| underscores(family.name(), key::is_legal_name)).collect();
    let distributions =
        snapshot.families().any(|family| matches!(family.kind(), Kind::Histogram | Kind::Summary));
    if !distributions && names.iter().all(|name| matches!(name, Cow::Borrowed(_))) {
        return names;
    }
    let clashes = clashes(snapshot, &names);
    if clashes.contains(&true) {
        for (index, family) in snapshot.families().enumerate() {
            // A name that looks escaped must not pass for one that is.
            if clashes[index] || names[index].starts_with("U__") {
                names[index] = Cow::Owned(values(family.name()));
            }
        }
    }
    names
}

/// Which families must give way because another writes lines of the same name.
fn clashes(snapshot: &Snapshot, names: &[Cow<'_, str>]) -> Vec<bool> {
    let mut takers: HashMap<&str, usize> = HashMap::new();
    for name in names {
        *takers.entry(name).or_default() += 1;
    }
    let written = |wanted: Kind| -> HashSet<&str> {
        let all = snapshot.families().zip(names);
        all.filter(|(family, _)| family.kind() == wanted).map(|(_, name)| &**name).collect()
    };
    let (histograms, summaries) = (written(Kind::Histogram), written(Kind::Summary));
    let taken_by_distribution = |name: &str| {
        ["_bucket", "_count", "_sum"].into_iter().any(|suffix| {
            let Some(stem) = name.strip_suffix(suffix) else { return false };
            histograms.contains(stem) || (summaries.contains(stem) && suffix != "_bucket")
        })
    };
    let gives_way = |name: &Cow<'_, str>| {
        let illegal = matches!(name, Cow::Owned(_));
        (illegal && takers[&**name] > 1) || taken_by_distribution(name)
    };
    names.iter().map(gives_way).collect()
}

/// The labels of a series that need escaping, as text.
pub(super) fn of_labels<'a>(labels: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> String {
    let labels: Vec<_> = labels.collect();
    let written: Vec<String> = labels
        .iter()
        .map(|(name, _)| underscores(name, key::is_legal_label).into_owned())
        .collect();
    let clashes = |index: usize| {
        !key::is_legal_label(&labels[index].0)
            && written.iter().filter(|other| **other == written[index]).count() > 1
    };
    let clash = (0..labels.len()).any(clashes);
    let mut text = String::new();
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        if clashes(index) || (clash && name.starts_with("U__")) {
            text.push_str(&values(name));
        } else {
            text.push_str(&written[index]);
        }
        text.push_str("=\"");
        key::escape_into(&mut text, value);
        text.push('"');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    fn names(families: &[&str]) -> Vec<String> {
        let registry = Registry::new();
        families.iter().for_each(|name| registry.counter(name, &[]).increment(1));
        written(&registry)
    }

    /// Without the registry's own, which count the collisions.
    fn written(registry: &Registry) -> Vec<String> {
        let snapshot = registry.snapshot();
        let names = of_families(&snapshot).into_iter().map(Cow::into_owned);
        names.filter(|name| !name.starts_with("nissa_")).collect()
    }

    #[test]
    fn illegal_characters_become_underscores() {
        assert_eq!(names(&["a.b", "ключ", "1st"]), ["_st", "a_b", "____"]);
    }

    #[test]
    fn names_that_would_merge_are_kept_apart() {
        assert_eq!(names(&["a.b", "a_b"]), ["U__a_2e_b", "a_b"]);
        assert_eq!(names(&["a.b", "a/b"]), ["U__a_2e_b", "U__a_2f_b"]);
    }

    #[test]
    fn a_name_that_looks_escaped_is_escaped() {
        let names = names(&["U__a_2e_b", "a.b", "a_b"]);
        assert_eq!(names, ["U__U____a__2e__b", "U__a_2e_b", "a_b"]);
    }

    #[test]
    fn a_histogram_keeps_its_own_lines() {
        let registry = Registry::new();
        registry.histogram("x", &[]).record(1);
        registry.counter("x_sum", &[]).increment(1);
        registry.counter("x_total", &[]).increment(1);
        assert_eq!(written(&registry), ["x", "U__x__sum", "x_total"]);
    }

    #[test]
    fn labels_that_would_merge_are_kept_apart() {
        let label = |name: &'static str| (Cow::Borrowed(name), Cow::Borrowed("v"));
        assert_eq!(of_labels([label("a.b")].into_iter()), r#"a_b="v""#);
        let both = [label("a.b"), label("a_b")];
        assert_eq!(of_labels(both.into_iter()), r#"U__a_2e_b="v",a_b="v""#);
    }
}
