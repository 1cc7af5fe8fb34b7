//! Predicting the next number from the last ones, and writing only the difference.
//!
//! Doubles as in Facebook's Gorilla paper (VLDB 2015): the exclusive or with the number before,
//! of which only the bits that changed are written. Integers, which are counters, by how much the
//! growth changed.

use super::bits::{Bits, Reader};

/// How a column's 64-bit words are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A `u64` that mostly grows.
    Integer,
    /// The bits of an `f64`.
    Float,
}

impl Word {
    pub(super) fn to_f64(self, word: u64) -> f64 {
        match self {
            Self::Integer => word as f64,
            Self::Float => f64::from_bits(word),
        }
    }
}

/// What is known of a column before its next word.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Predictor {
    last: u64,
    /// Of integers: how much the last one grew. Of doubles: which bits changed last, as the
    /// number of zeros before them in the upper half, and how many they are in the lower one.
    shape: u64,
}

/// Widths of the growth's change, by the number of ones before the first zero.
const WIDTHS: [u32; 6] = [0, 7, 12, 20, 32, 64];

impl Predictor {
    #[inline]
    pub(super) fn write(&mut self, kind: Word, word: u64, bits: &mut Bits) {
        match kind {
            Word::Integer => self.write_integer(word, bits),
            Word::Float => self.write_float(word, bits),
        }
        self.last = word;
    }

    #[inline]
    pub(super) fn read(&mut self, kind: Word, bits: &mut Reader<'_>) -> u64 {
        self.last = match kind {
            Word::Integer => self.read_integer(bits),
            Word::Float => self.read_float(bits),
        };
        self.last
    }

    #[inline]
    fn write_integer(&mut self, word: u64, bits: &mut Bits) {
        let growth = word.wrapping_sub(self.last);
        let change = growth.wrapping_sub(self.shape);
        self.shape = growth;
        if change == 0 {
            return bits.push(0, 1);
        }
        // Small changes of either sign become small numbers.
        let folded = (change << 1) ^ ((change as i64 >> 63) as u64);
        let needed = 64 - folded.leading_zeros();
        let class = WIDTHS.iter().position(|width| needed <= *width).unwrap_or(5) as u32;
        let named = if class == 5 { (0b11111, 5) } else { ((1 << (class + 1)) - 2, class + 1) };
        bits.push_after(named.0, named.1, folded, WIDTHS[class as usize]);
    }

    #[inline]
    fn read_integer(&mut self, bits: &mut Reader<'_>) -> u64 {
        let next = bits.peek();
        let class = next.leading_ones().min(5);
        if class == 0 {
            bits.skip(1);
            return self.last.wrapping_add(self.shape);
        }
        let named = (class + 1).min(5);
        let width = WIDTHS[class as usize];
        // All but the widest are in what was read already.
        let folded = if class < 5 {
            (next << named) >> (64 - width)
        } else {
            bits.skip(named);
            bits.peek()
        };
        bits.skip(if class < 5 { named + width } else { width });
        let change = (folded >> 1) ^ (folded & 1).wrapping_neg();
        self.shape = self.shape.wrapping_add(change);
        self.last.wrapping_add(self.shape)
    }

    #[inline]
    fn write_float(&mut self, word: u64, bits: &mut Bits) {
        let changed = word ^ self.last;
        if changed == 0 {
            return bits.push(0, 1);
        }
        let (zeros, width) = ((self.shape >> 32) as u32, self.shape as u32);
        let (before, behind) = (changed.leading_zeros(), changed.trailing_zeros());
        if width > 0 && before >= zeros && behind >= 64 - zeros - width {
            return bits.push_after(0b10, 2, changed >> (64 - zeros - width), width);
        }
        // Five bits tell the zeros, so a change further behind is written with zeros of its own.
        let before = before.min(31);
        let width = 64 - before - behind;
        let named = 0b11 << 11 | u64::from(before) << 6 | u64::from(width - 1);
        bits.push_after(named, 13, changed >> behind, width);
        self.shape = u64::from(before) << 32 | u64::from(width);
    }

    #[inline]
    fn read_float(&mut self, bits: &mut Reader<'_>) -> u64 {
        let next = bits.peek();
        if next >> 63 == 0 {
            bits.skip(1);
            return self.last;
        }
        if next >> 62 == 0b10 {
            bits.skip(2);
        } else {
            let (zeros, width) = ((next >> 57) & 31, ((next >> 51) & 63) + 1);
            // Only damaged bits ask for more than there are.
            self.shape = zeros << 32 | width.min(64 - zeros);
            bits.skip(13);
        }
        let (zeros, width) = ((self.shape >> 32) as u32, self.shape as u32);
        let changed = bits.take(width);
        self.last ^ changed.checked_shl(64 - zeros - width).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(kind: Word, words: &[u64]) -> usize {
        let (mut bits, mut writer) = (Bits::default(), Predictor::default());
        words.iter().for_each(|word| writer.write(kind, *word, &mut bits));
        let bytes = bits.to_bytes();
        let (mut reader, mut predictor) = (Reader::new(&bytes), Predictor::default());
        for word in words {
            assert_eq!(predictor.read(kind, &mut reader), *word);
        }
        assert!(!reader.overrun());
        bytes.len()
    }

    #[test]
    fn what_repeats_costs_a_bit() {
        assert!(round_trip(Word::Float, &[1.25f64.to_bits(); 800]) < 120);
        let steady: Vec<u64> = (0..800).map(|n| 1_000_000 + 25 * n).collect();
        assert!(round_trip(Word::Integer, &steady) < 120);
    }

    proptest! {
        #[test]
        fn any_words_come_back(words in prop::collection::vec(any::<u64>(), 0..100)) {
            round_trip(Word::Float, &words);
            round_trip(Word::Integer, &words);
        }

        #[test]
        fn likely_words_come_back(start in any::<u64>(), steps in prop::collection::vec(0u64..5_000, 0..300)) {
            let counts: Vec<u64> = steps.iter().scan(start, |sum, step| { *sum = sum.wrapping_add(*step); Some(*sum) }).collect();
            round_trip(Word::Integer, &counts);
            let values: Vec<u64> = steps.iter().map(|step| (*step as f64 / 100.0).to_bits()).collect();
            round_trip(Word::Float, &values);
        }

        #[test]
        fn damaged_bits_are_read_to_some_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for kind in [Word::Float, Word::Integer] {
                let (mut reader, mut predictor) = (Reader::new(&bytes), Predictor::default());
                for _ in 0..300 {
                    predictor.read(kind, &mut reader);
                }
            }
        }
    }
}
