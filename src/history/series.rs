//! One series: what is closed, by tier, and what is open.

use std::collections::VecDeque;
use std::sync::Arc;

use super::block::Block;
use super::histogram::Histogram;
use super::rollup::KINDS;
use super::scalar::Scalar;
use super::staged::Staged;
use super::tier::{Tier, Tiers};
use super::timeline::Timeline;

/// What a series needs to know when it closes blocks, and what it tells about that.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) tiers: &'a Tiers,
    /// The time of what comes next.
    pub(super) now: u64,
    /// Open samples take too much of the budget, so blocks are closed early.
    pub(super) hurry: bool,
    /// How many samples fewer the first blocks of this series have, in 256ths: series that start
    /// at once must not all close at once.
    pub(super) early: u8,
    /// What a counter grew from to its first sample, if that is known.
    pub(super) base: Option<u64>,
    pub(super) closed: Vec<(Tier, u64)>,
}

impl Turn<'_> {
    /// How many samples a block takes.
    #[inline]
    pub(super) fn limit(&self, tier: Tier) -> usize {
        let most = tier.samples() >> if self.hurry { 2 } else { 0 };
        most - most * usize::from(self.early) / 320
    }

    pub(super) fn times<'t>(
        &'t self,
        ticks: impl Iterator<Item = u64> + 't,
    ) -> impl Iterator<Item = u64> + 't {
        ticks.filter_map(|tick| self.timeline.time(tick))
    }
}

/// Closed blocks by tier, oldest first, and the memory they take.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    blocks: [VecDeque<Block>; 4],
    memory: [usize; 4],
}

impl Past {
    pub(super) fn add(&mut self, tier: Tier, block: Block, turn: &mut Turn<'_>) {
        if turn.tiers.keep(tier) == 0 || block.count() == 0 {
            return;
        }
        turn.closed.push((tier, block.first));
        self.push(tier, block);
    }

    /// Adds a block that follows the others.
    pub(super) fn push(&mut self, tier: Tier, block: Block) {
        self.memory[tier as usize] += block.memory();
        self.blocks[tier as usize].push_back(block);
    }

    /// Takes the oldest block away.
    pub(super) fn pop(&mut self, tier: Tier) -> Option<Block> {
        let block = self.blocks[tier as usize].pop_front()?;
        let memory = &mut self.memory[tier as usize];
        *memory = memory.saturating_sub(block.memory());
        Some(block)
    }

    /// Changes the block that begins at this position.
    pub(super) fn change(&mut self, tier: Tier, first: u64, change: impl FnOnce(&mut Block)) {
        let blocks = &mut self.blocks[tier as usize];
        let found = blocks.binary_search_by_key(&first, |block| block.first);
        if let Some(block) = found.ok().and_then(|index| blocks.get_mut(index)) {
            let before = block.memory();
            change(block);
            let memory = &mut self.memory[tier as usize];
            *memory = (*memory + block.memory()).saturating_sub(before);
        }
    }

    fn is_empty(&self) -> bool {
        self.blocks.iter().all(VecDeque::is_empty)
    }

    pub(super) fn of(&self, tier: Tier) -> &VecDeque<Block> {
        &self.blocks[tier as usize]
    }
}

/// The open ends.
#[allow(clippy::large_enum_variant, reason = "most are numbers, written in place")]
#[derive(Clone, Debug)]
pub(super) enum Open {
    /// The newest samples lie side by side with those of other series, so that a tick reaches them
    /// at once.
    Scalar(Staged, Box<Scalar>),
    Histogram(Box<Histogram>),
}

/// Ticks after which a run is closed that nothing was added to.
pub(super) const STALE: u64 = 300;

/// The first sample of a series, which its first growth is counted from.
#[derive(Clone, Debug)]
pub(super) struct Birth {
    pub(super) time: u64,
    /// The cells it had before it was watched. What is counted in this program starts from zeros,
    /// which are left out; what shows a counter of something else starts from anything.
    pub(super) cells: Option<Arc<[u64]>>,
}

impl Birth {
    /// The number, or the observations that a histogram held.
    pub(super) fn number(&self) -> u64 {
        match self.cells.as_deref() {
            Some([number]) => *number,
            // Behind the sum.
            Some([_, counts @ ..]) => counts.iter().fold(0, |sum, count| sum.wrapping_add(*count)),
            _ => 0,
        }
    }

    /// Whether a point of this time, which stands for this long, shows the first sample.
    pub(super) fn is_at(&self, time: u64, step: u64) -> bool {
        self.time <= time && time.saturating_sub(step) <= self.time
    }
}

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) labels: Box<str>,
    /// The number of its family.
    pub(super) family: u32,
    /// Its first sample, if it is still the same program.
    pub(super) birth: Option<Birth>,
    pub(super) open: Open,
    pub(super) past: Box<Past>,
    /// Tells series apart that have one number after the other.
    pub(super) serial: u64,
    /// Memory as it was last accounted for: of closed blocks by tier, and of the rest.
    pub(super) used: [usize; 5],
    /// By how much it is out of step with other series.
    early: u8,
    /// Its first block was closed early; once out of step, series stay so.
    settled: bool,
}

impl Series {
    pub(super) fn new(labels: &str, family: u32, open: Open, birth: Option<Birth>) -> Self {
        // Any even spread does.
        let early = labels
            .bytes()
            .fold(family as u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte).rotate_left(3));
        let (labels, past) = (labels.into(), Box::default());
        Self { labels, family, birth, open, past, serial: 0, used: [0; 5], early, settled: false }
    }

    /// Adds a tick's cells. True if it may take another amount of memory now.
    #[inline]
    pub(super) fn push(&mut self, tick: u64, cells: &[u64], turn: &mut Turn<'_>) -> bool {
        let staged = match (&mut self.open, cells) {
            (Open::Scalar(staged, _), [word, ..]) => staged.push(tick, *word, self.early),
            _ => false,
        };
        !staged && self.push_on(tick, cells, turn)
    }

    fn push_on(&mut self, tick: u64, cells: &[u64], turn: &mut Turn<'_>) -> bool {
        self.prepare(turn);
        let changed = match (&mut self.open, cells) {
            (Open::Scalar(staged, scalar), [word, ..]) => {
                let drained = std::mem::take(staged);
                staged.push(tick, *word, self.early);
                // Rollups that this sample is too late for must not wait for the next batch: the
                // samples they are made of may be gone by then.
                let grew = scalar.add(&drained, turn, &mut self.past);
                let shows = scalar.shows_any() || !self.past.is_empty();
                if let (Some(birth), false) = (&mut self.birth, shows) {
                    // None of them was the last of its step: it is this one that shows first.
                    birth.time = turn.now;
                }
                scalar.roll_over(turn, &mut self.past) || grew
            }
            (Open::Histogram(histogram), row) => histogram.push(tick, row, turn, &mut self.past),
            (Open::Scalar(..), []) => false,
        };
        if turn.closed.iter().any(|(tier, _)| *tier == Tier::Fine) {
            self.settled = true;
        }
        changed
    }

    fn prepare(&self, turn: &mut Turn<'_>) {
        turn.early = if self.settled { 0 } else { self.early };
        if matches!(&self.open, Open::Scalar(_, scalar) if scalar.is_new()) {
            turn.base = self.birth.as_ref().map(Birth::number);
        }
    }

    /// Closes what nothing was added to for long, and forgets what is older than is kept.
    pub(super) fn sweep(&mut self, turn: &mut Turn<'_>) {
        let (timeline, tiers, now) = (turn.timeline, *turn.tiers, turn.now);
        let old = |time: Option<u64>, tier: Tier| {
            time.is_none_or(|time| now.saturating_sub(time) > tiers.keep(tier))
        };
        let is_due = |(_, last): (u64, u64)| {
            let time = timeline.time(last);
            let step = |time| tiers.position(Tier::Fine, time);
            let over = time.is_none_or(|time| step(time) < step(now));
            let stale = timeline.end().saturating_sub(last) > STALE;
            over && (stale || old(time, Tier::Tick) && last + 1 < timeline.end())
        };
        self.prepare(turn);
        if self.extent(Tier::Tick).is_some_and(is_due) {
            // Nothing may ever follow.
            turn.now = u64::MAX;
            match &mut self.open {
                Open::Scalar(staged, scalar) => {
                    scalar.add(&std::mem::take(staged), turn, &mut self.past);
                    scalar.close_ticks(turn, &mut self.past);
                }
                Open::Histogram(histogram) => histogram.close_ticks(turn, &mut self.past),
            }
            turn.now = now;
        }
        let idle = self.extent(Tier::Tick).is_none();
        if let (Open::Scalar(_, scalar), true) = (&mut self.open, idle) {
            scalar.roll_over(turn, &mut self.past);
        }
        for tier in Tier::ALL {
            let time = |position: u64| match tier {
                Tier::Tick => timeline.time(position),
                _ => Some(tiers.time(tier, position)),
            };
            let is_old = |block: &Block| old(time(block.end() - 1), tier);
            while self.past.of(tier).front().is_some_and(is_old) {
                self.past.pop(tier);
            }
            let ends = self.extent(tier).filter(|_| idle);
            if ends.is_some_and(|(_, last)| old(time(last), tier)) {
                self.forget(tier);
            }
        }
    }

    /// Packs a closed block of numbers, if it is still there.
    pub(super) fn pack(&mut self, tier: Tier, first: u64) -> bool {
        let Open::Scalar(_, scalar) = &self.open else { return false };
        let measure = scalar.measure;
        self.past.change(tier, first, |block| match tier {
            Tier::Tick | Tier::Fine => block.pack([measure.word()]),
            Tier::Minutes | Tier::Hours => block.pack(KINDS),
        });
        true
    }

    /// Whether it has nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        Tier::ALL.iter().all(|tier| self.past.of(*tier).is_empty() && self.extent(*tier).is_none())
    }

    /// What is open in a tier, as a block.
    pub(super) fn open_block(&self, tier: Tier) -> Option<Block> {
        match &self.open {
            Open::Scalar(_, scalar) => scalar.open(tier),
            Open::Histogram(histogram) => histogram.open(tier),
        }
    }

    /// The ticks that are in no tier yet, as a block.
    pub(super) fn staged_block(&self) -> Option<Block> {
        match &self.open {
            Open::Scalar(staged, scalar) => staged.to_block(scalar.measure.word()),
            Open::Histogram(_) => None,
        }
    }

    /// The first and last position that are open in a tier.
    pub(super) fn extent(&self, tier: Tier) -> Option<(u64, u64)> {
        match &self.open {
            Open::Scalar(staged, scalar) if tier == Tier::Tick && !staged.is_empty() => {
                let first = scalar.extent(tier).map_or(staged.first(), |(first, _)| first);
                Some((first, staged.end() - 1))
            }
            Open::Scalar(_, scalar) => scalar.extent(tier),
            Open::Histogram(histogram) => histogram.extent(tier),
        }
    }

    /// The first position a tier knows of.
    pub(super) fn first(&self, tier: Tier) -> Option<u64> {
        let closed = self.past.of(tier).front().map(|block| block.first);
        closed.or_else(|| self.extent(tier).map(|(first, _)| first))
    }

    /// The last position a tier knows of.
    pub(super) fn last(&self, tier: Tier) -> Option<u64> {
        let open = self.extent(tier).map(|(_, last)| last);
        open.or_else(|| self.past.of(tier).back().map(|block| block.end() - 1))
    }

    fn forget(&mut self, tier: Tier) {
        match &mut self.open {
            Open::Scalar(_, scalar) => scalar.forget(tier),
            Open::Histogram(histogram) => histogram.forget(tier),
        }
    }

    /// Goes on with what was open in a tier; false if it is damaged.
    pub(super) fn resume(&mut self, tier: Tier, block: &Block) -> bool {
        match &mut self.open {
            Open::Scalar(_, scalar) => scalar.resume(tier, block),
            Open::Histogram(histogram) => histogram.resume(tier, block),
        }
    }

    /// Goes on with what was staged; false if it is damaged.
    pub(super) fn restage(&mut self, block: &Block) -> bool {
        match &mut self.open {
            Open::Scalar(staged, scalar) => {
                let Some([words]) = block.columns([scalar.measure.word()]) else { return false };
                *staged = Staged::default();
                let mut samples = block.positions().zip(words);
                samples.all(|(tick, word)| staged.follow(tick, word))
            }
            Open::Histogram(_) => false,
        }
    }

    /// Memory of closed blocks by tier, and of the rest.
    pub(super) fn memory(&self) -> [usize; 5] {
        let [tick, fine, minutes, hours] = self.past.memory;
        let cells = self.birth.as_ref().and_then(|birth| birth.cells.as_ref());
        let born = cells.map_or(0, |cells| 16 + 8 * cells.len());
        let heap = born
            + match &self.open {
                Open::Scalar(_, scalar) => scalar.heap() + size_of::<Scalar>(),
                Open::Histogram(histogram) => histogram.heap() + size_of::<Histogram>(),
            };
        /// Its places in the family's lists.
        const BESIDE: usize = 16;
        [
            tick,
            fine,
            minutes,
            hours,
            size_of::<Self>() + size_of::<Past>() + BESIDE + self.labels.len() + heap,
        ]
    }
}
