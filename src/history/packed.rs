//! Columns of a closed block, by `pco`, which finds the pattern of a run of numbers: a common
//! divisor, a steady growth, few frequent values. Nothing is lost.
//!
//! A column starts with a tag that says which way it went, and the length of what follows. The
//! choices that take `pco` longer than the packing are made here.

use pco::errors::PcoResult;
use pco::standalone::{simple_compress, simple_decompress_into};
use pco::{ChunkConfig, DeltaSpec, ModeSpec};

use super::gorilla::Word;
use super::{decimal, trend};

/// Higher ones gain a hundredth on what this crate keeps, and take half as long again.
const LEVEL: usize = 4;

/// All words are the same.
const CONSTANT: u8 = 0;
/// `u64`s.
const INTEGERS: u8 = 1;
/// `f64`s.
const FLOATS: u8 = 2;
/// `f64`s that are `f32`s.
const SINGLES: u8 = 3;
/// As they are.
const RAW: u8 = 4;
/// `f64`s that are `i64`s divided by a power of ten: the power is added to the tag.
const DECIMALS: u8 = 5;

/// Appends a column.
pub(super) fn write(kind: Word, words: &[u64], out: &mut Vec<u8>) {
    let Some(first) = words.first() else { return };
    if words.iter().all(|word| word == first) {
        return part(CONSTANT, &first.to_le_bytes(), out);
    }
    let packed = match kind {
        Word::Integer => (INTEGERS, pack_integers(words, |word| word.wrapping_sub(*first) as i64)),
        Word::Float => pack_floats(words),
    };
    match packed {
        (tag, Ok(bytes)) if bytes.len() < words.len() * 8 => part(tag, &bytes, out),
        _ => {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            part(RAW, &bytes, out);
        }
    }
}

fn pack_floats(words: &[u64]) -> (u8, PcoResult<Vec<u8>>) {
    if let Some((places, integers)) = decimal::integers(words) {
        return (DECIMALS + places, pack_integers(&integers, |integer| *integer));
    }
    let number = |word: u64| f64::from_bits(word);
    let order = trend::order(words.len(), |index| words.get(index).copied().map_or(0.0, number));
    if let Some(singles) = decimal::singles(words) {
        return (SINGLES, simple_compress(&singles, &config(order, ModeSpec::Auto)));
    }
    let floats: Vec<f64> = words.iter().map(|word| number(*word)).collect();
    (FLOATS, simple_compress(&floats, &config(order, ModeSpec::Auto)))
}

/// `since` is the distance from another number, which as a double has no digits to lose.
fn pack_integers<T: pco::data_types::Number>(
    integers: &[T],
    since: impl Fn(&T) -> i64,
) -> PcoResult<Vec<u8>> {
    let since = |index: usize| integers.get(index).map_or(0, &since);
    let order = trend::order(integers.len(), |index| since(index) as f64);
    let divisor = trend::divisor(integers.len(), since);
    let mode = if divisor > 1 { ModeSpec::TryIntMult(divisor) } else { ModeSpec::Classic };
    simple_compress(integers, &config(order, mode))
}

fn config(order: usize, mode: ModeSpec) -> ChunkConfig {
    let differences = match order {
        0 => DeltaSpec::None,
        order => DeltaSpec::TryConsecutive(order),
    };
    let config = ChunkConfig::default().with_compression_level(LEVEL);
    config.with_delta_spec(differences).with_mode_spec(mode)
}

fn part(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    // A column has at most a few thousand words.
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Takes a column of `count` words off the front of `bytes`; `None` if they are damaged.
pub(super) fn read(bytes: &mut &[u8], count: usize) -> Option<Vec<u64>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *bytes = rest;
    match *tag {
        CONSTANT => Some(vec![u64::from_le_bytes(part.try_into().ok()?); count]),
        INTEGERS => {
            let mut words = vec![0u64; count];
            unpack(part, &mut words)?;
            Some(words)
        }
        FLOATS => {
            let mut floats = vec![0f64; count];
            unpack(part, &mut floats)?;
            Some(floats.into_iter().map(f64::to_bits).collect())
        }
        SINGLES => {
            let mut singles = vec![0f32; count];
            unpack(part, &mut singles)?;
            Some(singles.into_iter().map(|single| f64::from(single).to_bits()).collect())
        }
        RAW if part.len() == count * 8 => {
            let word = |eight: &[u8]| eight.try_into().map_or(0, u64::from_le_bytes);
            Some(part.chunks_exact(8).map(word).collect())
        }
        tag => {
            let mut integers = vec![0i64; count];
            unpack(part, &mut integers)?;
            decimal::doubles(tag.checked_sub(DECIMALS)?, &integers)
        }
    }
}

fn unpack<T: pco::data_types::Number>(part: &[u8], into: &mut [T]) -> Option<()> {
    let progress = simple_decompress_into(part, into).ok()?;
    (progress.n_processed == into.len() && progress.finished).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(kind: Word, words: &[u64]) -> usize {
        let mut bytes = Vec::new();
        write(kind, words, &mut bytes);
        let mut rest = &bytes[..];
        assert_eq!(read(&mut rest, words.len()).unwrap(), words);
        assert!(rest.is_empty());
        bytes.len()
    }

    #[test]
    fn patterns_are_found() {
        let cents: Vec<u64> = (0..512).map(|n| (f64::from(n * n % 97) / 100.0).to_bits()).collect();
        assert!(round_trip(Word::Float, &cents) < 512 * 5 / 4);
        assert_eq!(round_trip(Word::Float, &[7; 512]), 13);
    }

    proptest! {
        #[test]
        fn any_words_come_back(words in prop::collection::vec(any::<u64>(), 0..600)) {
            round_trip(Word::Float, &words);
            round_trip(Word::Integer, &words);
        }

        #[test]
        fn whole_numbers_come_back(values in prop::collection::vec(-1000i32..1000, 1..600)) {
            let words: Vec<u64> = values.iter().map(|value| f64::from(*value).to_bits()).collect();
            round_trip(Word::Float, &words);
            round_trip(Word::Float, &[0.0f64.to_bits(), (-0.0f64).to_bits()]);
            let singles: Vec<u64> = values.iter().map(|value| f64::from(*value as f32 / 3.0).to_bits()).collect();
            round_trip(Word::Float, &singles);
            let steps: Vec<u64> = values.iter().map(|value| (f64::from(*value) * 4096.0 + 7.0).to_bits()).collect();
            round_trip(Word::Float, &steps);
        }

        #[test]
        fn damaged_bytes_are_refused_or_read(
            words in prop::collection::vec(0u64..1000, 1..300),
            at in any::<prop::sample::Index>(),
            bit in 0u32..8,
            any_bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut bytes = Vec::new();
            write(Word::Integer, &words, &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let _ = read(&mut &bytes[..], words.len());
            let _ = read(&mut &bytes[..at], words.len());
            let _ = read(&mut &any_bytes[..], 100);
        }
    }
}
