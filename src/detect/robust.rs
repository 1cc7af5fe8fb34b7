//! How far from the median, measured by what half of the samples do.
//!
//! Two classics: the modified z-score of B. Iglewicz and D. Hoaglin ("How to Detect and Handle
//! Outliers", ASQC 1993), `0.6745 |x − median| / MAD`, and J. W. Tukey's fences ("Exploratory
//! Data Analysis", 1977), the distance beyond a quartile in interquartile ranges. Up to half of
//! the window may be outliers without hiding the next one.

use std::time::Duration;

use super::window::Window;
use super::{Detector, Reason, Score, Tape, WARM_UP, finite, score_of_deviations};

/// Standard deviations per MAD, and per interquartile range, of a normal distribution.
const PER_MAD: f64 = 1.4826;
const PER_IQR: f64 = 0.7413;
/// Standard deviations from the median to a quartile.
const QUARTILE: f64 = 0.6745;
/// Standard deviations per mean distance from the median.
const PER_MEAN_DISTANCE: f64 = 1.2533;

/// Median and MAD, or quartiles and IQR, over an exact sliding window.
///
/// Where more than half of the window is nearly one value, MAD and IQR are next to zero and every
/// other value would be infinitely far off; the mean distance takes their place if it is larger, as
/// Iglewicz and Hoaglin advise for zero.
/// Costs O(log² n) and O(log n); the state is 24 bytes per sample of the window.
///
/// ```
/// use std::time::Duration;
/// use nissa::detect::{Detector, Robust};
///
/// let mut detector = Robust::iqr(200);
/// for second in 0..300 {
///     // One sample is far off, and yet the others are known for what they are.
///     let value = if second == 150 { 1000.0 } else { (second % 7) as f64 };
///     let _ = detector.observe(value, Duration::from_secs(second));
/// }
/// let score = detector.observe(50.0, Duration::from_secs(300));
/// assert!(score.is_anomalous());
/// assert_eq!(score.reason.to_string(), "outside its usual range");
/// ```
#[derive(Clone, Debug)]
pub struct Robust {
    window: Window,
    by: By,
    /// Mean distance from the median, over as many samples as the window has.
    distance: f64,
    seen: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Mad,
    Iqr,
}

impl Default for Robust {
    /// Median and MAD over 1,000 samples.
    fn default() -> Self {
        Self::mad(1000)
    }
}

impl Robust {
    /// By median and MAD of the last `samples`, at least 10 and at most 65,536.
    pub fn mad(samples: usize) -> Self {
        Self { window: Window::new(samples), by: By::Mad, distance: 0.0, seen: 0 }
    }

    /// By the quartiles of the last `samples`, at least 10 and at most 65,536.
    pub fn iqr(samples: usize) -> Self {
        Self { by: By::Iqr, ..Self::mad(samples) }
    }

    /// Where the sample is expected, and what counts as one standard deviation.
    fn expected(&self) -> (f64, f64, f64) {
        let median = self.window.quantile(0.5);
        let least = (1e-4 * median.abs()).max(f64::MIN_POSITIVE);
        let stand_in = PER_MEAN_DISTANCE * self.distance;
        match self.by {
            By::Mad => {
                let deviation = PER_MAD * self.window.median_distance(median);
                (median, median, deviation.max(stand_in).max(least))
            }
            By::Iqr => {
                let (low, high) = (self.window.quantile(0.25), self.window.quantile(0.75));
                let deviation = (PER_IQR * (high - low)).max(stand_in).max(least);
                (low + QUARTILE * deviation, high - QUARTILE * deviation, deviation)
            }
        }
    }
}

impl Detector for Robust {
    fn name(&self) -> &'static str {
        match self.by {
            By::Mad => "mad",
            By::Iqr => "iqr",
        }
    }

    fn observe(&mut self, value: f64, _at: Duration) -> Score {
        let ready = self.seen >= u64::from(WARM_UP);
        let Some(value) = finite(value) else { return Score::not_finite(ready) };
        let (low, high, deviation) = self.expected();
        let off = (value - high).max(low - value).max(0.0);
        self.window.push(value);
        self.seen = self.seen.saturating_add(1);
        let middle = 0.5 * (low + high);
        let weight = 1.0 / self.window.len().max(1) as f64;
        self.distance += weight * ((value - middle).abs() - self.distance);
        if !ready {
            return Score::warming_up();
        }
        let distance = off / deviation;
        let reason = if distance >= 2.5 { Reason::Range } else { Reason::Usual };
        Score::new(score_of_deviations(distance), reason)
            .expecting(low - 2.5 * deviation, high + 2.5 * deviation)
    }

    fn carry(&mut self, tape: &mut Tape) {
        self.window.carry(tape);
        tape.number(&mut self.distance);
        tape.integer(&mut self.seen);
    }

    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }

    fn state_bytes(&self) -> usize {
        size_of::<Self>() + self.window.heap_bytes()
    }
}
