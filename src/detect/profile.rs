//! What a series usually is at this time of day, or of the week.
//!
//! A day is cut into 96 slots and a week into 168. Each slot holds a mean over its past visits,
//! fading by [`FADE`] per visit, and is updated once a visit is over: a sample is compared with
//! earlier days only, never with its own hour. This is the seasonal part of Holt and Winters
//! (P. R. Winters, "Forecasting sales by exponentially weighted moving averages", Management
//! Science 6, 1960) with two seasons side by side, of which the one with the smaller residuals
//! speaks.

use std::time::Duration;

use super::Tape;

const DAY: f64 = 86_400.0;
const DAY_SLOTS: usize = 96;
const WEEK_SLOTS: usize = 168;
/// Least weight of the newest visit to a slot.
const FADE: f64 = 0.15;
/// Samples over which the residuals' variance is averaged.
const MEMORY: f64 = 2000.0;
/// A residual counts as at most this many standard deviations of the series: an outlier must not
/// hide the season behind it.
const CLIP: f64 = 4.0;
/// The season is real if it leaves less than this share of the variance unexplained.
const UNEXPLAINED: f64 = 0.5;
/// Days after which a series without a season is no longer asked for one…
const HOPELESS: f64 = 9.0;
/// …until so many have passed.
const AGAIN: f64 = 28.0;
/// Hours that a series must have lasted before a profile is kept.
const FIRST: f64 = 3600.0;

/// Looks for a daily or weekly season, and says what it expects.
#[derive(Clone, Debug, Default)]
pub(super) struct Season {
    started: f64,
    known: bool,
    seen: u64,
    mean: f64,
    variance: f64,
    profile: Option<Box<Profile>>,
}

/// What the season says of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seasonal {
    pub(super) expected: f64,
    /// Whether the season explains the series well enough to be heard.
    pub(super) real: bool,
}

#[derive(Clone, Debug)]
struct Profile {
    since: f64,
    day: Slots<DAY_SLOTS>,
    week: Slots<WEEK_SLOTS>,
    judged: u64,
}

#[derive(Clone, Debug)]
struct Slots<const N: usize> {
    means: [f32; N],
    visits: [u8; N],
    /// The visit that is going on: its slot, samples and their sum.
    slot: usize,
    count: u64,
    sum: f64,
    /// Mean square of the residuals, after so many.
    residual: f64,
    residuals: u64,
}

impl Season {
    /// What was expected of the sample, or `None` while this time of day was never seen before;
    /// then learns it.
    pub(super) fn observe(&mut self, value: f64, at: Duration) -> Option<Seasonal> {
        let at = at.as_secs_f64();
        if !self.known {
            (self.known, self.started) = (true, at);
        }
        self.seen = self.seen.saturating_add(1);
        let deviation = self.variance.sqrt();
        let off = value - self.mean;
        let off = if self.seen > 50 { clip(off, 2.5 * deviation) } else { off };
        let weight = (1.0 / self.seen as f64).max(1.0 / MEMORY);
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
        let age = at - self.started;
        match &mut self.profile {
            None if age >= FIRST => {
                self.profile = Some(Box::new(Profile::new(at)));
                self.started = at;
                None
            }
            None => None,
            Some(profile) => {
                let seasonal = profile.observe(value, at, deviation);
                if profile.hopeless(at, self.variance) {
                    self.profile = None;
                    self.started = at + AGAIN * DAY;
                }
                seasonal.map(|(expected, residual)| {
                    let real = residual < UNEXPLAINED * self.variance;
                    Seasonal { expected, real }
                })
            }
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.profile.as_ref().map_or(0, |_| size_of::<Profile>())
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.started);
        tape.flag(&mut self.known);
        tape.integer(&mut self.seen);
        tape.number(&mut self.mean);
        tape.number(&mut self.variance);
        let mut kept = self.profile.is_some();
        tape.flag(&mut kept);
        match kept {
            true => self.profile.get_or_insert_with(|| Box::new(Profile::new(0.0))).carry(tape),
            false => self.profile = None,
        }
    }
}

impl Profile {
    fn new(since: f64) -> Self {
        Self { since, day: Slots::new(), week: Slots::new(), judged: 0 }
    }

    /// What is expected, and the mean square of the residuals so far.
    fn observe(&mut self, value: f64, at: f64, deviation: f64) -> Option<(f64, f64)> {
        let day = (at.rem_euclid(DAY) * DAY_SLOTS as f64 / DAY) as usize;
        let week = (at.rem_euclid(7.0 * DAY) * WEEK_SLOTS as f64 / (7.0 * DAY)) as usize;
        let by_day = self.day.observe(value, day, deviation);
        let by_week = self.week.observe(value, week, deviation);
        let days = (at - self.since) / DAY;
        self.judged = self.judged.saturating_add(u64::from(by_day.is_some()));
        // Two days to compare with each other, two weeks likewise.
        let weekly = days >= 8.0 && self.week.residual < 0.8 * self.day.residual;
        match (weekly, by_week, by_day) {
            (true, Some(expected), _) => Some((expected, self.week.residual)),
            (_, _, Some(expected)) => {
                let residual = if days >= 2.0 { self.day.residual } else { f64::INFINITY };
                Some((expected, residual))
            }
            _ => None,
        }
    }

    fn hopeless(&self, at: f64, variance: f64) -> bool {
        let least = self.day.residual.min(self.week.residual);
        at - self.since > HOPELESS * DAY && least > 0.8 * variance && self.week.residuals > 0
    }

    fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.since);
        tape.integer(&mut self.judged);
        self.day.carry(tape);
        self.week.carry(tape);
    }
}

impl<const N: usize> Slots<N> {
    fn new() -> Self {
        Self {
            means: [0.0; N],
            visits: [0; N],
            slot: 0,
            count: 0,
            sum: 0.0,
            residual: 0.0,
            residuals: 0,
        }
    }

    fn observe(&mut self, value: f64, slot: usize, deviation: f64) -> Option<f64> {
        if slot != self.slot {
            self.leave(deviation);
            self.slot = slot;
        }
        let visited = self.visits.get(slot).is_some_and(|&visits| visits > 0);
        let expected = self.means.get(slot).filter(|_| visited).map(|&mean| f64::from(mean));
        if let Some(expected) = expected {
            self.residuals = self.residuals.saturating_add(1);
            let weight = (1.0 / self.residuals as f64).max(1.0 / MEMORY);
            let off = clip(value - expected, CLIP * deviation);
            self.residual += weight * (off * off - self.residual);
        }
        self.count += 1;
        self.sum += value;
        expected
    }

    /// The visit is over: what it was on average goes into the slot.
    fn leave(&mut self, deviation: f64) {
        let (sum, count) = (std::mem::take(&mut self.sum), std::mem::take(&mut self.count));
        let places = (self.means.get_mut(self.slot), self.visits.get_mut(self.slot));
        if let (Some(mean), Some(visits), true) = (places.0, places.1, count > 0) {
            let average = sum / count as f64;
            let before = f64::from(*mean);
            let off = match *visits {
                0..=1 => average - before,
                _ => clip(average - before, CLIP * deviation),
            };
            *visits = visits.saturating_add(1);
            let weight = (1.0 / f64::from(*visits)).max(FADE);
            *mean = (before + weight * off).clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        }
    }

    fn carry(&mut self, tape: &mut Tape) {
        tape.singles(&mut self.means);
        for visits in &mut self.visits {
            let mut count = usize::from(*visits);
            tape.index(&mut count, 256);
            *visits = count as u8;
        }
        tape.index(&mut self.slot, N);
        tape.integer(&mut self.count);
        tape.number(&mut self.sum);
        tape.number(&mut self.residual);
        tape.integer(&mut self.residuals);
    }
}

/// Between minus and plus the limit; never panics, as `clamp` does on a NaN.
fn clip(value: f64, limit: f64) -> f64 {
    value.min(limit).max(-limit)
}
