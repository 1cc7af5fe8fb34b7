//! Exemplars: for a counter or a bucket the last recording that somebody gave a name to.
//!
//! They lie beside the cells, by row, and not in them: nearly no series has any, and those that do
//! must not make recording dearer for the rest. So they have locks, clocks and allocations, which
//! only those who give exemplars pay for. When a row goes, its exemplars go before anybody else
//! can have it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::gate::Gate;
use super::page::{CellId, Layout};
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// The most that are kept in all: with labels of 128 ASCII characters 14 MB.
const MOST: usize = 1 << 16;

/// The most that one series keeps; exponential buckets are more than anybody looks through.
const MOST_OF_ROW: usize = 64;

/// A recording worth remembering.
#[derive(Debug)]
pub(crate) struct Exemplar {
    /// Canonical text.
    pub(crate) labels: Box<str>,
    pub(crate) value: f64,
    /// When it was recorded, since 1970.
    pub(crate) unix: Duration,
}

/// An exemplar and the bucket that it fell into.
pub(crate) type Kept = (u16, Arc<Exemplar>);

/// Exemplars by row, each row's sorted by bucket.
type Rows = BTreeMap<u32, Vec<Kept>>;

/// By row, so that threads which record into different series seldom wait for each other.
/// As many as a prime, since the rows of histograms lie a stride apart.
static SHARDS: [Mutex<Rows>; 13] = [const { Mutex::new(Rows::new()) }; 13];

/// How many there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn shard(cell: CellId) -> &'static Mutex<Rows> {
    &SHARDS[cell.raw() as usize % SHARDS.len()]
}

/// Keeps an exemplar in place of the one its bucket had. False if there is no room.
pub(super) fn keep(_: &Gate, cell: CellId, layout: &Layout, exemplar: Exemplar) -> bool {
    let bucket = match layout {
        Layout::Counter | Layout::FloatCounter => 0,
        // No format has a place for them.
        Layout::Histogram(buckets) if buckets.quantiles().is_some() => return false,
        // At most 1,000.
        Layout::Histogram(buckets) => buckets.index(exemplar.value) as u16,
        Layout::Gauge => return false,
    };
    let new = (bucket, Arc::new(exemplar));
    let mut rows = shard(cell).lock();
    let row = rows.entry(cell.raw()).or_default();
    let place = row.binary_search_by_key(&bucket, |(bucket, _)| *bucket);
    if let Ok(at) = place {
        row[at] = new;
        return true;
    }
    if row.len() >= MOST_OF_ROW {
        let oldest = (0..row.len()).min_by_key(|at| row[*at].1.unix);
        oldest.map(|at| row.remove(at));
    } else if !reserve() {
        return false;
    }
    let at = row.partition_point(|(other, _)| *other < bucket);
    row.insert(at, new);
    true
}

fn reserve() -> bool {
    let more = |count: usize| (count < MOST).then_some(count + 1);
    COUNT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

/// Forgets the exemplars of a row that nobody holds any more.
pub(super) fn forget(cell: CellId) {
    // Whoever kept one in this row let go of the row before, so the count is not too old.
    if COUNT.load(Ordering::Relaxed) > 0 {
        let row = shard(cell).lock().remove(&cell.raw());
        COUNT.fetch_sub(row.map_or(0, |row| row.len()), Ordering::Relaxed);
    }
}

/// All exemplars at one moment.
#[derive(Debug, Default)]
pub(crate) struct Exemplars {
    rows: Rows,
    /// Which pages have any, because most have none.
    pages: Vec<bool>,
}

impl Exemplars {
    /// Those there are now. The cells of a row must be read later: then no exemplar is shown
    /// before what it is an example of.
    pub(crate) fn collect() -> Self {
        let mut all = Self::default();
        if COUNT.load(Ordering::Relaxed) == 0 {
            return all;
        }
        for shard in &SHARDS {
            let rows = shard.lock();
            all.rows.extend(rows.iter().map(|(cell, row)| (*cell, row.clone())));
        }
        for cell in all.rows.keys().filter_map(|cell| CellId::from_raw(*cell)) {
            if all.pages.len() <= cell.page() {
                all.pages.resize(cell.page() + 1, false);
            }
            all.pages[cell.page()] = true;
        }
        all
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Those of a row.
    pub(crate) fn of(&self, cell: CellId) -> Option<&Vec<Kept>> {
        if !*self.pages.get(cell.page())? {
            return None;
        }
        self.rows.get(&cell.raw())
    }
}
