//! From the file into memory, as a program starts.

use redb::{Database, ReadableTable};

use super::super::block::{Block, Codec};
use super::super::family::Family;
use super::super::series::{Open, Series};
use super::super::store::Store;
use super::super::tier::Tier;
use super::record::{Identity, decode_block, decode_state, decode_times};
use super::tables::{BLOCKS, FORMAT, Failure, META, OPEN, SERIES, STAGED, STATE, TIMES, format};
use crate::key;

/// More series than any budget has room for.
const MOST_SERIES: u32 = 1 << 24;

/// What became of the rows.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) damaged: u64,
    /// Series that there is no room for any more.
    pub(super) left_out: u64,
}

/// Reads everything into an empty store.
pub(super) fn load(database: &Database, store: &mut Store) -> Result<Outcome, Failure> {
    let transaction = database.begin_write()?;
    {
        // Makes the tables of a new file.
        let mut meta = transaction.open_table(META)?;
        let known = meta.get(FORMAT)?.map(|format| format.value().to_vec());
        let format = format(store.tiers.step(Tier::Fine));
        match known {
            None => _ = meta.insert(FORMAT, format.as_bytes())?,
            Some(known) if known == format.as_bytes() => {}
            Some(known) => {
                let known = String::from_utf8_lossy(&known).into_owned();
                return Err(Failure::Other(format!("it holds {known}")));
            }
        }
        transaction.open_table(SERIES)?;
        transaction.open_table(BLOCKS)?;
        transaction.open_table(OPEN)?;
    }
    transaction.commit()?;
    let reader = database.begin_read()?;
    let meta = reader.open_table(META)?;
    let times = meta.get(TIMES)?.and_then(|times| decode_times(times.value()));
    let (first, now, times) = times.unwrap_or_default();
    store.timeline.restore(first, times);
    let mut loader = Loader { store, outcome: Outcome::default() };
    for row in reader.open_table(SERIES)?.iter()? {
        let (id, bytes) = row?;
        loader.series(id.value(), bytes.value());
    }
    for row in reader.open_table(BLOCKS)?.iter()? {
        let (key, bytes) = row?;
        loader.block(key.value(), bytes.value());
    }
    for row in reader.open_table(OPEN)?.iter()? {
        let (key, bytes) = row?;
        let (id, tier) = key.value();
        loader.open(id, tier, bytes.value());
    }
    loader.finish(now);
    Ok(loader.outcome)
}

struct Loader<'a> {
    store: &'a mut Store,
    outcome: Outcome,
}

impl Loader<'_> {
    fn series(&mut self, id: u32, bytes: &[u8]) {
        let identity = Identity::decode(bytes).filter(|_| id < MOST_SERIES);
        let Some(Identity { name, labels, shape }) = identity else {
            self.outcome.damaged += 1;
            return;
        };
        // Labels are read again with every question.
        let readable = std::panic::catch_unwind(|| key::parse(&labels).count());
        let known = self.store.by_name.get(name.as_str()).copied();
        let family =
            known.unwrap_or_else(|| self.store.add_family(Family::new(&name, shape.clone())));
        let fits = |store: &Store| {
            store.families.get(family as usize).is_some_and(|family| family.shape == shape)
        };
        if readable.is_err() || !fits(self.store) {
            self.outcome.damaged += 1;
            return;
        }
        if !self.store.place(id, Series::new(&labels, family, shape.open(), None), shape.reserve())
        {
            self.outcome.left_out += 1;
            return;
        }
        if let Some(family) = self.store.families.get_mut(family as usize) {
            family.sorted.push(id);
        }
    }

    fn at(&mut self, id: u32) -> Option<&mut Series> {
        self.store.series.get_mut(id as usize)?.as_mut()
    }

    fn block(&mut self, (id, tier, first): (u32, u8, u64), bytes: &[u8]) {
        let block = decode_block(bytes).filter(|block| block.first == first);
        let (Some(block), Some(tier)) = (block, Tier::from_number(tier)) else {
            self.outcome.damaged += 1;
            return;
        };
        if !self.is_kept(tier) {
            return;
        }
        let timed = self.has_times(tier, &block);
        let Some(series) = self.at(id) else { return };
        let follows = series.past.of(tier).back().is_none_or(|before| before.end() <= block.first);
        if !timed || !follows {
            self.outcome.damaged += 1;
            return;
        }
        let may_be_packed = block.codec == Codec::Gorilla;
        series.past.push(tier, block);
        self.store.books.close(id, tier, first, may_be_packed);
    }

    /// Whether the positions of a block are moments.
    fn has_times(&self, tier: Tier, block: &Block) -> bool {
        tier != Tier::Tick || block.end() <= self.store.timeline.end()
    }

    /// Whether this tier is still kept.
    fn is_kept(&self, tier: Tier) -> bool {
        self.store.tiers.keep(tier) > 0
    }

    fn open(&mut self, id: u32, tier: u8, bytes: &[u8]) {
        let place = Tier::from_number(tier);
        if place.is_some_and(|tier| !self.is_kept(tier)) || self.at(id).is_none() {
            return;
        }
        let timed = |block: &Block, tier| self.has_times(tier, block);
        let block = decode_block(bytes).filter(|block| timed(block, place.unwrap_or(Tier::Tick)));
        let Some(series) = self.at(id) else { return };
        let resumed = match (place, tier, &mut series.open) {
            (Some(tier), ..) => block.is_some_and(|block| series.resume(tier, &block)),
            (None, STAGED, _) => block.is_some_and(|block| series.restage(&block)),
            (None, STATE, Open::Scalar(_, scalar)) => {
                let state = decode_state(bytes);
                state.map(|(rolling, before)| scalar.set_state(rolling, before)).is_some()
            }
            _ => false,
        };
        self.outcome.damaged += u64::from(!resumed);
    }

    fn finish(&mut self, now: u64) {
        self.store.settle();
        let last = |series: &Series| series.last(Tier::Fine);
        let known = || self.store.series.iter().flatten().filter_map(last).max();
        let end = match now {
            0 => known().map_or(0, |position| self.store.tiers.time(Tier::Fine, position)),
            now => now,
        };
        self.store.timeline.start_after(end);
        self.store.make_room();
    }
}
