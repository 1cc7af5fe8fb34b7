//! Whether the level has shifted.
//!
//! The two-sided cumulative sum of E. S. Page ("Continuous inspection schemes", Biometrika 41,
//! 1954), self-starting as D. M. Hawkins made it ("Self-starting CUSUM charts for location and
//! scale", The Statistician 36, 1987): the mean and deviation that samples are measured by are
//! learned on the way, and anew after each shift.

use std::time::Duration;

use super::variance::Variance;
use super::{Detector, Reason, Score, Tape, WARM_UP, finite, score_of_deviations};

/// Deviations per sample that are put up with: half the smallest shift of interest.
const SLACK: f64 = 0.5;
/// The sum at which a shift is certain enough to tell, a score of one half.
const DECISION: f64 = 12.0;
/// One sample says no more than this: a spike is no shift.
const CLIP: f64 = 3.0;
/// Memory of mean and deviation, in samples.
const MEMORY: f64 = 1000.0;
/// Samples from which the new level is learned after a shift, before sums begin again.
const RELEARN: u64 = 20;

/// A level shift, told within some samples: `S⁺ = max(0, S⁺ + z − k)`, and `S⁻` likewise.
///
/// Scores rise while a shift goes on and reach one half when its sum reaches 12 deviations; then
/// the new level is learned, so that one shift is told once. Costs about 10 ns; the state is 88
/// bytes.
///
/// ```
/// use std::time::Duration;
/// use nissa::detect::{Changepoint, Detector};
///
/// let mut detector = Changepoint::default();
/// let mut told = Vec::new();
/// for step in 0..600 {
///     let level = if step < 300 { 10.0 } else { 11.5 };
///     let score = detector.observe(level + (step as f64).sin(), Duration::from_secs(step));
///     if score.is_anomalous() {
///         told.push(step);
///     }
/// }
/// assert_eq!(told.len(), 1);
/// assert!((305..330).contains(&told[0]), "{told:?}");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Changepoint {
    mean: f64,
    variance: Variance,
    /// Samples at this level, and at all.
    at_level: u64,
    seen: u64,
    up: f64,
    down: f64,
    /// Sum and number of samples since each side left zero: the new level, if it is one.
    since_up: (f64, f64),
    since_down: (f64, f64),
}

impl Changepoint {
    fn learn(&mut self, value: f64) {
        self.at_level += 1;
        let weight = (1.0 / self.at_level as f64).max(1.0 / MEMORY);
        let off = value - self.mean;
        self.mean += weight * off;
        self.variance.learn(off, weight);
    }

    /// Goes on from the level that the samples since the shift had; the deviation is kept.
    fn move_to(&mut self, (sum, count): (f64, f64)) {
        self.mean = sum / count.max(1.0);
        self.at_level = (count as u64).clamp(1, RELEARN);
        (self.up, self.down) = (0.0, 0.0);
        (self.since_up, self.since_down) = ((0.0, 0.0), (0.0, 0.0));
    }
}

fn side(sum: &mut f64, since: &mut (f64, f64), z: f64, value: f64) {
    *sum = (*sum + z - SLACK).max(0.0);
    *since = if *sum > 0.0 { (since.0 + value, since.1 + 1.0) } else { (0.0, 0.0) };
}

impl Detector for Changepoint {
    fn name(&self) -> &'static str {
        "changepoint"
    }

    #[inline]
    fn observe(&mut self, value: f64, _at: Duration) -> Score {
        let ready = self.seen >= u64::from(WARM_UP);
        let Some(value) = finite(value) else { return Score::not_finite(ready) };
        self.seen = self.seen.saturating_add(1);
        let least = (1e-4 * self.mean.abs()).max(f64::MIN_POSITIVE);
        let deviation = self.variance.deviation().max(least);
        let mean = self.mean;
        let z = ((value - mean) / deviation).clamp(-CLIP, CLIP);
        self.learn(value);
        if !ready {
            return Score::warming_up();
        }
        side(&mut self.up, &mut self.since_up, z, value);
        side(&mut self.down, &mut self.since_down, -z, value);
        let sum = self.up.max(self.down);
        let score = score_of_deviations(2.5 * sum / DECISION);
        let shifted = sum >= DECISION;
        if shifted {
            let since = if self.up >= self.down { self.since_up } else { self.since_down };
            self.move_to(since);
        }
        let reason = if shifted { Reason::Shift } else { Reason::Usual };
        Score::new(score, reason).expecting(mean - 2.5 * deviation, mean + 2.5 * deviation)
    }

    fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.mean);
        self.variance.carry(tape);
        tape.integer(&mut self.at_level);
        tape.integer(&mut self.seen);
        tape.number(&mut self.up);
        tape.number(&mut self.down);
        for (sum, count) in [&mut self.since_up, &mut self.since_down] {
            tape.number(sum);
            tape.number(count);
        }
    }

    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }

    fn state_bytes(&self) -> usize {
        size_of::<Self>()
    }
}
