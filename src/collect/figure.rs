//! What a collector shows: names, kinds and help, told once.

use metrics::Unit;

use crate::entry::Kind;
use crate::registry::{Observed, Registry};

/// A metric of a collector. `docs/METRICS.md` lists every one; a test compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    unit: Option<Unit>,
    help: &'static str,
}

impl Figure {
    pub(crate) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, unit: None, help }
    }

    pub(crate) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, unit: None, help }
    }

    #[allow(dead_code, reason = "only the host has such figures")]
    pub(crate) const fn in_bytes(self) -> Self {
        Self { unit: Some(Unit::Bytes), ..self }
    }

    pub(crate) const fn in_seconds(self) -> Self {
        Self { unit: Some(Unit::Seconds), ..self }
    }

    /// Its series of these labels, as a count of integers.
    pub(crate) fn count(&self, registry: &Registry, labels: &[(&str, &str)]) -> Observed<u64> {
        registry.describe_counter(self.name, self.unit, self.help);
        registry.observed_counter(self.name, labels)
    }

    /// Its series of these labels, as a double: a gauge, or a counter of seconds or joules.
    pub(crate) fn number(&self, registry: &Registry, labels: &[(&str, &str)]) -> Observed<f64> {
        if self.kind == Kind::Counter {
            registry.describe_counter(self.name, self.unit, self.help);
            registry.observed_float_counter(self.name, labels)
        } else {
            registry.describe_gauge(self.name, self.unit, self.help);
            registry.observed_gauge(self.name, labels)
        }
    }
}
