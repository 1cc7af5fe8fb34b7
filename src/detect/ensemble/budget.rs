//! One alert per event, and fewer where alerts are frequent.

use crate::detect::{Tape, score_of_deviations};

/// Evidence that makes an alert, in terms that speak up in full, on a series of long standing.
const THRESHOLD: f64 = 1.2;
/// A young series knows few of its habits: the threshold is as many times higher as this number
/// is above the number of samples seen.
const YOUTH: f64 = 200.0;
/// Each alert raises the threshold by this share of the first one…
const RAISE: f64 = 0.5;
/// …up to this many…
const HIGHEST: f64 = 8.0;
/// …which relaxes by this share per sample.
const RELAX: f64 = 1.0 / 500.0;
/// Samples after an alert that belong to the same event.
const EVENT: u32 = 60;
/// What a sample scores at most while it belongs to an event that has been told.
const TOLD: f64 = 0.45;

/// Turns evidence into a score.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    raised: f64,
    told: u32,
}

impl Budget {
    /// The score of so much evidence after `seen` samples; at `threshold` or above it is an alert,
    /// and what follows is scored accordingly.
    #[inline]
    pub(super) fn score(&mut self, evidence: f64, seen: u64, threshold: f64) -> f64 {
        self.raised *= 1.0 - RELAX;
        let needed = THRESHOLD * (1.0 + self.raised.min(HIGHEST) + YOUTH / seen.max(1) as f64);
        let score = score_of_deviations(2.5 * evidence / needed);
        if self.told > 0 {
            self.told -= 1;
            return score.min(TOLD.min(threshold * 0.9));
        }
        if score >= threshold {
            self.told = EVENT;
            self.raised += RAISE;
        }
        score
    }

    /// What follows belongs to an event that is known without an alert.
    pub(super) fn begin_event(&mut self) {
        self.told = EVENT;
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.raised);
        let mut told = self.told as usize;
        tape.index(&mut told, EVENT as usize + 1);
        self.told = told as u32;
    }
}
