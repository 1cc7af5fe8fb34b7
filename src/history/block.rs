//! A closed run of samples of one series.

use std::ops::Range;
use std::sync::Arc;

use super::bits::Reader;
use super::gorilla::{Predictor, Word};
use super::packed;

/// Positions that hold nothing, between others that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Counted from the block's first position.
    pub(super) at: u32,
    pub(super) length: u32,
}

/// How the bytes of a block are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// The columns' predictions in turn, sample by sample.
    Gorilla = 0,
    /// One column after the other.
    Packed = 1,
    /// Rows of a histogram.
    Rows = 2,
}

/// Samples at consecutive positions, which are ticks or steps of a coarser grid: no sample needs a
/// time of its own. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// The first sample's position.
    pub(super) first: u64,
    /// How many positions there are from the first sample to the last, with the gaps.
    pub(super) span: u32,
    /// `None` is none.
    pub(super) gaps: Option<Arc<[Gap]>>,
    pub(super) codec: Codec,
    pub(super) bytes: Arc<[u8]>,
    /// Whether it is in the file, if there is one.
    pub(super) stored: bool,
}

/// Columns of as many words as there are samples.
pub(super) type Columns<const N: usize> = [Vec<u64>; N];

/// Few have any.
pub(super) fn shared(gaps: &[Gap]) -> Option<Arc<[Gap]>> {
    (!gaps.is_empty()).then(|| gaps.into())
}

impl Block {
    pub(super) fn gaps(&self) -> &[Gap] {
        self.gaps.as_deref().unwrap_or_default()
    }

    /// The position behind the last sample.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.span))
    }

    /// How many samples it holds.
    pub(super) fn count(&self) -> usize {
        count(self.span, self.gaps())
    }

    /// Bytes of memory, about.
    pub(super) fn memory(&self) -> usize {
        /// Counts and lengths of what is shared, and a place in the line of what goes first.
        const BESIDE: usize = 16 + 16;
        let gaps = self.gaps.as_ref().map_or(0, |gaps| 16 + gaps.len() * size_of::<Gap>());
        size_of::<Self>() + BESIDE + gaps + self.bytes.len()
    }

    /// The positions of its samples.
    pub(super) fn positions(&self) -> impl Iterator<Item = u64> + '_ {
        positions(self.first, self.span, self.gaps())
    }

    /// The positions of its samples, by runs without gaps.
    pub(super) fn runs(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        runs(self.first, self.span, self.gaps())
    }

    /// Packs its samples, unless they are damaged or are packed already.
    pub(super) fn pack<const N: usize>(&mut self, kinds: [Word; N]) {
        if self.codec != Codec::Gorilla {
            return;
        }
        let Some(columns) = self.columns(kinds) else { return };
        let mut bytes = Vec::new();
        for (kind, column) in kinds.into_iter().zip(columns) {
            packed::write(kind, &column, &mut bytes);
        }
        (self.codec, self.bytes, self.stored) = (Codec::Packed, bytes.into(), false);
    }

    /// Its columns; `None` if the bytes are damaged.
    pub(super) fn columns<const N: usize>(&self, kinds: [Word; N]) -> Option<Columns<N>> {
        match self.codec {
            Codec::Gorilla => unwind(&self.bytes, kinds, self.count()),
            Codec::Packed => {
                let (mut rest, count) = (&self.bytes[..], self.count());
                let mut columns = kinds.map(|_| Vec::new());
                for column in &mut columns {
                    *column = packed::read(&mut rest, count)?;
                }
                Some(columns)
            }
            Codec::Rows => None,
        }
    }
}

/// Reads what predictors wrote in turn.
pub(super) fn unwind<const N: usize>(
    bytes: &[u8],
    kinds: [Word; N],
    count: usize,
) -> Option<Columns<N>> {
    // A sample takes at least a bit, so damaged counts do not ask for much memory.
    if count > bytes.len().saturating_mul(8) {
        return None;
    }
    let mut columns = kinds.map(|_| Vec::with_capacity(count));
    let mut predictors = [Predictor::default(); N];
    let mut bits = Reader::new(bytes);
    for _ in 0..count {
        for ((column, predictor), kind) in columns.iter_mut().zip(&mut predictors).zip(kinds) {
            column.push(predictor.read(kind, &mut bits));
        }
    }
    (!bits.overrun()).then_some(columns)
}

pub(super) fn count(span: u32, gaps: &[Gap]) -> usize {
    let missing = gaps.iter().fold(0u32, |sum, gap| sum.saturating_add(gap.length));
    span.saturating_sub(missing) as usize
}

pub(super) fn positions(first: u64, span: u32, gaps: &[Gap]) -> impl Iterator<Item = u64> + '_ {
    runs(first, span, gaps).flatten()
}

/// Positions without gaps between them.
fn runs(first: u64, span: u32, gaps: &[Gap]) -> impl Iterator<Item = Range<u64>> + '_ {
    let starts = std::iter::once(0).chain(gaps.iter().map(|gap| gap.at.saturating_add(gap.length)));
    let ends = gaps.iter().map(|gap| gap.at).chain([span]);
    starts.zip(ends).map(move |(start, end)| first + u64::from(start)..first + u64::from(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_left_out() {
        let gaps = [Gap { at: 1, length: 2 }, Gap { at: 5, length: 1 }];
        assert_eq!(positions(100, 8, &gaps).collect::<Vec<_>>(), [100, 103, 104, 106, 107]);
        assert_eq!(count(8, &gaps), 5);
    }
}
