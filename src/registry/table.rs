//! The series of one metric by their labels.
//!
//! One table while it is small, since most metrics have a series or two; many with a lock each
//! once it is crowded, so that growing one moves few series at a time and no registration waits
//! long.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;

use super::cache::SEED;
use crate::entry::Entry;
use crate::sync::RwLock;

const CROWDED: usize = 1024;
const SHARDS: usize = 64;

type Shard = RwLock<HashTable<Entry>>;

#[derive(Debug)]
pub(super) struct Table {
    /// Written only to go from one shard to many.
    shards: RwLock<Box<[Shard]>>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { shards: RwLock::new(Box::new([RwLock::default()])) }
    }

    pub(super) fn find(&self, text: &[u8]) -> Option<Entry> {
        let hash = hash(text);
        let shards = self.shards.read();
        let shard = shard(&shards, hash).read();
        shard.find(hash, |entry| entry.text() == text).cloned()
    }

    /// The series of these labels, made if there is none. Made under the lock, so that two threads
    /// that come with the same labels do not both take a place for them.
    pub(super) fn find_or_add<E>(
        &self,
        text: &[u8],
        make: impl FnOnce() -> Result<Entry, E>,
    ) -> Result<Entry, E> {
        let hash = hash(text);
        let (entry, crowded) = {
            let shards = self.shards.read();
            let mut shard = shard(&shards, hash).write();
            if let Some(there) = shard.find(hash, |there| there.text() == text) {
                return Ok(there.clone());
            }
            let entry = make()?;
            shard.insert_unique(hash, entry.clone(), rehash);
            (entry, shards.len() == 1 && shard.len() > CROWDED)
        };
        if crowded {
            self.split();
        }
        Ok(entry)
    }

    /// Removes a series that `is_unused`, which is asked under the lock: what it finds true stays
    /// true, because nobody can come to hold a series but through this table.
    pub(super) fn remove_if(&self, entry: &Entry, is_unused: impl FnOnce() -> bool) -> bool {
        let hash = hash(entry.text());
        let shards = self.shards.read();
        let mut shard = shard(&shards, hash).write();
        match shard.find_entry(hash, |there| there.is_same(entry)) {
            Ok(found) if is_unused() => {
                found.remove();
                true
            }
            _ => false,
        }
    }

    pub(super) fn for_each(&self, mut f: impl FnMut(&Entry)) {
        for shard in self.shards.read().iter() {
            shard.read().iter().for_each(&mut f);
        }
    }

    #[cold]
    fn split(&self) {
        let mut shards = self.shards.write();
        if shards.len() > 1 {
            return;
        }
        let many: Box<[Shard]> = (0..SHARDS).map(|_| RwLock::default()).collect();
        for entry in shards[0].get_mut().drain() {
            let hash = hash(entry.text());
            shard(&many, hash).write().insert_unique(hash, entry, rehash);
        }
        *shards = many;
    }
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = SEED.build_hasher();
    hasher.write(text);
    hasher.finish()
}

fn rehash(entry: &Entry) -> u64 {
    hash(entry.text())
}

/// Chosen by bits that the tables use least: they index by the low ones and tag by the top.
fn shard(shards: &[Shard], hash: u64) -> &Shard {
    &shards[(hash >> 40) as usize % shards.len()]
}
