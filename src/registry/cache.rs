//! Each thread's memory of the series it found by name and labels.
//!
//! Looking a series up in the registry takes two locks and a canonical text. A thread that uses
//! the same labels again finds the series here, comparing borrowed strings with the series' own
//! text: no lock, no allocation.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use hashbrown::HashTable;

use super::Shape;
use crate::entry::Entry;
use crate::sync::{AtomicU64, Ordering};

/// Series a thread remembers: 24 bytes each. When full, everything is forgotten; a thread that
/// uses more label sets than this at random gains little from remembering any.
const CAPACITY: usize = 8192;

/// Moves on when entries become useless: a registry has gone, or a series has become idle.
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
    static CACHE: RefCell<Cache> = const { RefCell::new(Cache { table: HashTable::new(), epoch: 0 }) };
}

struct Cache {
    table: HashTable<(u64, Entry)>,
    epoch: u64,
}

/// The hash of a name and sorted labels as the caller gave them.
#[inline]
pub(super) fn hash(name: &str, labels: &[(&str, &str)]) -> u64 {
    let mut hasher = SEED.build_hasher();
    name.hash(&mut hasher);
    for (name, value) in labels {
        name.hash(&mut hasher);
        value.hash(&mut hasher);
    }
    hasher.finish()
}

/// Gives `use_entry` the series if this thread remembers it.
#[inline]
pub(super) fn find<R>(
    hash: u64,
    (registry, shape): (u32, Shape),
    name: &str,
    labels: &[(&str, &str)],
    use_entry: impl FnOnce(&Entry) -> R,
) -> Option<R> {
    let is_it = |(known, entry): &(u64, Entry)| {
        let descriptor = entry.descriptor();
        *known == hash
            && descriptor.registry == registry
            && *descriptor.name == *name
            && shape.fits(descriptor.layout)
            && entry.matches(labels)
    };
    let look = |cache: &RefCell<Cache>| {
        // Busy when the table is growing and the allocator records something.
        let mut cache = cache.try_borrow_mut().ok()?;
        if cache.epoch != epoch() {
            cache.forget_useless();
        }
        cache.table.find(hash, is_it).map(|(_, entry)| use_entry(entry))
    };
    CACHE.try_with(look).ok().flatten()
}

/// Remembers a series under the labels it was asked for.
pub(super) fn remember(hash: u64, entry: Entry) {
    let _ = CACHE.try_with(|cache| {
        if let Ok(mut cache) = cache.try_borrow_mut() {
            if cache.table.len() >= CAPACITY {
                cache.table.clear();
            }
            cache.table.insert_unique(hash, (hash, entry), |(hash, _)| *hash);
        }
    });
}

impl Cache {
    #[cold]
    fn forget_useless(&mut self) {
        self.epoch = epoch();
        self.table.retain(|(_, entry)| {
            !entry.is_dormant() && !entry.descriptor().closed.load(Ordering::Relaxed)
        });
    }
}
