//! What a program said of its health, under one lock that no code of the program's runs under.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::{Check, Checked};
use super::report::{LINE_BYTES, MOST, NAME_BYTES, cut};
use super::status::{Status, Verdict};
use super::{Report, Source};
use crate::notice::Notice;

/// Each may hang in a thread of its own.
const MOST_CHECKS: usize = 64;

pub(super) struct State {
    components: BTreeMap<String, Component>,
    pub(super) sources: Vec<Source>,
    pub(super) thresholds: Thresholds,
    pub(super) version: String,
    pub(super) ready: bool,
    pub(super) live: bool,
    /// Threads that run checks, also of components that are gone.
    pub(super) threads: usize,
    runs: u64,
    /// What is to be counted and logged once the lock is free: a logger is the program's code.
    pub(super) notices: Vec<(Notice, String)>,
    started: Duration,
}

/// What stands for a component; opaque, and for the caller to drop.
pub(super) enum Component {
    Set(Verdict),
    Checked(Checked),
}

/// Shares from which on a resource is degraded or critical, by its name.
#[derive(Clone, Debug)]
pub(super) struct Thresholds {
    usual: f64,
    degraded: BTreeMap<String, f64>,
    critical: BTreeMap<String, f64>,
}

impl State {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            components: BTreeMap::new(),
            sources: Vec::new(),
            thresholds: Thresholds::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ready: true,
            live: true,
            threads: 0,
            runs: 0,
            notices: Vec::new(),
            started: now,
        }
    }

    pub(super) fn add_check(&mut self, mut check: Check) -> Option<Component> {
        check.name = cut(&check.name, NAME_BYTES);
        let name = check.name.clone();
        let is_check = |component: &Component| matches!(component, Component::Checked(_));
        let known = self.components.get(&name).is_some_and(is_check);
        let component = Component::Checked(Checked::new(check));
        let checks = self.components.values().filter(|component| is_check(component)).count();
        if !known && checks >= MOST_CHECKS {
            self.notices.push((Notice::HealthFull, name));
            return Some(component);
        }
        self.put(name, component)
    }

    pub(super) fn set(&mut self, name: &str, status: Status, details: &str) -> Option<Component> {
        let verdict = Verdict::new(status, cut(details, LINE_BYTES));
        self.put(cut(name, NAME_BYTES), Component::Set(verdict))
    }

    /// Gives back what was there before, or what found no room.
    fn put(&mut self, name: String, component: Component) -> Option<Component> {
        if self.components.len() >= MOST && !self.components.contains_key(&name) {
            self.notices.push((Notice::HealthFull, name));
            return Some(component);
        }
        self.components.insert(name, component)
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Component> {
        self.components.remove(&cut(name, NAME_BYTES))
    }

    pub(super) fn checks(&self) -> impl Iterator<Item = &Checked> {
        self.components.values().filter_map(|component| match component {
            Component::Checked(checked) => Some(checked),
            Component::Set(_) => None,
        })
    }

    pub(super) fn checked(&mut self, name: &str) -> Option<&mut Checked> {
        match self.components.get_mut(name) {
            Some(Component::Checked(checked)) => Some(checked),
            _ => None,
        }
    }

    /// The runs that should start now: their checks and numbers. Notes those that are late.
    pub(super) fn begin_due(&mut self, now: Duration) -> Vec<(Check, u64)> {
        let mut due = Vec::new();
        for (name, component) in &mut self.components {
            let Component::Checked(checked) = component else { continue };
            if checked.is_newly_late(now) {
                self.notices.push((Notice::CheckTimedOut, name.clone()));
            }
            if checked.is_due(now) {
                self.runs += 1;
                checked.begin(self.runs, now);
                due.push((checked.check.clone(), self.runs));
            }
        }
        due
    }

    /// A report of all but the sources.
    pub(super) fn report(&self, now: Duration, unix: Duration) -> Report {
        let mut report = Report {
            unix,
            uptime: now.saturating_sub(self.started),
            version: self.version.clone(),
            thresholds: self.thresholds.clone(),
            ready: self.ready,
            unchecked: self.checks().find(|c| !c.is_known(now)).map(|c| c.check.name.clone()),
            ..Report::default()
        };
        for (name, component) in &self.components {
            report.add(
                name,
                match component {
                    Component::Set(verdict) => verdict.clone(),
                    Component::Checked(checked) => checked.verdict(now),
                },
            );
        }
        report
    }
}

impl Thresholds {
    pub(super) fn set_usual(&mut self, share: f64) {
        if share.is_finite() {
            self.usual = share;
        }
    }

    pub(super) fn set_degraded(&mut self, resource: &str, share: f64) {
        set(&mut self.degraded, resource, share);
    }

    pub(super) fn set_critical(&mut self, resource: &str, share: f64) {
        set(&mut self.critical, resource, share);
    }

    /// From which share on a resource is degraded, and how well it is when this much is used.
    pub(super) fn judge(&self, resource: &str, used: f64) -> (f64, Status) {
        let threshold = self.degraded.get(resource).copied().unwrap_or(self.usual);
        let critical = self.critical.get(resource).is_some_and(|share| used >= *share);
        let status = match (critical, used >= threshold) {
            (true, _) => Status::Critical,
            (false, true) => Status::Degraded,
            (false, false) => Status::Healthy,
        };
        (threshold, status)
    }
}

fn set(shares: &mut BTreeMap<String, f64>, resource: &str, share: f64) {
    let name = cut(resource, NAME_BYTES);
    if share.is_finite() && (shares.len() < MOST || shares.contains_key(&name)) {
        shares.insert(name, share);
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { usual: 0.9, degraded: BTreeMap::new(), critical: BTreeMap::new() }
    }
}
