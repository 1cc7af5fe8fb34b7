//! The rows of a histogram: a count per bucket and the sum, of which mostly little changes from
//! one sample to the next.
//!
//! A row is written as pairs of varints, how many buckets further and by how much that bucket
//! grew; a zero ends the row, and behind it comes the exclusive or of the sum with the one before,
//! its bytes reversed, for it is the low ones that are often zero.

use super::block::{self, Block, Codec, Gap};
use super::head::LONGEST_GAP;

/// Rows that are still being added.
#[derive(Clone, Debug)]
pub(super) struct RowHead {
    first: u64,
    span: u32,
    count: u32,
    /// The last row: the sum, then the buckets.
    last: Box<[u64]>,
    bytes: Vec<u8>,
    gaps: Vec<Gap>,
}

impl RowHead {
    /// Without rows; the first one comes at this position and has this many cells.
    pub(super) fn new(first: u64, width: usize) -> Self {
        let last = vec![0; width].into();
        Self { first, span: 0, count: 0, last, bytes: Vec::new(), gaps: Vec::new() }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The position behind the last row.
    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.span)
    }

    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// Whether a row at this position can follow.
    pub(super) fn takes(&self, position: u64) -> bool {
        let end = self.end();
        position >= end && position - end <= LONGEST_GAP
    }

    /// Appends a row at a position that it [takes](Self::takes). True if that took memory.
    pub(super) fn push(&mut self, position: u64, row: &[u64]) -> bool {
        let before = self.heap();
        let missing = position.saturating_sub(self.end()) as u32;
        if missing > 0 {
            self.gaps.push(Gap { at: self.span, length: missing });
        }
        self.span += missing + 1;
        self.count += 1;
        let mut skipped = 1;
        for (last, cell) in self.last.iter_mut().zip(row).skip(1) {
            if last == cell {
                skipped += 1;
                continue;
            }
            write(skipped, &mut self.bytes);
            let grown = cell.wrapping_sub(*last);
            write((grown << 1) ^ ((grown as i64 >> 63) as u64), &mut self.bytes);
            *last = *cell;
            skipped = 1;
        }
        write(0, &mut self.bytes);
        if let (Some(last), Some(sum)) = (self.last.first_mut(), row.first()) {
            write((*last ^ sum).swap_bytes(), &mut self.bytes);
            *last = *sum;
        }
        self.heap() != before
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        self.bytes.capacity() + self.last.len() * 8 + self.gaps.capacity() * size_of::<Gap>()
    }

    /// Its rows so far.
    pub(super) fn to_block(&self) -> Block {
        Block {
            first: self.first,
            span: self.span,
            gaps: block::shared(&self.gaps),
            codec: Codec::Rows,
            bytes: self.bytes.as_slice().into(),
            stored: false,
        }
    }

    /// Goes on from a block; `None` if it is damaged.
    pub(super) fn resume(block: &Block, width: usize) -> Option<Self> {
        let mut head = Self::new(block.first, width);
        let mut rows = Rows::new(block, width)?;
        while let Some((position, row)) = rows.next() {
            if !head.takes(position) {
                return None;
            }
            head.push(position, row);
        }
        (head.count() == block.count()).then_some(head)
    }
}

/// Reads the rows of a block one by one, each into the place of the one before.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    positions: Vec<u64>,
    next: usize,
    bytes: &'a [u8],
    row: Vec<u64>,
}

impl<'a> Rows<'a> {
    /// `None` if this cannot be a block of rows.
    pub(super) fn new(block: &'a Block, width: usize) -> Option<Self> {
        // A row takes at least two bytes, so damaged counts do not ask for much memory.
        let fits = block.codec == Codec::Rows && block.count() <= block.bytes.len() / 2;
        fits.then(|| Self {
            positions: block.positions().collect(),
            next: 0,
            bytes: &block.bytes,
            row: vec![0; width],
        })
    }

    /// The next row and its position. The end of damaged bytes is where they stop to make sense.
    pub(super) fn next(&mut self) -> Option<(u64, &[u64])> {
        let position = *self.positions.get(self.next)?;
        self.next += 1;
        let mut at = 0usize;
        loop {
            let skipped = read(&mut self.bytes)?;
            if skipped == 0 {
                break;
            }
            at = at.checked_add(usize::try_from(skipped).ok()?)?;
            let folded = read(&mut self.bytes)?;
            let grown = (folded >> 1) ^ (folded & 1).wrapping_neg();
            let cell = self.row.get_mut(at)?;
            *cell = cell.wrapping_add(grown);
        }
        let changed = read(&mut self.bytes)?.swap_bytes();
        *self.row.first_mut()? ^= changed;
        Some((position, &self.row))
    }
}

pub(super) fn write(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(block: &Block, width: usize) -> Vec<(u64, Vec<u64>)> {
        let mut rows = Rows::new(block, width).unwrap();
        std::iter::from_fn(|| rows.next().map(|(position, row)| (position, row.to_vec()))).collect()
    }

    #[test]
    fn an_idle_histogram_costs_two_bytes_a_row() {
        let mut head = RowHead::new(0, 13);
        let row = [3; 13];
        (0..100).for_each(|position| _ = head.push(position, &row));
        assert!(head.to_block().bytes.len() < 240);
    }

    proptest! {
        #[test]
        fn rows_come_back(
            rows in prop::collection::vec((1u64..4, prop::collection::vec(prop_oneof![Just(0), any::<u64>(), 0u64..9], 5)), 1..60),
        ) {
            let mut head = RowHead::new(1, 5);
            let (mut position, mut twin) = (0, Vec::new());
            for (step, row) in &rows {
                position += if position == 0 { 1 } else { *step };
                head.push(position, row);
                twin.push((position, row.clone()));
            }
            let block = head.to_block();
            prop_assert_eq!(all(&block, 5), twin.clone());
            prop_assert_eq!(all(&RowHead::resume(&block, 5).unwrap().to_block(), 5), twin);
        }

        #[test]
        fn damaged_rows_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..100), width in 0usize..5) {
            let block = Block { bytes: bytes.into(), ..RowHead::new(0, width).to_block() };
            for span in [0, 3, u32::MAX] {
                let block = Block { span, ..block.clone() };
                if let Some(mut rows) = Rows::new(&block, width) {
                    while rows.next().is_some() {}
                }
                let _ = RowHead::resume(&block, width);
            }
        }
    }
}
