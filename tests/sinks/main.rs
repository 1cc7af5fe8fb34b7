//! Alerts that leave the program: to a real Alertmanager, to a receiver of the test's own, and to
//! others that answer too late, too much, wrongly or not at all.

mod alertmanager;
mod faults;
mod receiver;
mod webhook;

use std::time::Duration;

use nissa::alert::{Rule, Severity};
use nissa::monitor::{Builder, Monitor};
use nissa::{ManualClock, Registry};

pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A program with one rule, ticked by hand.
pub(crate) struct Program {
    pub(crate) registry: Registry,
    clock: ManualClock,
    monitor: Monitor,
}

impl Program {
    pub(crate) fn new(sinks: impl FnOnce(Builder) -> Builder) -> Self {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        clock.set_unix(now);
        let rule = Rule::new("queue_depth").above(1000.0).severity(Severity::Critical);
        let builder = nissa::builder()
            .registry(registry.clone())
            .clock(clock.clone())
            .health(nissa::health::Health::new())
            .shutdown_timeout(Duration::from_millis(300))
            .alert(rule.action("add workers").cooldown(Duration::ZERO));
        Self { registry, clock, monitor: sinks(builder).build().unwrap() }
    }

    pub(crate) fn tick(&self, depth: f64) {
        self.registry.gauge("queue_depth", &[("queue", "mail \"now\"")]).set(depth);
        self.clock.advance(Duration::from_secs(1));
        self.monitor.tick();
    }

    pub(crate) fn resolve(&self) {
        (0..3).for_each(|_| self.tick(0.0));
    }

    /// How many alerts had this outcome, once they are at least so many.
    pub(crate) fn wait_for(&self, sink: &str, outcome: &str, count: f64) -> f64 {
        let deadline = std::time::Instant::now() + SOON;
        loop {
            let now = outcome_of(&self.registry, sink, outcome);
            if now >= count {
                return now;
            }
            assert!(std::time::Instant::now() < deadline, "{now} of {count} {outcome}");
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }
}

pub(crate) fn outcome_of(registry: &Registry, sink: &str, outcome: &str) -> f64 {
    let labels = [("sink", sink), ("outcome", outcome)];
    registry.snapshot().get("nissa_alerts_sent_total", &labels).unwrap().as_f64().unwrap()
}
