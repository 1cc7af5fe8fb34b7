//! What is registered, and what there is too much of.

use std::collections::{BTreeMap, HashSet};

use metrics::Unit;

use super::family::Family;
use super::{Inner, Registry};
use crate::cells::gate;
use crate::entry::Kind;
use crate::key::{self, OVERFLOW_LABELS};

/// A metric as it is registered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FamilyInfo {
    /// The name, as the program gave it.
    pub name: String,
    /// What it measures.
    pub kind: Kind,
    /// The unit it was described with.
    pub unit: Option<Unit>,
    /// The help text it was described with; empty without one.
    pub help: String,
    /// How many series it has.
    pub series: usize,
}

/// Where a registry's series come from; see [`Registry::cardinality`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cardinality {
    /// Series in all.
    pub series: usize,
    /// Metrics, those with most series first.
    pub families: Vec<FamilyCardinality>,
}

/// How many series a metric has, and which labels make them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FamilyCardinality {
    /// The metric.
    pub name: String,
    /// Its series.
    pub series: usize,
    /// Whether a limit sends further label sets to the overflow series.
    pub overflowing: bool,
    /// Its labels, those with most values first: the first is the one that explodes.
    pub labels: Vec<LabelCardinality>,
}

/// How many values a label has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LabelCardinality {
    /// The label.
    pub name: String,
    /// Its different values.
    pub values: usize,
}

impl Registry {
    /// What is registered, sorted by name.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// registry.counter("jobs_total", &[]).increment(1);
    /// registry.describe_counter("jobs_total", None, "Jobs done.");
    /// let families = registry.families();
    /// assert_eq!(families[0].name, "jobs_total");
    /// assert_eq!(families[0].help, "Jobs done.");
    /// ```
    pub fn families(&self) -> Vec<FamilyInfo> {
        self.inner.each_family(|family| {
            let description = family.descriptor.description.get();
            FamilyInfo {
                name: family.descriptor.name.to_string(),
                kind: family.descriptor.kind(),
                unit: description.and_then(|description| description.unit),
                help: description.map_or_else(String::new, |d| d.help.to_string()),
                series: family.entries().len(),
            }
        })
    }

    /// Which metrics have the most series, and which of their labels make them.
    ///
    /// Walks every label of every series: for a person to ask, not for a scrape.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// for user in 0..100 {
    ///     registry.counter("logins_total", &[("user", &user.to_string()), ("by", "web")]);
    /// }
    /// let worst = &registry.cardinality().families[0];
    /// assert_eq!((worst.name.as_str(), worst.series), ("logins_total", 100));
    /// assert_eq!((worst.labels[0].name.as_str(), worst.labels[0].values), ("user", 100));
    /// ```
    pub fn cardinality(&self) -> Cardinality {
        let mut families = self.inner.each_family(cardinality);
        families.sort_by(|a, b| b.series.cmp(&a.series).then_with(|| a.name.cmp(&b.name)));
        Cardinality { series: families.iter().map(|family| family.series).sum(), families }
    }
}

impl Inner {
    /// What `f` makes of each family, by name; nothing where nothing may be locked.
    fn each_family<R>(&self, f: impl Fn(&Family) -> R) -> Vec<R> {
        let Some(_gate) = gate::enter() else { return Vec::new() };
        // Not under the lock: registering must not wait for a report.
        let families: Vec<_> = self.families.read().by_name.values().cloned().collect();
        families.iter().map(|family| f(family)).collect()
    }
}

fn cardinality(family: &Family) -> FamilyCardinality {
    let entries = family.entries();
    let mut values: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for entry in entries.iter() {
        for (name, value) in key::parse(entry.text_str()) {
            values.entry(name.into_owned()).or_default().insert(value.into_owned());
        }
    }
    let mut labels: Vec<_> = values
        .into_iter()
        .map(|(name, values)| LabelCardinality { name, values: values.len() })
        .collect();
    labels.sort_by(|a, b| b.values.cmp(&a.values).then_with(|| a.name.cmp(&b.name)));
    FamilyCardinality {
        name: family.descriptor.name.to_string(),
        series: entries.len(),
        overflowing: entries.iter().any(|e| e.text() == OVERFLOW_LABELS.as_bytes()),
        labels,
    }
}
