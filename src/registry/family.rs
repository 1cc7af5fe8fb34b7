//! All series of one metric, in the order they are shown.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::own::is_own;
use super::table::Table;
use crate::cells::{self, Exemplars, Layout, Reader};
use crate::entry::{Descriptor, Entry, walk};
use crate::snapshot;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};

/// More newcomers than this are sorted in together; fewer are inserted one by one.
const FEW: usize = 64;

#[derive(Debug)]
pub(super) struct Family {
    pub(super) descriptor: Arc<Descriptor>,
    /// Series that count against the limit: neither dormant, nor the overflow one, nor the crate's
    /// own.
    pub(super) live: AtomicUsize,
    pub(super) table: Table,
    /// New series, put here by whoever registers them so that registering never waits for a
    /// reader, and moved into the order by the next reader.
    pending: Mutex<Vec<Entry>>,
    order: Mutex<Order>,
    /// Whether some of its series may be hidden; then readers look.
    hides: AtomicBool,
    /// Hidden series whose `Observed` is gone; forgotten by the next reader that finds nobody
    /// else to hold them.
    withdrawn: Mutex<Vec<Entry>>,
}

/// What readers share. No recording takes this lock, and no registration, but for a call site's
/// first refusal (see `remember_full`).
#[derive(Debug, Default)]
struct Order {
    /// Every series, dormant ones too, sorted by canonical labels. Snapshots hold on to it; it is
    /// copied only if one still does when a series is added.
    entries: Arc<Vec<Entry>>,
    /// By cell, when a series was last seen used. Empty while nothing expires.
    idle: HashMap<u32, Idle, foldhash::fast::RandomState>,
}

#[derive(Clone, Copy, Debug)]
struct Idle {
    /// The row's contents then, in one number that every use of the series changes.
    fingerprint: u64,
    since: Duration,
}

/// What reading all families of a registry goes by.
pub(super) struct Reading<'a> {
    pub(super) reader: Reader,
    pub(super) exemplars: Exemplars,
    pub(super) expiry: Option<Expiry<'a>>,
    /// What the wall clock showed when the registry's clock was at zero.
    pub(super) epoch: Duration,
}

impl Reading<'_> {
    fn family(
        &self,
        descriptor: &Arc<Descriptor>,
        entries: Arc<Vec<Entry>>,
        cells: Vec<u64>,
    ) -> snapshot::Family {
        let mut rare = snapshot::Rare::default();
        let counts = matches!(descriptor.layout, Layout::Counter | Layout::FloatCounter);
        if counts && self.reader.has_raised() {
            let is_raised = |(_, entry): &(usize, &Entry)| self.reader.is_raised(entry.cell());
            rare.raised = walk(&entries).enumerate().filter(is_raised).map(|(at, _)| at).collect();
        }
        if !self.exemplars.is_empty() {
            let of = |(at, entry): (usize, &Entry)| {
                self.exemplars.of(entry.cell()).map(|kept| (at, kept.clone()))
            };
            rare.exemplars = walk(&entries).enumerate().filter_map(of).collect();
        }
        snapshot::Family::new(Arc::clone(descriptor), entries, cells, rare, self.epoch)
    }
}

/// When series go out of the output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry<'a> {
    pub(super) now: Duration,
    pub(super) timeout: Duration,
    /// Series of the whole registry that count against its limit.
    pub(super) series: &'a AtomicUsize,
}

impl Family {
    pub(super) fn new(descriptor: Arc<Descriptor>) -> Self {
        Self {
            descriptor,
            live: AtomicUsize::new(0),
            table: Table::new(),
            pending: Mutex::new(Vec::new()),
            order: Mutex::new(Order::default()),
            hides: AtomicBool::new(false),
            withdrawn: Mutex::new(Vec::new()),
        }
    }

    /// About how many cells its series have.
    pub(super) fn cells(&self) -> usize {
        (self.live.load(Ordering::Relaxed) + 1) * self.descriptor.layout.stride()
    }

    pub(super) fn announce(&self, entry: Entry) {
        self.pending.lock().push(entry);
    }

    /// Every series, dormant ones too.
    pub(super) fn entries(&self) -> Arc<Vec<Entry>> {
        let mut order = self.order.lock();
        // Taken in a statement of its own: its lock must not last while newcomers are sorted in,
        // for that is what registering would wait for.
        let newcomers = std::mem::take(&mut *self.pending.lock());
        order.admit(newcomers);
        Arc::clone(&order.entries)
    }

    /// From now on readers look for hidden series. Announcing one, which comes later and takes a
    /// lock, is what makes this visible in time.
    pub(super) fn watch_hidden(&self) {
        self.hides.store(true, Ordering::Relaxed);
    }

    /// Every series that has something to show, dormant ones too. To be asked before any cell is
    /// read: a series may come into sight later, with a value the reader has not seen.
    pub(super) fn in_sight(&self) -> Arc<Vec<Entry>> {
        let entries = self.entries();
        if !self.hides.load(Ordering::Relaxed) || !entries.iter().any(Entry::is_hidden) {
            return entries;
        }
        Arc::new(entries.iter().filter(|entry| !entry.is_hidden()).cloned().collect())
    }

    /// Keeps a series in mind that an `Observed` let go of, until it can be forgotten.
    pub(super) fn withdraw(&self, entry: Entry) {
        let mut withdrawn = self.withdrawn.lock();
        if entry.is_observed() && !withdrawn.iter().any(|there| there.is_same(&entry)) {
            withdrawn.push(entry);
        }
    }

    /// Forgets withdrawn series that nobody holds, and gives back their places, of which `series`
    /// counts the registry's.
    pub(super) fn forget_withdrawn(&self, series: &AtomicUsize) {
        /// The table, the order, and the list of the withdrawn.
        const OURS: usize = 3;
        if !self.hides.load(Ordering::Relaxed) {
            return;
        }
        let mut withdrawn = self.withdrawn.lock();
        // In sight again: another `Observed` has it, and will bring it back here.
        withdrawn.retain(Entry::is_hidden);
        if withdrawn.is_empty() {
            return;
        }
        // So that every one of them is in the order, and no longer among the newcomers.
        drop(self.entries());
        let mut gone = Vec::new();
        withdrawn.retain(|entry| {
            let unused = || entry.holders() <= OURS;
            let removed = self.table.remove_if(entry, unused);
            if removed {
                entry.set_gone();
                gone.push(entry.clone());
            }
            !removed
        });
        if gone.is_empty() {
            return;
        }
        let counted = gone.iter().filter(|entry| entry.is_counted()).count();
        self.live.fetch_sub(counted, Ordering::Relaxed);
        series.fetch_sub(counted, Ordering::Relaxed);
        self.order.lock().remove(&gone);
    }

    /// The family as it is now, and the series that may be forgotten: idle, and held by nobody.
    /// The reader must be younger than `entries` were taken.
    pub(super) fn read(
        &self,
        entries: Arc<Vec<Entry>>,
        reading: &mut Reading<'_>,
    ) -> (Option<snapshot::Family>, Vec<Entry>) {
        let reader = &mut reading.reader;
        let stride = self.descriptor.layout.stride();
        let mut cells = Vec::with_capacity(entries.len() * stride);
        if stride == 1 {
            // Not a copy of one word through a call of memcpy.
            cells.extend(walk(&entries).map(|entry| reader.row(entry.cell(), 1)[0]));
        } else {
            for entry in walk(&entries) {
                cells.extend_from_slice(reader.row(entry.cell(), stride));
            }
        }
        let read = |entries, cells| reading.family(&self.descriptor, entries, cells);
        let Some(expiry) = reading.expiry.filter(|_| !is_own(&self.descriptor.name)) else {
            return ((!entries.is_empty()).then(|| read(entries, cells)), Vec::new());
        };
        let forgettable = self.mark_idle(&entries, &cells, expiry);
        if !entries.iter().any(Entry::is_dormant) {
            return ((!entries.is_empty()).then(|| read(entries, cells)), forgettable);
        }
        let rows = entries.iter().zip(cells.chunks_exact(stride));
        let shown = || rows.clone().filter(|(entry, _)| !entry.is_dormant());
        let kept: Vec<Entry> = shown().map(|(entry, _)| entry.clone()).collect();
        let cells = shown().flat_map(|(_, row)| row).copied().collect();
        ((!kept.is_empty()).then(|| read(Arc::new(kept), cells)), forgettable)
    }

    /// Puts series to sleep that were not used for long, and wakes those that were used again.
    fn mark_idle(&self, entries: &[Entry], cells: &[u64], expiry: Expiry<'_>) -> Vec<Entry> {
        let mut order = self.order.lock();
        let mut forgettable = Vec::new();
        for (entry, row) in entries.iter().zip(cells.chunks_exact(self.descriptor.layout.stride()))
        {
            // By another reader, since this one began. What is observed tells itself when it goes.
            if entry.is_gone() || entry.is_observed() {
                continue;
            }
            let fingerprint = self.fingerprint(row);
            let fresh = Idle { fingerprint, since: expiry.now };
            let idle = order.idle.entry(entry.cell().raw()).or_insert(fresh);
            // Setting a gauge to the value it has is a use that the value cannot show.
            let touched = matches!(self.descriptor.layout, Layout::Gauge)
                && cells::gauge_touched(entry.cell());
            if touched || idle.fingerprint != fingerprint {
                *idle = fresh;
            }
            let dormant = expiry.now.saturating_sub(idle.since) > expiry.timeout;
            if dormant != entry.is_dormant() {
                entry.set_dormant(dormant);
                if entry.is_counted() {
                    // A sleeping series takes no place, even if a thread remembers it for ever.
                    for count in [&self.live, expiry.series] {
                        match dormant {
                            true => count.fetch_sub(1, Ordering::Relaxed),
                            false => count.fetch_add(1, Ordering::Relaxed),
                        };
                    }
                }
            }
            if dormant {
                forgettable.push(entry.clone());
            }
        }
        forgettable
    }

    /// Integers only grow and doubles that only grow have growing bits, so no use goes unseen.
    fn fingerprint(&self, row: &[u64]) -> u64 {
        match self.descriptor.layout {
            Layout::Histogram(_) => row[1..].iter().fold(0, |sum, count| sum.wrapping_add(*count)),
            _ => row[0],
        }
    }

    /// Forgets those of these series that nobody holds and that were not used since they were
    /// read.
    pub(super) fn forget(&self, mut idle: Vec<Entry>) {
        /// The table, the order, and the caller.
        const OURS: usize = 3;
        let mut row = vec![0; self.descriptor.layout.stride()];
        idle.retain(|entry| {
            // Under the table's lock nobody can come to hold it, so what is true stays true.
            self.table
                .remove_if(entry, || entry.holders() <= OURS && self.retire_unused(entry, &mut row))
        });
        // All at once: taking them from the order one by one would move it as many times. One of
        // the same labels may have been registered meanwhile, so labels do not tell them apart.
        self.order.lock().remove(&idle);
    }

    /// Retires a sleeping series if it has not been used since it was read.
    fn retire_unused(&self, entry: &Entry, row: &mut [u64]) -> bool {
        cells::read_row(entry.cell(), row);
        // Under the lock under which series are woken.
        let order = self.order.lock();
        let seen = order.idle.get(&entry.cell().raw());
        let touched = matches!(self.descriptor.layout, Layout::Gauge) && row[1] != 0;
        let same = seen.is_some_and(|idle| idle.fingerprint == self.fingerprint(row));
        let unused = same && !touched && entry.is_dormant();
        if unused {
            entry.set_gone();
        }
        unused
    }
}

impl Order {
    fn remove(&mut self, gone: &[Entry]) {
        let gone: HashSet<u32> = gone.iter().map(|entry| entry.cell().raw()).collect();
        if !gone.is_empty() {
            self.idle.retain(|cell, _| !gone.contains(cell));
            Arc::make_mut(&mut self.entries).retain(|entry| !gone.contains(&entry.cell().raw()));
        }
    }

    /// Sorts new series in.
    fn admit(&mut self, mut newcomers: Vec<Entry>) {
        if newcomers.is_empty() {
            return;
        }
        let by_text = |a: &Entry, b: &Entry| a.text().cmp(b.text());
        let entries = Arc::make_mut(&mut self.entries);
        if newcomers.len() <= FEW {
            entries.reserve_exact(newcomers.len());
            for entry in newcomers {
                let at = entries.binary_search_by(|other| by_text(other, &entry));
                entries.insert(at.unwrap_or_else(|at| at), entry);
            }
            return;
        }
        entries.reserve_exact(newcomers.len());
        entries.append(&mut newcomers);
        // Merges the sorted run that is there with the newcomers.
        entries.sort_by(by_text);
    }
}
