//! Taking a snapshot, and letting go of what has been idle for long.

use std::sync::Arc;

use super::family::{Expiry, Family, Reading};
use super::{Inner, cache};
use crate::cells::{self, Exemplars, gate};
use crate::entry::{Entry, Kind};
use crate::snapshot::Snapshot;

impl Inner {
    pub(super) fn snapshot(&self) -> Snapshot {
        let Some(gate) = gate::enter() else { return Snapshot::default() };
        let families = self.up_to_date(&gate);
        self.read(&gate, families)
    }

    pub(super) fn snapshot_of(&self, keep: impl Fn(&str) -> bool) -> Snapshot {
        let Some(gate) = gate::enter() else { return Snapshot::default() };
        let mut families = self.up_to_date(&gate);
        // What the caller does in there must find the gate open.
        drop(gate);
        families.retain(|family| keep(&family.descriptor.name));
        let Some(gate) = gate::enter() else { return Snapshot::default() };
        self.read(&gate, families)
    }

    /// All metrics, after bringing the registry's own up to date.
    fn up_to_date(&self, gate: &gate::Gate) -> Vec<Arc<Family>> {
        self.publish_own(gate);
        self.families.read().by_name.values().cloned().collect()
    }

    fn read(&self, _: &gate::Gate, families: Vec<Arc<Family>>) -> Snapshot {
        let expiry = self.config.idle_timeout.map(|timeout| Expiry {
            now: self.config.clock.now(),
            timeout,
            series: &self.series,
        });
        // All series before any cell: a reader adds a page up once, and what it saw there of a row
        // must not be shown for a series that was given the row later. Held, rows stay theirs.
        let entries: Vec<_> = families.iter().map(|family| family.in_sight()).collect();
        let cells = families.iter().map(|family| family.cells()).sum();
        // Exemplars before any cell, for the same reason as they are recorded after it.
        let exemplars = Exemplars::collect();
        let reader = cells::reader(cells);
        let mut reading = Reading { reader, exemplars, expiry, epoch: self.epoch };
        let mut shown = Vec::with_capacity(families.len());
        for family in &families {
            family.forget_withdrawn(&self.series);
        }
        for (family, entries) in families.iter().zip(entries) {
            let (read, forgettable) = family.read(entries, &mut reading);
            if read.is_none() && expiry.is_some() {
                self.forget_empty(family);
            }
            shown.extend(read);
            self.forget(family, forgettable);
        }
        Snapshot::new(shown, &self.config.global_labels)
    }

    /// Lets go of a metric that has no series left, but for its description.
    fn forget_empty(&self, family: &Arc<Family>) {
        /// The map and the snapshot that asks.
        const OURS: usize = 2;
        let mut families = self.families.write();
        // Whoever is about to add a series holds the family, and came by it under this lock.
        if Arc::strong_count(family) > OURS || !family.entries().is_empty() {
            return;
        }
        let name = &family.descriptor.name;
        families.remove(name);
        let room = families.described.len() < self.config.series;
        if let Some(description) = family.descriptor.description.get().filter(|_| room) {
            let kind = match family.descriptor.kind() {
                Kind::Summary => Kind::Histogram,
                kind => kind,
            };
            families.described.insert(name.clone(), (kind, description.clone()));
        }
        let buckets = family.descriptor.buckets();
        if let Some(chosen) = buckets.filter(|buckets| {
            families.buckets.len() < self.config.series && *buckets != self.config.buckets_for(name)
        }) {
            families.buckets.insert(name.clone(), chosen.clone());
        }
    }

    /// Lets go of idle series that nobody holds.
    fn forget(&self, family: &Family, idle: Vec<Entry>) {
        if idle.is_empty() {
            return;
        }
        family.forget(idle);
        cache::invalidate();
    }
}
