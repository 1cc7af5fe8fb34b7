//! The background stage: every tick, every rule, every series.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::courier::Courier;
use super::evaluator::Evaluator;
use super::history::History;
use super::keeper::Keeper;
use super::ledger::Ledger;
use super::own::Own;
use super::rule::{Callback, Rule};
use super::sender::{Sender, Sink};
use super::tracked::Moment;
use crate::anomaly::{self, Severity};
use crate::clock;
use crate::error::Error;
use crate::health::{self, Report, Status};
use crate::monitor::{Context, Stage, Tick, Wants};
use crate::route::Route;
use crate::snapshot::Snapshot;

/// How often what detectors learned is saved.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// All rules, callbacks and sinks of a monitor. Made by the builder's methods of those names.
#[derive(Default)]
pub(super) struct Alerts {
    pub(super) rules: Vec<Rule>,
    pub(super) callbacks: Vec<Callback>,
    pub(super) sinks: Vec<MakeSink>,
    pub(super) path: Option<PathBuf>,
    history: History,
    running: Option<Running>,
}

/// Makes a sink when the monitor starts, so that what is wrong with its settings is the monitor's
/// error.
pub(super) type MakeSink = Box<dyn FnOnce() -> Result<Box<dyn Sink>, Error> + Send>;

/// What exists from start to stop.
struct Running {
    evaluators: Vec<Evaluator>,
    ledger: Ledger,
    own: Own,
    keeper: Option<Keeper>,
    saved_at: Duration,
    last: Option<Duration>,
    /// The wall clock at monotonic zero, read once: nobody who sets it disturbs a detector.
    epoch: Duration,
    registry: u32,
}

impl Stage for Alerts {
    fn name(&self) -> &'static str {
        "alerts"
    }

    fn wants(&self) -> Wants {
        Wants::Snapshots
    }

    fn routes(&self) -> Vec<Route> {
        let history = self.history.clone();
        vec![Route::get("/anomalies", move |request| history.answer(request))]
    }

    fn health(&self) -> Option<health::Source> {
        let history = self.history.clone();
        Some(Arc::new(move |report| tell(&history, report)))
    }

    fn as_any(&mut self) -> Option<&mut dyn std::any::Any> {
        Some(self)
    }

    fn start(&mut self, context: &Context) -> Result<(), Error> {
        let registry = context.registry();
        let rules = std::mem::take(&mut self.rules);
        rules.iter().try_for_each(Rule::check)?;
        let mut couriers = Vec::new();
        for callback in self.callbacks.drain(..) {
            couriers.push(Courier::start(callback, None, registry)?);
        }
        for rule in &rules {
            if let Some(callback) = &rule.callback {
                let (callback, name) = (Arc::clone(&callback.0), Some(Arc::clone(&rule.name)));
                couriers.push(Courier::start(callback, name, registry)?);
            }
        }
        let mut senders = Vec::new();
        for sink in self.sinks.drain(..) {
            senders.push(Sender::start(sink()?, self.history.clone(), registry)?);
        }
        let own = Own::new(registry, &rules);
        let mut evaluators: Vec<Evaluator> = rules.into_iter().map(Evaluator::new).collect();
        let keeper = match &self.path {
            Some(path) => Some(Keeper::start(path, registry, &mut evaluators)?),
            None => None,
        };
        let registry = registry.inner.id();
        anomaly::open(registry);
        // Alerts that begin within three ticks of one another began together.
        let together = context.interval().saturating_mul(3);
        self.running = Some(Running {
            evaluators,
            ledger: Ledger::new(self.history.clone(), couriers, senders, together),
            own,
            keeper,
            saved_at: Duration::ZERO,
            last: None,
            epoch: Duration::ZERO,
            registry,
        });
        Ok(())
    }

    fn after(&mut self, snapshot: &Snapshot, tick: Tick) {
        if let Some(running) = &mut self.running {
            running.tick(snapshot, tick);
        }
    }

    fn stop(&mut self, limit: Duration) {
        let Some(mut running) = self.running.take() else { return };
        anomaly::close(running.registry);
        let deadline = clock::after(limit);
        running.save();
        running.keeper.iter().for_each(Keeper::ask_stop);
        running.ledger.stop(deadline);
        if let Some(keeper) = running.keeper {
            keeper.stop(deadline.saturating_duration_since(clock::now()));
        }
    }
}

impl Running {
    fn tick(&mut self, snapshot: &Snapshot, tick: Tick) {
        let last = self.last.replace(tick.at);
        if last.is_none() {
            self.epoch = tick.unix.saturating_sub(tick.at);
        }
        let seconds = last.map_or(0.0, |last| tick.at.saturating_sub(last).as_secs_f64());
        let moment = Moment { at: tick.at, steady: self.epoch + tick.at, seconds };
        let started = clock::now();
        for (place, evaluator) in self.evaluators.iter_mut().enumerate() {
            let events = evaluator.tick(snapshot, moment);
            self.ledger.enter(place, evaluator, events, tick);
        }
        self.own.add_detector_time(clock::since(started));
        let begun = self.ledger.close(&mut self.evaluators, tick);
        self.own.count(&begun);
        self.ledger.take_inline(self.registry, tick);
        self.own.publish(&self.evaluators, &self.ledger);
        if tick.at.saturating_sub(self.saved_at) >= SAVE_EVERY {
            self.save();
        }
    }

    /// Until the last tick: there is no time between ticks.
    fn save(&mut self) {
        let now = self.last.unwrap_or_default();
        let ran = now.saturating_sub(std::mem::replace(&mut self.saved_at, now));
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(&mut self.evaluators, ran);
        }
    }
}

/// What is firing, as a health report says it.
fn tell(history: &History, report: &mut Report) {
    for alert in history.firing() {
        let status = match alert.severity() {
            Severity::Critical => Status::Critical,
            Severity::Warning => Status::Degraded,
            Severity::Info => Status::Healthy,
        };
        report.anomaly(alert.rule(), status, &alert.to_string());
        if let Some(action) = alert.action() {
            report.recommend(&format!("{}: {action}", alert.rule()));
        }
    }
}
