//! What can go wrong with a model in training, which is one event whatever shows it.

use super::incident::{Incident, Turn};
use super::level::{Level, Look};
use super::series::{SENSITIVITY, drift, is_drift, is_spike, spike, weighed};
use super::terms::{RateJump, Stuck};
use super::training::Step;
use crate::anomaly::{Found, Kind, Severity};

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
    rate: RateJump,
    stuck: Stuck,
    incident: Incident,
}

impl Model {
    pub(super) fn new(sensitivity: f64, warm_up: u64, stuck: u64) -> Self {
        Self {
            sensitivity,
            warm_up,
            loss: Level::new(),
            gradient: Level::new(),
            vanished: 0,
            rate: RateJump::default(),
            stuck: Stuck::new(stuck),
            incident: Incident::default(),
        }
    }

    /// Judges a step and says what is to be reported of it.
    pub(super) fn turn(&mut self, step: &Step) -> Option<Finding> {
        let finding = self.judge(step);
        if finding.is_none() {
            self.loss.learn();
            if step.gradient_norm.is_some() {
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
        let not_finite = not_finite(step);
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

    fn judge_loss(&self, look: &Look) -> Option<Found> {
        let risen = is_drift(look, self.sensitivity);
        if risen && look.rise >= DIVERGED.ln() {
            let found = drift(&self.loss, look, self.sensitivity);
            let found = weighed(found, look.rise.exp() / DIVERGED, self.loss.seen());
            return Some(Found { kind: Kind::Divergence, severity: Severity::Critical, ..found });
        }
        if is_spike(look, self.sensitivity) {
            return Some(spike(&self.loss, look, self.sensitivity));
        }
        risen.then(|| drift(&self.loss, look, self.sensitivity))
    }

    fn judge_gradient(&mut self, look: &Look, norm: f64) -> Option<Found> {
        let usual = self.gradient.usual();
        self.vanished = if norm < VANISHED * usual { self.vanished + 1 } else { 0 };
        let scale = self.sensitivity / SENSITIVITY;
        if is_spike(look, GRADIENT_SENSITIVITY * scale) {
            return Some(spike(&self.gradient, look, GRADIENT_SENSITIVITY * scale));
        }
        if look.turn >= GRADIENT_TURN * scale {
            let found = drift(&self.gradient, look, self.sensitivity);
            let found = Found { usual, ..found };
            return Some(weighed(found, look.turn / GRADIENT_TURN, self.gradient.seen()));
        }
        (self.vanished >= VANISHED_STEPS).then(|| Found {
            usual,
            low: VANISHED * usual,
            steps: self.vanished,
            ..Found::certain(Kind::Vanished, Severity::Warning)
        })
    }
}

fn not_finite(step: &Step) -> Option<Finding> {
    let values = [
        (Of::Loss, Some(step.loss)),
        (Of::Gradient, step.gradient_norm),
        (Of::Rate, step.learning_rate),
    ];
    let (of, value) = values
        .into_iter()
        .filter_map(|(of, value)| Some((of, value?)))
        .find(|(_, value)| !value.is_finite())?;
    Some((of, value, Found::certain(Kind::NotFinite, Severity::Critical)))
}
