//! One alert per event, around any detector.

use std::time::Duration;

use super::{Detector, Reason, Score, Tape};

/// Samples for which a score is remembered.
const MEMORY: usize = 100;
/// What is left of a score that was not higher than one before it.
const LEFT: f64 = 0.25;

/// Lets a score pass only if it is higher than all since the last one that passed, for a hundred
/// samples; others keep a quarter.
///
/// A detector that scores each sample for itself scores a level shift a hundred times. With this
/// around it, it tells an event once, and again only if it grows.
///
/// What is not finite is an event of its own: a run of NaN is told once, and hides nothing else,
/// though no score is higher than its.
///
/// ```
/// use std::time::Duration;
/// use nissa::detect::{Detector, Once, ZScore};
///
/// let mut detector = Once::new(ZScore::ewma(200));
/// let mut told = 0;
/// for step in 0..400 {
///     let level = if step < 300 { 0.0 } else { 20.0 };
///     let score = detector.observe(level + (step as f64).sin(), Duration::from_secs(step));
///     told += u32::from(score.is_anomalous());
/// }
/// assert!((1..=2).contains(&told), "{told}");
/// ```
#[derive(Clone, Debug)]
pub struct Once<D> {
    inner: D,
    newest: Newest,
    /// Finite samples since the last one that was not, up to a hundred.
    finite: usize,
}

impl<D: Detector + Clone + 'static> Once<D> {
    /// Around a detector, whose name it keeps.
    pub fn new(inner: D) -> Self {
        Self { inner, newest: Newest::default(), finite: MEMORY }
    }
}

impl<D: Detector + Clone + 'static> Detector for Once<D> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn observe(&mut self, value: f64, at: Duration) -> Score {
        self.observe_group(&[value], at)
    }

    fn skip(&mut self, at: Duration) {
        self.inner.skip(at);
    }

    fn series(&self) -> usize {
        self.inner.series()
    }

    fn observe_group(&mut self, values: &[f64], at: Duration) -> Score {
        let mut score = self.inner.observe_group(values, at);
        if score.reason == Reason::NotFinite {
            let first = self.finite >= MEMORY;
            self.finite = 0;
            score.value *= if first { 1.0 } else { LEFT };
        } else {
            self.finite = (self.finite + 1).min(MEMORY);
            score.value = self.newest.pass(score.value);
        }
        score
    }

    fn carry(&mut self, tape: &mut Tape) {
        self.inner.carry(tape);
        self.newest.carry(tape);
        tape.index(&mut self.finite, MEMORY + 1);
    }

    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }

    fn state_bytes(&self) -> usize {
        self.inner.state_bytes() + size_of::<Newest>() + size_of::<usize>()
    }
}

/// The highest score of late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Newest {
    peak: f64,
    age: usize,
}

impl Newest {
    #[inline]
    pub(super) fn pass(&mut self, score: f64) -> f64 {
        if self.age >= MEMORY {
            self.peak = 0.0;
        }
        if score > self.peak {
            (self.peak, self.age) = (score, 0);
            return score;
        }
        self.age = (self.age + 1).min(MEMORY);
        LEFT * score
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.peak);
        tape.index(&mut self.age, MEMORY + 1);
    }
}
