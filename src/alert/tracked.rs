//! What one rule knows of one series.

use std::sync::Arc;
use std::time::Duration;

use super::condition::{Judge, Sample};
use super::group;
use super::machine::{Change, Machine};
use super::other::{Amount, Other};
use super::reading::Memory;
use super::report::{Alert, Verdict};
use super::rule::Rule;
use crate::detect::State;
use crate::snapshot::Series;

/// Ticks after which a series that is gone is forgotten, and a group of which nothing comes is quiet.
const FORGOTTEN: u32 = 600;

#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) metric: Arc<str>,
    /// The labels' canonical text.
    text: Box<str>,
    pub(super) labels: Arc<[(String, String)]>,
    pub(super) judge: Judge,
    /// The alert that is pending or firing, or was last.
    pub(super) alert: Option<Arc<Alert>>,
    /// When it broke the rule first, this time.
    pub(super) first_seen: Duration,
    pub(super) ready: bool,
    machine: Machine,
    memory: Memory,
    other: Memory,
    /// Of its detector, until they are counted.
    pub(super) panics: u32,
    seen: u32,
    missing: u32,
}

/// When a tick is, and how long since the last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Monotonic, which holds and cooldowns go by.
    pub(super) at: Duration,
    /// Since the epoch, for detectors that know of days; nobody sets it while the program runs.
    pub(super) steady: Duration,
    pub(super) seconds: f64,
}

/// What changed for one series.
#[derive(Debug)]
pub(super) struct Event {
    /// Which of the rule's series.
    pub(super) series: usize,
    /// Which member of a group it is about.
    pub(super) origin: usize,
    pub(super) change: Change,
    pub(super) value: f64,
    /// Why, if it is broken.
    pub(super) verdict: Option<Verdict>,
}

impl Event {
    pub(super) fn of(self, series: usize) -> Self {
        Self { series, ..self }
    }
}

impl Tracked {
    pub(super) fn new(rule: &Rule, metric: &str, series: &Series<'_>) -> Self {
        let labels = series.labels().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        let text = series.entry.text_str().into();
        Self { metric: metric.into(), text, labels, ..Self::whole(rule) }
    }

    /// For a rule that is not about single series.
    pub(super) fn whole(rule: &Rule) -> Self {
        let members = rule.members.as_deref().map(group::description);
        Self {
            metric: rule.pattern.as_str().into(),
            text: members.unwrap_or_default().into(),
            labels: Arc::new([]),
            judge: rule.condition.judge(),
            alert: None,
            first_seen: Duration::ZERO,
            ready: false,
            machine: Machine::default(),
            memory: Memory::default(),
            other: Memory::default(),
            panics: 0,
            seen: 0,
            missing: 0,
        }
    }

    /// Goes on from what was learned before the program was restarted.
    pub(super) fn restore(&mut self, state: &State) -> bool {
        let restored = self.judge.detector.as_mut().map(|detector| detector.restore(state).is_ok());
        restored.unwrap_or(false)
    }

    /// Under which a state is kept.
    pub(super) fn place(&self) -> (String, String) {
        (self.metric.to_string(), self.text.to_string())
    }

    pub(super) fn key(&self) -> (&str, &str) {
        (&self.metric, &self.text)
    }

    pub(super) fn is_pending(&self) -> bool {
        self.machine.is_pending()
    }

    pub(super) fn is_firing(&self) -> bool {
        self.machine.is_firing()
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.missing >= FORGOTTEN
    }

    /// Judges what this tick shows of the series.
    pub(super) fn judge(
        &mut self,
        rule: &Rule,
        series: &Series<'_>,
        other: &Other<'_>,
        moment: Moment,
    ) -> Option<Event> {
        self.missing = 0;
        let other = other.beside(&self.text).and_then(|amount| match amount {
            Amount::Value(value) => Some(value),
            Amount::Count(count) => self.other.rate(count, moment.seconds),
        });
        let Some(value) = self.memory.read(series, rule.reading, moment.seconds) else {
            return self.step(rule, f64::NAN, None, moment);
        };
        self.judge_values(rule, &[value], other, moment)
    }

    /// Judges the numbers of a group, of which each tick has all or none. A tick without them says
    /// neither that it goes on nor that it is over; so many of them do.
    pub(super) fn judge_group(
        &mut self,
        rule: &Rule,
        values: Option<&[f64]>,
        moment: Moment,
    ) -> Option<Event> {
        match values {
            Some(values) => {
                self.missing = 0;
                self.judge_values(rule, values, None, moment)
            }
            None => {
                self.ready = false;
                self.missing = self.missing.saturating_add(1);
                self.is_forgotten().then(|| self.step(rule, f64::NAN, None, moment)).flatten()
            }
        }
    }

    fn judge_values(
        &mut self,
        rule: &Rule,
        values: &[f64],
        other: Option<f64>,
        moment: Moment,
    ) -> Option<Event> {
        self.seen = self.seen.saturating_add(1);
        // A detector that learned the first strange sample would find the next ones usual, and a
        // rule that waits for several would never fire.
        let told = rule.needed.0 <= 1 || self.machine.is_firing();
        let learn = rule.learn_anomalies && told;
        let sample = Sample { values, at: moment.steady, other, learn };
        let judgement = self.judge.sample(rule, sample);
        let enough = self.seen > rule.min_samples;
        self.ready = judgement.ready && enough;
        self.panics += u32::from(judgement.panicked);
        let origin = judgement.origin;
        let value = values.get(origin).copied().unwrap_or(f64::NAN);
        let event = self.step(rule, value, judgement.broken.filter(|_| enough), moment);
        event.map(|event| Event { origin, ..event })
    }

    /// Takes in what was found of the rule as a whole.
    pub(super) fn judge_whole(
        &mut self,
        rule: &Rule,
        verdict: Option<Verdict>,
        moment: Moment,
    ) -> Option<Event> {
        self.seen = self.seen.saturating_add(1);
        self.ready = self.seen > rule.min_samples;
        let verdict = verdict.filter(|_| self.ready);
        self.step(rule, f64::NAN, verdict, moment)
    }

    /// A series that is not there breaks nothing.
    pub(super) fn miss(&mut self, rule: &Rule, moment: Moment) -> Option<Event> {
        self.missing = self.missing.saturating_add(1);
        // What it counted before it went is not of the last tick.
        (self.memory, self.other) = (Memory::default(), Memory::default());
        self.step(rule, f64::NAN, None, moment)
    }

    fn step(
        &mut self,
        rule: &Rule,
        value: f64,
        verdict: Option<Verdict>,
        moment: Moment,
    ) -> Option<Event> {
        let began = !self.machine.is_pending() && !self.machine.is_firing();
        let broken = verdict.is_some();
        let change = self.machine.step(broken, rule.needed, rule.cooldown, moment.at);
        if broken && began {
            self.first_seen = moment.at;
        }
        (change != Change::Nothing).then_some(Event {
            series: 0,
            origin: 0,
            change,
            value,
            verdict,
        })
    }
}
