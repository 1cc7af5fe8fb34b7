//! The open ends of a histogram. Its rows are cumulative, so a coarser tier is the last row of
//! each of its steps.

use super::block::Block;
use super::rows::{RowHead, Rows};
use super::series::{Past, Turn};
use super::tier::{Cursor, Tier};

#[derive(Clone, Debug)]
pub(super) struct Histogram {
    width: usize,
    heads: [Option<Box<RowHead>>; 4],
}

impl Histogram {
    /// Rows of this many cells.
    pub(super) fn new(width: usize) -> Self {
        Self { width, heads: [None, None, None, None] }
    }

    /// Adds a tick's row. True if that took memory.
    pub(super) fn push(
        &mut self,
        tick: u64,
        row: &[u64],
        turn: &mut Turn<'_>,
        past: &mut Past,
    ) -> bool {
        if let Some(head) = &mut self.heads[Tier::Tick as usize] {
            if head.takes(tick) && head.count() < turn.limit(Tier::Tick) {
                return head.push(tick, row);
            }
        }
        self.close_ticks(turn, past);
        self.put(Tier::Tick, tick, row, turn, past);
        true
    }

    /// Closes the run of ticks, and fills the coarser tiers from it.
    pub(super) fn close_ticks(&mut self, turn: &mut Turn<'_>, past: &mut Past) {
        let Some(head) = self.heads[Tier::Tick as usize].take() else { return };
        let block = head.to_block();
        let times: Vec<u64> = turn.times(block.positions()).collect();
        past.add(Tier::Tick, block.clone(), turn);
        self.cascade(&times, &block, turn, past);
    }

    /// Fills the coarser tiers from a block of ticks that were at these times.
    pub(super) fn cascade(
        &mut self,
        times: &[u64],
        block: &Block,
        turn: &mut Turn<'_>,
        past: &mut Past,
    ) {
        let Some(mut rows) = Rows::new(block, self.width) else { return };
        // If any times are not known any more, they are the first.
        (times.len()..block.count()).for_each(|_| _ = rows.next());
        let following = times.iter().skip(1).copied().chain([turn.now]);
        let tiers = [Tier::Fine, Tier::Minutes, Tier::Hours];
        let mut steps = tiers.map(|tier| (tier, Cursor::new(turn.tiers, tier)));
        for (time, next) in times.iter().zip(following) {
            let Some((_, row)) = rows.next() else { return };
            for (tier, step) in &mut steps {
                step.follow(*time);
                if next > step.end {
                    self.put(*tier, step.position, row, turn, past);
                }
            }
        }
    }

    fn put(
        &mut self,
        tier: Tier,
        position: u64,
        row: &[u64],
        turn: &mut Turn<'_>,
        past: &mut Past,
    ) {
        let head = &mut self.heads[tier as usize];
        let limit = turn.limit(tier);
        let full = |head: &RowHead| !head.takes(position) || head.count() >= limit;
        if head.as_ref().is_some_and(|head| position < head.end()) {
            return;
        }
        if let Some(head) = head.take_if(|head| full(head)) {
            past.add(tier, head.to_block(), turn);
        }
        let head = head.get_or_insert_with(|| Box::new(RowHead::new(position, self.width)));
        head.push(position, row);
    }

    /// What is open in this tier, as a block.
    pub(super) fn open(&self, tier: Tier) -> Option<Block> {
        self.heads[tier as usize].as_ref().map(|head| head.to_block())
    }

    /// The first and last position that are open in this tier.
    pub(super) fn extent(&self, tier: Tier) -> Option<(u64, u64)> {
        self.heads[tier as usize].as_ref().map(|head| (head.first(), head.end() - 1))
    }

    /// Forgets what is open in this tier.
    pub(super) fn forget(&mut self, tier: Tier) {
        self.heads[tier as usize] = None;
    }

    /// Goes on with what was open; false if it is damaged.
    pub(super) fn resume(&mut self, tier: Tier, block: &Block) -> bool {
        let head = RowHead::resume(block, self.width);
        self.heads[tier as usize] = head.map(Box::new);
        self.extent(tier).is_some()
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        self.heads.iter().flatten().map(|head| head.heap() + size_of_val(&**head)).sum()
    }
}
