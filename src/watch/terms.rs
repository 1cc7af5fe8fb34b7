//! The terms that need no level: what repeats, what makes no progress, what jumps, what is slow.

use crate::anomaly::{Found, Kind, Severity};

/// The same value over and over.
#[derive(Clone, Debug)]
pub(super) struct Stuck {
    limit: u64,
    last: f64,
    times: u64,
}

impl Stuck {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit: limit.max(2), last: f64::NAN, times: 0 }
    }

    /// Found once, when the value comes the limit-th time in a row. NaN is never the same, and
    /// has a term of its own.
    pub(super) fn judge(&mut self, value: f64) -> Option<Found> {
        self.times = if value == self.last { self.times.saturating_add(1) } else { 1 };
        self.last = value;
        (self.times == self.limit)
            .then(|| Found { steps: self.times, ..Found::certain(Kind::Stuck, Severity::Warning) })
    }
}

/// No new best for many steps.
#[derive(Clone, Debug)]
pub(super) struct Plateau {
    patience: u64,
    smooth: f64,
    best: f64,
    since: u64,
}

/// Progress is a hundredth less than the best.
const PROGRESS: f64 = 0.01;
const SMOOTHING: f64 = 1.0 / 50.0;

impl Plateau {
    pub(super) fn new(patience: u64) -> Self {
        Self { patience: patience.max(1), smooth: f64::NAN, best: f64::INFINITY, since: 0 }
    }

    /// Found once per plateau. Takes finite values.
    pub(super) fn judge(&mut self, value: f64) -> Option<Found> {
        match self.smooth.is_nan() {
            true => self.smooth = value,
            false => self.smooth += SMOOTHING * (value - self.smooth),
        }
        if self.best.is_infinite() || self.smooth < self.best - PROGRESS * self.best.abs() {
            self.best = self.smooth;
            self.since = 0;
            return None;
        }
        self.since = self.since.saturating_add(1);
        (self.since == self.patience).then(|| Found {
            usual: self.best,
            steps: self.since,
            ..Found::certain(Kind::Plateau, Severity::Info)
        })
    }
}

/// A learning rate far above the highest so far.
///
/// Schedules rise smoothly and restart at most where they were; a jump to more than twice that is
/// a mistake, and can be told before the step has done its harm.
#[derive(Clone, Debug, Default)]
pub(super) struct RateJump {
    seen: u64,
    highest: f64,
    last: f64,
}

const JUMP: f64 = 2.0;
/// A linear warm-up doubles at its second step, from zero even more.
const WARM_UP_STEPS: u64 = 20;

impl RateJump {
    /// Found for as long as the rate stays up there. Takes finite values.
    pub(super) fn judge(&mut self, rate: f64) -> Option<Found> {
        let usual = self.highest;
        let jumped = self.seen >= WARM_UP_STEPS && usual > 0.0 && rate > JUMP * usual;
        self.seen = self.seen.saturating_add(1);
        self.last = rate;
        if !jumped {
            self.highest = usual.max(rate);
            return None;
        }
        let excess = rate / (JUMP * usual);
        Some(Found {
            usual,
            low: 0.0,
            high: JUMP * usual,
            score: excess / (1.0 + excess),
            ..Found::certain(Kind::RateJump, Severity::Warning)
        })
    }

    /// The rate is meant to be what it is.
    pub(super) fn restart(&mut self) {
        self.highest = self.last;
    }
}

/// Throughput below half of what is usual, ten steps out of twelve.
///
/// Not a mean over a window: on a machine that others use too, single steps take many times as
/// long, and one of them would pull any mean below half. Nor a shorter count: such a machine slows
/// several steps in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Slowdown {
    seen: u64,
    /// Mean logarithm.
    usual: f64,
    /// The last twelve steps, a bit each: slow or not.
    slow: u16,
    steps: u64,
}

const WINDOW: u16 = (1 << 12) - 1;
const SLOW_OF_WINDOW: u32 = 10;
const SHARE: f64 = 0.5;
const USUAL_SPAN: f64 = 50.0;

impl Slowdown {
    /// Found for as long as it is slow. Takes positive, finite values.
    pub(super) fn judge(&mut self, rate: f64) -> Option<Found> {
        let slow = self.seen >= WARM_UP_STEPS && rate.ln() - self.usual < SHARE.ln();
        self.slow = ((self.slow << 1) | u16::from(slow)) & WINDOW;
        if !slow {
            self.learn(rate.ln());
        }
        let many = self.slow.count_ones() >= SLOW_OF_WINDOW;
        self.steps = match many {
            true => self.steps.saturating_add(1),
            false => u64::from(self.slow.count_ones()),
        };
        let usual = self.usual.exp();
        let excess = (SHARE * usual / rate).max(1.0);
        (many && slow).then(|| Found {
            usual,
            low: SHARE * usual,
            score: excess / (1.0 + excess),
            confidence: 0.95,
            steps: self.steps,
            ..Found::certain(Kind::Slowdown, Severity::Warning)
        })
    }

    fn learn(&mut self, at: f64) {
        match self.seen {
            0 => self.usual = at,
            seen => self.usual += (at - self.usual) / (seen as f64 + 1.0).min(USUAL_SPAN),
        }
        self.seen = self.seen.saturating_add(1);
    }

    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// After an intervention: what was slow is over.
    pub(super) fn calm(&mut self) {
        self.slow = 0;
    }
}
