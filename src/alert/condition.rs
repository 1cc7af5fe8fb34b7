//! Whether one sample of one series breaks a rule.

use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::group;
use super::report::{Short, Verdict};
use super::rule::Rule;
use crate::detect::{Detector, Reason, THRESHOLD, score_of_deviations};
use crate::snapshot::Snapshot;

/// What breaks a rule.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Outside(f64, f64),
    Absent,
    NotFinite,
    Stuck(u32),
    Changes(f64),
    Ratio(String, f64),
    Custom(Closure),
    Detector(Factory),
}

type Broken = dyn Fn(&Snapshot) -> bool + Send + Sync;

/// A user's closure over the snapshot.
#[derive(Clone)]
pub(super) struct Closure(pub(super) Arc<Broken>);

impl Closure {
    /// `None` if it panicked.
    pub(super) fn call(&self, snapshot: &Snapshot) -> Option<bool> {
        catch_unwind(AssertUnwindSafe(|| (self.0)(snapshot))).ok()
    }
}

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fn(&Snapshot) -> bool")
    }
}

/// Makes a detector for each series.
#[derive(Clone)]
pub(super) struct Factory {
    make: Arc<dyn Fn() -> Box<dyn Detector> + Send + Sync>,
    threshold: f64,
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factory").field("threshold", &self.threshold).finish_non_exhaustive()
    }
}

impl Condition {
    /// A detector per series; without deviations, at the detector's own threshold.
    pub(super) fn detector(
        make: impl Fn() -> Box<dyn Detector> + Send + Sync + 'static,
        deviations: Option<f64>,
    ) -> Self {
        let threshold = deviations.map_or(THRESHOLD, score_of_deviations);
        Self::Detector(Factory { make: Arc::new(make), threshold })
    }

    /// What a new series needs to be judged.
    pub(super) fn judge(&self) -> Judge {
        let detector = match self {
            Self::Detector(factory) => Some((factory.make)()),
            _ => None,
        };
        Judge { detector, last: None, same: 0 }
    }
}

/// What is remembered of one series, beside its state.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) detector: Option<Box<dyn Detector>>,
    last: Option<(f64, Duration)>,
    same: u32,
}

/// One sample, and what it may be compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample<'a> {
    /// One, or of each member of a group.
    pub(super) values: &'a [f64],
    /// Since the epoch, but never set by anybody while the program runs.
    pub(super) at: Duration,
    pub(super) other: Option<f64>,
    /// Whether it may be learned though it is anomalous.
    pub(super) learn: bool,
}

/// What is said of a sample.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) broken: Option<Verdict>,
    /// Whether there was enough to judge by.
    pub(super) ready: bool,
    /// Whether the detector panicked.
    pub(super) panicked: bool,
    /// Which of the values it is about.
    pub(super) origin: usize,
}

impl Judge {
    /// Judges a sample. Never panics, whatever a detector does with it.
    pub(super) fn sample(&mut self, rule: &Rule, sample: Sample<'_>) -> Judgement {
        let Sample { values, at, other, .. } = sample;
        let value = values.first().copied().unwrap_or(f64::NAN);
        let before = self.last.replace((value, at));
        let same = before.is_some_and(|(before, _)| before.to_bits() == value.to_bits());
        self.same = if same { self.same.saturating_add(1) } else { 1 };
        let broken = match &rule.condition {
            Condition::Outside(low, high) => outside(value, *low, *high),
            Condition::NotFinite => {
                (!value.is_finite()).then(|| Verdict::certain("not_finite", "not a finite number"))
            }
            Condition::Stuck(ticks) => (self.same >= *ticks)
                .then(|| Verdict::certain("stuck", format!("the same for {} ticks", self.same))),
            Condition::Changes(limit) => {
                before.and_then(|before| changes(before, (value, at), *limit))
            }
            Condition::Ratio(name, limit) => {
                other.and_then(|other| ratio(value, other, name, *limit))
            }
            Condition::Detector(factory) => return self.detect(factory, rule, sample),
            Condition::Absent | Condition::Custom(_) => None,
        };
        Judgement { broken, ready: true, ..Judgement::default() }
    }

    fn detect(&mut self, factory: &Factory, rule: &Rule, sample: Sample<'_>) -> Judgement {
        let Sample { values, at, learn, .. } = sample;
        let Some(detector) = &mut self.detector else { return Judgement::default() };
        let judged = catch_unwind(AssertUnwindSafe(|| {
            let kept = (!learn).then(|| {
                let mut kept = detector.boxed_clone();
                kept.skip(at);
                kept
            });
            (detector.observe_group(values, at), kept)
        }));
        let Ok((score, kept)) = judged else {
            // What it knows may be half learned; the series is not judged any more.
            self.detector = None;
            crate::logging::warn!("nissa: a detector panicked; its series is not judged any more");
            return Judgement { panicked: true, ..Judgement::default() };
        };
        let origin = score.origin;
        let value = values.get(origin).copied().unwrap_or(f64::NAN);
        let broken = score.value >= factory.threshold
            && score.reason != Reason::WarmingUp
            && rule.side.takes(value, score.expected);
        if !broken {
            return Judgement { ready: score.ready, ..Judgement::default() };
        }
        if let Some(kept) = kept {
            *detector = kept;
        }
        let mut reason = score.reason.to_string();
        if let Some(members) = &rule.members {
            reason += &group::beside(rule.name(), members, values, origin);
        }
        if let Some((low, high)) = score.expected {
            let _ = write!(reason, ", expected {} to {}", Short(low), Short(high));
        }
        // The same curve as the score's, so that the limit itself is nine parts in ten sure.
        let excess = (score.deviations() / 2.5).max(1.0);
        let certain = score.reason == Reason::NotFinite;
        let confidence = if certain { 1.0 } else { 1.0 - 0.1 / (excess * excess) };
        let verdict = Verdict {
            detector: detector.name(),
            score: score.value,
            confidence,
            expected: score.expected,
            reason,
        };
        Judgement { broken: Some(verdict), ready: score.ready, panicked: false, origin }
    }
}

fn outside(value: f64, low: f64, high: f64) -> Option<Verdict> {
    let reason = if value > high {
        format!("above {}", Short(high))
    } else if value < low {
        format!("below {}", Short(low))
    } else {
        return None;
    };
    Some(Verdict { expected: Some((low, high)), ..Verdict::certain("threshold", reason) })
}

fn changes(before: (f64, Duration), now: (f64, Duration), limit: f64) -> Option<Verdict> {
    let seconds = now.1.saturating_sub(before.1).as_secs_f64();
    let speed = (now.0 - before.0).abs() / seconds;
    let reason = || format!("changes by {} per second, over {}", Short(speed), Short(limit));
    (seconds > 0.0 && speed > limit).then(|| Verdict::certain("changes", reason()))
}

/// Over nothing there is no ratio: a tick in which nothing else happened says nothing.
fn ratio(value: f64, other: f64, name: &str, limit: f64) -> Option<Verdict> {
    let ratio = value / other;
    let reason = || format!("{} times {name}, over {}", Short(ratio), Short(limit));
    (other != 0.0 && ratio > limit).then(|| Verdict {
        expected: Some((f64::NEG_INFINITY, limit * other)),
        ..Verdict::certain("ratio", reason())
    })
}
