//! A single odd sample, where single odd samples are usual.
//!
//! A training step that waits for its next file, a tick in which the scheduler was elsewhere: one
//! sample far off, and the next as if nothing had been. Each is a record now and then, since such
//! disturbances have heavy tails, and none is worth an alert. A series that has shown them is not
//! believed one odd sample before the next one agrees.

use crate::detect::Tape;

/// A step this many times larger than usual makes a sample odd.
const ODD: f64 = 4.0;
/// It was a blip if the sample after it is back, but for this share of the step.
const BACK: f64 = 0.3;
/// What goes as many times further than any blip remembered is heard at once.
const LARGER: f64 = 3.0;
/// Share of the size of blips that is forgotten per sample.
const FORGETTING: f64 = 1.0 / 1000.0;
/// Span over which the usual step is averaged.
const SPAN: f64 = 80.0;
/// Samples after which a larger step counts for no more than…
const KNOWN: u64 = 20;
/// …this many usual ones, so that blips do not hide blips.
const CLIPPED: f64 = 3.0;
/// So does it where all stood still, in units of the logarithm.
const LEAST: f64 = 1e-6;

/// Holds back the evidence of a single odd sample until the next one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blips {
    /// The last two samples, and their logarithms: oddness is told by ratio, size by difference.
    samples: [f64; 2],
    logarithms: [f64; 2],
    seen: u64,
    usual: f64,
    /// Size of the largest blip remembered; 0 as long as there was none.
    size: f64,
    held: f64,
}

impl Blips {
    /// The evidence to judge now: as it came, or none as long as it is held back, or what was held
    /// back if this sample confirms it.
    #[inline]
    pub(super) fn filter(&mut self, value: f64, logarithm: f64, evidence: f64) -> f64 {
        let [before, last] = self.samples;
        let [log_before, log_last] = self.logarithms;
        let (step, went) = (logarithm - log_last, log_last - log_before);
        self.samples = [last, value];
        self.logarithms = [log_last, logarithm];
        self.seen = self.seen.saturating_add(1);
        if self.seen <= 2 {
            return evidence;
        }
        let odd = ODD * self.usual;
        self.learn(step.abs());
        self.size *= 1.0 - FORGETTING;
        let back = went.abs() > odd && (logarithm - log_before).abs() < BACK * went.abs();
        if back {
            self.size = self.size.max((last - before).abs());
        }
        if self.held > 0.0 {
            let held = std::mem::take(&mut self.held);
            // The way back belongs to the blip.
            return if back { 0.0 } else { evidence.max(held) };
        }
        if step.abs() > odd && (value - last).abs() < LARGER * self.size {
            self.held = evidence;
            return 0.0;
        }
        evidence
    }

    fn learn(&mut self, step: f64) {
        let most = match self.seen {
            ..=KNOWN => f64::MAX,
            _ => CLIPPED * self.usual.max(LEAST),
        };
        let weight = (2.0 / (SPAN + 1.0)).max(1.0 / self.seen as f64);
        self.usual += weight * (step.min(most) - self.usual);
    }

    /// The next sample is compared with none before it; how large blips are is still known.
    pub(super) fn interrupt(&mut self) {
        *self = Self { size: self.size, ..Self::default() };
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.numbers(&mut self.samples);
        tape.numbers(&mut self.logarithms);
        tape.integer(&mut self.seen);
        tape.number(&mut self.usual);
        tape.number(&mut self.size);
        tape.number(&mut self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is let through of evidence 1 for each of `tail`, after noise with as many blips of 9.
    fn let_through(blips: usize, tail: &[f64]) -> Vec<f64> {
        let mut filter = Blips::default();
        for i in 0..400 {
            let blip = i >= 100 && i % 50 == 0 && (i - 100) / 50 < blips;
            let value = 10.0 + 0.1 * f64::from(i as u32 % 3) + if blip { 9.0 } else { 0.0 };
            let _ = filter.filter(value, value.ln(), 0.0);
        }
        tail.iter().map(|value| filter.filter(*value, value.ln(), 1.0)).collect()
    }

    #[test]
    fn the_first_blip_is_heard_at_once() {
        assert_eq!(let_through(0, &[21.0]), [1.0]);
    }

    #[test]
    fn a_usual_blip_is_not_heard_at_all() {
        assert_eq!(let_through(2, &[21.0, 10.1]), [0.0, 0.0]);
    }

    #[test]
    fn what_stays_is_heard_one_sample_later() {
        assert_eq!(let_through(2, &[21.0, 20.0, 20.0]), [0.0, 1.0, 1.0]);
    }

    #[test]
    fn what_is_much_larger_than_any_blip_is_heard_at_once() {
        assert_eq!(let_through(2, &[60.0]), [1.0]);
    }
}
