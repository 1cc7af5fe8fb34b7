//! From the file into memory, as a program starts.

use redb::{Database, ReadableTable};

use super::super::family::Family;
use super::super::series::{Open, Series};
use super::super::store::{Store, account, turn};
use super::super::tier::Tier;
use super::record::{Identity, decode_block, decode_state, decode_times};
use super::tables::{BLOCKS, FORMAT, Failure, META, OPEN, SERIES, STATE, THIS_FORMAT, TIMES};
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
        let format = meta.get(FORMAT)?.map(|format| format.value().to_vec());
        match format.as_deref() {
            None => _ = meta.insert(FORMAT, THIS_FORMAT)?,
            Some(THIS_FORMAT) => {}
            Some(_) => return Err(Failure::Damaged("it is of another version".to_owned())),
        }
        transaction.open_table(SERIES)?;
        transaction.open_table(BLOCKS)?;
        transaction.open_table(OPEN)?;
    }
    transaction.commit()?;
    let mut loader = Loader { store, outcome: Outcome::default() };
    let reader = database.begin_read()?;
    let meta = reader.open_table(META)?;
    let times = meta.get(TIMES)?.and_then(|times| decode_times(times.value()));
    for row in reader.open_table(SERIES)?.iter()? {
        let (id, bytes) = row?;
        loader.series(id.value(), bytes.value());
    }
    for row in reader.open_table(BLOCKS)?.iter()? {
        let (key, bytes) = row?;
        loader.block(key.value(), bytes.value());
    }
    let mut ticks = Vec::new();
    // The state comes behind the tiers in order, and must be there before the ticks.
    for row in reader.open_table(OPEN)?.iter()? {
        let (key, bytes) = row?;
        let (id, tier) = key.value();
        match Tier::from_number(tier) {
            Some(Tier::Tick) => ticks.push((id, bytes.value().to_vec())),
            _ => loader.open(id, tier, bytes.value()),
        }
    }
    let (first, now, times) = times.unwrap_or_default();
    for (id, bytes) in ticks {
        loader.ticks(id, &bytes, first, &times);
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
        let Some(series) = self.at(id) else { return };
        let blocks = series.past.of_mut(tier);
        if blocks.back().is_some_and(|before| before.end() > block.first) {
            self.outcome.damaged += 1;
            return;
        }
        blocks.push_back(block);
        if let Some(queue) = self.store.queues.get_mut(tier as usize) {
            queue.push_back((id, first));
        }
    }

    fn open(&mut self, id: u32, tier: u8, bytes: &[u8]) {
        let resumed = match (self.at(id), Tier::from_number(tier)) {
            (None, _) => return,
            (Some(series), Some(tier)) => {
                decode_block(bytes).is_some_and(|block| series.resume(tier, &block))
            }
            (Some(Series { open: Open::Scalar(scalar), .. }), None) if tier == STATE => {
                let state = decode_state(bytes);
                state.map(|(rolling, before)| scalar.set_state(rolling, before)).is_some()
            }
            _ => false,
        };
        self.outcome.damaged += u64::from(!resumed);
    }

    /// Runs of ticks go on as what they would have become.
    fn ticks(&mut self, id: u32, bytes: &[u8], first: u64, times: &[u64]) {
        let Store { series, timeline, tiers, used, queues, .. } = &mut *self.store;
        let Some(Some(series)) = series.get_mut(id as usize) else { return };
        let Some(block) = decode_block(bytes) else {
            self.outcome.damaged += 1;
            return;
        };
        let time = |tick: u64| {
            let index = usize::try_from(tick.checked_sub(first)?).ok()?;
            times.get(index).copied()
        };
        let times: Vec<u64> = block.positions().filter_map(time).collect();
        let mut turn = turn(timeline, tiers, u64::MAX, false);
        match &mut series.open {
            Open::Scalar(scalar) => match block.columns([scalar.measure.word()]) {
                Some([words]) => scalar.cascade(&times, &words, &mut turn, &mut series.past),
                None => self.outcome.damaged += 1,
            },
            Open::Histogram(histogram) => {
                histogram.cascade(&times, &block, &mut turn, &mut series.past);
            }
        }
        account(id, series, &mut turn, used, queues);
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
