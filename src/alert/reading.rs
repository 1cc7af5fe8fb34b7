//! One number a tick from a series: a gauge's value, a counter's rate, a histogram's quantile.

use super::rule::Reading;
use crate::snapshot::{Distribution, Series, Value};

/// What the last tick showed of a series, which rates are taken from.
#[derive(Debug, Default)]
pub(super) struct Memory {
    counted: Option<f64>,
    buckets: Vec<u64>,
    recent: Vec<u64>,
}

impl Memory {
    /// The number to judge, or `None` if this tick has none: a counter seen for the first time or
    /// after a reset, a histogram in which nothing was recorded.
    pub(super) fn read(
        &mut self,
        series: &Series<'_>,
        reading: Reading,
        seconds: f64,
    ) -> Option<f64> {
        match (series.value(), reading) {
            (Value::Gauge(value), _) => Some(value),
            (Value::Counter(count), _) => self.rate(count as f64, seconds),
            (Value::FloatCounter(count), _) => self.rate(count, seconds),
            (Value::Distribution(distribution), Reading::Rate) => {
                self.rate(distribution.count() as f64, seconds)
            }
            (Value::Distribution(distribution), Reading::Quantile(q)) => {
                let recent = self.recent(&distribution)?;
                distribution.scheme().quantile(q, recent)
            }
        }
    }

    /// What each bucket of a histogram counted since the last tick.
    pub(super) fn recent(&mut self, distribution: &Distribution<'_>) -> Option<&[u64]> {
        let counts = distribution.counts();
        let known = self.buckets.len() == counts.len();
        self.recent.clear();
        if known {
            let pairs = counts.iter().zip(&self.buckets);
            self.recent.extend(pairs.map(|(now, before)| now.wrapping_sub(*before)));
        }
        let went_back = counts.iter().zip(&self.buckets).any(|(now, before)| now < before);
        self.buckets.clear();
        self.buckets.extend_from_slice(counts);
        (known && !went_back).then_some(&*self.recent)
    }

    /// What goes back has begun anew.
    pub(super) fn rate(&mut self, count: f64, seconds: f64) -> Option<f64> {
        let before = self.counted.replace(count)?;
        (count >= before && seconds > 0.0).then(|| (count - before) / seconds)
    }
}
