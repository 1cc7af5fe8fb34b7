//! Health as metrics.

use std::collections::BTreeMap;

use metrics::Unit;

use super::{Health, Status};
use crate::registry::{Observed, Registry};

const NAME: &str = "nissa_health_status";

/// Keeps `nissa_health_status{component,status}` up to date: 1 for the status a component has, 0
/// for the others, as an OpenMetrics state set. Resources are shown as components are, and the
/// whole as `overall`, `ready` and `live`. Of two of one name, the worse is shown.
///
/// Here and not where somebody asks `/health`, so that an alert sees it without asking.
pub(crate) struct Publisher {
    health: Health,
    registry: Registry,
    shown: BTreeMap<String, [Observed<f64>; 3]>,
}

impl Publisher {
    pub(crate) fn new(health: Health, registry: Registry) -> Self {
        let help = "Whether a component is in this status (1) or not (0).";
        registry.describe_gauge(NAME, None::<Unit>, help);
        Self { health, registry, shown: BTreeMap::new() }
    }

    /// Starts the checks that are due and shows what is known.
    pub(crate) fn tick(&mut self) {
        let report = self.health.latest();
        let probe = |up: bool| if up { Status::Healthy } else { Status::Critical };
        let mut now: BTreeMap<&str, Status> = BTreeMap::new();
        let components = report.components().map(|(name, verdict)| (name, verdict.status()));
        let resources =
            report.resources().map(|resource| (resource.name.as_str(), resource.status));
        let whole = [
            ("overall", report.overall()),
            ("ready", probe(report.is_ready())),
            ("live", probe(self.health.is_live())),
        ];
        for (name, status) in components.chain(resources).chain(whole) {
            let worst = now.entry(name).or_default();
            *worst = status.max(*worst);
        }
        // Dropping what is shown takes it out of the output.
        self.shown.retain(|name, _| now.contains_key(name.as_str()));
        for (name, status) in now {
            self.show(name, status);
        }
    }

    fn show(&mut self, name: &str, status: Status) {
        if !self.shown.contains_key(name) {
            let series = Status::ALL.map(|status| {
                let labels = [("component", name), ("status", status.as_str())];
                self.registry.observed_gauge(NAME, &labels)
            });
            self.shown.insert(name.to_owned(), series);
        }
        for (series, of) in self.shown.get(name).into_iter().flatten().zip(Status::ALL) {
            series.set(f64::from(u8::from(status == of)));
        }
    }
}
