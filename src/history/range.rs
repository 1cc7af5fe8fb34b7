//! Questions about numbers over time.

use std::time::Duration;

use super::History;
use super::family::Shape;
use super::query::{Grid, Limit, Lines, Span, each, moment};
use super::resample::resample;
use super::selector::Selector;
use super::tier::millis;
use super::view::{Point, Times, View};
use crate::error::Error;

/// A value at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// Since the Unix epoch.
    pub time: Duration,
    /// The value.
    pub value: f64,
}

/// What was seen within one step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// The step's end, which belongs to it, since the Unix epoch.
    pub time: Duration,
    /// The least sample.
    pub min: f64,
    /// The greatest sample.
    pub max: f64,
    /// The samples' mean.
    pub mean: f64,
    /// The last sample.
    pub last: f64,
    /// How many samples there were.
    pub count: u64,
}

impl History {
    /// What was seen in every `step` after `from`, up to `to`. A step in which nothing was seen is
    /// left out. Of a histogram: how many observations it held.
    ///
    /// # Errors
    ///
    /// A step of zero, a range that ends before it begins, or more than 11,000 steps.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use nissa::history::{History, Selector};
    /// # use nissa::{ManualClock, Registry};
    /// let (history, registry, clock) = (History::new(), Registry::new(), ManualClock::new());
    /// let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
    /// let monitor = builder.history(history.clone()).build()?;
    /// let loss = registry.gauge("loss", &[]);
    /// for value in [4.0, 2.0, 1.0] {
    ///     clock.advance(Duration::from_secs(1));
    ///     loss.set(value);
    ///     monitor.tick();
    /// }
    /// let (from, to) = (Duration::ZERO, Duration::from_secs(4));
    /// let range = history.range(&Selector::name("loss"), from, to, Duration::from_secs(2))?;
    /// let windows = &range.lines[0].points;
    /// assert_eq!((windows[0].min, windows[0].max, windows[0].last), (2.0, 4.0, 2.0));
    /// assert_eq!((windows[1].mean, windows[1].count), (1.0, 1));
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn range(
        &self,
        selector: &Selector,
        from: Duration,
        to: Duration,
        step: Duration,
    ) -> Result<Lines<Window>, Error> {
        Ok(self.range_of(selector, Grid::new(from, to, step)?, Limit::LIBRARY))
    }

    /// How much counters grew in every `step`. One that started again counts from nothing; what
    /// grew during a gap counts where the gap ends. Gauges are left out.
    ///
    /// # Errors
    ///
    /// As [`range`](Self::range).
    pub fn increase(
        &self,
        selector: &Selector,
        from: Duration,
        to: Duration,
        step: Duration,
    ) -> Result<Lines<Reading>, Error> {
        Ok(self.increase_of(selector, Grid::new(from, to, step)?, Limit::LIBRARY))
    }

    /// How much counters grew per second, in every `step`: the growth between two samples, divided
    /// by the time between them. Gauges are left out.
    ///
    /// # Errors
    ///
    /// As [`range`](Self::range).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use nissa::history::{History, Selector};
    /// # use nissa::{ManualClock, Registry};
    /// # let (history, registry, clock) = (History::new(), Registry::new(), ManualClock::new());
    /// # let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
    /// # let monitor = builder.history(history.clone()).build()?;
    /// let steps = registry.counter("steps_total", &[]);
    /// for _ in 0..10 {
    ///     clock.advance(Duration::from_secs(1));
    ///     steps.increment(25);
    ///     monitor.tick();
    /// }
    /// let (from, to, step) = (Duration::from_secs(5), history.now(), Duration::from_secs(5));
    /// let rate = history.rate(&Selector::name("steps_total"), from, to, step)?;
    /// assert_eq!(rate.lines[0].points[0].value, 25.0);
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn rate(
        &self,
        selector: &Selector,
        from: Duration,
        to: Duration,
        step: Duration,
    ) -> Result<Lines<Reading>, Error> {
        Ok(self.rate_of(selector, Grid::new(from, to, step)?, Limit::LIBRARY))
    }

    /// The last sample of each series, whenever that was.
    pub fn latest(&self, selector: &Selector) -> Lines<Reading> {
        self.latest_of(selector, Limit::LIBRARY)
    }

    /// The samples as they were, if there are no more than `most` of them in a series; else as
    /// many of them that show every peak: of each of `most / 2` equal times, the least and the
    /// greatest.
    ///
    /// # Errors
    ///
    /// A range that ends before it begins, or `most` is not within 2 to 22,000.
    pub fn samples(
        &self,
        selector: &Selector,
        from: Duration,
        to: Duration,
        most: usize,
    ) -> Result<Lines<Reading>, Error> {
        self.samples_of(selector, from, to, most, Limit::LIBRARY)
    }

    pub(super) fn samples_of(
        &self,
        selector: &Selector,
        from: Duration,
        to: Duration,
        most: usize,
        limit: Limit,
    ) -> Result<Lines<Reading>, Error> {
        if !(2..=22_000).contains(&most) {
            return Err(Error::setting("points: from 2 to 22,000"));
        }
        let (from, to) = (millis(from), millis(to));
        if to < from {
            return Err(Error::setting("to: it is before from"));
        }
        let span = Span { from, to, limit };
        Ok(each(self.store(), selector, span, |view, times| {
            let mut points = view.points(times);
            points.retain(|point| from < point.time && point.time <= to);
            Some(resample(&points, from, to, most)).filter(|points| !points.is_empty())
        }))
    }

    pub(super) fn range_of(&self, selector: &Selector, grid: Grid, limit: Limit) -> Lines<Window> {
        self.on_grid(selector, grid, limit, |_| true, Seen::window)
    }

    pub(super) fn increase_of(
        &self,
        selector: &Selector,
        grid: Grid,
        limit: Limit,
    ) -> Lines<Reading> {
        let growth = |grown: &Grown, time| Reading { time: moment(time), value: grown.growth };
        self.on_grid(selector, grid, limit, Shape::grows, growth)
    }

    pub(super) fn rate_of(&self, selector: &Selector, grid: Grid, limit: Limit) -> Lines<Reading> {
        let rate = |grown: &Grown, time| {
            let passed = grown.since.map_or(0, |since| grown.until.saturating_sub(since));
            let passed = if passed > 0 { passed } else { grid.step };
            Reading { time: moment(time), value: grown.growth / (passed as f64 / 1e3) }
        };
        self.on_grid(selector, grid, limit, Shape::grows, rate)
    }

    /// Makes something of every step's points.
    fn on_grid<G: Gather, P>(
        &self,
        selector: &Selector,
        grid: Grid,
        limit: Limit,
        wanted: impl Fn(&Shape) -> bool,
        make: impl Fn(&G, u64) -> P,
    ) -> Lines<P> {
        let span = Span { from: grid.from, to: grid.to, limit };
        each(self.store(), selector, span, |view, times| {
            let steps = wanted(view.shape()).then(|| gather::<G>(view, times, grid))?;
            let made: Vec<P> = steps.iter().map(|(end, step)| make(step, *end)).collect();
            Some(made).filter(|made| !made.is_empty())
        })
    }

    pub(super) fn latest_of(&self, selector: &Selector, limit: Limit) -> Lines<Reading> {
        let span = Span { from: u64::MAX, to: u64::MAX, limit };
        each(self.store(), selector, span, |view, times| {
            let point = view.points(times).pop()?;
            Some(vec![Reading { time: moment(point.time), value: point.last }])
        })
    }
}

/// What becomes of the points of a step, one after the other.
pub(super) trait Gather {
    /// Without points; that before them, if any, was at this time.
    fn new(before: Option<u64>) -> Self;

    fn add(&mut self, point: &Point);
}

/// The steps of a grid that have points, by their ends.
pub(super) fn gather<G: Gather>(view: &View, times: &Times, grid: Grid) -> Vec<(u64, G)> {
    let mut steps: Vec<(u64, G)> = Vec::new();
    let mut before = None;
    view.each(times, |point| {
        match steps.last_mut().filter(|(end, _)| point.time <= *end) {
            Some((_, step)) => step.add(&point),
            None => {
                // Else it is before the range, or behind its last whole step.
                if let Some(end) = grid.end(point.time) {
                    let mut step = G::new(before);
                    step.add(&point);
                    steps.push((end, step));
                }
            }
        }
        before = Some(point.time);
    });
    steps
}

/// How much a counter grew.
struct Grown {
    growth: f64,
    /// When that began, if it is known.
    since: Option<u64>,
    until: u64,
}

impl Gather for Grown {
    fn new(before: Option<u64>) -> Self {
        Self { growth: 0.0, since: before, until: 0 }
    }

    fn add(&mut self, point: &Point) {
        if self.until == 0 && point.growth == 0.0 {
            // Of the first sample of all it is known what it grew by only if it was born then.
            self.since = self.since.or(Some(point.time));
        }
        self.growth += point.growth;
        self.until = point.time;
    }
}

/// The range of values, and their sum.
struct Seen {
    min: f64,
    max: f64,
    sum: f64,
    last: f64,
    count: u64,
}

impl Gather for Seen {
    fn new(_: Option<u64>) -> Self {
        Self { min: f64::NAN, max: f64::NAN, sum: 0.0, last: f64::NAN, count: 0 }
    }

    #[inline]
    fn add(&mut self, point: &Point) {
        // NaNs are passed over where there is anything else.
        self.min = self.min.min(point.low);
        self.max = self.max.max(point.high);
        self.sum += point.mean * point.count as f64;
        self.last = point.last;
        self.count += point.count;
    }
}

impl Seen {
    fn window(&self, time: u64) -> Window {
        let Self { min, max, last, count, .. } = *self;
        Window { time: moment(time), min, max, mean: self.sum / count as f64, last, count }
    }
}
