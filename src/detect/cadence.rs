//! Whether samples come as they use to, or after a gap.

use std::time::Duration;

use super::Tape;

/// Share by which the longest step is forgotten per sample.
const FORGETTING: f64 = 1.0 / 5000.0;
/// A step this many times longer than the longest remembered one is a gap.
const GAP: f64 = 8.0;
/// Steps to have seen before one can be called a gap.
const KNOWN: u64 = 10;

/// Span over which the usual step is averaged; a longer one counts as twice the usual, so that a
/// night without samples does not change it.
const SPAN: f64 = 50.0;

/// Knows the longest usual step from one sample to the next.
///
/// The longest, not the mean: a training loop that pauses to evaluate after each epoch pauses as
/// usual from the second time on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cadence {
    last: f64,
    longest: f64,
    usual: f64,
    steps: u64,
}

impl Cadence {
    /// Whether a gap lies between the last sample and this one. A clock that was set back makes
    /// none.
    #[inline]
    pub(super) fn observe(&mut self, at: Duration) -> bool {
        let at = at.as_secs_f64();
        let step = (at - self.last).max(0.0);
        self.last = at;
        self.steps = self.steps.saturating_add(1);
        if self.steps <= 1 {
            return false;
        }
        let gap = self.steps > KNOWN && self.longest > 0.0 && step > GAP * self.longest;
        self.longest = (self.longest * (1.0 - FORGETTING)).max(step);
        self.usual = match self.usual > 0.0 {
            true => self.usual + (step.min(2.0 * self.usual) - self.usual) / SPAN,
            false => step,
        };
        gap
    }

    /// The usual step in seconds; 0 until there were two samples at different times.
    pub(super) fn usual(&self) -> f64 {
        self.usual
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.last);
        tape.number(&mut self.longest);
        tape.number(&mut self.usual);
        tape.integer(&mut self.steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut cadence = Cadence::default();
        let gap = |&at: &u64| cadence.observe(Duration::from_millis(at));
        times.into_iter().filter(gap).collect()
    }

    #[test]
    fn a_night_without_samples_is_a_gap() {
        let day = (0..100).map(|i| i * 1000);
        assert_eq!(gaps(day.clone().chain(day.map(|at| at + 50_000_000))), [50_000_000]);
    }

    #[test]
    fn pauses_that_come_again_and_again_are_usual() {
        let epochs = (0..5).flat_map(|epoch| (0..100).map(move |i| epoch * 10_000 + i));
        assert_eq!(gaps(epochs), [10_000]);
    }

    #[test]
    fn the_usual_step_does_not_know_of_nights() {
        let mut cadence = Cadence::default();
        for at in (0..100).chain(50_000..50_010) {
            let _ = cadence.observe(Duration::from_secs(at));
        }
        assert!((1.0..1.1).contains(&cadence.usual()));
    }

    #[test]
    fn a_clock_set_back_makes_no_gap() {
        let back = (0..50).map(|i| 1_000_000 + i * 10).chain((0..50).map(|i| i * 10));
        assert_eq!(gaps(back), [0; 0]);
    }
}
