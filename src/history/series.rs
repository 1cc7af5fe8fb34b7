//! One series: what is closed, by tier, and what is open.

use std::collections::VecDeque;
use std::sync::Arc;

use super::block::Block;
use super::histogram::Histogram;
use super::scalar::Scalar;
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

/// Closed blocks by tier, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Past([VecDeque<Block>; 4]);

impl Past {
    pub(super) fn add(&mut self, tier: Tier, block: Block, turn: &mut Turn<'_>) {
        if turn.tiers.keep(tier) == 0 || block.count() == 0 {
            return;
        }
        turn.closed.push((tier, block.first));
        self.0[tier as usize].push_back(block);
    }

    pub(super) fn of(&self, tier: Tier) -> &VecDeque<Block> {
        &self.0[tier as usize]
    }

    pub(super) fn of_mut(&mut self, tier: Tier) -> &mut VecDeque<Block> {
        &mut self.0[tier as usize]
    }
}

/// The open ends.
#[allow(clippy::large_enum_variant, reason = "most are numbers, read and written in place")]
#[derive(Clone, Debug)]
pub(super) enum Open {
    Scalar(Scalar),
    Histogram(Box<Histogram>),
}

/// Ticks after which a run is closed that nothing was added to.
pub(super) const STALE: u64 = 512;

/// The first sample of a series, which its first growth is counted from.
#[derive(Clone, Debug)]
pub(super) struct Birth {
    pub(super) time: u64,
    /// The cells it had before it was watched. What is counted in this program starts from zeros,
    /// which are left out; what shows a counter of something else starts from anything.
    pub(super) cells: Option<Arc<[u64]>>,
}

impl Birth {
    /// The cell of a number.
    fn word(&self) -> u64 {
        self.cells.as_ref().and_then(|cells| cells.first().copied()).unwrap_or(0)
    }

    /// The number, or the observations that a histogram held.
    pub(super) fn number(&self, is_histogram: bool) -> u64 {
        match &self.cells {
            Some(cells) if is_histogram => {
                cells.iter().skip(1).fold(0, |sum, count| sum.wrapping_add(*count))
            }
            _ => self.word(),
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
    pub(super) past: Past,
    /// Tells series apart that have one number after the other.
    pub(super) serial: u64,
    /// Memory as it was last accounted for: of closed blocks by tier, and of the rest.
    pub(super) used: [usize; 5],
    early: u8,
}

impl Series {
    pub(super) fn new(labels: &str, family: u32, open: Open, birth: Option<Birth>) -> Self {
        // Any even spread does.
        let early = labels
            .bytes()
            .fold(family as u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte).rotate_left(3));
        let (labels, past) = (labels.into(), Past::default());
        Self { labels, family, birth, open, past, serial: 0, used: [0; 5], early }
    }

    /// Adds a tick's cells. True if that took memory.
    #[inline]
    pub(super) fn push(&mut self, tick: u64, cells: &[u64], turn: &mut Turn<'_>) -> bool {
        turn.early = self.early;
        turn.base = self.birth.as_ref().map(Birth::word);
        let grew = match (&mut self.open, cells) {
            (Open::Scalar(scalar), [word, ..]) => scalar.push(tick, *word, turn, &mut self.past),
            (Open::Histogram(histogram), row) => histogram.push(tick, row, turn, &mut self.past),
            (Open::Scalar(_), []) => false,
        };
        if grew && turn.closed.iter().any(|(tier, _)| *tier == Tier::Fine) {
            // Once out of step, series stay so.
            self.early = 0;
        }
        grew
    }

    /// Closes the run of ticks.
    pub(super) fn close_ticks(&mut self, turn: &mut Turn<'_>) {
        turn.early = self.early;
        turn.base = self.birth.as_ref().map(Birth::word);
        match &mut self.open {
            Open::Scalar(scalar) => scalar.close_ticks(turn, &mut self.past),
            Open::Histogram(histogram) => histogram.close_ticks(turn, &mut self.past),
        }
    }

    /// Closes what nothing was added to for long, and forgets what is older than is kept.
    pub(super) fn sweep(&mut self, turn: &mut Turn<'_>) {
        let (timeline, tiers, now) = (turn.timeline, *turn.tiers, turn.now);
        let stale = |tick: u64| timeline.end().saturating_sub(tick) > STALE;
        let old = |time: Option<u64>, tier: Tier| {
            time.is_none_or(|time| now.saturating_sub(time) > tiers.keep(tier))
        };
        let is_due = |(first, last): (u64, u64)| {
            let [first_time, last_time] = [first, last].map(|tick| timeline.time(tick));
            let step = |time| tiers.position(Tier::Fine, time);
            let over = last_time.is_none_or(|time| step(time) < step(now));
            let idle = stale(last) || old(last_time, Tier::Tick) && last + 1 < timeline.end();
            // The times of its ticks must still be known when a run is closed.
            over && idle || old(first_time, Tier::Tick) && stale(first)
        };
        if self.extent(Tier::Tick).is_some_and(is_due) {
            // Nothing may ever follow.
            turn.now = u64::MAX;
            self.close_ticks(turn);
            turn.now = now;
        }
        if let Open::Scalar(scalar) = &mut self.open {
            turn.early = self.early;
            scalar.roll_over(turn, &mut self.past);
        }
        for tier in Tier::ALL {
            let time = |position: u64| match tier {
                Tier::Tick => timeline.time(position),
                _ => Some(tiers.time(tier, position)),
            };
            let blocks = self.past.of_mut(tier);
            while blocks.front().is_some_and(|block| old(time(block.end() - 1), tier)) {
                blocks.pop_front();
            }
            if tier != Tier::Tick
                && self.extent(tier).is_some_and(|(_, last)| old(time(last), tier))
            {
                self.forget(tier);
            }
        }
    }

    /// Whether it has nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        Tier::ALL.iter().all(|tier| self.past.of(*tier).is_empty() && self.extent(*tier).is_none())
    }

    /// What is open in a tier, as a block.
    pub(super) fn open_block(&self, tier: Tier) -> Option<Block> {
        match &self.open {
            Open::Scalar(scalar) => scalar.open(tier),
            Open::Histogram(histogram) => histogram.open(tier),
        }
    }

    /// The first and last position that are open in a tier.
    pub(super) fn extent(&self, tier: Tier) -> Option<(u64, u64)> {
        match &self.open {
            Open::Scalar(scalar) => scalar.extent(tier),
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
            Open::Scalar(scalar) => scalar.forget(tier),
            Open::Histogram(histogram) => histogram.forget(tier),
        }
    }

    /// Goes on with what was open in a tier; false if it is damaged.
    pub(super) fn resume(&mut self, tier: Tier, block: &Block) -> bool {
        match &mut self.open {
            Open::Scalar(scalar) => scalar.resume(tier, block),
            Open::Histogram(histogram) => histogram.resume(tier, block),
        }
    }

    /// Memory of closed blocks by tier, and of the rest.
    pub(super) fn memory(&self) -> [usize; 5] {
        let [tick, fine, minutes, hours] =
            Tier::ALL.map(|tier| self.past.of(tier).iter().map(Block::memory).sum::<usize>());
        let cells = self.birth.as_ref().and_then(|birth| birth.cells.as_ref());
        let born = cells.map_or(0, |cells| 16 + 8 * cells.len());
        let heap = born
            + match &self.open {
                Open::Scalar(scalar) => scalar.heap(),
                Open::Histogram(histogram) => histogram.heap() + size_of::<Histogram>(),
            };
        /// Its places in the family's lists.
        const BESIDE: usize = 16;
        [tick, fine, minutes, hours, size_of::<Self>() + BESIDE + self.labels.len() + heap]
    }
}
