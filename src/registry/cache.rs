//! Each thread's memory of the series it found.
//!
//! Looking a series up in the registry takes two locks and a canonical text. A thread that asks
//! for the same series again finds it here, comparing borrowed strings with the series' own text:
//! no lock, no allocation.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use hashbrown::HashTable;

use super::Shape;
use crate::cells::{self, CellId};
use crate::entry::{Descriptor, Entry};
use crate::instrument::Handle;
use crate::sync::{AtomicU64, Ordering};

/// Series a thread remembers, 33 bytes each: what 4,096 buckets hold before they are doubled. When
/// full, everything is forgotten; a thread that uses more label sets than this at random gains
/// little from remembering any.
const CAPACITY: usize = 3584;

/// The most series a metric may have for [`remember_full`]: more than the default limit and its
/// overflow series, and few enough that other metrics find room beside it.
pub(crate) const MOST_FULL: usize = 2048;

/// Moves on when memories become useless: a registry has gone, or a series has become idle.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Tells every thread to look through its memory at its next use.
pub(crate) fn invalidate() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn epoch() -> u64 {
    EPOCH.load(Ordering::Relaxed)
}

/// Seeded once a process, so that label values from outside cannot be chosen to collide.
pub(crate) static SEED: LazyLock<foldhash::fast::RandomState> =
    LazyLock::new(foldhash::fast::RandomState::default);

thread_local! {
    static CACHE: RefCell<Cache> =
        const { RefCell::new(Cache { table: HashTable::new(), full: Vec::new(), epoch: 0, seed: None }) };
}

struct Cache {
    table: HashTable<Memory>,
    full: Vec<Full>,
    epoch: u64,
    /// A copy of `SEED`, so that a lookup need not check whether that exists.
    seed: Option<foldhash::fast::RandomState>,
}

struct Memory {
    hash: u32,
    registry: u32,
    /// The call site that asked, as its address; 0 if it was asked for by name.
    site: usize,
    /// The metric, if it was asked for by name.
    descriptor: Option<Arc<Descriptor>>,
    entry: Entry,
}

/// A call site whose metric can get no more series, and of which `table` knows every series that
/// there is: what is not found there is refused without asking the registry. A flood of label
/// values, which is what limits are for, is not made worse by a slow refusal.
pub(crate) struct Full {
    pub(crate) registry: u32,
    pub(crate) site: usize,
    /// Takes the update.
    pub(crate) overflow: Entry,
    /// Counts it.
    pub(crate) counted: CellId,
    /// Longer values were stored shorter, so missing them proves nothing. With 0 nothing is
    /// proved ever, and nobody tries again.
    pub(crate) value_bytes: usize,
}

/// What a series is asked for by.
pub(crate) trait Query {
    /// The call site, if its name and label names are fixed.
    fn site(&self) -> usize;
    fn hash(&self, hasher: &mut impl Hasher);
    /// Whether a series remembered for the same site, or of the metric given, is the one meant.
    fn is(&self, descriptor: Option<&Descriptor>, entry: &Entry) -> bool;

    /// Whether all values are kept as they are if they are no longer than this.
    fn is_kept(&self, value_bytes: usize) -> bool;
}

/// By name and sorted labels, all of them known only now.
pub(crate) struct ByName<'a> {
    pub(crate) shape: Shape,
    pub(crate) name: &'a str,
    pub(crate) labels: &'a [(&'a str, &'a str)],
}

impl Query for ByName<'_> {
    fn site(&self) -> usize {
        0
    }

    #[inline]
    fn hash(&self, hasher: &mut impl Hasher) {
        self.name.hash(hasher);
        self.labels.hash(hasher);
    }

    #[inline]
    fn is(&self, descriptor: Option<&Descriptor>, entry: &Entry) -> bool {
        let same = |descriptor: &Descriptor| {
            *descriptor.name == *self.name && self.shape.fits(descriptor.layout)
        };
        descriptor.is_some_and(same) && entry.matches(self.labels)
    }

    fn is_kept(&self, value_bytes: usize) -> bool {
        self.labels.iter().all(|(_, value)| !value.is_empty() && value.len() <= value_bytes)
    }
}

/// A handle to the series if this thread remembers it.
#[inline]
pub(crate) fn find(registry: u32, query: &impl Query) -> Option<Handle> {
    let look = |cache: &RefCell<Cache>| {
        // Busy when the table is growing and the allocator records something.
        let cache = cache.try_borrow().ok()?;
        if cache.epoch == epoch() { cache.find(registry, query) } else { None }
    };
    CACHE.try_with(look).ok().flatten()
}

/// What a miss means: that memories are out of date, or that the registry would refuse the labels,
/// in which case this is the handle to their overflow series.
pub(crate) fn missed(registry: u32, query: &impl Query) -> Option<Handle> {
    let look = |cache: &RefCell<Cache>| {
        let mut cache = cache.try_borrow_mut().ok()?;
        if cache.epoch != epoch() {
            cache.forget_useless();
            let found = cache.find(registry, query);
            if found.is_some() {
                return found;
            }
        }
        cache.refused(registry, query).map(Handle::to)
    };
    CACHE.try_with(look).ok().flatten()
}

/// Remembers the series that answers a query.
pub(crate) fn remember(
    registry: u32,
    query: &impl Query,
    descriptor: &Arc<Descriptor>,
    entry: Entry,
) {
    with(|cache| {
        if cache.table.len() >= CAPACITY {
            cache.forget_all();
        }
        let by_name = query.site() == 0;
        cache.insert(registry, query, by_name.then(|| Arc::clone(descriptor)), entry);
    });
}

/// Whether the thread knows already that a call site's metric is full.
pub(crate) fn knows_full(registry: u32, site: usize) -> bool {
    let mut known = false;
    with(|cache| {
        known = cache.full.iter().any(|full| full.site == site && full.registry == registry);
    });
    known
}

/// Remembers that a call site's metric is full, and each series it can ask for.
pub(crate) fn remember_full<Q: Query>(full: Full, answers: Vec<(Q, Entry)>) {
    with(|cache| {
        if cache.table.len() + MOST_FULL > CAPACITY {
            cache.forget_all();
        }
        for (query, entry) in answers {
            cache.insert(full.registry, &query, None, entry);
        }
        cache.full.push(full);
    });
}

fn with(f: impl FnOnce(&mut Cache)) {
    let _ = CACHE.try_with(|cache| cache.try_borrow_mut().map(|mut cache| f(&mut cache)));
}

#[inline(always)]
fn hash(seed: &foldhash::fast::RandomState, registry: u32, query: &impl Query) -> u32 {
    let mut hasher = seed.build_hasher();
    query.hash(&mut hasher);
    // What is not a caller's text cannot be aimed, and needs no more than spreading.
    let asker = (query.site() as u32 ^ registry).wrapping_mul(0x9E37_79B9);
    hasher.finish() as u32 ^ asker
}

/// A stored hash as the table wants it, which looks at both ends.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl Memory {
    #[inline(always)]
    fn answers(&self, hash: u32, registry: u32, query: &impl Query) -> bool {
        self.hash == hash
            && self.registry == registry
            && self.site == query.site()
            && query.is(self.descriptor.as_deref(), &self.entry)
    }
}

impl Cache {
    #[inline(always)]
    fn find(&self, registry: u32, query: &impl Query) -> Option<Handle> {
        let hash = hash(self.seed.as_ref()?, registry, query);
        // Neither `HashTable::find` nor `Iterator::find`: their closures are not inlined, which is
        // a third of the cost.
        for memory in self.table.iter_hash(spread(hash)) {
            if memory.answers(hash, registry, query) {
                return Some(Handle::to(&memory.entry));
            }
        }
        None
    }

    fn insert(
        &mut self,
        registry: u32,
        query: &impl Query,
        descriptor: Option<Arc<Descriptor>>,
        entry: Entry,
    ) {
        let hash = hash(self.seed.get_or_insert_with(|| SEED.clone()), registry, query);
        let memory = Memory { hash, registry, site: query.site(), descriptor, entry };
        let known = |known: &Memory| known.answers(hash, registry, query);
        if self.table.find(spread(hash), known).is_none() {
            self.table.insert_unique(spread(hash), memory, |memory| spread(memory.hash));
        }
    }

    /// The series that takes the update, if it is certain that the registry would refuse it.
    fn refused(&self, registry: u32, query: &impl Query) -> Option<&Entry> {
        let site = query.site();
        let full = self.full.iter().find(|full| full.site == site && full.registry == registry)?;
        if !query.is_kept(full.value_bytes) {
            return None;
        }
        cells::add(full.counted, 1);
        Some(&full.overflow)
    }

    fn forget_all(&mut self) {
        self.table.clear();
        self.full.clear();
    }

    #[cold]
    fn forget_useless(&mut self) {
        self.epoch = epoch();
        self.full.clear();
        self.table.retain(|memory| !memory.entry.is_dormant());
    }
}
