//! An alert: one series that breaks one rule, from the first sign to the end.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::anomaly::Severity;
use crate::json;

/// How far an alert has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// The rule is broken, though not yet for long enough.
    Pending,
    /// It is going on.
    Firing,
    /// It is over.
    Resolved,
}

impl State {
    /// `"pending"`, `"firing"` or `"resolved"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Firing, Self::Resolved].into_iter().find(|s| s.as_str() == word)
    }
}

/// One series that breaks one rule: what, why, what was expected, how sure, how bad, since when,
/// and what to do.
///
/// [`Display`](fmt::Display) writes it as a sentence, [`json`](Self::json) as `/anomalies` and
/// webhooks do. A copy at one moment: it does not change afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub(super) id: u64,
    pub(super) rule: Arc<str>,
    pub(super) metric: Arc<str>,
    pub(super) labels: Arc<[(String, String)]>,
    /// Which member of a group it is about.
    pub(super) member: usize,
    pub(super) state: State,
    pub(super) severity: Severity,
    pub(super) value: f64,
    pub(super) verdict: Verdict,
    pub(super) action: Option<Arc<str>>,
    pub(super) first_seen: Duration,
    pub(super) last_seen: Duration,
    pub(super) group: u64,
    pub(super) origin: bool,
}

/// What breaks the rule, in words and numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) detector: &'static str,
    pub(super) score: f64,
    pub(super) confidence: f64,
    pub(super) expected: Option<(f64, f64)>,
    pub(super) reason: String,
}

impl Verdict {
    /// What needs no model.
    pub(super) fn certain(detector: &'static str, reason: impl Into<String>) -> Self {
        Self { detector, score: 1.0, confidence: 1.0, expected: None, reason: reason.into() }
    }
}

#[cfg(test)]
impl Alert {
    /// For tests of what becomes of alerts.
    pub(super) fn of_test(state: State, at: Duration) -> Self {
        Self {
            id: 1,
            rule: "x".into(),
            metric: "x".into(),
            labels: Arc::new([]),
            member: 0,
            state,
            severity: Severity::Warning,
            value: 1.0,
            verdict: Verdict::certain("threshold", "above 0"),
            action: None,
            first_seen: at,
            last_seen: at,
            group: 1,
            origin: true,
        }
    }
}

impl Alert {
    /// The same number for as long as it is the same alert.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The rule's name.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The metric's name.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The labels of the series.
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    /// How far it has come.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether it is going on, as opposed to resolved.
    pub fn is_firing(&self) -> bool {
        self.state == State::Firing
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What was judged: a gauge's value, a counter's rate per second, a histogram's quantile.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// What would have been all right, lowest and highest, where the rule can tell.
    pub fn expected(&self) -> Option<(f64, f64)> {
        self.verdict.expected
    }

    /// What judged it: `threshold`, `absent`, `zscore`, `ensemble`, `watch`, …
    pub fn detector(&self) -> &str {
        self.verdict.detector
    }

    /// How far out the value is, 0 to 1.
    pub fn score(&self) -> f64 {
        self.verdict.score
    }

    /// How sure it is, 0 to 1: 1 for what needs no model.
    pub fn confidence(&self) -> f64 {
        self.verdict.confidence
    }

    /// Why, as half a sentence.
    pub fn reason(&self) -> &str {
        &self.verdict.reason
    }

    /// What to do about it, if the rule says.
    pub fn action(&self) -> Option<&str> {
        self.action.as_deref()
    }

    /// When it broke the rule first, since the Unix epoch.
    pub fn first_seen(&self) -> Duration {
        self.first_seen
    }

    /// When it last did, since the Unix epoch.
    pub fn last_seen(&self) -> Duration {
        self.last_seen
    }

    /// Alerts that began together have one group: the number of the event that they are signs of.
    pub fn group(&self) -> u64 {
        self.group
    }

    /// Whether it is the first of its group, and so the likely origin.
    pub fn is_origin(&self) -> bool {
        self.origin
    }

    /// A JSON object, as `/anomalies` lists it.
    pub fn json(&self) -> String {
        let mut out = String::with_capacity(512);
        self.json_into(&mut out);
        out
    }

    pub(super) fn json_into(&self, out: &mut String) {
        let _ = write!(out, "{{\"id\":{},\"rule\":", self.id);
        json::string(out, &self.rule);
        out.push_str(",\"metric\":");
        json::string(out, &self.metric);
        out.push_str(",\"labels\":{");
        json::list(out, self.labels.iter(), |out, (name, value)| {
            json::string(out, name);
            out.push(':');
            json::string(out, value);
        });
        out.push_str("},\"value\":");
        json::number(out, self.value);
        if let Some((low, high)) = self.verdict.expected {
            out.push_str(",\"expected\":[");
            json::number(out, low);
            out.push(',');
            json::number(out, high);
            out.push(']');
        }
        for (name, word) in [
            ("detector", self.verdict.detector),
            ("reason", &self.verdict.reason),
            ("severity", self.severity.as_str()),
            ("state", self.state.as_str()),
        ] {
            let _ = write!(out, ",\"{name}\":");
            json::string(out, word);
        }
        for (name, number) in
            [("score", self.verdict.score), ("confidence", self.verdict.confidence)]
        {
            let _ = write!(out, ",\"{name}\":");
            json::number(out, number);
        }
        if let Some(action) = &self.action {
            out.push_str(",\"action\":");
            json::string(out, action);
        }
        for (name, time) in [("first_seen", self.first_seen), ("last_seen", self.last_seen)] {
            let _ = write!(out, ",\"{name}\":\"");
            json::rfc3339(out, time);
            out.push('"');
        }
        let _ = write!(out, ",\"group\":{},\"origin\":{}}}", self.group, self.origin);
    }
}

/// `critical, firing: queue_depth{queue="mail"} is 1200: above 1000; add workers`
impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.severity, self.state.as_str(), self.metric)?;
        for (index, (name, value)) in self.labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            write!(f, "{open}{name}={value:?}")?;
        }
        if !self.labels.is_empty() {
            f.write_char('}')?;
        }
        if !self.value.is_nan() || self.verdict.detector == "not_finite" {
            write!(f, " is {}", Short(self.value))?;
        }
        write!(f, ": {}", self.verdict.reason)?;
        match &self.action {
            Some(action) => write!(f, "; {action}"),
            None => Ok(()),
        }
    }
}

/// Four significant digits where that is shorter.
pub(super) struct Short(pub(super) f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        if self.0.fract() == 0.0 && magnitude < 1e9 || !magnitude.is_finite() {
            write!(f, "{}", self.0)
        } else if !(1e-3..1e9).contains(&magnitude) {
            write!(f, "{:.3e}", self.0)
        } else {
            let digits = (3 - magnitude.log10().floor() as i32).clamp(0, 6);
            write!(f, "{:.*}", usize::try_from(digits).unwrap_or(0), self.0)
        }
    }
}
