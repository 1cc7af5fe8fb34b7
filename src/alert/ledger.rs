//! From what changed to alerts: numbered, grouped, listed, and handed on, the worst first.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::courier::Courier;
use super::evaluator::Evaluator;
use super::history::History;
use super::machine::Change;
use super::report::{Alert, State, Verdict};
use super::sender::Sender;
use super::tracked::Event;
use crate::anomaly::{self, Anomaly};
use crate::clock;
use crate::monitor::Tick;

/// How long an inline anomaly counts as going on; nobody says when it is over.
const INLINE: Duration = Duration::from_secs(60);
/// A group's span, in times that alerts may lie apart. Alerts that come all the time would be one
/// group for ever otherwise, whose origin has nothing to do with the last of them.
const LONGEST_SPAN: u32 = 10;

/// Writes down what happens to alerts.
#[derive(Debug)]
pub(super) struct Ledger {
    history: History,
    pub(super) couriers: Vec<Courier>,
    pub(super) senders: Vec<Sender>,
    together: Duration,
    next_id: u64,
    /// The group that alerts join for now.
    group: Option<Group>,
    /// What began in this tick and has no group yet, with its rule's and its series' place.
    begun: Vec<(usize, usize, Arc<Alert>)>,
    /// What ended, or came back, in this tick.
    told: Vec<Arc<Alert>>,
    inline: Vec<(Arc<Alert>, Duration)>,
}

/// Alerts that began together.
#[derive(Clone, Copy, Debug)]
struct Group {
    id: u64,
    began: Duration,
    /// When the last one joined.
    joined: Duration,
}

impl Ledger {
    pub(super) fn new(
        history: History,
        couriers: Vec<Courier>,
        senders: Vec<Sender>,
        together: Duration,
    ) -> Self {
        Self {
            history,
            couriers,
            senders,
            together,
            next_id: 1,
            group: None,
            begun: Vec::new(),
            told: Vec::new(),
            inline: Vec::new(),
        }
    }

    /// Takes in what a rule, the one at this place, found at a tick.
    pub(super) fn enter(
        &mut self,
        place: usize,
        evaluator: &mut Evaluator,
        events: Vec<Event>,
        tick: Tick,
    ) {
        for event in events {
            let before =
                evaluator.tracked.get_mut(event.series).and_then(|tracked| tracked.alert.take());
            let after = self.one(evaluator, &event, before, tick);
            match (event.change, &after) {
                (Change::Fires { again: false }, Some(alert)) => {
                    self.begun.push((place, event.series, Arc::clone(alert)));
                }
                // Who was told that it is over must be told that it is not.
                (Change::Fires { again: true }, Some(alert)) => self.told.push(Arc::clone(alert)),
                _ => {}
            }
            if let Some(tracked) = evaluator.tracked.get_mut(event.series) {
                tracked.alert = after;
            }
        }
    }

    /// What becomes of a series' alert.
    fn one(
        &mut self,
        evaluator: &Evaluator,
        event: &Event,
        before: Option<Arc<Alert>>,
        tick: Tick,
    ) -> Option<Arc<Alert>> {
        match event.change {
            Change::Nothing => before,
            Change::Lapsed => before.filter(|alert| {
                let was = alert.state == State::Resolved;
                if !was {
                    self.history.remove(alert.id);
                }
                was
            }),
            // It may come back as what it was, and until then that is over.
            Change::Pending { again: true } if before.is_some() => before,
            Change::Resolved => {
                let alert = Arc::new(Alert { state: State::Resolved, ..Alert::clone(&*before?) });
                self.history.put(Arc::clone(&alert));
                self.told.push(Arc::clone(&alert));
                Some(alert)
            }
            Change::Pending { .. } | Change::Continues => {
                let known = before.filter(|alert| alert.state != State::Resolved);
                let alert = match known {
                    Some(known) => renewed(&known, event, tick),
                    None => self.new_alert(evaluator, event, tick)?,
                };
                let alert = Arc::new(alert);
                self.history.put(Arc::clone(&alert));
                Some(alert)
            }
            Change::Fires { again } => {
                let known = before.filter(|alert| again || alert.state == State::Pending);
                let alert = match known {
                    Some(known) if known.state == State::Resolved => {
                        returned(evaluator, &known, event, tick)?
                    }
                    Some(known) => renewed(&known, event, tick),
                    None => self.new_alert(evaluator, event, tick)?,
                };
                let alert = Arc::new(Alert { state: State::Firing, ..alert });
                self.history.put(Arc::clone(&alert));
                Some(alert)
            }
        }
    }

    fn new_alert(&mut self, evaluator: &Evaluator, event: &Event, tick: Tick) -> Option<Alert> {
        let (rule, tracked) = (&evaluator.rule, evaluator.tracked.get(event.series)?);
        let (metric, labels) = evaluator.subject(event)?;
        let id = self.next_id;
        self.next_id += 1;
        Some(Alert {
            id,
            rule: Arc::clone(&rule.name),
            metric,
            labels,
            member: event.origin,
            state: State::Pending,
            severity: rule.severity,
            value: event.value,
            verdict: event.verdict.clone()?,
            action: rule.action.clone(),
            first_seen: tick.unix.saturating_sub(tick.at.saturating_sub(tracked.first_seen)),
            last_seen: tick.unix,
            group: 0,
            origin: false,
        })
    }

    /// Puts what began in this tick into a group and hands everything on: the worst first, and of
    /// those what broke first. Returns what began.
    pub(super) fn close(&mut self, evaluators: &mut [Evaluator], tick: Tick) -> Vec<Arc<Alert>> {
        for alert in std::mem::take(&mut self.told) {
            self.hand_on(&alert);
        }
        let mut begun = std::mem::take(&mut self.begun);
        begun.sort_by(|(_, _, a), (_, _, b)| {
            let by_score = b.verdict.score.total_cmp(&a.verdict.score);
            a.first_seen.cmp(&b.first_seen).then(by_score).then(a.id.cmp(&b.id))
        });
        let mut alerts = Vec::with_capacity(begun.len());
        for (rule, series, alert) in begun {
            let alert = self.grouped(&alert, tick);
            self.history.put(Arc::clone(&alert));
            let tracked = evaluators.get_mut(rule).and_then(|rule| rule.tracked.get_mut(series));
            if let Some(tracked) = tracked {
                tracked.alert = Some(Arc::clone(&alert));
            }
            alerts.push(alert);
        }
        alerts.sort_by_key(|alert| (Reverse(alert.severity), !alert.origin));
        alerts.iter().for_each(|alert| self.hand_on(alert));
        alerts
    }

    /// The first of a group is the likely origin.
    fn grouped(&mut self, alert: &Alert, tick: Tick) -> Arc<Alert> {
        let longest = self.together.saturating_mul(LONGEST_SPAN);
        let open = self.group.filter(|group| {
            tick.at.saturating_sub(group.joined) <= self.together
                && tick.at.saturating_sub(group.began) < longest
        });
        let new = Group { id: alert.id, began: tick.at, joined: tick.at };
        let group = Group { joined: tick.at, ..open.unwrap_or(new) };
        self.group = Some(group);
        Arc::new(Alert { group: group.id, origin: open.is_none(), ..alert.clone() })
    }

    /// Lists what watches found in the program itself since the last tick.
    pub(super) fn take_inline(&mut self, registry: u32, tick: Tick) {
        let (over, on): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.inline).into_iter().partition(|(_, until)| *until <= tick.at);
        self.inline = on;
        for (alert, _) in over {
            let alert = Arc::new(Alert { state: State::Resolved, ..Alert::clone(&alert) });
            self.history.put(Arc::clone(&alert));
            self.hand_on(&alert);
        }
        for anomaly in anomaly::take(registry) {
            let alert = self.grouped(&self.of_watch(&anomaly, tick), tick);
            self.next_id += 1;
            self.history.put(Arc::clone(&alert));
            self.hand_on(&alert);
            self.inline.push((alert, tick.at + INLINE));
        }
    }

    fn of_watch(&self, anomaly: &Anomaly, tick: Tick) -> Alert {
        let (low, high) = anomaly.expected();
        let verdict = Verdict {
            detector: "watch",
            score: anomaly.score(),
            confidence: anomaly.confidence(),
            expected: (low.is_finite() || high.is_finite()).then_some((low, high)),
            reason: format!("{}, at step {}", anomaly.reason(), anomaly.step()),
        };
        Alert {
            id: self.next_id,
            rule: anomaly.kind().as_str().into(),
            metric: anomaly.metric.clone(),
            labels: anomaly.labels.clone(),
            member: 0,
            state: State::Firing,
            severity: anomaly.severity(),
            value: anomaly.value(),
            verdict,
            action: anomaly.action().map(Into::into),
            first_seen: tick.unix,
            last_seen: tick.unix,
            group: 0,
            origin: false,
        }
    }

    fn hand_on(&self, alert: &Arc<Alert>) {
        self.couriers.iter().for_each(|courier| courier.hand(alert));
        self.senders.iter().for_each(|sender| sender.hand(alert));
    }

    /// Lets everybody finish, until then.
    pub(super) fn stop(&mut self, deadline: Instant) {
        self.couriers.iter().for_each(Courier::ask_stop);
        self.senders.iter().for_each(Sender::ask_stop);
        let left = || deadline.saturating_duration_since(clock::now());
        self.couriers.iter_mut().for_each(|courier| courier.stop(left()));
        self.senders.iter_mut().for_each(|sender| sender.stop(left()));
    }
}

/// An alert that goes on. One about a group keeps the origin that it began with: who is told of it
/// elsewhere knows it by its labels.
fn renewed(known: &Alert, event: &Event, tick: Tick) -> Alert {
    let verdict = event.verdict.clone().filter(|_| event.origin == known.member);
    let value = if verdict.is_some() { event.value } else { known.value };
    let verdict = verdict.unwrap_or_else(|| known.verdict.clone());
    Alert { value, verdict, last_seen: tick.unix, ..known.clone() }
}

/// An alert that was over and is not: with the origin of now, since everybody was told that the
/// other one is over.
fn returned(evaluator: &Evaluator, known: &Alert, event: &Event, tick: Tick) -> Option<Alert> {
    let (metric, labels) = evaluator.subject(event)?;
    let known = Alert { metric, labels, member: event.origin, ..known.clone() };
    Some(renewed(&known, event, tick))
}
