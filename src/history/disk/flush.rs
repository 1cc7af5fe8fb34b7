//! From memory into the file: what is new since the last time, and what is gone.
//!
//! The store is locked for a few series at a time, so that no tick waits for long, and the file is
//! one transaction ahead or it is not.

use std::collections::BTreeMap;

use redb::{Database, Table, WriteTransaction};

use super::super::block::Block;
use super::super::series::{Open, Series};
use super::super::store::Store;
use super::super::tier::Tier;
use super::record::{Identity, encode_block, encode_state, encode_times};
use super::tables::{BLOCKS, FORMAT, Failure, META, OPEN, SERIES, STAGED, STATE, TIMES, format};
use crate::sync::Mutex;

/// Series that are copied under one lock.
const AT_ONCE: usize = 64;

/// What the file holds, by the number of a series.
#[derive(Debug, Default)]
pub(super) struct Mirror(BTreeMap<u32, Known>);

#[derive(Clone, Copy, Debug)]
struct Known {
    /// Which series it was: numbers are used again.
    serial: u64,
    /// The first position of each tier's first block.
    fronts: [Option<u64>; 4],
    /// The last tick of its open end.
    tick: Option<u64>,
}

/// What has to be written of one series.
struct Change {
    id: u32,
    known: Known,
    is_new: bool,
    identity: Option<Vec<u8>>,
    blocks: Vec<(Tier, Block)>,
    open: Vec<(u8, Vec<u8>)>,
}

impl Mirror {
    /// As the file is after it was loaded into this store.
    pub(super) fn of(store: &Store) -> Self {
        let known = |(id, series): (usize, &Option<Series>)| {
            let series = series.as_ref()?;
            Some((id as u32, Known { tick: None, ..Known::of(series) }))
        };
        Self(store.series.iter().enumerate().filter_map(known).collect())
    }

    /// Writes what changed. Without a file that agrees with it, a mirror is empty, and what the
    /// file has is thrown away first.
    pub(super) fn flush(
        &mut self,
        database: &Database,
        store: &Mutex<Store>,
        anew: bool,
    ) -> Result<(), Failure> {
        let transaction = database.begin_write()?;
        if anew {
            self.0.clear();
            transaction.delete_table(SERIES)?;
            transaction.delete_table(BLOCKS)?;
            transaction.delete_table(OPEN)?;
            let format = format(store.lock().tiers.step(Tier::Fine));
            transaction.open_table(META)?.insert(FORMAT, format.as_bytes())?;
        }
        let mut next = BTreeMap::new();
        let mut written = Vec::new();
        {
            let mut tables = Tables::open(&transaction)?;
            // Before anything is read: ticks that come meanwhile are in the next flush.
            let count = store.lock().series.len();
            for start in (0..count).step_by(AT_ONCE) {
                for change in self.changes(&store.lock(), start, anew) {
                    tables.write(&change, self.0.get(&change.id))?;
                    let blocks = change.blocks.iter().map(|(tier, block)| (*tier, block.first));
                    written.push((change.id, change.known.serial, blocks.collect::<Vec<_>>()));
                    next.insert(change.id, change.known);
                }
            }
            for id in self.0.keys().filter(|id| !next.contains_key(id)) {
                tables.forget(*id)?;
            }
            let times = {
                let timeline = &store.lock().timeline;
                encode_times(timeline.first(), timeline.now(), timeline.times())
            };
            transaction.open_table(META)?.insert(TIMES, &times[..])?;
        }
        transaction.commit()?;
        self.0 = next;
        for written in written.chunks(AT_ONCE) {
            let mut store = store.lock();
            for (id, serial, blocks) in written {
                store.mark_stored(*id, *serial, blocks);
            }
        }
        Ok(())
    }

    /// What changed of the series from this number on.
    fn changes(&self, store: &Store, start: usize, anew: bool) -> Vec<Change> {
        let ids = start..(start + AT_ONCE).min(store.series.len());
        let change = |id: usize| {
            let series = store.series.get(id)?.as_ref()?;
            let known = Known::of(series);
            let before = self.0.get(&(id as u32)).filter(|before| before.serial == known.serial);
            let is_new = before.is_none();
            let family = store.families.get(series.family as usize)?;
            let identity = || Identity::encode(&family.name, &series.labels, &family.shape);
            let blocks = Tier::ALL.into_iter().flat_map(|tier| {
                let unwritten = move |block: &&Block| anew || is_new || !block.stored;
                let blocks = series.past.of(tier).iter().filter(unwritten);
                blocks.map(move |block| (tier, block.clone()))
            });
            let idle =
                before.is_some_and(|before| before.tick.is_some() && before.tick == known.tick);
            let open = if idle { Vec::new() } else { open_ends(series) };
            Some(Change {
                id: id as u32,
                known,
                is_new,
                identity: is_new.then(identity),
                blocks: blocks.collect(),
                open,
            })
        };
        ids.filter_map(change).collect()
    }
}

impl Known {
    fn of(series: &Series) -> Self {
        let fronts = Tier::ALL.map(|tier| series.past.of(tier).front().map(|block| block.first));
        let tick = series.extent(Tier::Tick).map(|(_, last)| last);
        Self { serial: series.serial, fronts, tick }
    }
}

fn open_ends(series: &Series) -> Vec<(u8, Vec<u8>)> {
    let blocks = Tier::ALL.map(|tier| (tier as u8, series.open_block(tier)));
    let blocks = blocks.into_iter().chain([(STAGED, series.staged_block())]);
    let encoded = |block: Option<Block>| block.map_or(Vec::new(), |block| encode_block(&block));
    let mut open: Vec<_> = blocks.map(|(tier, block)| (tier, encoded(block))).collect();
    if let Open::Scalar(_, scalar) = &series.open {
        let (rolling, before) = scalar.state();
        open.push((STATE, encode_state(&rolling, before)));
    }
    open
}

struct Tables<'t> {
    series: Table<'t, u32, &'static [u8]>,
    blocks: Table<'t, (u32, u8, u64), &'static [u8]>,
    open: Table<'t, (u32, u8), &'static [u8]>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, Failure> {
        Ok(Self {
            series: transaction.open_table(SERIES)?,
            blocks: transaction.open_table(BLOCKS)?,
            open: transaction.open_table(OPEN)?,
        })
    }

    fn write(&mut self, change: &Change, before: Option<&Known>) -> Result<(), Failure> {
        let id = change.id;
        if change.is_new {
            self.forget(id)?;
        }
        if let Some(identity) = &change.identity {
            self.series.insert(id, &identity[..])?;
        }
        for (tier, block) in &change.blocks {
            self.blocks.insert((id, *tier as u8, block.first), &encode_block(block)[..])?;
        }
        let fronts = change.known.fronts.into_iter().zip(Tier::ALL);
        for (front, tier) in fronts {
            let old = before.and_then(|before| before.fronts[tier as usize]);
            if !change.is_new && old.is_some() && old != front {
                let until = (id, tier as u8, front.unwrap_or(u64::MAX));
                self.blocks.retain_in((id, tier as u8, 0)..until, |_, _| false)?;
            }
        }
        for (tier, bytes) in &change.open {
            if bytes.is_empty() {
                self.open.remove((id, *tier))?;
            } else {
                self.open.insert((id, *tier), &bytes[..])?;
            }
        }
        Ok(())
    }

    fn forget(&mut self, id: u32) -> Result<(), Failure> {
        self.series.remove(id)?;
        self.blocks.retain_in((id, 0, 0)..=(id, u8::MAX, u64::MAX), |_, _| false)?;
        self.open.retain_in((id, 0)..=(id, u8::MAX), |_, _| false)?;
        Ok(())
    }
}
