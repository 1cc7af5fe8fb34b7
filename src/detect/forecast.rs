//! How far from where the series was heading.
//!
//! The additive method of C. C. Holt (1957) and P. R. Winters (1960), with the damped trend of
//! E. S. Gardner and E. McKenzie ("Forecasting trends in time series", Management Science 31,
//! 1985). The season is a profile of the day or the week, and only used once it explains the
//! series better than none.

use std::time::Duration;

use super::cadence::Cadence;
use super::profile::Season;
use super::variance::Variance;
use super::{Detector, Reason, Score, Tape, WARM_UP, finite, score_of_deviations};

/// Weights of the newest sample in level and trend; what remains of a trend after each step.
const LEVEL: f64 = 0.2;
const TREND: f64 = 0.02;
const DAMPING: f64 = 0.98;
/// Samples over which the errors' variance is averaged.
const MEMORY: f64 = 1000.0;
/// An error counts as at most so many deviations when level and variance learn from it.
const CLIP: f64 = 4.0;

/// The error of a one-step forecast, in standard deviations of all such errors.
///
/// Needs no word on seasons: whether there is a daily or a weekly one is found out from the times.
/// Costs about 40 ns; the state is about 200 bytes, and 2 KB more while a season is kept or looked
/// for.
///
/// ```
/// use std::time::Duration;
/// use nissa::detect::{Detector, Forecast};
///
/// let mut detector = Forecast::default();
/// let quarter = |i: u64| Duration::from_secs(900 * i);
/// let usual = |i: u64| 100.0 + 50.0 * (i as f64 / 96.0 * std::f64::consts::TAU).sin();
/// for i in 0..96 * 10 {
///     let _ = detector.observe(usual(i) + (i % 3) as f64, quarter(i));
/// }
/// // At midnight 100 is as usual; at six in the morning it is not.
/// assert!(!detector.clone().observe(101.0, quarter(960)).is_anomalous());
/// for i in 960..984 {
///     let _ = detector.observe(usual(i) + (i % 3) as f64, quarter(i));
/// }
/// assert!(detector.observe(101.0, quarter(984)).is_anomalous());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Forecast {
    season: Season,
    cadence: Cadence,
    level: f64,
    trend: f64,
    /// Whether `level` is that of the series or of its distance from the season.
    seasonal: bool,
    errors: Variance,
    seen: u64,
}

impl Forecast {
    fn learn(&mut self, error: f64, deviation: f64) {
        let known = self.seen > u64::from(WARM_UP);
        let limit = if known { CLIP * deviation } else { f64::MAX };
        let clipped = error.clamp(-limit, limit);
        let fill = 1.0 / self.seen as f64;
        let before = self.level;
        self.level += DAMPING * self.trend + LEVEL.max(fill) * error;
        self.trend *= DAMPING;
        self.trend += TREND * (self.level - before - self.trend);
        self.errors.average(clipped, (1.0 / MEMORY).max(fill));
    }
}

impl Detector for Forecast {
    fn name(&self) -> &'static str {
        "forecast"
    }

    fn observe(&mut self, value: f64, at: Duration) -> Score {
        let ready = self.seen >= u64::from(WARM_UP);
        let Some(value) = finite(value) else { return Score::not_finite(ready) };
        self.seen = self.seen.saturating_add(1);
        let usual = self.season.observe(value, at).filter(|seasonal| seasonal.real);
        let base = usual.map_or(0.0, |seasonal| seasonal.expected);
        let gap = self.cadence.observe(at);
        if gap || self.seasonal != usual.is_some() || self.seen == 1 {
            // Another footing: the level starts anew, and this sample is not judged by the old one.
            (self.level, self.trend, self.seasonal) = (value - base, 0.0, usual.is_some());
            let reason = if ready { Reason::Gap } else { Reason::WarmingUp };
            return Score { ready, ..Score::new(0.0, reason) };
        }
        let forecast = base + self.level + DAMPING * self.trend;
        let error = value - forecast;
        let least = (1e-4 * forecast.abs()).max(f64::MIN_POSITIVE);
        let deviation = self.errors.deviation().max(least);
        self.learn(error, deviation);
        if !ready {
            return Score::warming_up();
        }
        let distance = error.abs() / deviation;
        let reason = match (distance >= 2.5, self.seasonal) {
            (false, _) => Reason::Usual,
            (true, true) => Reason::Season,
            (true, false) => Reason::Forecast,
        };
        Score::new(score_of_deviations(distance), reason)
            .expecting(forecast - 2.5 * deviation, forecast + 2.5 * deviation)
    }

    fn skip(&mut self, at: Duration) {
        let _ = self.cadence.observe(at);
    }

    fn carry(&mut self, tape: &mut Tape) {
        self.season.carry(tape);
        self.cadence.carry(tape);
        tape.number(&mut self.level);
        tape.number(&mut self.trend);
        tape.flag(&mut self.seasonal);
        self.errors.carry(tape);
        tape.integer(&mut self.seen);
    }

    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }

    fn state_bytes(&self) -> usize {
        size_of::<Self>() + self.season.heap_bytes()
    }
}
