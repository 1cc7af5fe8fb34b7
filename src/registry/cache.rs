//! Each thread's memory of the series it found.
//!
//! Looking a series up in the registry takes two locks and a canonical text. A thread that asks
//! for the same series again finds it here, comparing borrowed strings with the series' own text:
//! no lock, no allocation.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use hashbrown::HashTable;

use super::Shape;
use crate::entry::Entry;
use crate::sync::{AtomicU64, Ordering};

/// Series a thread remembers: 32 bytes each. When full, everything is forgotten; a thread that
/// uses more label sets than this at random gains little from remembering any.
const CAPACITY: usize = 8192;

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
        const { RefCell::new(Cache { table: HashTable::new(), epoch: 0, seed: None }) };
}

struct Cache {
    table: HashTable<Memory>,
    epoch: u64,
    /// A copy of `SEED`, so that a lookup need not check whether that exists.
    seed: Option<foldhash::fast::RandomState>,
}

struct Memory {
    hash: u64,
    registry: u32,
    /// The call site that asked, as its address; 0 if it was asked for by name.
    site: usize,
    entry: Entry,
}

/// What a series is asked for by.
pub(crate) trait Query {
    /// The call site, if its name and label names are fixed.
    fn site(&self) -> usize;
    fn hash(&self, hasher: &mut impl Hasher);
    /// Whether a series remembered for the same site is the one meant.
    fn is(&self, entry: &Entry) -> bool;
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
    fn is(&self, entry: &Entry) -> bool {
        let descriptor = entry.descriptor();
        *descriptor.name == *self.name
            && self.shape.fits(descriptor.layout)
            && entry.matches(self.labels)
    }
}

/// Gives `use_entry` the series if this thread remembers it.
#[inline]
pub(crate) fn find<R>(
    registry: u32,
    query: &impl Query,
    use_entry: impl FnOnce(&Entry) -> R,
) -> Option<R> {
    let look = |cache: &RefCell<Cache>| {
        // Busy when the table is growing and the allocator records something.
        let mut cache = cache.try_borrow_mut().ok()?;
        if cache.epoch != epoch() {
            cache.forget_useless();
        }
        let hash = hash(cache.seed.as_ref()?, registry, query);
        let is_it = |memory: &Memory| {
            memory.hash == hash
                && memory.registry == registry
                && memory.site == query.site()
                && query.is(&memory.entry)
        };
        cache.table.find(hash, is_it).map(|memory| use_entry(&memory.entry))
    };
    CACHE.try_with(look).ok().flatten()
}

/// Remembers the series that answers a query.
pub(crate) fn remember(registry: u32, query: &impl Query, entry: Entry) {
    let _ = CACHE.try_with(|cache| {
        let Ok(mut cache) = cache.try_borrow_mut() else { return };
        if cache.table.len() >= CAPACITY {
            cache.table.clear();
        }
        let hash = hash(cache.seed.get_or_insert_with(|| SEED.clone()), registry, query);
        let memory = Memory { hash, registry, site: query.site(), entry };
        cache.table.insert_unique(hash, memory, |memory| memory.hash);
    });
}

#[inline]
fn hash(seed: &foldhash::fast::RandomState, registry: u32, query: &impl Query) -> u64 {
    let mut hasher = seed.build_hasher();
    hasher.write_u64(query.site() as u64 ^ u64::from(registry));
    query.hash(&mut hasher);
    hasher.finish()
}

impl Cache {
    #[cold]
    fn forget_useless(&mut self) {
        self.epoch = epoch();
        self.table.retain(|Memory { entry, .. }| {
            !entry.is_dormant() && !entry.descriptor().closed.load(Ordering::Relaxed)
        });
    }
}
