//! What goes when there is no room.
//!
//! The budget is in bytes and always wins. While all is within it, nothing goes before its time.
//! Beyond it, the oldest closed block goes of the tier that is furthest above its share. Open ends
//! cannot go, so new series are refused once those could take half of the budget, and blocks are
//! closed early once they do. Should they still take it all, the youngest series go.

use std::time::Duration;

use super::store::Store;
use super::tier::Tier;

/// What went, or never came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Samples that went before their time, by tier.
    pub(super) samples: [u64; 4],
    /// The end of the last block that did, by tier.
    until: [u64; 4],
    /// Series that went with all they had.
    pub(super) series: u64,
    /// Series dropped because their metric became another one.
    pub(super) replaced: u64,
}

/// How much a history holds, and how far back it goes. From
/// [`History::capacity`](super::History::capacity).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Capacity {
    /// Bytes it may take.
    pub budget: usize,
    /// Bytes it takes, about.
    pub used: usize,
    /// Series it holds.
    pub series: usize,
    /// Series that found no room.
    pub refused: usize,
    /// How far back it goes, finest first.
    pub tiers: Vec<Reach>,
}

/// How far back a tier goes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reach {
    /// `tick`, `fine`, `minutes` or `hours`.
    pub tier: &'static str,
    /// From one sample to the next; zero for ticks, which have no fixed step.
    pub step: Duration,
    /// How far back it is asked to go.
    pub asked: Duration,
    /// How far back it goes now; finer tiers count as well, for their samples are in it.
    pub reach: Duration,
    /// Bytes it takes.
    pub used: usize,
    /// Samples that went before their time, for the budget.
    pub evicted: u64,
}

impl Store {
    /// Bytes it takes, about.
    pub(super) fn total(&self) -> usize {
        self.books.total() + self.timeline.memory()
    }

    /// Lets go of the past until the rest fits.
    pub(super) fn make_room(&mut self) {
        while self.total() > self.budget {
            let over = |tier: &Tier| {
                (self.books.used[*tier as usize] as u64).saturating_mul(100) / tier.share()
            };
            let full = |tier: &Tier| !self.books.queues[*tier as usize].is_empty();
            match Tier::ALL.into_iter().filter(full).max_by_key(over) {
                Some(tier) => self.evict(tier),
                None => {
                    let Some(youngest) = self.series.iter().rposition(Option::is_some) else {
                        return;
                    };
                    self.counts.series += 1;
                    self.remove(&[youngest as u32]);
                }
            }
        }
    }

    /// Lets go of the block of a tier that was closed first.
    fn evict(&mut self, tier: Tier) {
        let Some((id, first)) = self.books.queues[tier as usize].pop_front() else { return };
        let Some(Some(series)) = self.series.get_mut(id as usize) else { return };
        // It may have grown old and gone by itself.
        if series.past.of(tier).front().is_none_or(|block| block.first != first) {
            return;
        }
        let Some(block) = series.past.pop(tier) else { return };
        self.counts.samples[tier as usize] += block.count() as u64;
        let last = block.end() - 1;
        let end = match tier {
            Tier::Tick => self.timeline.time(last).unwrap_or(0),
            _ => self.tiers.time(tier, last),
        };
        let until = &mut self.counts.until[tier as usize];
        *until = end.max(*until);
        self.books.measure(series);
    }

    /// How many series it holds.
    pub(super) fn len(&self) -> usize {
        self.families.iter().map(|family| family.sorted.len()).sum()
    }

    /// How many series found no room.
    pub(super) fn refused(&self) -> usize {
        self.families.iter().map(|family| family.refused).sum()
    }

    pub(super) fn capacity(&self) -> Capacity {
        let now = self.timeline.now();
        let live = || self.series.iter().flatten();
        let mut oldest = u64::MAX;
        let tiers = Tier::ALL.into_iter().map(|tier| {
            let firsts = live().filter_map(|series| series.first(tier)).min();
            let first = firsts.and_then(|first| match tier {
                Tier::Tick => self.timeline.time(first),
                _ => Some(self.tiers.time(tier, first).saturating_sub(self.tiers.step(tier))),
            });
            let known = first.map(|first| first.max(self.counts.until[tier as usize]));
            oldest = oldest.min(known.unwrap_or(u64::MAX));
            Reach {
                tier: tier.as_str(),
                step: match tier {
                    Tier::Tick => Duration::ZERO,
                    _ => Duration::from_millis(self.tiers.step(tier)),
                },
                asked: Duration::from_millis(self.tiers.keep(tier)),
                reach: Duration::from_millis(now.saturating_sub(oldest)),
                used: self.books.used[tier as usize],
                evicted: self.counts.samples[tier as usize],
            }
        });
        Capacity {
            tiers: tiers.collect(),
            budget: self.budget,
            used: self.total(),
            series: self.len(),
            refused: self.refused(),
        }
    }
}
