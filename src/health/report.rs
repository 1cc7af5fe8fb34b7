//! What `/health` tells, as data.

use std::collections::BTreeMap;
use std::time::Duration;

use super::state::Thresholds;
use super::status::{Status, Verdict};
use crate::notice::{self, Notice};

/// Components and resources a report may hold, each; a caller's own list of names must not fill
/// the memory.
pub(super) const MOST: usize = 256;
const MOST_ANOMALIES: usize = 1_000;
const MOST_RECOMMENDATIONS: usize = 100;
/// Bytes of a name, and of a line for people to read.
pub(super) const NAME_BYTES: usize = 256;
pub(super) const LINE_BYTES: usize = 1_024;

/// How well the program is, from [`Health::report`](super::Health::report). Sources add to it.
///
/// It takes no more than 256 components, 256 resources, 1,000 anomalies and 100 recommendations;
/// names are cut at 256 bytes and lines at 1,024. What found no room is counted in
/// `nissa_dropped_total{reason="health_full"}`.
///
/// ```
/// use nissa::health::{Health, Status};
///
/// let health = Health::new();
/// health.source(|report| {
///     report.resource("disk", 0.97);
///     report.recommend("delete old checkpoints");
/// });
/// let report = health.report();
/// assert_eq!(report.overall(), Status::Degraded);
/// assert_eq!(report.resources().next().unwrap().used, 0.97);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub(super) unix: Duration,
    pub(super) uptime: Duration,
    pub(super) version: String,
    pub(super) thresholds: Thresholds,
    pub(super) components: BTreeMap<String, Verdict>,
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) recommendations: Vec<String>,
    /// Whether the program says that it is ready.
    pub(super) ready: bool,
    /// A component without a first result.
    pub(super) unchecked: Option<String>,
}

/// How much of something is used.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Resource {
    /// What it is.
    pub name: String,
    /// The used share: 0 for none of it, 1 for all of it.
    pub used: f64,
    /// From which share on it is degraded.
    pub threshold: f64,
    /// How well it is.
    pub status: Status,
}

/// Something unusual that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Anomaly {
    /// What it befell, a metric or a rule.
    pub name: String,
    /// How much it weighs in the overall status.
    pub status: Status,
    /// What is unusual about it.
    pub details: String,
}

impl Report {
    /// The worst of everything in it.
    pub fn overall(&self) -> Status {
        let components = self.components.values().map(Verdict::status);
        let resources = self.resources.values().map(|resource| resource.status);
        let anomalies = self.anomalies.iter().map(|anomaly| anomaly.status);
        components.chain(resources).chain(anomalies).max().unwrap_or_default()
    }

    /// What was found of each component, by name.
    pub fn components(&self) -> impl Iterator<Item = (&str, &Verdict)> {
        self.components.iter().map(|(name, verdict)| (name.as_str(), verdict))
    }

    /// What was found of one component.
    ///
    /// ```
    /// use nissa::health::{Health, Status};
    ///
    /// let health = Health::new();
    /// health.set("cache", Status::Degraded, "cold");
    /// assert_eq!(health.report().find("cache").unwrap().details(), "cold");
    /// ```
    pub fn find(&self, component: &str) -> Option<&Verdict> {
        self.components.get(component)
    }

    /// How much of each resource is used, by name.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values()
    }

    /// What is unusual.
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.anomalies
    }

    /// What a person should do about it.
    pub fn recommendations(&self) -> &[String] {
        &self.recommendations
    }

    /// Wall-clock time of the report, since the epoch.
    pub fn unix(&self) -> Duration {
        self.unix
    }

    /// Whether requests may be sent to the program: it does not say otherwise, nothing is critical,
    /// and every check has had its first result.
    pub fn is_ready(&self) -> bool {
        self.unready().is_none()
    }

    /// Why the program is not ready.
    pub(super) fn unready(&self) -> Option<String> {
        let component = self.components().find(|(_, verdict)| verdict.status() == Status::Critical);
        if let Some((name, verdict)) = component {
            return Some(format!("{name}: {}", verdict.details()));
        }
        let resource = self.resources().find(|resource| resource.status == Status::Critical);
        if let Some(resource) = resource {
            return Some(format!("{}: {} used", resource.name, resource.used));
        }
        let anomaly = self.anomalies.iter().find(|anomaly| anomaly.status == Status::Critical);
        if let Some(anomaly) = anomaly {
            return Some(format!("{}: {}", anomaly.name, anomaly.details));
        }
        if let Some(name) = &self.unchecked {
            return Some(format!("{name}: not checked yet"));
        }
        (!self.ready).then(|| "the program says so".to_owned())
    }

    /// Adds a component. One that is there already takes the worse of the two verdicts.
    pub fn component(&mut self, name: &str, status: Status, details: &str) {
        self.add(name, Verdict::new(status, cut(details, LINE_BYTES)));
    }

    pub(super) fn add(&mut self, name: &str, verdict: Verdict) {
        let name = cut(name, NAME_BYTES);
        let full = self.components.len() >= MOST;
        match self.components.get_mut(&name) {
            Some(there) if there.status() >= verdict.status() => {}
            Some(there) => *there = verdict,
            None if full => refuse(&name),
            None => drop(self.components.insert(name, verdict)),
        }
    }

    /// Adds a resource of which this share is used. It is degraded from its
    /// [threshold](super::Health::threshold) on. A share that is not finite was not read: the
    /// resource is left out.
    pub fn resource(&mut self, name: &str, used: f64) {
        if !used.is_finite() {
            return;
        }
        let name = cut(name, NAME_BYTES);
        if self.resources.len() >= MOST && !self.resources.contains_key(&name) {
            return refuse(&name);
        }
        let (threshold, status) = self.thresholds.judge(&name, used);
        self.resources.insert(name.clone(), Resource { name, used, threshold, status });
    }

    /// Adds an anomaly, which weighs as much as its status.
    pub fn anomaly(&mut self, name: &str, status: Status, details: &str) {
        if self.anomalies.len() >= MOST_ANOMALIES {
            return refuse(name);
        }
        let (name, details) = (cut(name, NAME_BYTES), cut(details, LINE_BYTES));
        self.anomalies.push(Anomaly { name, status, details });
    }

    /// Adds a line about what a person should do.
    pub fn recommend(&mut self, line: &str) {
        if self.recommendations.len() >= MOST_RECOMMENDATIONS {
            return refuse(line);
        }
        self.recommendations.push(cut(line, LINE_BYTES));
    }
}

fn refuse(name: &str) {
    notice::process().count(Notice::HealthFull, name);
}

/// The text as far as it fits, at a character's end.
pub(super) fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}
