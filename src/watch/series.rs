//! A watch over one series.

use std::sync::Arc;

use metrics::IntoF64;

use super::incident::{Incident, Turn};
use super::level::{Level, Look};
use super::recorder::Recorder;
use super::terms::{Plateau, Stuck};
use crate::anomaly::{Anomaly, Found, Kind, Severity};
use crate::detect::{State, Tape};
use crate::error::Error;
use crate::instrument::Gauge;
use crate::registry::Registry;

/// Standard deviations beyond which a value is a spike; healthy training runs stay below 4.
pub(super) const SENSITIVITY: f64 = 5.5;
/// Values before learned terms speak.
pub(super) const WARM_UP: u64 = 50;
/// How far a spike must lie beyond the highest of late, in standard deviations, per unit of
/// sensitivity.
const BEYOND: f64 = 2.0 / SENSITIVITY;
/// The cumulative sum that makes a drift, per unit of sensitivity; and how far the quick level
/// must still lie above the best, since the sum takes its time to forget.
const DRIFT: f64 = 10.0 / SENSITIVITY;
const STILL: f64 = 0.005;
/// A spike, dip or drift of a kind that was survived so often is no news. In training once is
/// enough, where a spike that stays is a drift a few steps later; here nobody may look for drifts.
const KNOWN_AFTER: u64 = 3;

/// What a watch looks for; from [`nissa::watch`](fn@crate::watch).
#[derive(Clone, Debug)]
#[must_use = "a watch is made by `build`"]
pub struct WatchBuilder {
    name: String,
    labels: Vec<(String, String)>,
    registry: Option<Registry>,
    action: Option<Arc<str>>,
    terms: Terms,
}

impl WatchBuilder {
    pub(super) fn new(name: String) -> Self {
        let terms = Terms {
            spikes: false,
            drift: false,
            not_finite: false,
            up: Level::new(KNOWN_AFTER),
            down: None,
            stuck: None,
            plateau: None,
            above: f64::INFINITY,
            below: f64::NEG_INFINITY,
            sensitivity: SENSITIVITY,
            warm_up: WARM_UP,
            hold: 1,
            severity: None,
        };
        Self { name, labels: Vec::new(), registry: None, action: None, terms }
    }

    /// One value far above what came before it: a warning.
    pub fn spikes(mut self) -> Self {
        self.terms.spikes = true;
        self
    }

    /// One value far below what came before it: a warning.
    pub fn dips(mut self) -> Self {
        self.terms.down = Some(Level::mirrored(KNOWN_AFTER));
        self
    }

    /// Values that keep lying above the best level, each by too little to be a spike: a warning
    /// before it explodes.
    pub fn drift(mut self) -> Self {
        self.terms.drift = true;
        self
    }

    /// NaN and infinities: critical, from the first value on.
    pub fn not_finite(mut self) -> Self {
        self.terms.not_finite = true;
        self
    }

    /// The same value this many times in a row (2 at least): a warning.
    pub fn stuck(mut self, times: u64) -> Self {
        self.terms.stuck = Some(Stuck::new(times));
        self
    }

    /// No new low, smoothed and by a hundredth, for this many values: information, once per
    /// plateau.
    pub fn plateau(mut self, values: u64) -> Self {
        self.terms.plateau = Some(Plateau::new(values));
        self
    }

    /// Values above a limit: a warning, from the first value on.
    pub fn above(mut self, limit: f64) -> Self {
        self.terms.above = limit;
        self
    }

    /// Values below a limit: a warning, from the first value on.
    pub fn below(mut self, limit: f64) -> Self {
        self.terms.below = limit;
        self
    }

    /// How many standard deviations make a spike or a dip (5.5); a drift follows in proportion.
    pub fn sensitivity(mut self, deviations: f64) -> Self {
        self.terms.sensitivity = deviations.max(1.0);
        self
    }

    /// Values to learn from before spikes, dips and drifts are reported (50).
    pub fn warm_up(mut self, values: u64) -> Self {
        self.terms.warm_up = values.max(2);
        self
    }

    /// How many values in a row must be out before it is reported (1). Not for what is not
    /// finite, stuck or a plateau.
    pub fn hold(mut self, values: u32) -> Self {
        self.terms.hold = values.max(1);
        self
    }

    /// One severity for all that this watch reports, in place of each term's own.
    pub fn severity(mut self, severity: Severity) -> Self {
        self.terms.severity = Some(severity);
        self
    }

    /// What to do about it; part of the [`Anomaly`] and its sentence.
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into().into());
        self
    }

    /// A label of the gauge.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// The registry to record in, instead of the one that macros on this thread use.
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.registry = Some(registry.clone());
        self
    }

    /// The watch. Registers its gauge.
    #[must_use]
    pub fn build(self) -> Watch {
        let recorder = Recorder::new(&self.name, self.registry);
        let labels: Vec<(&str, &str)> = self.labels.iter().map(|(n, v)| (&**n, &**v)).collect();
        Watch {
            gauge: recorder.gauge(&self.name, &labels),
            recorder,
            metric: self.name.into(),
            labels: self.labels.into(),
            action: self.action,
            step: 0,
            out: 0,
            terms: self.terms,
            incident: Incident::default(),
        }
    }
}

/// Judges a series value by value; made by [`WatchBuilder::build`].
///
/// Deterministic: the same values give the same anomalies. It reads no clock, starts no thread and
/// takes no lock; a value costs 40 to 150 ns, and no allocation unless something is reported. Clone
/// it to try something out.
#[derive(Clone, Debug)]
pub struct Watch {
    gauge: Gauge,
    recorder: Recorder,
    metric: Arc<str>,
    labels: Arc<[(String, String)]>,
    action: Option<Arc<str>>,
    step: u64,
    /// Values in a row that were out.
    out: u32,
    terms: Terms,
    incident: Incident,
}

impl Watch {
    /// Records a value in the gauge and judges it. At most one anomaly per event: the next comes
    /// after 20 ordinary values, after [`rearm`](Self::rearm), or when it gets more severe. What
    /// stays as it is for 100 values is learned as the new normal.
    pub fn observe<T: IntoF64>(&mut self, value: T) -> Option<Anomaly> {
        let value = value.into_f64();
        self.gauge.set(value);
        let step = self.step;
        self.step = step.saturating_add(1);
        let found = self.terms.judge(value);
        self.out = if found.is_some() { self.out.saturating_add(1) } else { 0 };
        let held = found.filter(|found| {
            // What is found once would be lost.
            let once = matches!(found.kind, Kind::NotFinite | Kind::Stuck | Kind::Plateau);
            once || self.out >= self.terms.hold
        });
        let reported = match held {
            Some(found) if found.kind == Kind::Plateau => Some(found),
            held => match self.incident.turn(held.as_ref()) {
                Turn::Report => held,
                Turn::Silent => None,
                Turn::NewNormal => {
                    self.terms.restart();
                    None
                }
            },
        };
        let (metric, labels, action) = (&self.metric, &self.labels, &self.action);
        let anomaly = reported.map(|found| Anomaly {
            metric: metric.clone(),
            labels: labels.clone(),
            step,
            value,
            action: action.clone(),
            found: found.of(value),
        })?;
        self.recorder.report(&anomaly);
        Some(anomaly)
    }

    /// Says that something was done about the last anomaly: the very next strange value is
    /// reported again, and what led here is not held against what comes. What was learned stays.
    pub fn rearm(&mut self) {
        self.incident.close();
        self.out = 0;
        self.terms.up.calm();
        self.terms.down.iter_mut().for_each(Level::calm);
    }

    /// All that was learned, and the step: a few hundred bytes, to be kept beside a checkpoint.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// let build = || nissa::watch("loss").spikes().registry(&registry).build();
    /// let mut before = build();
    /// for step in 0..100 {
    ///     before.observe(2.0 + 0.1 * f64::from(step % 7));
    /// }
    /// let text = serde_json::to_string(&before.save()).unwrap();
    ///
    /// // The program starts again.
    /// let mut after = build();
    /// after.restore(&serde_json::from_str(&text).unwrap())?;
    /// let anomaly = after.observe(70.0).unwrap();
    /// assert_eq!(anomaly.step(), 100);
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn save(&self) -> State {
        let mut tape = Tape::writing();
        self.clone().carry(&mut tape);
        tape.into_state(&self.description())
    }

    /// Goes on from what a watch of the same name and terms had learned, at its step. Limits,
    /// sensitivity, hold and the like may be others.
    ///
    /// # Errors
    ///
    /// If the state is of something else, of a watch with another name or other terms, or of another
    /// version of this crate's format ([`Error::is_state`]). The watch is left as it was.
    pub fn restore(&mut self, state: &State) -> Result<(), Error> {
        let mut trial = self.clone();
        let mut tape = Tape::reading(state, &self.description())?;
        trial.carry(&mut tape);
        tape.finish()?;
        *self = trial;
        Ok(())
    }

    /// What a state is kept under: another watch's must not be taken for it.
    fn description(&self) -> String {
        format!("watch of {} for {}", self.metric, self.terms.names().join(", "))
    }

    fn carry(&mut self, tape: &mut Tape) {
        tape.integer(&mut self.step);
        tape.count(&mut self.out);
        self.terms.carry(tape);
        self.incident.carry(tape);
    }

    /// Whether enough was seen for spikes, dips and drifts to be reported.
    pub fn is_ready(&self) -> bool {
        !self.terms.learns() || self.terms.up.seen() >= self.terms.warm_up
    }
}

/// What is looked for, and what was learned for it.
#[derive(Clone, Debug)]
struct Terms {
    spikes: bool,
    drift: bool,
    not_finite: bool,
    up: Level,
    down: Option<Level>,
    stuck: Option<Stuck>,
    plateau: Option<Plateau>,
    above: f64,
    below: f64,
    sensitivity: f64,
    warm_up: u64,
    hold: u32,
    severity: Option<Severity>,
}

impl Terms {
    /// As the builder calls them.
    fn names(&self) -> Vec<&'static str> {
        let terms = [
            ("spikes", self.spikes),
            ("dips", self.down.is_some()),
            ("drift", self.drift),
            ("not_finite", self.not_finite),
            ("stuck", self.stuck.is_some()),
            ("plateau", self.plateau.is_some()),
            ("above", self.above < f64::INFINITY),
            ("below", self.below > f64::NEG_INFINITY),
        ];
        terms.into_iter().filter_map(|(name, looked_for)| looked_for.then_some(name)).collect()
    }

    fn learns(&self) -> bool {
        self.spikes || self.drift || self.down.is_some()
    }

    /// The worst that can be said of a value; learns it unless it is out.
    fn judge(&mut self, value: f64) -> Option<Found> {
        let mut found = self.judge_by_rules(value);
        if value.is_finite() && self.learns() {
            let learned = self.judge_by_level(value);
            if learned.is_none() {
                self.up.learn();
                self.down.iter_mut().for_each(|down| down.learn());
            }
            found = found.or(learned);
        }
        if let Some(plateau) = self.plateau.as_mut().filter(|_| value.is_finite()) {
            found = found.or(plateau.judge(value));
        }
        let severity = self.severity;
        found.map(|found| Found { severity: severity.unwrap_or(found.severity), ..found })
    }

    fn judge_by_rules(&mut self, value: f64) -> Option<Found> {
        let stuck = self.stuck.as_mut().and_then(|stuck| stuck.judge(value));
        if !value.is_finite() {
            let found = || Found::certain(Kind::NotFinite, Severity::Critical);
            return self.not_finite.then(found);
        }
        let (high, low) = (self.above, self.below);
        if value > high {
            return Some(Found { high, ..Found::certain(Kind::Above, Severity::Warning) });
        }
        if value < low {
            return Some(Found { low, ..Found::certain(Kind::Below, Severity::Warning) });
        }
        stuck
    }

    fn judge_by_level(&mut self, value: f64) -> Option<Found> {
        // Both look at every value, since they remember.
        let fall = self.down.as_mut().and_then(|down| down.look(value));
        let look = self.up.look(value)?;
        if self.up.seen() < self.warm_up {
            return None;
        }
        let sensitivity = self.sensitivity;
        let spiked = self.spikes && self.up.spike_is_news(is_spike(&look, sensitivity));
        let risen = self.drift && self.up.rise_is_news(is_drift(&look, sensitivity));
        let down = self.down.as_mut().zip(fall);
        let fallen = down.and_then(|(down, fall)| {
            let news = down.spike_is_news(is_spike(&fall, sensitivity));
            news.then(|| dip(down, &fall, sensitivity))
        });
        if spiked {
            return Some(spike(&self.up, &look, sensitivity));
        }
        let drift = risen.then(|| drift(&self.up, &look, sensitivity));
        drift.or(fallen)
    }

    fn carry(&mut self, tape: &mut Tape) {
        self.up.carry(tape);
        self.down.iter_mut().for_each(|down| down.carry(tape));
        self.stuck.iter_mut().for_each(|stuck| stuck.carry(tape));
        self.plateau.iter_mut().for_each(|plateau| plateau.carry(tape));
    }

    fn restart(&mut self) {
        self.up.restart();
        self.down.iter_mut().for_each(Level::restart);
    }
}

pub(super) fn is_spike(look: &Look, sensitivity: f64) -> bool {
    look.off >= sensitivity && look.beyond >= BEYOND * sensitivity
}

pub(super) fn is_drift(look: &Look, sensitivity: f64) -> bool {
    look.sum >= DRIFT * sensitivity && look.rise >= STILL
}

pub(super) fn spike(level: &Level, look: &Look, sensitivity: f64) -> Found {
    let high = level.limit(sensitivity);
    let learned = Found { usual: level.usual(), high, ..certain(Kind::Spike) };
    weighed(learned, look.off / sensitivity, level.seen())
}

pub(super) fn drift(level: &Level, look: &Look, sensitivity: f64) -> Found {
    let (usual, late) = (level.best(), level.late());
    let learned = Found { usual, late, high: usual, ..certain(Kind::Drift) };
    weighed(learned, look.sum / (DRIFT * sensitivity), level.seen())
}

fn dip(level: &Level, look: &Look, sensitivity: f64) -> Found {
    let low = level.limit(sensitivity);
    let learned = Found { usual: level.usual(), low, ..certain(Kind::Dip) };
    weighed(learned, look.off / sensitivity, level.seen())
}

fn certain(kind: Kind) -> Found {
    Found::certain(kind, Severity::Warning)
}

/// Score and confidence of what lies this many times as far out as the limit.
pub(super) fn weighed(found: Found, excess: f64, seen: u64) -> Found {
    let excess = excess.max(1.0);
    let learned = seen as f64 / (seen as f64 + 5.0);
    let confidence = (1.0 - 0.1 / (excess * excess)) * learned;
    Found { score: excess / (1.0 + excess), confidence, ..found }
}
