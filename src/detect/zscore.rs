//! How many standard deviations from the mean.
//!
//! The windowed form keeps the last `n` samples and their sums; the other one forgets
//! exponentially, by West's update of mean and variance, with the weight `2 / (span + 1)` per
//! sample.

use std::time::Duration;

use super::variance::{Variance, deviation, magnified};
use super::{Detector, Reason, Score, Tape, WARM_UP, finite, score_of_deviations};

/// Scores a sample by its distance from the mean, in standard deviations: `|x − mean| / sd`.
///
/// The deviation never counts as less than a ten-thousandth of the mean, so that a series which
/// stood still is not alarmed by its last digit. Costs a few nanoseconds; the state is some 80
/// bytes, and 8 more per sample of the window if there is one.
///
/// ```
/// use std::time::Duration;
/// use nissa::detect::{Detector, ZScore};
///
/// let mut jumps = ZScore::ewma(200).differences();
/// let mut at = Duration::ZERO;
/// for step in 0..200 {
///     at += Duration::from_secs(1);
///     let ramp = f64::from(step) + f64::from(step % 2);
///     assert!(!jumps.observe(ramp, at).is_anomalous());
/// }
/// assert!(jumps.observe(230.0, at).is_anomalous());
/// ```
#[derive(Clone, Debug)]
pub struct ZScore {
    memory: Memory,
    of_differences: bool,
    last: Option<f64>,
    seen: u64,
}

#[derive(Clone, Debug)]
enum Memory {
    Fading {
        weight: f64,
        mean: f64,
        variance: Variance,
    },
    Window {
        ring: Vec<f64>,
        size: usize,
        at: usize,
        sum: f64,
        squares: f64,
        /// The same in the unit of what is tiny.
        magnified: f64,
        origin: f64,
    },
}

impl Default for ZScore {
    /// An exponentially forgetting one over 1,000 samples.
    fn default() -> Self {
        Self::ewma(1000)
    }
}

impl ZScore {
    /// Forgets exponentially, with as long a memory as a window of `span` samples has on average.
    pub fn ewma(span: u32) -> Self {
        let weight = 2.0 / (f64::from(span.max(2)) + 1.0);
        Self::with(Memory::Fading { weight, mean: 0.0, variance: Variance::default() })
    }

    /// Remembers exactly the last `samples`, at least 10 and at most 65,536.
    pub fn windowed(samples: usize) -> Self {
        let size = samples.clamp(10, 1 << 16);
        let (sum, squares, magnified, origin) = (0.0, 0.0, 0.0, 0.0);
        let ring = Vec::with_capacity(size);
        Self::with(Memory::Window { ring, size, at: 0, sum, squares, magnified, origin })
    }

    fn with(memory: Memory) -> Self {
        Self { memory, of_differences: false, last: None, seen: 0 }
    }

    /// Judges the step from one sample to the next instead of the sample.
    pub fn differences(mut self) -> Self {
        self.of_differences = true;
        self
    }

    fn ready(&self) -> bool {
        self.seen >= u64::from(WARM_UP)
    }
}

impl Detector for ZScore {
    fn name(&self) -> &'static str {
        match (&self.memory, self.of_differences) {
            (Memory::Fading { .. }, false) => "zscore",
            (Memory::Fading { .. }, true) => "zscore_differences",
            (Memory::Window { .. }, false) => "zscore_windowed",
            (Memory::Window { .. }, true) => "zscore_windowed_differences",
        }
    }

    #[inline]
    fn observe(&mut self, value: f64, _at: Duration) -> Score {
        let Some(value) = finite(value) else { return Score::not_finite(self.ready()) };
        let before = self.last.replace(value).unwrap_or(value);
        let x = if self.of_differences { value - before } else { value };
        let ready = self.ready();
        let (mean, deviation) = self.memory.moments();
        self.memory.learn(x, self.seen);
        self.seen = self.seen.saturating_add(1);
        if !ready {
            return Score::warming_up();
        }
        let scale = if self.of_differences { before.abs() } else { mean.abs() };
        let deviation = deviation.max(1e-4 * scale).max(f64::MIN_POSITIVE);
        let distance = (x - mean).abs() / deviation;
        let reason = match (distance >= 2.5, self.of_differences) {
            (false, _) => Reason::Usual,
            (true, false) => Reason::Mean,
            (true, true) => Reason::Change,
        };
        let middle = if self.of_differences { before + mean } else { mean };
        let (low, high) = (middle - 2.5 * deviation, middle + 2.5 * deviation);
        Score::new(score_of_deviations(distance), reason).expecting(low, high)
    }

    fn carry(&mut self, tape: &mut Tape) {
        tape.integer(&mut self.seen);
        let mut known = self.last.is_some();
        let mut last = self.last.unwrap_or_default();
        tape.flag(&mut known);
        tape.number(&mut last);
        self.last = known.then_some(last);
        self.memory.carry(tape);
    }

    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }

    fn state_bytes(&self) -> usize {
        let heap = match &self.memory {
            Memory::Fading { .. } => 0,
            Memory::Window { ring, .. } => ring.capacity() * size_of::<f64>(),
        };
        size_of::<Self>() + heap
    }
}

impl Memory {
    /// Mean and deviation of what was learned.
    #[inline]
    fn moments(&self) -> (f64, f64) {
        match self {
            Self::Fading { mean, variance, .. } => (*mean, variance.deviation()),
            Self::Window { ring, sum, squares, magnified: large, origin, .. } => {
                let count = ring.len().max(1) as f64;
                let mean = sum / count;
                let variance = squares / count - mean * mean;
                let large = large / count - magnified(mean).powi(2);
                (origin + mean, deviation(variance, squares / count, large))
            }
        }
    }

    #[inline]
    fn learn(&mut self, x: f64, seen: u64) {
        match self {
            Self::Fading { weight, mean, variance } => {
                // Until the memory is full, all samples weigh the same.
                let weight = weight.max(1.0 / (seen as f64 + 1.0));
                let off = x - *mean;
                *mean += weight * off;
                variance.learn(off, weight);
            }
            Self::Window { ring, size, at, sum, squares, magnified: large, origin } => {
                let (new, old) = (x - *origin, ring.get(*at).map(|old| old - *origin));
                match ring.get_mut(*at) {
                    Some(place) => *place = x,
                    None => ring.push(x),
                }
                let old = old.unwrap_or_default();
                *sum += new - old;
                *squares += new * new - old * old;
                *large += magnified(new).powi(2) - magnified(old).powi(2);
                *at = (*at + 1) % *size;
                if *at == 0 {
                    // Once a round the sums are made anew: what rounding left in them goes, and the
                    // origin follows the level, without which squares of large levels swallow the
                    // variance.
                    *origin = ring.iter().sum::<f64>() / ring.len() as f64;
                    *sum = ring.iter().map(|x| x - *origin).sum();
                    *squares = ring.iter().map(|x| (x - *origin).powi(2)).sum();
                    *large = ring.iter().map(|x| magnified(x - *origin).powi(2)).sum();
                }
            }
        }
    }

    fn carry(&mut self, tape: &mut Tape) {
        match self {
            Self::Fading { mean, variance, .. } => {
                tape.number(mean);
                variance.carry(tape);
            }
            Self::Window { ring, size, at, sum, squares, magnified, origin } => {
                let mut count = ring.len();
                tape.index(&mut count, *size + 1);
                ring.resize(count, 0.0);
                tape.numbers(ring);
                tape.index(at, *size);
                tape.number(sum);
                tape.number(squares);
                tape.number(magnified);
                tape.number(origin);
            }
        }
    }
}
