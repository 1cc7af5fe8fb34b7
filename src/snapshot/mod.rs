//! Metrics as they were at one moment: plain, sorted data.
//!
//! A [`Snapshot`] holds families sorted by name, each with its series sorted by labels and their
//! cells side by side. Taking one resets nothing, and nothing that happens later changes it.

mod delta;
mod distribution;
mod exemplar;
mod family;

use std::sync::Arc;

pub use distribution::Distribution;
pub use exemplar::Exemplar;
pub use family::{Family, Series};

pub(crate) use family::Rare;

use crate::entry::Kind;

/// Everything a registry held at one moment.
///
/// ```
/// let registry = nissa::Registry::new();
/// registry.counter("jobs_total", &[("queue", "mail")]).increment(3);
/// let snapshot = registry.snapshot();
///
/// let family = snapshot.family("jobs_total").unwrap();
/// let series = family.series().next().unwrap();
/// assert_eq!(series.label("queue").as_deref(), Some("mail"));
/// assert_eq!(series.value().as_f64(), Some(3.0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    families: Vec<Family>,
    global_labels: Arc<[(String, String)]>,
}

/// The value of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A counter of integers.
    Counter(u64),
    /// A counter of a quantity that has fractions.
    FloatCounter(f64),
    /// A gauge.
    Gauge(f64),
    /// A histogram or a summary.
    Distribution(Distribution<'a>),
}

impl Value<'_> {
    /// The number, of anything but a distribution.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Counter(count) => Some(*count as f64),
            Self::FloatCounter(value) | Self::Gauge(value) => Some(*value),
            Self::Distribution(_) => None,
        }
    }
}

impl Snapshot {
    pub(crate) fn new(families: Vec<Family>, global_labels: &[(String, String)]) -> Self {
        Self { families, global_labels: global_labels.into() }
    }

    /// The metrics, sorted by name.
    pub fn families(&self) -> impl ExactSizeIterator<Item = &Family> {
        self.families.iter()
    }

    /// The metric of this name.
    pub fn family(&self, name: &str) -> Option<&Family> {
        let at = self.families.binary_search_by(|family| family.name().cmp(name)).ok()?;
        Some(&self.families[at])
    }

    /// The value of the series with exactly these labels, in any order.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<Value<'_>> {
        let family = self.family(name)?;
        let twice = |(index, label): (usize, &(&str, &str))| {
            labels[..index].iter().any(|before| before.0 == label.0)
        };
        if labels.iter().enumerate().any(twice) {
            return None;
        }
        let is_it = |series: &Series<'_>| {
            series.labels().count() == labels.len()
                && labels.iter().all(|(label, value)| series.label(label).as_deref() == Some(value))
        };
        family.series().find(is_it).map(|series| series.value())
    }

    /// The sum of a counter over all its series, or the value of a gauge that has one series.
    pub fn value(&self, name: &str) -> Option<f64> {
        let family = self.family(name)?;
        if family.kind() == Kind::Gauge && family.len() > 1 {
            return None;
        }
        family.series().map(|series| series.value().as_f64()).sum()
    }

    /// The distribution of a histogram that has one series.
    pub fn distribution(&self, name: &str) -> Option<Distribution<'_>> {
        let mut series = self.family(name)?.series();
        match (series.next()?.value(), series.next()) {
            (Value::Distribution(distribution), None) => Some(distribution),
            _ => None,
        }
    }

    /// The quantile `q` (in 0..=1) of a histogram over all its series.
    pub fn quantile(&self, name: &str, q: f64) -> Option<f64> {
        self.family(name)?.quantile(q)
    }

    /// The labels that every series shows unless it has one of that name itself.
    pub fn global_labels(&self) -> &[(String, String)] {
        &self.global_labels
    }
}
