//! How far a signal exceeds everything it remembers.

use crate::detect::Tape;

/// Share of the range that is forgotten per sample, from both ends, by a series of up to 10,000
/// samples: a peak may count again after about as many.
const QUICKEST: f64 = 1e-4;
/// The same for a series of 100,000 samples and more. Were it the quicker one for ever, the noise of
/// a series that is sampled each second would beat its own records every ten minutes.
const SLOWEST: f64 = 1e-5;

/// What is forgotten per sample after `seen` of them: `1 / seen`, within limits.
pub(super) fn forgetting(seen: u64) -> f64 {
    (1.0 / seen.max(1) as f64).clamp(SLOWEST, QUICKEST)
}

/// Excess, in ranges, at which a term counts half. Small, so that a term says little more than
/// "beyond everything", and none drowns the others.
const HALF: f64 = 0.08;

/// The highest and the lowest of a signal, slowly forgotten.
///
/// Why extremes, not a mean and a deviation: what alarms on mean and deviation alarms at every
/// peak of a signal with heavy tails; a record alarms once and then knows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    high: f64,
    low: f64,
    known: bool,
}

impl Record {
    /// How far beyond its range the signal is, from 0 to 1; then learns it. `grain` is what counts
    /// as the least range, so that the last digit of a number that stood still is no record; `noise`
    /// by how much it may exceed its range by chance.
    #[inline]
    pub(super) fn observe(&mut self, signal: f64, grain: f64, noise: f64, forgetting: f64) -> f64 {
        if !self.known {
            *self = Self { high: signal, low: signal, known: true };
            return 0.0;
        }
        let over = (signal - self.high).max(self.low - signal).max(0.0);
        let range = (self.high - self.low).max(grain);
        let forgotten = forgetting * (self.high - self.low);
        self.high = (self.high - forgotten).max(signal);
        self.low = (self.low + forgotten).min(signal);
        // The division below must stay defined where nothing has any size at all.
        over / (over + HALF * range + noise).max(f64::MIN_POSITIVE)
    }

    /// Lowest and highest remembered.
    pub(super) fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.high);
        tape.number(&mut self.low);
        tape.flag(&mut self.known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_once() {
        let mut record = Record::default();
        for i in 0..100 {
            let _ = record.observe(f64::from(i % 10), 0.0, 0.0, 1e-4);
        }
        assert!(record.observe(30.0, 0.0, 0.0, 1e-4) > 0.9);
        assert_eq!(record.observe(30.0, 0.0, 0.0, 1e-4), 0.0);
        assert_eq!(record.observe(29.0, 0.0, 0.0, 1e-4), 0.0);
    }

    #[test]
    fn what_noise_may_do_counts_less() {
        let says = |noise| {
            let mut record = Record::default();
            for i in 0..100 {
                let _ = record.observe(f64::from(i % 10), 0.0, noise, 1e-4);
            }
            record.observe(10.0, 0.0, noise, 1e-4)
        };
        assert!(says(0.0) > 0.55 && says(3.0) < 0.25);
    }

    #[test]
    fn the_last_digit_of_a_constant_is_no_record() {
        let mut record = Record::default();
        for _ in 0..100 {
            assert_eq!(record.observe(1e9, 1e5, 0.0, 1e-4), 0.0);
        }
        assert!(record.observe(1e9 + 1.0, 1e5, 0.0, 1e-4) < 0.01);
    }
}
