//! What can go wrong with a model in training, which is one event whatever shows it.

use super::incident::{Incident, Turn};
use super::level::{Level, Look};
use super::series::{SENSITIVITY, drift, is_drift, is_spike, spike, weighed};
use super::terms::{RateJump, Stuck};
use super::training::Step;
use crate::anomaly::{Found, Kind, Severity};
use crate::detect::Tape;

/// A gradient norm scatters more than a loss, and a spike in it alone is often harmless.
const GRADIENT_SENSITIVITY: f64 = 1.4 * SENSITIVITY;
/// The quick level of the gradient norm over the slow one, in standard deviations, that is an
/// early sign.
const GRADIENT_TURN: f64 = 3.2;
/// A level this many times the best is not a spike any more.
const DIVERGED: f64 = 4.0;
/// A gradient this small a part of the usual one is none.
const VANISHED: f64 = 1e-3;
const VANISHED_STEPS: u64 = 10;
/// Steps in a row without a finite gradient norm that are no search for a loss scale: halving the
/// largest that is in use, 2^32, comes to one in 32.
const SKIPPED_STEPS: u64 = 40;
/// A spike, a rise or a slow spell of a kind that was survived so often is no news.
pub(super) const KNOWN_AFTER: u64 = 1;

/// The series a training watch looks at, as indices of its gauges and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Loss,
    Gradient,
    Rate,
    Pace,
}

/// Whose value it is, the value, and what is wrong with it.
pub(super) type Finding = (Of, f64, Found);

/// What to do, in a few words.
pub(super) fn advice(of: Of, kind: Kind) -> Option<&'static str> {
    match (of, kind) {
        (Of::Rate, _) => Some("set the learning rate back"),
        (Of::Pace, _) => Some("look at the data loader"),
        (_, Kind::NotFinite | Kind::Divergence) => {
            Some("restore the last good weights and halve the learning rate")
        }
        (_, Kind::Stuck | Kind::Vanished) => Some("look for dead units and a zero learning rate"),
        (_, Kind::Plateau) => None,
        _ => Some("halve the learning rate"),
    }
}

/// Loss, gradient norm and learning rate.
#[derive(Clone, Debug)]
pub(super) struct Model {
    sensitivity: f64,
    warm_up: u64,
    loss: Level,
    gradient: Level,
    vanished: u64,
    /// Steps in a row whose gradient norm was not finite while the loss was.
    skipped: u64,
    /// One of them was NaN; and, once they were survived, NaN is known.
    nan_norm: bool,
    nan_known: bool,
    rate: RateJump,
    stuck: Stuck,
    incident: Incident,
}

impl Model {
    pub(super) fn new(sensitivity: f64, warm_up: u64, stuck: u64, peak: Option<f64>) -> Self {
        Self {
            sensitivity,
            warm_up,
            loss: Level::new(KNOWN_AFTER),
            gradient: Level::new(KNOWN_AFTER),
            vanished: 0,
            skipped: 0,
            nan_norm: false,
            nan_known: false,
            rate: RateJump::new(peak),
            stuck: Stuck::new(stuck),
            incident: Incident::default(),
        }
    }

    /// Judges a step and says what is to be reported of it.
    pub(super) fn turn(&mut self, step: &Step) -> Option<Finding> {
        let finding = self.judge(step);
        if finding.is_none() {
            self.loss.learn();
            if step.gradient_norm.is_some_and(f64::is_finite) {
                self.gradient.learn();
            }
        }
        match self.incident.turn(finding.as_ref().map(|(_, _, found)| found)) {
            Turn::Report => finding,
            Turn::Silent => None,
            Turn::NewNormal => {
                self.loss.restart();
                self.gradient.restart();
                self.rate.restart();
                None
            }
        }
    }

    pub(super) fn rearm(&mut self) {
        self.incident.close();
        self.loss.calm();
        self.gradient.calm();
        self.vanished = 0;
    }

    pub(super) fn is_ready(&self) -> bool {
        self.loss.seen() >= self.warm_up
    }

    pub(super) fn is_calm(&self) -> bool {
        !self.incident.is_open() && self.loss.is_calm()
    }

    /// The worst that can be said of a step. All terms look at every step, since they remember.
    fn judge(&mut self, step: &Step) -> Option<Finding> {
        let stuck = self.stuck.judge(step.loss).map(|found| (Of::Loss, step.loss, found));
        let not_finite = self.not_finite(step);
        let jump = step.learning_rate.filter(|rate| rate.is_finite()).and_then(|rate| {
            let found = self.rate.judge(rate)?;
            Some((Of::Rate, rate, found))
        });
        let loss = Some(step.loss).filter(|loss| loss.is_finite());
        let loss = loss.and_then(|loss| Some((self.loss.look(loss)?, loss)));
        let norm = step.gradient_norm.filter(|norm| norm.is_finite());
        let norm = norm.and_then(|norm| Some((self.gradient.look(norm)?, norm)));
        let ready = self.is_ready();
        let loss = loss.filter(|_| ready).and_then(|(look, loss)| {
            let found = self.judge_loss(&look)?;
            Some((Of::Loss, loss, found))
        });
        let gradient = norm.filter(|_| ready).and_then(|(look, norm)| {
            let found = self.judge_gradient(&look, norm)?;
            Some((Of::Gradient, norm, found))
        });
        let diverged = loss.filter(|(_, _, found)| found.kind == Kind::Divergence);
        not_finite.or(diverged).or(jump).or(loss).or(gradient).or(stuck)
    }

    fn judge_loss(&mut self, look: &Look) -> Option<Found> {
        let spiked = self.loss.spike_is_news(is_spike(look, self.sensitivity));
        let risen = self.loss.rise_is_news(is_drift(look, self.sensitivity));
        if risen && look.rise >= DIVERGED.ln() {
            let found = drift(&self.loss, look, self.sensitivity);
            let found = weighed(found, look.rise.exp() / DIVERGED, self.loss.seen());
            return Some(Found { kind: Kind::Divergence, severity: Severity::Critical, ..found });
        }
        if spiked {
            return Some(spike(&self.loss, look, self.sensitivity));
        }
        risen.then(|| drift(&self.loss, look, self.sensitivity))
    }

    fn judge_gradient(&mut self, look: &Look, norm: f64) -> Option<Found> {
        let usual = self.gradient.usual();
        self.vanished = if norm < VANISHED * usual { self.vanished.saturating_add(1) } else { 0 };
        let scale = self.sensitivity / SENSITIVITY;
        let spiked = is_spike(look, GRADIENT_SENSITIVITY * scale);
        let spiked = self.gradient.spike_is_news(spiked);
        let turned = self.gradient.turn_is_news(look.turn >= GRADIENT_TURN * scale);
        if spiked {
            return Some(spike(&self.gradient, look, GRADIENT_SENSITIVITY * scale));
        }
        if turned {
            let usual = self.gradient.slow();
            let found = drift(&self.gradient, look, self.sensitivity);
            let found = Found { usual, high: usual, ..found };
            return Some(weighed(found, look.turn / GRADIENT_TURN, self.gradient.seen()));
        }
        (self.vanished >= VANISHED_STEPS).then(|| Found {
            usual,
            low: VANISHED * usual,
            steps: self.vanished,
            ..Found::certain(Kind::Vanished, Severity::Warning)
        })
    }

    /// A loss that is no number is told at once, and so is the learning rate. An infinite gradient
    /// norm beside a finite loss is what a dynamic loss scale brings about and then skips: if
    /// nothing skipped it, the next loss tells. So it is told when it stays; NaN, which overflow
    /// alone rarely makes, the first time too.
    fn not_finite(&mut self, step: &Step) -> Option<Finding> {
        let found = Found::certain(Kind::NotFinite, Severity::Critical);
        if !step.loss.is_finite() {
            return Some((Of::Loss, step.loss, found));
        }
        if let Some(rate) = step.learning_rate.filter(|rate| !rate.is_finite()) {
            return Some((Of::Rate, rate, found));
        }
        let norm = step.gradient_norm?;
        if norm.is_finite() {
            self.nan_known |= self.nan_norm;
            (self.skipped, self.nan_norm) = (0, false);
            return None;
        }
        self.skipped = self.skipped.saturating_add(1);
        self.nan_norm |= norm.is_nan();
        let told = norm.is_nan() && !self.nan_known || self.skipped >= SKIPPED_STEPS;
        told.then_some((Of::Gradient, norm, Found { steps: self.skipped, ..found }))
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        self.loss.carry(tape);
        self.gradient.carry(tape);
        tape.integer(&mut self.vanished);
        tape.integer(&mut self.skipped);
        tape.flag(&mut self.nan_norm);
        tape.flag(&mut self.nan_known);
        self.rate.carry(tape);
        self.stuck.carry(tape);
        self.incident.carry(tape);
    }
}
