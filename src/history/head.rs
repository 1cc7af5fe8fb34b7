//! The open run of samples at the end of a series.

use super::bits::Bits;
use super::block::{self, Block, Codec, Gap};
use super::gorilla::{Predictor, Word};

/// A longer gap ends a block.
pub(super) const LONGEST_GAP: u64 = 256;

/// Samples of `N` columns, compressed as they come.
#[derive(Clone, Debug)]
pub(super) struct Head<const N: usize> {
    first: u64,
    span: u32,
    count: u32,
    predictors: [Predictor; N],
    bits: Bits,
    gaps: Vec<Gap>,
}

impl<const N: usize> Head<N> {
    /// Without samples; the first one comes at this position.
    pub(super) fn new(first: u64) -> Self {
        let predictors = [Predictor::default(); N];
        Self { first, span: 0, count: 0, predictors, bits: Bits::default(), gaps: Vec::new() }
    }

    /// With room at once for as many bytes as the one before it took: ten thousand buffers that
    /// grow in step would make some ticks long.
    pub(super) fn after(before: usize, first: u64) -> Self {
        Self { bits: Bits::with_room(before.next_multiple_of(16)), ..Self::new(first) }
    }

    /// The first sample's position.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The position behind the last sample.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.span)
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// Whether a sample at this position can follow.
    #[inline]
    pub(super) fn takes(&self, position: u64) -> bool {
        let end = self.end();
        position >= end && position - end <= LONGEST_GAP
    }

    /// Appends a sample at a position that it [takes](Self::takes). True if that took memory.
    #[inline]
    pub(super) fn push(&mut self, position: u64, words: [u64; N], kinds: [Word; N]) -> bool {
        let before = self.heap();
        // Bounded by the longest gap.
        let missing = position.saturating_sub(self.end()) as u32;
        if missing > 0 {
            self.gaps.push(Gap { at: self.span, length: missing });
        }
        self.span += missing + 1;
        self.count += 1;
        for ((predictor, word), kind) in self.predictors.iter_mut().zip(words).zip(kinds) {
            predictor.write(kind, word, &mut self.bits);
        }
        self.heap() != before
    }

    /// Bytes that its samples take.
    pub(super) fn size(&self) -> usize {
        self.bits.len()
    }

    /// Bytes on the heap.
    #[inline]
    pub(super) fn heap(&self) -> usize {
        self.bits.heap() + self.gaps.capacity() * size_of::<Gap>()
    }

    /// Its samples so far, as a block that is not packed.
    pub(super) fn to_block(&self) -> Block {
        Block {
            first: self.first,
            span: self.span,
            gaps: block::shared(&self.gaps),
            codec: Codec::Gorilla,
            bytes: self.bits.to_bytes().into(),
            stored: false,
        }
    }

    /// Goes on from a block that is not packed; `None` if it is damaged.
    pub(super) fn resume(block: &Block, kinds: [Word; N]) -> Option<Self> {
        let columns = block.columns(kinds)?;
        let mut head = Self::new(block.first);
        for (index, position) in block.positions().enumerate() {
            let mut words = [0; N];
            for (word, column) in words.iter_mut().zip(&columns) {
                *word = *column.get(index)?;
            }
            if !head.takes(position) {
                return None;
            }
            head.push(position, words, kinds);
        }
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [Word; 2] = [Word::Integer, Word::Float];

    proptest! {
        /// Open, closed and packed, samples come back as they were put into a plain list.
        #[test]
        fn samples_come_back_at_their_positions(
            first in 0u64..1 << 40,
            steps in prop::collection::vec((1u64..5, any::<u64>(), -100i64..100), 1..300),
        ) {
            let mut head = Head::<2>::new(first);
            let (mut position, mut twin) = (first, Vec::new());
            for (index, (step, count, value)) in steps.iter().enumerate() {
                position += if index == 0 { 0 } else { *step };
                let words = [*count, (*value as f64 / 4.0).to_bits()];
                prop_assert!(head.takes(position) && !head.takes(position + 400));
                head.push(position, words, KINDS);
                twin.push((position, words));
            }
            let resumed = Head::resume(&head.to_block(), KINDS).unwrap();
            let mut packed = head.to_block();
            packed.pack(KINDS);
            for block in [head.to_block(), packed, resumed.to_block()] {
                let [counts, values] = block.columns(KINDS).unwrap();
                let words = counts.into_iter().zip(values).map(|(count, value)| [count, value]);
                prop_assert_eq!(block.positions().zip(words).collect::<Vec<_>>(), twin.clone());
                prop_assert_eq!((block.count(), block.end()), (twin.len(), position + 1));
            }
        }
    }
}
