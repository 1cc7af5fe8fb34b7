//! What the stage says about itself in metrics.

use std::sync::Arc;
use std::time::Duration;

use super::evaluator::Evaluator;
use super::ledger::Ledger;
use super::report::Alert;
use super::rule::Rule;
use crate::instrument::{Counter, FloatCounter, Gauge};
use crate::registry::Registry;

const HELP: [(&str, &str); 3] = [
    ("nissa_anomalies_total", "Alerts that began, and anomalies that watches found."),
    ("nissa_callbacks_total", "Alerts handed to callbacks, by what came of it."),
    ("nissa_alert_panics_total", "Panics of closures in rules."),
];

#[derive(Debug)]
pub(super) struct Own {
    registry: Registry,
    pending: Gauge,
    firing: Gauge,
    stuck: Gauge,
    seconds: FloatCounter,
    refused: Counter,
    panics: Counter,
    /// A gauge per rule: the share of its series that can be judged.
    ready: Vec<Gauge>,
}

impl Own {
    pub(super) fn new(registry: &Registry, rules: &[Rule]) -> Self {
        HELP.iter().for_each(|(name, help)| registry.describe_counter(name, None, help));
        registry.describe_gauge("nissa_alerts", None, "Alerts by state.");
        registry.describe_gauge(
            "nissa_alert_ready",
            None,
            "Share of a rule's series that were seen for long enough to be judged, 0 to 1.",
        );
        registry.describe_gauge("nissa_callbacks_stuck", None, "Callbacks that do not return.");
        let alerts = |state| registry.gauge("nissa_alerts", &[("state", state)]);
        let ready = |rule: &Rule| registry.gauge("nissa_alert_ready", &[("rule", &rule.name)]);
        Self {
            pending: alerts("pending"),
            firing: alerts("firing"),
            stuck: registry.gauge("nissa_callbacks_stuck", &[]),
            seconds: registry.float_counter("nissa_detect_seconds_total", &[]),
            refused: registry.counter("nissa_alert_series_refused_total", &[]),
            panics: registry.counter("nissa_alert_panics_total", &[]),
            ready: rules.iter().map(ready).collect(),
            registry: registry.clone(),
        }
    }

    pub(super) fn add_detector_time(&self, time: Duration) {
        self.seconds.increment(time.as_secs_f64());
    }

    /// Counts what began; rare enough for a lookup each.
    pub(super) fn count(&self, begun: &[Arc<Alert>]) {
        for alert in begun {
            let labels = [("rule", alert.rule()), ("severity", alert.severity().as_str())];
            self.registry.counter("nissa_anomalies_total", &labels).increment(1);
        }
    }

    pub(super) fn publish(&self, evaluators: &[Evaluator], ledger: &Ledger) {
        let tracked = || evaluators.iter().flat_map(|evaluator| &evaluator.tracked);
        self.pending.set(tracked().filter(|tracked| tracked.is_pending()).count() as f64);
        self.firing.set(tracked().filter(|tracked| tracked.is_firing()).count() as f64);
        self.stuck.set(ledger.couriers.iter().filter(|courier| courier.is_stuck()).count() as f64);
        self.refused.absolute(evaluators.iter().map(|evaluator| evaluator.refused).sum());
        self.panics.absolute(evaluators.iter().map(|evaluator| u64::from(evaluator.panics)).sum());
        for (evaluator, gauge) in evaluators.iter().zip(&self.ready) {
            let (ready, all) = evaluator.ready();
            gauge.set(if all == 0 { 0.0 } else { ready as f64 / all as f64 });
        }
    }
}
