//! What memory is taken by, and which closed blocks are next: to be packed, and to go.

use std::collections::VecDeque;

use super::series::{Series, Turn};
use super::tier::Tier;

#[derive(Debug, Default)]
pub(super) struct Books {
    /// Memory of closed blocks by tier, and of the rest.
    pub(super) used: [usize; 5],
    /// Closed blocks of each tier, in the order they go if there is no room.
    pub(super) queues: [VecDeque<(u32, u64)>; 4],
    /// Closed blocks that are not packed yet. Ticks never are: they go soon.
    unpacked: VecDeque<(u32, Tier, u64)>,
}

impl Books {
    /// Notes a series that has come, or whose blocks have.
    pub(super) fn add(&mut self, series: &mut Series) {
        series.used = series.memory();
        self.used.iter_mut().zip(series.used).for_each(|(sum, used)| *sum += used);
    }

    /// Notes what a series takes after it changed, and what it closed.
    pub(super) fn update(&mut self, id: u32, series: &mut Series, turn: &mut Turn<'_>) {
        for (tier, first) in turn.closed.drain(..) {
            self.close(id, tier, first, true);
        }
        self.measure(series);
    }

    /// Notes a closed block.
    pub(super) fn close(&mut self, id: u32, tier: Tier, first: u64, may_be_packed: bool) {
        self.queues[tier as usize].push_back((id, first));
        if tier != Tier::Tick && may_be_packed {
            self.unpacked.push_back((id, tier, first));
        }
    }

    /// Notes what a series takes after it changed.
    pub(super) fn measure(&mut self, series: &mut Series) {
        let now = series.memory();
        let before = std::mem::replace(&mut series.used, now);
        for ((sum, before), now) in self.used.iter_mut().zip(before).zip(now) {
            *sum = (*sum + now).saturating_sub(before);
        }
    }

    /// Notes a series that goes.
    pub(super) fn remove(&mut self, series: &Series) {
        for (sum, used) in self.used.iter_mut().zip(series.used) {
            *sum = sum.saturating_sub(used);
        }
    }

    /// The block that was closed first of those to be packed.
    pub(super) fn next_unpacked(&mut self) -> Option<(u32, Tier, u64)> {
        self.unpacked.pop_front()
    }

    /// Memory of the queues themselves is part of every block's.
    pub(super) fn total(&self) -> usize {
        self.used.iter().sum()
    }
}
