//! The series that a ratio is taken to.

use super::condition::Condition;
use crate::snapshot::{Series, Snapshot, Value};

/// The other metric of a ratio rule, at one tick. Nothing for other rules.
#[derive(Debug, Default)]
pub(super) struct Other<'a> {
    /// By canonical labels, sorted.
    series: Vec<(&'a str, Amount)>,
    all: Option<Amount>,
}

/// A count, which a rate is taken of, or a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Amount {
    Count(f64),
    Value(f64),
}

impl<'a> Other<'a> {
    pub(super) fn new(condition: &Condition, snapshot: &'a Snapshot) -> Self {
        let Condition::Ratio(name, _) = condition else { return Self::default() };
        let Some(family) = snapshot.family(name) else { return Self::default() };
        let series: Vec<_> =
            family.series().map(|series| (series.entry.text_str(), amount(&series))).collect();
        let all = series.iter().map(|(_, amount)| *amount).reduce(Amount::plus);
        Self { series, all }
    }

    /// Of the series with these labels, or else of all together.
    pub(super) fn beside(&self, text: &str) -> Option<Amount> {
        let same = self.series.binary_search_by(|(labels, _)| (*labels).cmp(text)).ok();
        same.and_then(|at| self.series.get(at)).map(|(_, amount)| *amount).or(self.all)
    }
}

fn amount(series: &Series<'_>) -> Amount {
    match series.value() {
        Value::Gauge(value) => Amount::Value(value),
        Value::Counter(count) => Amount::Count(count as f64),
        Value::FloatCounter(count) => Amount::Count(count),
        Value::Distribution(distribution) => Amount::Count(distribution.count() as f64),
    }
}

impl Amount {
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Count(a), Self::Count(b)) => Self::Count(a + b),
            (Self::Value(a) | Self::Count(a), Self::Value(b) | Self::Count(b)) => {
                Self::Value(a + b)
            }
        }
    }
}
