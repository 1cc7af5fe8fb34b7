//! What the user asks for.

use std::sync::Arc;
use std::time::Duration;

use super::Alert;
use super::condition::Condition;
use super::member::Member;
use crate::anomaly::Severity;
use crate::detect::{Detector, Ensemble, ZScore};
use crate::registry::Matcher;
use crate::snapshot::Snapshot;

/// A function that is called with alerts, on a thread of its own.
pub(super) type Callback = Arc<dyn Fn(&Alert) + Send + Sync>;

/// Which series are watched, what is wrong with them, and what that means.
///
/// A rule takes a pattern of names, where `*` stands for any run of characters, and one condition;
/// without one it is [`anomalous`](Self::anomalous). Counters are judged as rates per second,
/// gauges as they are, histograms by their 99th percentile since the last tick (see
/// [`quantile`](Self::quantile), [`rate`](Self::rate)).
///
/// ```
/// use std::time::Duration;
/// use nissa::alert::{Rule, Severity};
///
/// let rules = [
///     Rule::new("training_loss").zscore(4.0).hold(3).severity(Severity::Critical),
///     Rule::new("http_request_duration_seconds").label("path", "/api/*").above(0.5),
///     Rule::new("queue_depth").above(1000.0).at_least(3, 5).cooldown(Duration::from_secs(300)),
///     Rule::new("errors_total").ratio("requests_total", 0.05).action("shed load"),
///     Rule::new("heartbeat_timestamp_seconds").stuck(30),
///     Rule::new("*_temperature_celsius"), // whatever is anomalous about them
/// ];
/// assert_eq!(rules[5].name(), "*_temperature_celsius");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a rule does nothing until a builder gets it"]
pub struct Rule {
    pub(super) name: Arc<str>,
    pub(super) pattern: String,
    pub(super) matcher: Matcher,
    /// Of a group, which is judged instead of what the pattern fits.
    pub(super) members: Option<Vec<Member>>,
    pub(super) condition: Condition,
    pub(super) reading: Reading,
    pub(super) severity: Severity,
    pub(super) action: Option<Arc<str>>,
    /// So many of the last so many ticks.
    pub(super) needed: (u32, u32),
    pub(super) cooldown: Duration,
    pub(super) min_samples: u32,
    pub(super) learn_anomalies: bool,
    pub(super) side: Side,
    pub(super) callback: Option<Named>,
}

/// A callback that can be printed.
#[derive(Clone)]
pub(super) struct Named(pub(super) Callback);

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fn(&Alert)")
    }
}

/// On which side of what was expected a value must lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    Either,
    High,
    Low,
}

impl Side {
    /// Whether a value counts, where the detector says what it expected.
    pub(super) fn takes(self, value: f64, expected: Option<(f64, f64)>) -> bool {
        match (self, expected) {
            (Self::High, Some((_, high))) => value > high || value.is_nan(),
            (Self::Low, Some((low, _))) => value < low || value.is_nan(),
            _ => true,
        }
    }
}

/// What of a histogram is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reading {
    Quantile(f64),
    Rate,
}

impl Reading {
    pub(super) const USUAL: Self = Self::Quantile(0.99);
}

impl Rule {
    /// A rule about series whose name fits the pattern. It bears the pattern's name until it is
    /// [`named`](Self::named). The crate's own `nissa_*` metrics fit only a pattern that begins so.
    pub fn new(pattern: impl Into<String>) -> Self {
        let pattern = pattern.into();
        Self {
            name: pattern.as_str().into(),
            matcher: Matcher::name(pattern.clone()),
            pattern,
            members: None,
            condition: Condition::detector(|| Box::new(Ensemble::default()), None),
            reading: Reading::USUAL,
            severity: Severity::Warning,
            action: None,
            needed: (1, 1),
            cooldown: Duration::from_secs(60),
            min_samples: 0,
            learn_anomalies: true,
            side: Side::Either,
            callback: None,
        }
    }

    /// A rule that looks at a whole snapshot. A closure that panics ten times is not called again.
    ///
    /// ```
    /// use nissa::alert::{Rule, Severity};
    ///
    /// let rule = Rule::when("high_loss", |m| m.value("training_loss") > Some(10.0))
    ///     .severity(Severity::Critical)
    ///     .action("stop_training");
    /// assert_eq!(rule.name(), "high_loss");
    /// ```
    pub fn when(
        name: impl Into<String>,
        broken: impl Fn(&Snapshot) -> bool + Send + Sync + 'static,
    ) -> Self {
        let condition = Condition::Custom(super::condition::Closure(Arc::new(broken)));
        Self { condition, ..Self::new(name) }
    }

    /// The name that alerts and `nissa_anomalies_total` bear.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Another name than the pattern.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into().into();
        self
    }

    /// Only series that have this label with a value that fits the pattern. Several must all fit.
    pub fn label(mut self, name: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.matcher = self.matcher.label(name, pattern);
        self
    }

    /// Broken above a limit.
    pub fn above(mut self, limit: f64) -> Self {
        self.condition = Condition::Outside(f64::NEG_INFINITY, limit);
        self
    }

    /// Broken below a limit.
    pub fn below(mut self, limit: f64) -> Self {
        self.condition = Condition::Outside(limit, f64::INFINITY);
        self
    }

    /// Broken below the lower or above the higher limit.
    pub fn outside(mut self, low: f64, high: f64) -> Self {
        self.condition = Condition::Outside(low, high);
        self
    }

    /// Broken while no series fits, from the first tick on.
    pub fn absent(mut self) -> Self {
        self.condition = Condition::Absent;
        self
    }

    /// Broken by NaN and infinities.
    pub fn not_finite(mut self) -> Self {
        self.condition = Condition::NotFinite;
        self
    }

    /// Broken when the value is the same for this many ticks (2 at least).
    pub fn stuck(mut self, ticks: u32) -> Self {
        self.condition = Condition::Stuck(ticks.max(2));
        self
    }

    /// Broken when the value changes by more than this per second, either way.
    pub fn changes(mut self, per_second: f64) -> Self {
        self.condition = Condition::Changes(per_second);
        self
    }

    /// Broken when this series is more than `limit` times another, which has the same labels or,
    /// if none has, is summed over all of its series. Both are read in the same way: errors per
    /// second over requests per second.
    pub fn ratio(mut self, other: impl Into<String>, limit: f64) -> Self {
        self.condition = Condition::Ratio(other.into(), limit);
        self
    }

    /// Broken this many standard deviations from the mean of the last samples.
    pub fn zscore(mut self, deviations: f64) -> Self {
        self.condition = Condition::detector(|| Box::new(ZScore::default()), Some(deviations));
        self
    }

    /// Broken when the series is unlike what it was: the default ensemble at its own threshold,
    /// with an alert budget per series. See [`detect`](crate::detect).
    ///
    /// It marks the change. A level that has shifted is learned, and the alert is resolved after
    /// three quiet ticks though the level stays; [`learn_anomalies`](Self::learn_anomalies)`(false)`
    /// or a limit keeps it firing.
    pub fn anomalous(mut self) -> Self {
        self.condition = Condition::detector(|| Box::new(Ensemble::default()), None);
        self
    }

    /// Broken when a detector of your choice scores as much as `deviations` standard deviations
    /// would (2.5 is its own threshold). Each series gets a detector of its own.
    pub fn detector(
        mut self,
        make: impl Fn() -> Box<dyn Detector> + Send + Sync + 'static,
        deviations: f64,
    ) -> Self {
        self.condition = Condition::detector(make, Some(deviations));
        self
    }

    /// Judges histograms by this quantile (0 to 1) of what was recorded since the last tick.
    pub fn quantile(mut self, quantile: f64) -> Self {
        self.reading = Reading::Quantile(quantile);
        self
    }

    /// Judges histograms by how many values were recorded per second.
    pub fn rate(mut self) -> Self {
        self.reading = Reading::Rate;
        self
    }

    /// How many ticks in a row the rule must be broken before the alert fires (1).
    pub fn hold(mut self, ticks: u32) -> Self {
        let ticks = ticks.clamp(1, 64);
        self.needed = (ticks, ticks);
        self
    }

    /// In how many of the last ticks (64 at most) the rule must be broken: 3 of 5.
    pub fn at_least(mut self, broken: u32, of: u32) -> Self {
        let of = of.clamp(1, 64);
        self.needed = (broken.clamp(1, of), of);
        self
    }

    /// For how long after its end it is the same alert if it comes back (1 min): callbacks are told
    /// that it fires again, and it is not counted anew.
    pub fn cooldown(mut self, time: Duration) -> Self {
        self.cooldown = time;
        self
    }

    /// How bad it is (warning).
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// What to do about it, in a few words.
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into().into());
        self
    }

    /// Samples that a series must have had before the rule speaks (0; detectors need their own
    /// warm-up in any case).
    pub fn min_samples(mut self, samples: u32) -> Self {
        self.min_samples = samples;
        self
    }

    /// Whether detectors learn what they found anomalous (yes). Without it a level that shifts for
    /// good fires until somebody restarts the program.
    pub fn learn_anomalies(mut self, learn: bool) -> Self {
        self.learn_anomalies = learn;
        self
    }

    /// Detectors: only values above what was expected. A latency that falls is no trouble.
    pub fn too_high(mut self) -> Self {
        self.side = Side::High;
        self
    }

    /// Detectors: only values below what was expected.
    pub fn too_low(mut self) -> Self {
        self.side = Side::Low;
        self
    }

    /// Called when an alert of this rule fires and when it is resolved, on a thread of its own.
    pub fn on_alert(mut self, callback: impl Fn(&Alert) + Send + Sync + 'static) -> Self {
        self.callback = Some(Named(Arc::new(callback)));
        self
    }
}
