//! What is said about a value that is not as it should be: the words that inline watches and the
//! background stage share.

mod inbox;
mod sentence;

use std::fmt;
use std::sync::Arc;

pub(crate) use inbox::{close, open, post, take};

/// How bad it is. Ordered: `Info < Warning < Critical`.
///
/// ```
/// use nissa::watch::Severity;
///
/// assert!(Severity::Warning < Severity::Critical);
/// assert_eq!(Severity::Critical.to_string(), "critical");
/// assert_eq!("warning".parse(), Ok(Severity::Warning));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Something is going wrong, and there is time to act.
    Warning,
    /// Something is wrong now.
    Critical,
}

impl Severity {
    /// `"info"`, `"warning"` or `"critical"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(word: &str) -> Result<Self, UnknownSeverity> {
        let all = [Self::Info, Self::Warning, Self::Critical];
        all.into_iter().find(|severity| severity.as_str() == word).ok_or(UnknownSeverity(()))
    }
}

/// A word that is none of `info`, `warning`, `critical`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSeverity(());

impl fmt::Display for UnknownSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a severity is info, warning or critical")
    }
}

impl std::error::Error for UnknownSeverity {}

/// What a watch found, by the term that found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// NaN or an infinity.
    NotFinite,
    /// Above a limit the user named.
    Above,
    /// Below a limit the user named.
    Below,
    /// One value far above what came before it.
    Spike,
    /// One value far below what came before it.
    Dip,
    /// Values that keep lying above the best level, each by little.
    Drift,
    /// The level itself is several times the best it was.
    Divergence,
    /// The learning rate went far above its highest, so far or as foreseen.
    RateJump,
    /// The gradient is next to nothing, compared with what it was.
    Vanished,
    /// Samples per second fell and stay low.
    Slowdown,
    /// The same value over and over.
    Stuck,
    /// No progress, which is worth knowing and may be all right.
    Plateau,
}

impl Kind {
    /// One word, as in `nissa_anomalies_total` and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFinite => "not_finite",
            Self::Above => "above",
            Self::Below => "below",
            Self::Spike => "spike",
            Self::Dip => "dip",
            Self::Drift => "drift",
            Self::Divergence => "divergence",
            Self::RateJump => "rate_jump",
            Self::Vanished => "vanished",
            Self::Slowdown => "slowdown",
            Self::Stuck => "stuck",
            Self::Plateau => "plateau",
        }
    }
}

/// A value that is not as it should be: what, why, what was expected, how sure, how bad, and what
/// to do.
///
/// [`Display`](fmt::Display) writes it as one sentence.
///
/// ```
/// let registry = nissa::Registry::new();
/// let mut loss = nissa::watch("training_loss").not_finite().registry(&registry).build();
/// assert_eq!(loss.observe(0.3), None);
///
/// let anomaly = loss.observe(f64::NAN).unwrap();
/// assert_eq!(
///     anomaly.to_string(),
///     "critical: training_loss is NaN at step 1: it is not a finite number (100 % sure)"
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    pub(crate) metric: Arc<str>,
    pub(crate) labels: Arc<[(String, String)]>,
    pub(crate) step: u64,
    pub(crate) value: f64,
    pub(crate) action: Option<Arc<str>>,
    pub(crate) found: Found,
}

/// What a term says of one value; plain numbers, so that judging allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) severity: Severity,
    /// 0 to 1; what is reported scores 0.5 or more.
    pub(crate) score: f64,
    /// 0 to 1.
    pub(crate) confidence: f64,
    /// What the value usually is, NaN if unknown.
    pub(crate) usual: f64,
    /// The expected range; either end may be infinite.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// How many steps it has been so, where that is the reason.
    pub(crate) steps: u64,
    /// The mean of late, where that is what is judged; else NaN.
    pub(crate) late: f64,
}

impl Found {
    /// What needs no model: certain, whatever was seen before.
    pub(crate) fn certain(kind: Kind, severity: Severity) -> Self {
        let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        let (usual, late) = (f64::NAN, f64::NAN);
        Self { kind, severity, score: 1.0, confidence: 1.0, usual, low, high, steps: 1, late }
    }

    /// Without the range, should this value lie in it: where a mean is judged, it may.
    pub(crate) fn of(self, value: f64) -> Self {
        let outside = value > self.high || value < self.low;
        let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        if outside { self } else { Self { low, high, ..self } }
    }
}

impl Anomaly {
    /// The metric's name.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The labels of the series that is watched.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// let mut heat =
    ///     nissa::watch("celsius").label("gpu", "1").above(90.0).registry(&registry).build();
    /// let anomaly = heat.observe(95).unwrap();
    /// assert_eq!(anomaly.labels(), [("gpu".to_owned(), "1".to_owned())]);
    /// ```
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// Which observation of this watch it was, from 0.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The value observed.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Which term found it.
    pub fn kind(&self) -> Kind {
        self.found.kind
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.found.severity
    }

    /// How far out the value is, from 0 to 1. What is reported is at 0.5 at least: there the value
    /// is just at the limit; at 0.75 it is three times as far out.
    pub fn score(&self) -> f64 {
        self.found.score
    }

    /// How sure it is, from 0 to 1: 1 for what needs no model (not finite, stuck, a limit). Else
    /// it grows with the distance beyond the limit, and with how much was learned before.
    pub fn confidence(&self) -> f64 {
        self.found.confidence
    }

    /// What was expected of the value, lowest and highest; an end without a limit is infinite. The
    /// value lies outside, or there is no limit: a drift is told of a mean, for which
    /// [`reason`](Self::reason) gives the figures.
    pub fn expected(&self) -> (f64, f64) {
        (self.found.low, self.found.high)
    }

    /// What to do about it, if the watch was given something or knows.
    pub fn action(&self) -> Option<&str> {
        self.action.as_deref()
    }
}
