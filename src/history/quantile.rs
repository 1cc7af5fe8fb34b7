//! Questions about distributions over time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::History;
use super::query::{Grid, Limit, Lines, Span, each, moment};
use super::range::{Gather, Reading, gather};
use super::selector::Selector;
use super::view::{Point, Times, View};
use crate::buckets::Buckets;
use crate::error::Error;

/// What a histogram recorded within one step.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Column {
    /// The step's end, which belongs to it, since the Unix epoch.
    pub time: Duration,
    /// The inclusive upper bound of each bucket that something was recorded in, and how much;
    /// lowest first, the last bound may be infinite.
    pub buckets: Vec<(f64, u64)>,
}

impl History {
    /// The quantile `q` of what was recorded in every `step`: of a histogram, from the growth of
    /// its buckets; of a gauge, of its samples. Steps in which nothing was recorded are left out,
    /// and so are counters.
    ///
    /// # Errors
    ///
    /// A `q` that is not within 0 to 1, and as [`range`](Self::range).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use nissa::history::{History, Selector};
    /// # use nissa::{ManualClock, Registry};
    /// # let (history, registry, clock) = (History::new(), Registry::new(), ManualClock::new());
    /// # let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
    /// # let monitor = builder.history(history.clone()).build()?;
    /// let latency = registry.histogram("latency_seconds", &[]);
    /// for seconds in [0.02, 0.2, 2.0] {
    ///     clock.advance(Duration::from_secs(1));
    ///     latency.record(seconds);
    ///     monitor.tick();
    /// }
    /// let (from, step) = (Duration::from_secs(1), Duration::from_secs(1));
    /// let selector = Selector::name("latency_seconds");
    /// let worst = history.quantile_over_time(&selector, 1.0, from, history.now(), step)?;
    /// let values: Vec<f64> = worst.lines[0].points.iter().map(|reading| reading.value).collect();
    /// assert_eq!(values, [0.25, 2.5]); // the bounds of the buckets
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn quantile_over_time(
        &self,
        selector: &Selector,
        q: f64,
        from: Duration,
        to: Duration,
        step: Duration,
    ) -> Result<Lines<Reading>, Error> {
        self.quantile_of(selector, q, Grid::new(from, to, step)?, Limit::LIBRARY)
    }

    /// What histograms recorded in every `step`, by bucket: a heat map. Steps in which nothing was
    /// recorded are left out.
    ///
    /// # Errors
    ///
    /// As [`range`](Self::range).
    pub fn heatmap(
        &self,
        selector: &Selector,
        from: Duration,
        to: Duration,
        step: Duration,
    ) -> Result<Lines<Column>, Error> {
        Ok(self.heatmap_of(selector, Grid::new(from, to, step)?, Limit::LIBRARY))
    }

    pub(super) fn quantile_of(
        &self,
        selector: &Selector,
        q: f64,
        grid: Grid,
        limit: Limit,
    ) -> Result<Lines<Reading>, Error> {
        if !(0.0..=1.0).contains(&q) {
            return Err(Error::setting("q: from 0 to 1"));
        }
        let span = Span { from: grid.from, to: grid.to, limit };
        Ok(each(self.store(), selector, span, |view, times| {
            let readings: Vec<Reading> = match view.buckets() {
                Some(buckets) => {
                    let grown = grow(view, times, grid, buckets).into_iter();
                    let reading = |(time, counts): (u64, Vec<u64>)| {
                        let value = buckets.quantile(q, &counts)?;
                        Some(Reading { time: moment(time), value })
                    };
                    grown.filter_map(reading).collect()
                }
                None if view.shape().grows() => return None,
                None => {
                    let steps = gather::<Values>(view, times, grid).into_iter();
                    let reading = |(time, Values(values))| Reading {
                        time: moment(time),
                        value: quantile(q, values),
                    };
                    steps.map(reading).collect()
                }
            };
            Some(readings).filter(|readings| !readings.is_empty())
        }))
    }

    pub(super) fn heatmap_of(
        &self,
        selector: &Selector,
        grid: Grid,
        limit: Limit,
    ) -> Lines<Column> {
        let span = Span { from: grid.from, to: grid.to, limit };
        each(self.store(), selector, span, |view, times| {
            let buckets = view.buckets()?;
            let column = |(time, counts): (u64, Vec<u64>)| {
                let bounds = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
                let buckets = bounds.map(|(index, count)| (buckets.upper_bound(index), count));
                Column { time: moment(time), buckets: buckets.collect() }
            };
            let columns: Vec<Column> =
                grow(view, times, grid, buckets).into_iter().map(column).collect();
            Some(columns).filter(|columns| !columns.is_empty())
        })
    }
}

/// By how much the buckets grew in every step in which they did.
fn grow(view: &View, times: &Times, grid: Grid, buckets: &Buckets) -> BTreeMap<u64, Vec<u64>> {
    let mut steps: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    view.increases(times, |time, grown| {
        let Some(end) = grid.end(time).filter(|_| grown.iter().any(|count| *count > 0)) else {
            return;
        };
        let sums = steps.entry(end).or_insert_with(|| vec![0; buckets.len()]);
        sums.iter_mut().zip(grown).for_each(|(sum, count)| *sum = sum.wrapping_add(*count));
    });
    steps
}

/// Values, and how often they count: what was rolled up as often as it has samples, at its mean.
struct Values(Vec<(f64, u64)>);

impl Gather for Values {
    fn new(_: Option<u64>) -> Self {
        Self(Vec::new())
    }

    fn add(&mut self, point: &Point) {
        self.0.push((point.mean, point.count));
    }
}

/// The quantile of values, between the two nearest as PromQL does it.
fn quantile(q: f64, mut values: Vec<(f64, u64)>) -> f64 {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count: u64 = values.iter().map(|(_, count)| count).sum();
    let rank = q * count.saturating_sub(1) as f64;
    let value = |rank: u64| {
        let mut seen = 0;
        let reached = values.iter().find(|(_, count)| {
            seen += count;
            seen > rank
        });
        reached.or(values.last()).map_or(f64::NAN, |(value, _)| *value)
    };
    let (below, above) = (value(rank.floor() as u64), value(rank.ceil() as u64));
    // Not by a weight of zero, which makes NaN of an infinity.
    if below == above { below } else { below + (above - below) * rank.fract() }
}
