//! How finely the past is kept: the further back, the coarser.
//!
//! ```text
//! tick      every tick as it was                            recent
//! fine      the last sample of every resolution step        retention
//! minutes   min, max, mean, last, count of 30 of those      4 x retention
//! hours     the same of 360                                 52 x retention
//! ```
//!
//! Ticks wait for a few others, and are then compressed and added to all coarser tiers at once.

use std::time::Duration;

/// A tier, finest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    Tick = 0,
    Fine = 1,
    Minutes = 2,
    Hours = 3,
}

impl Tier {
    pub(super) const ALL: [Self; 4] = [Self::Tick, Self::Fine, Self::Minutes, Self::Hours];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Fine => "fine",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its part of the budget, in hundredths. It may take more for as long as others take less.
    pub(super) fn share(self) -> u64 {
        match self {
            Self::Tick => 20,
            Self::Fine => 50,
            Self::Minutes => 20,
            Self::Hours => 10,
        }
    }

    /// Samples of a closed block. Packing loses a tenth on shorter ones, and longer ones leave more
    /// of the budget to what is not packed yet. Ticks are not packed: they go soon.
    pub(super) const fn samples(self) -> usize {
        match self {
            Self::Tick => 256,
            Self::Fine => 1_024,
            Self::Minutes => 128,
            Self::Hours => 64,
        }
    }
}

/// A length of time for each tier, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiers {
    /// From one position to the next; a tick's positions are its numbers.
    steps: [u64; 4],
    keeps: [u64; 4],
}

impl Tiers {
    pub(super) fn new(resolution: Duration, recent: Duration, retention: Duration) -> Self {
        let step = millis(resolution).max(1);
        let keep = millis(retention);
        Self {
            steps: [1, step, step.saturating_mul(30), step.saturating_mul(360)],
            keeps: [millis(recent), keep, keep.saturating_mul(4), keep.saturating_mul(52)],
        }
    }

    pub(super) fn step(&self, tier: Tier) -> u64 {
        self.steps[tier as usize]
    }

    /// How far back it reaches if there is room.
    pub(super) fn keep(&self, tier: Tier) -> u64 {
        self.keeps[tier as usize]
    }

    /// The position of a moment. A position stands for the step that ends at its [time](Self::time).
    #[inline]
    pub(super) fn position(&self, tier: Tier, time: u64) -> u64 {
        time.div_ceil(self.step(tier))
    }

    /// The moment of a position, of any tier but ticks.
    pub(super) fn time(&self, tier: Tier, position: u64) -> u64 {
        position.saturating_mul(self.step(tier))
    }
}

/// The step of a tier that times are in, as they go on: to divide for each of them would cost more
/// than to compress it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    step: u64,
    pub(super) position: u64,
    /// The end of the step.
    pub(super) end: u64,
}

impl Cursor {
    pub(super) fn new(tiers: &Tiers, tier: Tier) -> Self {
        Self { step: tiers.step(tier), position: 0, end: 0 }
    }

    /// Goes on to the step of this time, which is not before the last one.
    #[inline]
    pub(super) fn follow(&mut self, time: u64) {
        if time > self.end {
            let next = time - self.end <= self.step;
            self.position = if next { self.position + 1 } else { time.div_ceil(self.step) };
            self.end = self.position.saturating_mul(self.step);
        }
    }
}

/// Milliseconds, as all times are kept here: since the Unix epoch where they are moments.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
