//! The newest samples of a number, as they are.
//!
//! A tick only writes a word here; once in so many ticks, out of step with other series, they are
//! compressed and rolled up together, which spares most of the cost: what that needs
//! is fetched into the caches once for all of them.

use super::block::Block;
use super::gorilla::Word;
use super::head::Head;

/// Samples that wait, at most.
pub(super) const MOST: usize = 32;

/// Samples of ticks that follow each other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Staged {
    first: u64,
    count: u32,
    words: [u64; MOST],
}

impl Staged {
    /// Adds a tick's sample, unless those before it have to go first: it does not follow them, or
    /// it is their turn.
    #[inline]
    pub(super) fn push(&mut self, tick: u64, word: u64, phase: u8) -> bool {
        let turn = (tick + u64::from(phase)) % MOST as u64 == 0;
        (self.count == 0 || !turn) && self.follow(tick, word)
    }

    /// Adds a tick's sample, if it follows those before it.
    #[inline]
    pub(super) fn follow(&mut self, tick: u64, word: u64) -> bool {
        if self.count == 0 {
            self.first = tick;
        } else if tick != self.end() {
            return false;
        }
        let Some(place) = self.words.get_mut(self.count as usize) else { return false };
        *place = word;
        self.count += 1;
        true
    }

    /// The first sample's tick.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The tick behind the last sample.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    pub(super) fn words(&self) -> &[u64] {
        self.words.get(..self.count as usize).unwrap_or_default()
    }

    /// Its samples, as a block.
    pub(super) fn to_block(self, kind: Word) -> Option<Block> {
        let mut head = Head::new(self.first);
        for (tick, word) in (self.first..).zip(self.words()) {
            head.push(tick, [*word], [kind]);
        }
        (!self.is_empty()).then(|| head.to_block())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}
