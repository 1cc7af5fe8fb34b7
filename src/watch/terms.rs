//! The terms that need no level: what repeats, what makes no progress, what jumps, what is slow.

use super::known::Known;
use crate::anomaly::{Found, Kind, Severity};
use crate::detect::Tape;

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

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.last);
        tape.integer(&mut self.times);
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

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.smooth);
        tape.number(&mut self.best);
        tape.integer(&mut self.since);
    }
}

/// A learning rate far above its highest.
///
/// Schedules rise smoothly, restart at most where they were, and warm up in stages of three to
/// five; a jump to more than that is a mistake, and can be told before the step has done its harm.
/// A stage of ten looks the same: it is told once, and when it has lasted, its like is known. Who
/// says how high the schedule goes is told exactly what goes beyond.
#[derive(Clone, Debug)]
pub(super) struct RateJump {
    /// The highest that is meant to be, NaN if that is not known.
    peak: f64,
    seen: u64,
    highest: f64,
    last: f64,
    /// The largest jump that was survived.
    survived: f64,
}

/// Just above five, so that a fivefold stage is not one by rounding.
const JUMP: f64 = 5.01;
/// As far as rounding takes a schedule.
const ROUNDING: f64 = 1.001;
/// A jump so much larger than the one that was survived is the same.
const LIKE: f64 = 1.25;
/// A linear warm-up doubles at its second step, from zero even more.
const WARM_UP_STEPS: u64 = 20;

impl RateJump {
    pub(super) fn new(peak: Option<f64>) -> Self {
        let peak = peak.filter(|peak| *peak > 0.0).unwrap_or(f64::NAN);
        Self { peak, seen: 0, highest: 0.0, last: 0.0, survived: 0.0 }
    }

    /// Found for as long as the rate stays up there. Takes finite values.
    pub(super) fn judge(&mut self, rate: f64) -> Option<Found> {
        let (usual, times) = match self.peak.is_nan() {
            true => (self.highest, JUMP.max(LIKE * self.survived)),
            false => (self.peak.max(self.highest), ROUNDING),
        };
        let known = !self.peak.is_nan() || self.seen >= WARM_UP_STEPS;
        let jumped = known && usual > 0.0 && rate > times * usual;
        self.seen = self.seen.saturating_add(1);
        self.last = rate;
        if !jumped {
            self.highest = self.highest.max(rate);
            return None;
        }
        let excess = rate / (times * usual);
        Some(Found {
            usual,
            low: 0.0,
            high: times * usual,
            score: excess / (1.0 + excess),
            ..Found::certain(Kind::RateJump, Severity::Warning)
        })
    }

    /// The rate is meant to be what it is.
    pub(super) fn restart(&mut self) {
        if self.highest > 0.0 {
            self.survived = self.survived.max(self.last / self.highest);
        }
        self.highest = self.highest.max(self.last);
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.integer(&mut self.seen);
        tape.number(&mut self.highest);
        tape.number(&mut self.last);
        tape.number(&mut self.survived);
    }
}

/// Throughput below half of what is usual, ten steps out of twelve.
///
/// Not a mean over a window: on a machine that others use too, single steps take many times as
/// long, and one of them would pull any mean below half. Nor a shorter count: such a machine slows
/// several steps in a row.
#[derive(Clone, Debug)]
pub(super) struct Slowdown {
    seen: u64,
    /// Mean logarithm.
    usual: f64,
    /// The last twelve steps, a bit each: slow or not.
    slow: u16,
    steps: u64,
    /// How far below the usual slow steps lie, as the mean of a factor's logarithm. One alone says
    /// little, since a step in a while takes many times as long.
    depth: f64,
    known: Known,
}

const WINDOW: u16 = (1 << 12) - 1;
const SLOW_OF_WINDOW: u32 = 10;
const SHARE: f64 = 0.5;
const USUAL_SPAN: f64 = 50.0;
const DEPTH_SPAN: f64 = 10.0;

impl Slowdown {
    pub(super) fn new(known_after: u64) -> Self {
        let known = Known::after(known_after);
        Self { seen: 0, usual: 0.0, slow: 0, steps: 0, depth: 0.0, known }
    }

    /// Found for as long as it is slow. Takes positive, finite values.
    pub(super) fn judge(&mut self, rate: f64) -> Option<Found> {
        let below = self.usual - rate.ln();
        let slow = self.seen >= WARM_UP_STEPS && below > -SHARE.ln();
        if slow {
            let first = self.slow == 0;
            self.depth += (below - self.depth) / if first { 1.0 } else { DEPTH_SPAN };
        } else {
            self.learn(rate.ln());
        }
        self.slow = ((self.slow << 1) | u16::from(slow)) & WINDOW;
        let many = self.slow.count_ones() >= SLOW_OF_WINDOW;
        self.steps = match many {
            true => self.steps.saturating_add(1),
            false => u64::from(self.slow.count_ones()),
        };
        let found = many && slow;
        let news = self.known.is_news(found.then_some(self.depth), 0.0);
        let usual = self.usual.exp();
        let excess = (SHARE * usual / rate).max(1.0);
        news.then(|| Found {
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

    /// Forgets all but what was survived.
    pub(super) fn restart(&mut self) {
        *self = Self { known: self.known.clone(), ..Self::new(0) };
    }

    /// After an intervention: what was slow is over.
    pub(super) fn calm(&mut self) {
        self.slow = 0;
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.integer(&mut self.seen);
        tape.number(&mut self.usual);
        let mut slow = usize::from(self.slow);
        tape.index(&mut slow, usize::from(WINDOW) + 1);
        self.slow = u16::try_from(slow).unwrap_or_default();
        tape.integer(&mut self.steps);
        tape.number(&mut self.depth);
        self.known.carry(tape);
    }
}
