//! What came before and was survived is no news when it returns.
//!
//! A batch that is three times as hard as the others comes once in every epoch; texts of one
//! length come in blocks, and each block is slow. The first of them cannot be told from a fault.
//! The others can: the run has lived through one of that size and length, and gone on as before.
//! What is larger, or lasts longer, is news again, so a run that diverges after a hundred harmless
//! spikes is noticed like any other.
//!
//! Not a budget that makes each alert dearer, which the default ensemble has: it would be spent
//! on what is harmless, and raise the bar for what is not.

use crate::detect::Tape;

/// Ordinary values after which an event is over, and survived.
const QUIET: u64 = 20;
/// Values after which one that did not return is forgotten.
const MEMORY: u64 = 1_000;
/// How much further out, and how much longer, is the same.
const FURTHER: f64 = 1.25;
const LONGER: u64 = 2;
/// How much of the way to a smaller event the largest one sinks, so that what was usual early in a
/// run is not for ever.
const SINKS: f64 = 0.3;

/// The largest and longest event that was survived.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Events after which their like is known.
    after: u64,
    events: u64,
    height: f64,
    length: u64,
    /// Values since anything was out.
    quiet: u64,
    /// The event that is going on: how high it came, and how many values of it were out.
    peak: f64,
    out: u64,
}

impl Known {
    /// What was survived so many times is known.
    pub(super) fn after(events: u64) -> Self {
        let none = f64::NEG_INFINITY;
        Self { after: events, events: 0, height: none, length: 0, quiet: 0, peak: none, out: 0 }
    }

    /// Whether this value is out, and news; how far out is measured from `base`. To be asked of
    /// every value, ordinary ones included, which are `None`.
    pub(super) fn is_news(&mut self, at: Option<f64>, base: f64) -> bool {
        let Some(at) = at else {
            self.rest();
            return false;
        };
        self.quiet = 0;
        self.peak = self.peak.max(at);
        self.out = self.out.saturating_add(1);
        let like = at - base <= FURTHER * (self.height - base);
        let brief = self.out <= self.length.saturating_add(1).saturating_mul(LONGER);
        !(self.events >= self.after && like && brief)
    }

    fn rest(&mut self) {
        self.quiet = self.quiet.saturating_add(1);
        if self.out > 0 && self.quiet >= QUIET {
            self.events = self.events.saturating_add(1);
            self.height = match self.height > self.peak {
                true => self.height - SINKS * (self.height - self.peak),
                false => self.peak,
            };
            self.length = self.length.max(self.out);
            (self.peak, self.out) = (f64::NEG_INFINITY, 0);
        }
        if self.quiet >= MEMORY {
            self.forget();
        }
    }

    pub(super) fn forget(&mut self) {
        *self = Self::after(self.after);
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        let Self { after: _, events, height, length, quiet, peak, out } = self;
        [events, length, quiet, out].into_iter().for_each(|number| tape.integer(number));
        [height, peak].into_iter().for_each(|number| tape.number(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(known: &mut Known, values: u64) {
        (0..values).for_each(|_| assert!(!known.is_news(None, 0.0)));
    }

    #[test]
    fn what_returns_is_no_news_and_what_is_worse_is() {
        let mut known = Known::after(1);
        assert!(known.is_news(Some(3.0), 0.0));
        // Not over yet.
        rest(&mut known, QUIET - 1);
        assert!(known.is_news(Some(3.0), 0.0));
        for _ in 0..50 {
            rest(&mut known, QUIET);
            assert!(!known.is_news(Some(3.5), 0.0));
        }
        rest(&mut known, QUIET);
        assert!(known.is_news(Some(5.0), 0.0), "higher");
        rest(&mut known, QUIET);
        let news: Vec<bool> = (0..20).map(|_| known.is_news(Some(3.0), 0.0)).collect();
        assert_eq!(news.iter().position(|news| *news), Some(6), "longer than twice two, and two");
        rest(&mut known, MEMORY);
        assert!(known.is_news(Some(3.0), 0.0), "forgotten");
    }

    #[test]
    fn it_may_have_to_come_more_often() {
        let mut known = Known::after(3);
        for _ in 0..3 {
            assert!(known.is_news(Some(1.0), 0.0));
            rest(&mut known, QUIET);
        }
        assert!(!known.is_news(Some(1.0), 0.0));
    }
}
