//! What a detector has learned, as plain numbers.
//!
//! Each detector lists its numbers once, for both directions, so that saving and restoring cannot
//! come apart. They travel as bit patterns: a text format that rounds a double, or cannot write an
//! infinity, would change the scores that follow.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Raised when the meaning of saved numbers changes.
const VERSION: u32 = 1;

/// What a detector has learned; see [`Detector::save`](super::Detector::save).
///
/// It is `serde`'s, so it goes into any format.
///
/// ```
/// use std::time::Duration;
/// use nissa::detect::{Detector, ZScore};
///
/// let mut before = ZScore::default();
/// for second in 0..80 {
///     before.observe((second as f64).sin(), Duration::from_secs(second));
/// }
/// let text = serde_json::to_string(&before.save()).unwrap();
///
/// let mut after = ZScore::default();
/// after.restore(&serde_json::from_str(&text).unwrap())?;
/// let at = Duration::from_secs(80);
/// assert_eq!(before.observe(3.0, at), after.observe(3.0, at));
/// # Ok::<(), nissa::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    detector: String,
    version: u32,
    words: Vec<u64>,
}

impl State {
    /// The [name](super::Detector::name) of the detector it belongs to.
    pub fn detector(&self) -> &str {
        &self.detector
    }
}

/// Where a detector's numbers are written to or read from, in [`Detector::carry`].
///
/// Reading past the end gives zeros and is remembered, so that an implementation needs no error
/// paths of its own: [`Detector::restore`] tries on a copy first.
///
/// [`Detector::carry`]: super::Detector::carry
/// [`Detector::restore`]: super::Detector::restore
#[derive(Debug)]
pub struct Tape {
    words: Vec<u64>,
    at: usize,
    reading: bool,
    sound: bool,
}

impl Tape {
    pub(crate) fn writing() -> Self {
        Self { words: Vec::new(), at: 0, reading: false, sound: true }
    }

    pub(crate) fn reading(state: &State, detector: &str) -> Result<Self, Error> {
        if state.version != VERSION {
            return Err(Error::state("it was saved by another version"));
        }
        if state.detector != detector {
            return Err(Error::state("it belongs to another detector"));
        }
        Ok(Self { words: state.words.clone(), at: 0, reading: true, sound: true })
    }

    pub(crate) fn into_state(self, detector: &str) -> State {
        State { detector: detector.to_owned(), version: VERSION, words: self.words }
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.sound && self.at == self.words.len() {
            true => Ok(()),
            false => Err(Error::state("it does not fit the detector's settings")),
        }
    }

    /// Carries an integer.
    pub fn integer(&mut self, number: &mut u64) {
        if !self.reading {
            self.words.push(*number);
            return;
        }
        let word = self.words.get(self.at).copied();
        self.at += 1;
        self.sound &= word.is_some();
        *number = word.unwrap_or_default();
    }

    /// Carries a count of 32 bits.
    pub fn count(&mut self, number: &mut u32) {
        let mut word = u64::from(*number);
        self.integer(&mut word);
        self.sound &= u32::try_from(word).is_ok();
        *number = u32::try_from(word).unwrap_or_default();
    }

    /// Carries an integer with a sign.
    pub fn signed(&mut self, number: &mut i64) {
        let mut word = u64::from_ne_bytes(number.to_ne_bytes());
        self.integer(&mut word);
        *number = i64::from_ne_bytes(word.to_ne_bytes());
    }

    /// Carries a count or an index that must stay below `end`.
    pub fn index(&mut self, number: &mut usize, end: usize) {
        let mut word = *number as u64;
        self.integer(&mut word);
        let small = usize::try_from(word).ok().filter(|&index| index < end);
        self.sound &= small.is_some();
        *number = small.unwrap_or_default();
    }

    /// Carries a double, bit for bit.
    pub fn number(&mut self, number: &mut f64) {
        let mut word = number.to_bits();
        self.integer(&mut word);
        *number = f64::from_bits(word);
    }

    /// Carries a single, bit for bit.
    pub fn single(&mut self, number: &mut f32) {
        let mut word = u64::from(number.to_bits());
        self.integer(&mut word);
        self.sound &= u32::try_from(word).is_ok();
        *number = f32::from_bits(u32::try_from(word).unwrap_or_default());
    }

    /// Carries as many doubles as the slice is long.
    pub fn numbers(&mut self, numbers: &mut [f64]) {
        numbers.iter_mut().for_each(|number| self.number(number));
    }

    /// Carries as many singles as the slice is long.
    pub fn singles(&mut self, numbers: &mut [f32]) {
        numbers.iter_mut().for_each(|number| self.single(number));
    }

    /// Carries a yes or a no.
    pub fn flag(&mut self, flag: &mut bool) {
        let mut word = usize::from(*flag);
        self.index(&mut word, 2);
        *flag = word == 1;
    }

    /// Notes that what was read cannot be: [`Detector::restore`](super::Detector::restore) refuses
    /// the state.
    pub fn refuse(&mut self) {
        self.sound = false;
    }
}
