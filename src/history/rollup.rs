//! What is left of many samples: the least, the greatest, the sum, the last, and how many.

use super::gorilla::Word;

/// Columns of a rollup: low, high, total, last, count.
pub(super) const COLUMNS: usize = 5;

pub(super) const KINDS: [Word; COLUMNS] =
    [Word::Float, Word::Float, Word::Float, Word::Float, Word::Integer];

/// A rollup that samples are still added to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rolling {
    /// Of the step it stands for.
    pub(super) position: u64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// The sum of a gauge's samples; how much a counter grew.
    pub(super) total: f64,
    pub(super) last: f64,
    /// Without samples it stands for nothing.
    pub(super) count: u64,
}

impl Rolling {
    pub(super) fn new(position: u64) -> Self {
        Self { position, ..Self::default() }
    }

    /// Adds a sample, which counts as `amount` in the total. A NaN is passed over by the least and
    /// the greatest, and stays visible in the rest.
    #[inline]
    pub(super) fn add(&mut self, value: f64, amount: f64) {
        if self.count == 0 {
            (self.low, self.high) = (value, value);
        }
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        self.total += amount;
        self.last = value;
        self.count += 1;
    }

    /// Adds a rollup of later samples, which has some.
    pub(super) fn add_all(&mut self, later: &Self) {
        if self.count == 0 {
            (self.low, self.high) = (later.low, later.high);
        }
        self.low = self.low.min(later.low);
        self.high = self.high.max(later.high);
        self.total += later.total;
        self.last = later.last;
        self.count += later.count;
    }

    pub(super) fn words(&self) -> [u64; COLUMNS] {
        let [low, high, total, last] =
            [self.low, self.high, self.total, self.last].map(f64::to_bits);
        [low, high, total, last, self.count]
    }

    pub(super) fn from_words(position: u64, words: [u64; COLUMNS]) -> Self {
        let [low, high, total, last, count] = words;
        let [low, high, total, last] = [low, high, total, last].map(f64::from_bits);
        Self { position, low, high, total, last, count }
    }
}
