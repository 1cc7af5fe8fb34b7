//! How unusual a sample is, and why.

use std::fmt;

/// The score from which on a sample counts as anomalous where nobody chose otherwise.
pub const THRESHOLD: f64 = 0.5;

/// Deviations that make a score of [`THRESHOLD`].
const DEVIATIONS: f64 = 2.5;

/// The score of a sample that lies `deviations` standard deviations off, or is as rare as that.
///
/// Every detector is calibrated by this one curve, `d / (d + 2.5)`: so a rule's sensitivity in
/// deviations is a threshold on any detector's score.
///
/// ```
/// use nissa::detect::score_of_deviations;
/// assert_eq!(score_of_deviations(0.0), 0.0);
/// assert_eq!(score_of_deviations(2.5), 0.5);
/// assert!(score_of_deviations(10.0) < score_of_deviations(1e9));
/// assert!(score_of_deviations(1e300) <= 1.0);
/// ```
#[inline]
pub fn score_of_deviations(deviations: f64) -> f64 {
    // A NaN becomes 0: no evidence is no anomaly.
    let deviations = if deviations > 0.0 { deviations.min(1e6) } else { 0.0 };
    deviations / (deviations + DEVIATIONS)
}

/// What a detector says of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Score {
    /// From 0, as usual, to 1; [`THRESHOLD`] is where an alert is due.
    pub value: f64,
    /// Whether enough was learned to judge. Until then `value` is 0, unless the sample is no number.
    pub ready: bool,
    /// The term that speaks loudest.
    pub reason: Reason,
    /// What would have been taken as usual, lowest and highest, where the detector can tell.
    pub expected: Option<(f64, f64)>,
    /// Of a group: which of its series departs most, by its place; `expected` is about that one.
    pub origin: usize,
}

impl Score {
    pub(super) const fn new(value: f64, reason: Reason) -> Self {
        Self { value, ready: true, reason, expected: None, origin: 0 }
    }

    pub(super) const fn warming_up() -> Self {
        Self { value: 0.0, ready: false, reason: Reason::WarmingUp, expected: None, origin: 0 }
    }

    pub(super) const fn not_finite(ready: bool) -> Self {
        Self { value: 1.0, ready, reason: Reason::NotFinite, expected: None, origin: 0 }
    }

    pub(super) const fn expecting(mut self, low: f64, high: f64) -> Self {
        self.expected = Some((low, high));
        self
    }

    /// Whether the score reaches [`THRESHOLD`].
    pub fn is_anomalous(&self) -> bool {
        self.value >= THRESHOLD
    }

    /// How many standard deviations the score stands for; the inverse of [`score_of_deviations`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use nissa::detect::{Detector, ZScore};
    ///
    /// let mut detector = ZScore::default();
    /// let score = detector.observe(f64::NAN, Duration::ZERO);
    /// assert!(score.deviations() >= 1e6);
    /// ```
    pub fn deviations(&self) -> f64 {
        (DEVIATIONS * self.value / (1.0 - self.value).max(f64::EPSILON)).min(1e9)
    }
}

/// Why a sample has its score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing stands out.
    #[default]
    Usual,
    /// Too few samples yet to say anything.
    WarmingUp,
    /// NaN or an infinity.
    NotFinite,
    /// The first samples after time in which none came; nothing is compared across it.
    Gap,
    /// The series began anew, as a counter does when its program restarts.
    Reset,
    /// Far from the mean of what was seen.
    Mean,
    /// Outside the range that most of what was seen lies in.
    Range,
    /// Higher or lower than anything remembered.
    Record,
    /// A jump from one sample to the next as is rarely seen.
    Change,
    /// The level itself moved, and stays.
    Shift,
    /// Unusual for this time of day or week.
    Season,
    /// Far from where the last samples were heading.
    Forecast,
    /// Beyond the tail of all peaks.
    Peak,
    /// Easily told apart from all that was seen.
    Isolated,
    /// It varies more, or less, than before.
    Spread,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usual => "as usual",
            Self::WarmingUp => "warming up",
            Self::NotFinite => "not a finite number",
            Self::Gap => "after a gap",
            Self::Reset => "began anew",
            Self::Mean => "far from its mean",
            Self::Range => "outside its usual range",
            Self::Record => "beyond all it was lately",
            Self::Change => "an unusual jump",
            Self::Shift => "its level has shifted",
            Self::Season => "unusual for this time",
            Self::Forecast => "not where it was heading",
            Self::Peak => "a rare peak",
            Self::Isolated => "unlike anything before",
            Self::Spread => "it varies unlike before",
        })
    }
}
