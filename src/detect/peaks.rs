//! Whether a peak lies beyond the tail of all peaks.
//!
//! By the theorem of J. Pickands ("Statistical inference using extreme order statistics", Annals
//! of Statistics 3, 1975) the excesses over a high threshold follow a generalised Pareto
//! distribution; with shape zero, which the short excess of bounded memory cannot tell from others,
//! it is exponential: `P(X > u + e) = P(X > u) exp(−e / β)`. As SPOT does (A. Siffer and others,
//! "Anomaly detection in streams with extreme value theory", KDD 2017), but with a threshold that
//! follows the signal, and of the difference of two moving means, so that a level is no peak.

use std::time::Duration;

use super::{Detector, Reason, Score, Tape, WARM_UP, finite, score_of_deviations};

/// Share of samples that are peaks, above or below.
const PEAKS: f64 = 0.02;
/// Natural logarithm of the rarity that scores one half: one sample in 20,000.
const RARE: f64 = 9.9;
/// Peaks over which their mean excess is averaged.
const MEMORY: f64 = 50.0;
/// Spans of the two means whose difference is judged.
const FAST: f64 = 3.0;
const SLOW: f64 = 30.0;

/// How improbable the sample's peak is, going by all the peaks there were.
///
/// One half is a peak such as one sample in 20,000 shows. Costs about 20 ns; the state is 80 bytes.
///
/// ```
/// use std::time::Duration;
/// use nissa::detect::{Detector, Peaks};
///
/// let mut detector = Peaks::default();
/// let mut at = Duration::ZERO;
/// for step in 0..2000 {
///     at += Duration::from_secs(1);
///     let peak = if step % 40 == 0 { 5.0 } else { 0.0 };
///     let score = detector.observe((step as f64).sin() + peak, at);
///     assert!(!score.is_anomalous());
/// }
/// assert!(detector.observe(60.0, at).is_anomalous());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Peaks {
    fast: f64,
    slow: f64,
    /// The signal's mean size, which the threshold's steps are measured by.
    size: f64,
    threshold: f64,
    excess: f64,
    peaks: u64,
    seen: u64,
}

impl Detector for Peaks {
    fn name(&self) -> &'static str {
        "peaks"
    }

    #[inline]
    fn observe(&mut self, value: f64, _at: Duration) -> Score {
        let ready = self.seen >= u64::from(WARM_UP);
        let Some(value) = finite(value) else { return Score::not_finite(ready) };
        self.seen = self.seen.saturating_add(1);
        let fill = 1.0 / self.seen as f64;
        self.fast += (2.0 / (FAST + 1.0)).max(fill) * (value - self.fast);
        self.slow += (2.0 / (SLOW + 1.0)).max(fill) * (value - self.slow);
        let signal = (self.fast - self.slow).abs();
        let (threshold, least) = (self.threshold, (1e-4 * self.slow.abs()).max(f64::MIN_POSITIVE));
        let excess = self.excess.max(0.1 * threshold).max(least);
        let over = (signal - threshold).max(0.0);
        self.learn(signal, over, excess);
        if !ready {
            return Score::warming_up();
        }
        let rarity = if over > 0.0 { -PEAKS.ln() + over / excess } else { 0.0 };
        let reason = if rarity >= RARE { Reason::Peak } else { Reason::Usual };
        let farthest = threshold + excess * (RARE + PEAKS.ln());
        Score::new(score_of_deviations(2.5 * rarity / RARE), reason)
            .expecting(self.slow - farthest, self.slow + farthest)
    }

    fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.fast);
        tape.number(&mut self.slow);
        tape.number(&mut self.size);
        tape.number(&mut self.threshold);
        tape.number(&mut self.excess);
        tape.integer(&mut self.peaks);
        tape.integer(&mut self.seen);
    }

    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }

    fn state_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Peaks {
    /// The threshold climbs a little after each peak and sinks a little after every other sample,
    /// so that the share of peaks comes out right (stochastic approximation of a quantile, H.
    /// Robbins and S. Monro 1951). Excesses beyond five times the mean do not count in full: the
    /// anomaly itself must not make the next one usual.
    fn learn(&mut self, signal: f64, over: f64, excess: f64) {
        let weight = (1.0 / self.seen as f64).max(1e-3);
        let known = if self.seen > u64::from(WARM_UP) { 5.0 * self.threshold } else { f64::MAX };
        self.size += weight * (signal.min(known) - self.size);
        if self.seen <= u64::from(WARM_UP) {
            self.threshold = self.threshold.max(signal);
            return;
        }
        let step = 0.05 * self.size;
        self.threshold += if over > 0.0 { step * (1.0 - PEAKS) } else { -step * PEAKS };
        self.threshold = self.threshold.max(0.0);
        if over > 0.0 {
            self.peaks = self.peaks.saturating_add(1);
            let weight = (1.0 / self.peaks as f64).max(1.0 / MEMORY);
            self.excess += weight * (over.min(5.0 * excess) - self.excess);
        }
    }
}
