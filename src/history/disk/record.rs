//! What a row of the file says, and a checksum of it: a bit that flips on the disk must not come
//! out as a sample, or worse.

use std::sync::Arc;

use super::super::block::{Block, Codec, Gap, shared};
use super::super::family::Shape;
use super::super::rollup::{COLUMNS, Rolling};
use super::super::rows::{read, write};
use super::super::scalar::Measure;
use crate::buckets::Buckets;

/// Samples of a block that is no damage.
const MOST_SAMPLES: usize = 4_096;
const MOST_TEXT: usize = 1 << 20;

/// Which series the rows of a number are of.
#[derive(Debug, PartialEq)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) labels: String,
    pub(super) shape: Shape,
}

impl Identity {
    pub(super) fn encode(name: &str, labels: &str, shape: &Shape) -> Vec<u8> {
        let mut out = Vec::new();
        text(name, &mut out);
        text(labels, &mut out);
        match shape {
            Shape::Scalar(Measure::Counter) => out.push(0),
            Shape::Scalar(Measure::FloatCounter) => out.push(1),
            Shape::Scalar(Measure::Gauge) => out.push(2),
            Shape::Histogram(buckets) => {
                out.push(3);
                numbers(&buckets.bounds(), &mut out);
                numbers(&[buckets.relative_error().unwrap_or(0.0)], &mut out);
                numbers(buckets.quantiles().unwrap_or_default(), &mut out);
            }
        }
        sealed(out)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = &mut unsealed(bytes)?;
        let (name, labels) = (take_text(rest)?, take_text(rest)?);
        let shape = match take(rest, 1)?.first()? {
            0 => Shape::Scalar(Measure::Counter),
            1 => Shape::Scalar(Measure::FloatCounter),
            2 => Shape::Scalar(Measure::Gauge),
            3 => {
                let (bounds, error) = (take_numbers(rest)?, take_numbers(rest)?);
                let quantiles = take_numbers(rest)?;
                Shape::Histogram(Arc::new(buckets(&bounds, *error.first()?, &quantiles)?))
            }
            _ => return None,
        };
        rest.is_empty().then_some(Self { name, labels, shape })
    }
}

/// Buckets with these bounds, if there are any such.
fn buckets(bounds: &[f64], error: f64, quantiles: &[f64]) -> Option<Buckets> {
    let (least, most) = (*bounds.first()?, *bounds.last()?);
    let made = match (error > 0.0, quantiles.is_empty()) {
        (false, _) => Buckets::explicit(bounds),
        // A little more, so that rounding does not ask for finer ones.
        (true, true) => Buckets::exponential_in(error * (1.0 + 1e-9), least, most),
        (true, false) => Buckets::summary(quantiles),
    };
    made.ok().filter(|made| made.bounds() == bounds)
}

pub(super) fn encode_block(block: &Block) -> Vec<u8> {
    let mut out = Vec::with_capacity(block.bytes.len() + 24);
    out.push(block.codec as u8);
    write(block.first, &mut out);
    write(u64::from(block.span), &mut out);
    write(block.gaps().len() as u64, &mut out);
    for gap in block.gaps() {
        write(u64::from(gap.at), &mut out);
        write(u64::from(gap.length), &mut out);
    }
    out.extend_from_slice(&block.bytes);
    sealed(out)
}

pub(super) fn decode_block(bytes: &[u8]) -> Option<Block> {
    let rest = &mut unsealed(bytes)?;
    let codec = match take(rest, 1)?.first()? {
        0 => Codec::Gorilla,
        1 => Codec::Packed,
        2 => Codec::Rows,
        _ => return None,
    };
    let first = read(rest).filter(|first| *first < u64::MAX / 2)?;
    let span = u32::try_from(read(rest)?).ok().filter(|span| (1..1 << 24).contains(span))?;
    let count = read(rest).filter(|count| *count <= MOST_SAMPLES as u64)?;
    let (mut gaps, mut end) = (Vec::new(), 0u32);
    for _ in 0..count {
        let [at, length] = [u32::try_from(read(rest)?).ok()?, u32::try_from(read(rest)?).ok()?];
        let valid = at > end && length > 0 && at.checked_add(length)? < span;
        end = valid.then_some(at + length)?;
        gaps.push(Gap { at, length });
    }
    let block =
        Block { first, span, gaps: shared(&gaps), codec, bytes: (*rest).into(), stored: true };
    (block.count() <= MOST_SAMPLES).then_some(block)
}

/// The state of a scalar's open ends: its rollups, and the sample before its ticks.
pub(super) fn encode_state(rolling: &[Rolling; 2], before: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    for rolling in rolling {
        write(rolling.position, &mut out);
        rolling.words().iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }
    out.push(u8::from(before.is_some()));
    out.extend_from_slice(&before.unwrap_or(0).to_le_bytes());
    sealed(out)
}

pub(super) fn decode_state(bytes: &[u8]) -> Option<([Rolling; 2], Option<u64>)> {
    let rest = &mut unsealed(bytes)?;
    let mut rolling = [Rolling::default(); 2];
    for rolling in &mut rolling {
        let position = read(rest)?;
        let mut words = [0; COLUMNS];
        for word in &mut words {
            *word = take_word(rest)?;
        }
        *rolling = Rolling::from_words(position, words);
    }
    let known = *take(rest, 1)?.first()? == 1;
    let before = take_word(rest)?;
    Some((rolling, known.then_some(before)))
}

/// When ticks were: the number of the first, the time of now, and the times.
pub(super) fn encode_times(first: u64, now: u64, times: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut out = Vec::new();
    write(first, &mut out);
    write(now, &mut out);
    let mut last = 0u64;
    for time in times {
        write(time.saturating_sub(last), &mut out);
        last = time;
    }
    sealed(out)
}

pub(super) fn decode_times(bytes: &[u8]) -> Option<(u64, u64, Vec<u64>)> {
    let rest = &mut unsealed(bytes)?;
    let (first, now) = (read(rest)?, read(rest)?);
    let (mut times, mut last) = (Vec::new(), 0u64);
    while !rest.is_empty() {
        last = last.checked_add(read(rest)?)?;
        times.push(last);
    }
    Some((first, now, times))
}

fn text(text: &str, out: &mut Vec<u8>) {
    write(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(read(rest)?).ok().filter(|length| *length <= MOST_TEXT)?;
    String::from_utf8(take(rest, length)?.to_vec()).ok()
}

fn numbers(numbers: &[f64], out: &mut Vec<u8>) {
    write(numbers.len() as u64, out);
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn take_numbers(rest: &mut &[u8]) -> Option<Vec<f64>> {
    let count = read(rest).filter(|count| *count <= 1_000)?;
    (0..count).map(|_| take_word(rest).map(f64::from_bits)).collect()
}

fn take_word(rest: &mut &[u8]) -> Option<u64> {
    take(rest, 8)?.try_into().ok().map(u64::from_le_bytes)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (part, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(part)
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (bytes, sum) = bytes.split_last_chunk::<8>()?;
    (checksum(bytes) == u64::from_le_bytes(*sum)).then_some(bytes)
}

/// FNV-1a, which will be the same in every version of this crate.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::gorilla::Word;
    use super::super::super::head::Head;
    use super::super::super::rollup::KINDS;
    use super::super::super::rows::RowHead;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn identities_come_back() {
        let buckets = [
            Buckets::default(),
            Buckets::exponential(0.05).unwrap(),
            Buckets::exponential_in(0.01, 0.5, 1e4).unwrap(),
            Buckets::summary(&[0.5, 0.99]).unwrap(),
        ];
        let shapes = buckets.map(|buckets| Shape::Histogram(Arc::new(buckets)));
        let measures = [Measure::Counter, Measure::FloatCounter, Measure::Gauge];
        for shape in shapes.into_iter().chain(measures.map(Shape::Scalar)) {
            let bytes = Identity::encode("näme", "a=\"b\"", &shape);
            let (name, labels) = ("näme".to_owned(), "a=\"b\"".to_owned());
            assert_eq!(Identity::decode(&bytes), Some(Identity { name, labels, shape }));
        }
    }

    /// Rows as the file may have them: every kind, and every codec of a block.
    fn written() -> Vec<Vec<u8>> {
        let histogram = Shape::Histogram(Arc::new(Buckets::default()));
        let (mut rows, mut head) = (RowHead::new(10, 4), Head::<1>::new(10));
        for position in (10..40).filter(|position| position % 7 != 0) {
            rows.push(position, &[position, position * 3, 5, position / 2]);
            head.push(position, [position * position], [Word::Integer]);
        }
        let mut packed = head.to_block();
        packed.pack([Word::Integer]);
        let blocks = [rows.to_block(), head.to_block(), packed];
        let mut rows: Vec<Vec<u8>> = blocks.iter().map(encode_block).collect();
        rows.push(Identity::encode("latency", "a=\"b\"", &histogram));
        rows.push(Identity::encode("requests", "", &Shape::Scalar(Measure::Counter)));
        rows.push(encode_state(&[Rolling::default(); 2], Some(7)));
        rows.push(encode_times(3, 9, [1, 5, 5, 900].into_iter()));
        rows
    }

    #[test]
    fn fuzz_records_of_the_history() {
        let whole = written();
        let seeds: Vec<&[u8]> = whole.iter().filter_map(|bytes| unsealed(bytes)).collect();
        let words: [&[u8]; 5] = [&[0], &[0x7f], &[0xff; 9], &[0x80, 1], &[0; 8]];
        let mut blocks = 0;
        crate::fuzz::fuzz("records of the history", |random| {
            // With the right checksum, so that more than that is looked at.
            let bytes = sealed(random.input(&seeds, &words));
            let _ = Identity::decode(&bytes);
            let _ = (decode_state(&bytes), decode_times(&bytes));
            let Some(block) = decode_block(&bytes) else { return };
            let _ = block.positions().count() + block.memory();
            let _ = (block.columns([Word::Integer]), block.columns(KINDS));
            let _ = Head::resume(&block, [Word::Float]);
            let _ = RowHead::resume(&block, 4);
            blocks += 1;
        });
        assert!(blocks > 0);
    }

    proptest! {
        #[test]
        fn flipped_bits_and_cut_ends_are_seen(
            first in 0u64..1 << 40,
            bytes in prop::collection::vec(any::<u8>(), 0..50),
            at in any::<prop::sample::Index>(),
            bit in 0u32..8,
        ) {
            let gaps = [Gap { at: 1, length: 2 }, Gap { at: 5, length: 9 }];
            let block = Block { first, span: 20, gaps: shared(&gaps), codec: Codec::Packed, bytes: bytes.into(), stored: true };
            let mut bytes = encode_block(&block);
            let back = decode_block(&bytes).unwrap();
            prop_assert_eq!((back.first, back.span, &back.gaps, &back.bytes), (first, 20, &block.gaps, &block.bytes));
            let at = at.index(bytes.len());
            prop_assert!(decode_block(&bytes[..at]).is_none());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode_block(&bytes).is_none());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // With the right checksum, so that more than that is looked at.
            for bytes in [bytes.clone(), sealed(bytes)] {
                let _ = Identity::decode(&bytes);
                let _ = decode_state(&bytes);
                let _ = decode_times(&bytes);
                if let Some(block) = decode_block(&bytes) {
                    let _ = block.positions().count();
                }
            }
        }

        #[test]
        fn times_come_back(first in any::<u64>(), steps in prop::collection::vec(0u64..100_000, 0..100)) {
            let times: Vec<u64> = steps.iter().scan(1 << 40, |sum, step| { *sum += step; Some(*sum) }).collect();
            let bytes = encode_times(first, 7, times.iter().copied());
            prop_assert_eq!(decode_times(&bytes), Some((first, 7, times)));
        }
    }
}
