//! Where a watch records what it sees and what it found.

use std::sync::Arc;

use crate::anomaly::{self, Anomaly};
use crate::instrument::Gauge;
use crate::registry::{Registry, with_current};

/// The registry of a watch, and the name it goes by.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    rule: Arc<str>,
    registry: Option<Registry>,
}

impl Recorder {
    /// Without a registry of its own a watch takes the one that macros on this thread use.
    pub(super) fn new(rule: &str, registry: Option<Registry>) -> Self {
        let registry = registry.or_else(|| with_current(Clone::clone));
        Self { rule: rule.into(), registry }
    }

    pub(super) fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        self.registry.as_ref().map_or(Gauge::noop(), |registry| registry.gauge(name, labels))
    }

    pub(super) fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }

    /// Counts an anomaly and leaves it for the background stage. Once per incident, so the lookup
    /// does not matter.
    pub(super) fn report(&self, anomaly: &Anomaly) {
        let Some(registry) = &self.registry else { return };
        let severity = anomaly.severity().as_str();
        let labels = [("rule", &*self.rule), ("severity", severity)];
        registry.counter("nissa_anomalies_total", &labels).increment(1);
        if !anomaly::post(registry.inner.id(), anomaly) {
            registry.counter("nissa_anomalies_unlisted_total", &[]).increment(1);
        }
    }
}
