//! A registry with a history, a clock, and a plain list of what it showed.

use std::collections::BTreeMap;
use std::time::Duration;

use nissa::history::History;
use nissa::monitor::Monitor;
use nissa::snapshot::Value;
use nissa::{ManualClock, Registry};

pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) clock: ManualClock,
    pub(crate) monitor: Monitor,
    pub(crate) history: History,
    /// Every value of every series without labels, by name. Of histograms the bucket counts.
    pub(crate) seen: BTreeMap<String, Vec<(Duration, Seen)>>,
    pub(crate) ticks: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Number(f64),
    Counts(Vec<u64>),
}

impl Seen {
    /// What the history shows of it as a number.
    pub(crate) fn number(&self) -> f64 {
        match self {
            Self::Number(value) => *value,
            Self::Counts(counts) => counts.iter().sum::<u64>() as f64,
        }
    }
}

impl World {
    pub(crate) fn new(history: History) -> Self {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        clock.set_unix(Duration::from_secs(1_000_000));
        let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
        let monitor = builder.history(history.clone()).build().unwrap();
        Self { registry, clock, monitor, history, seen: BTreeMap::new(), ticks: 0 }
    }

    pub(crate) fn tick(&mut self, passed: Duration) {
        self.clock.advance(passed);
        self.monitor.tick();
        self.ticks += 1;
        let now = self.history.now();
        let snapshot = self.registry.snapshot();
        for family in snapshot.families().filter(|family| !family.name().starts_with("nissa_")) {
            for series in family.series().filter(|series| series.labels().count() == 0) {
                let value = match series.value() {
                    Value::Distribution(distribution) => {
                        Seen::Counts(distribution.buckets().map(|(_, count)| count).collect())
                    }
                    value => Seen::Number(value.as_f64().unwrap()),
                };
                let list = self.seen.entry(family.name().to_owned()).or_default();
                list.push((now, value));
            }
        }
    }

    /// What was seen of a series after `from`, up to `to`.
    pub(crate) fn between(&self, name: &str, from: Duration, to: Duration) -> &[(Duration, Seen)] {
        let all = self.seen.get(name).map_or(&[][..], Vec::as_slice);
        let start = all.partition_point(|(time, _)| *time <= from);
        let end = all.partition_point(|(time, _)| *time <= to);
        &all[start..end.max(start)]
    }

    /// The same, and in front of it what was seen before.
    pub(crate) fn with_before(
        &self,
        name: &str,
        from: Duration,
        to: Duration,
    ) -> &[(Duration, Seen)] {
        let before = self.between(name, Duration::ZERO, from).len();
        &self.between(name, Duration::ZERO, to)[before.saturating_sub(1)..]
    }
}
