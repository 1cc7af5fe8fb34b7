//! Groups of series, as the user asks for them.

use super::condition::Condition;
use super::rule::{Reading, Rule};
use crate::detect::{Forest, MOST_IN_GROUP};
use crate::error::Error;
use crate::registry::Matcher;

/// One of the figures that a [`Rule::group`] judges together: a metric, and what of it.
///
/// It is one number a tick, read as rules read it: gauges as they are, counters as rates per
/// second, histograms by a quantile or a rate. Where several series fit, they are one: rates are
/// added, histograms merged, gauges averaged.
///
/// ```
/// use nissa::alert::{Member, Rule};
///
/// let latency = Member::new("http_request_duration_seconds").label("route", "/api/*").quantile(0.9);
/// let load = Member::new("http_request_duration_seconds").label("route", "/api/*").rate();
/// let rule = Rule::group("api", [latency, load, "process_cpu_seconds_total".into()]);
/// assert_eq!(rule.name(), "api");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a member does nothing until a rule gets it"]
pub struct Member {
    pub(super) metric: String,
    pub(super) matcher: Matcher,
    pub(super) reading: Reading,
}

impl Member {
    /// All series of the metric of this name, which is no pattern.
    pub fn new(metric: impl Into<String>) -> Self {
        let metric = metric.into();
        let matcher = Matcher::name(metric.clone());
        Self { metric, matcher, reading: Reading::USUAL }
    }

    /// Only series that have this label with a value that fits the pattern. Several must all fit.
    pub fn label(mut self, name: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.matcher = self.matcher.label(name, pattern);
        self
    }

    /// Of a histogram: this quantile (0 to 1; 0.99) of what was recorded since the last tick.
    pub fn quantile(mut self, quantile: f64) -> Self {
        self.reading = Reading::Quantile(quantile);
        self
    }

    /// Of a histogram: how many values were recorded per second.
    pub fn rate(mut self) -> Self {
        self.reading = Reading::Rate;
        self
    }
}

impl From<&str> for Member {
    fn from(metric: &str) -> Self {
        Self::new(metric)
    }
}

impl From<String> for Member {
    fn from(metric: String) -> Self {
        Self::new(metric)
    }
}

impl Rule {
    /// A rule about several figures together, by a [`Forest`] over all of them: broken when the
    /// combination is unlike those before, even if each figure alone is as usual.
    ///
    /// The alert bears this name; metric, labels, value and expected range are those of the likely
    /// origin: the member that departs most from what the others let expect. A tick in which a
    /// member has no value is neither judged nor learned. Two members at least, 64 at most.
    ///
    /// ```
    /// use std::time::Duration;
    /// use nissa::alert::Rule;
    /// use nissa::{ManualClock, Registry};
    ///
    /// let (registry, clock) = (Registry::new(), ManualClock::new());
    /// let monitor = nissa::builder()
    ///     .registry(registry.clone())
    ///     .clock(clock.clone())
    ///     .alert(Rule::group("service", ["cpu_used_ratio", "queue_depth"]))
    ///     .build()?;
    /// let tick = |cpu: f64, depth: f64| {
    ///     registry.gauge("cpu_used_ratio", &[]).set(cpu);
    ///     registry.gauge("queue_depth", &[]).set(depth);
    ///     clock.advance(Duration::from_secs(1));
    ///     monitor.tick();
    ///     registry.snapshot().value("nissa_anomalies_total").unwrap_or(0.0)
    /// };
    /// for step in 0..1000 {
    ///     let load = 0.5 + 0.4 * (f64::from(step) * 0.05).sin();
    ///     assert_eq!(tick(load, 40.0 * load + f64::from(step % 3)), 0.0);
    /// }
    /// // Both have been there before, but never together.
    /// assert_eq!(tick(0.2, 34.0), 1.0);
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn group(
        name: impl Into<String>,
        members: impl IntoIterator<Item = impl Into<Member>>,
    ) -> Self {
        let members: Vec<Member> = members.into_iter().map(Into::into).collect();
        let size = members.len();
        let condition = Condition::detector(move || Box::new(Forest::group(size)), None);
        Self { members: Some(members), condition, ..Self::new(name) }
    }

    /// Fails if it makes no sense as a whole.
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |what: &str| Err(Error::setting(format!("rule {:?}: {what}", self.name())));
        let judged = self.condition.judge().detector.map(|detector| detector.series());
        let Some(members) = &self.members else {
            return match judged {
                Some(series) if series != 1 => wrong("its detector is for a group"),
                _ => Ok(()),
            };
        };
        if !(2..=MOST_IN_GROUP).contains(&members.len()) {
            return wrong("a group has two members at least, 64 at most");
        }
        if members.iter().any(|member| member.metric.contains('*')) {
            return wrong("a member of a group is one metric, not a pattern");
        }
        if self.matcher.looks_at_labels() || self.reading != Reading::USUAL {
            return wrong("labels, quantile and rate belong to the members of a group");
        }
        if judged != Some(members.len()) {
            return wrong("it is a group, and its condition is for single series");
        }
        Ok(())
    }
}
