//! One signal at five time scales.

use super::record::{Record, forgetting};
use crate::detect::{Reason, Tape};

/// Spans of the moving means, in samples; the first is the signal itself.
const SPANS: [f64; 5] = [1.0, 5.0, 20.0, 80.0, 320.0];

/// Share of the mean step from sample to sample that counts as noise in the signal itself; a mean
/// over `span` samples has less by the root of it.
const NOISE: f64 = 0.8;

/// What the terms of one sample have in common: it depends on how much of the series was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age {
    /// How much each time scale may say: half after three spans. A mean over `span` samples takes
    /// as many to tell its next independent number, and one that has told three or four breaks a
    /// record by chance most of the time.
    pub(super) says: [f64; 5],
    /// What records forget per sample.
    pub(super) forgetting: f64,
}

impl Age {
    #[inline]
    pub(super) fn new(seen: u64) -> Self {
        let says = SPANS.map(|span| seen as f64 / (seen as f64 + 3.0 * (span - 1.0)));
        Self { says, forgetting: forgetting(seen) }
    }
}

/// Exponential moving means of a signal and the differences of neighbouring ones, each with its
/// [`Record`]: nine terms. A spike shows at the fast end, a shift or a drift at the slow one; a
/// difference of two means (the MACD of chart readers) sees a change that leaves the range as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ladder {
    means: [f64; 5],
    levels: [Record; 5],
    steps: [Record; 4],
    /// Mean step from one sample to the next, over the longest span.
    step: f64,
    /// Samples since the start or the last gap.
    since: u64,
    after_gap: bool,
}

impl Ladder {
    /// Adds what each term says to the evidence for its reason. `grain` as for [`Record`].
    #[inline]
    pub(super) fn observe(
        &mut self,
        signal: f64,
        grain: f64,
        age: &Age,
        mut found: impl FnMut(Reason, f64),
    ) {
        self.since = self.since.saturating_add(1);
        let fill = 1.0 / self.since as f64;
        let noise = NOISE * self.step;
        if self.since > 1 {
            let step = (signal - self.means[0]).abs();
            let weight = (2.0 / (SPANS[4] + 1.0)).max(1.0 / (self.since - 1) as f64);
            self.step += weight * (step - self.step);
        }
        for (mean, span) in self.means.iter_mut().zip(SPANS) {
            *mean += (2.0 / (span + 1.0)).max(fill) * (signal - *mean);
        }
        let means = self.means.iter().zip(SPANS).zip(age.says);
        for (((&mean, span), say), level) in means.zip(&mut self.levels) {
            if self.after_gap && fill > 2.0 / span {
                return;
            }
            let reason = if span < 20.0 { Reason::Record } else { Reason::Shift };
            found(reason, say * level.observe(mean, grain, noise / span.sqrt(), age.forgetting));
        }
        let pairs = self.means.iter().zip(self.means.iter().skip(1)).zip(SPANS);
        for ((((fast, slow), span), say), step) in
            pairs.zip(age.says.iter().skip(1)).zip(&mut self.steps)
        {
            let reason = if span < 20.0 { Reason::Change } else { Reason::Shift };
            found(
                reason,
                say * step.observe(fast - slow, grain, noise / span.sqrt(), age.forgetting),
            );
        }
    }

    /// Compares nothing across a gap: the means start anew, and until one is filled its terms keep
    /// silent. The records stay.
    pub(super) fn interrupt(&mut self) {
        self.since = 0;
        self.after_gap = true;
    }

    /// Whether counts this small could have come out like this by chance: at no time scale is the
    /// mean three deviations of a Poisson count from the slowest one. Of events so rare, one more
    /// says nothing, whatever record it is.
    pub(super) fn within_chance(&self) -> bool {
        let level = self.level();
        let variance = level.abs() + 1.0;
        self.means.iter().zip(SPANS).all(|(mean, span)| {
            let off = mean - level;
            off * off * span < 9.0 * variance
        })
    }

    /// The slowest mean.
    pub(super) fn level(&self) -> f64 {
        self.means[4]
    }

    /// Lowest and highest that the signal itself is remembered to have been.
    pub(super) fn range(&self) -> (f64, f64) {
        self.levels[0].range()
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.numbers(&mut self.means);
        self.levels.iter_mut().chain(&mut self.steps).for_each(|record| record.carry(tape));
        tape.number(&mut self.step);
        tape.integer(&mut self.since);
        tape.flag(&mut self.after_gap);
    }
}
