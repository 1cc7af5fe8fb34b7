//! What a registry can be told before it is used.

use std::sync::Arc;
use std::time::Duration;

use super::{Matcher, Registry};
use crate::buckets::Buckets;
use crate::clock::{SharedClock, SystemClock};
use crate::key::{self, Labels, Rules};
use crate::notice::Notice;

/// OpenTelemetry's default, per metric.
const SERIES_PER_FAMILY: usize = 2_000;
/// About 20 MB of counters.
const SERIES: usize = 200_000;
const LABEL_VALUE_BYTES: usize = 4 << 10;

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) global_labels: Vec<(String, String)>,
    pub(crate) allow: Vec<Matcher>,
    pub(crate) deny: Vec<Matcher>,
    pub(crate) drop_labels: Vec<String>,
    pub(crate) series_per_family: usize,
    pub(crate) series: usize,
    pub(crate) label_value_bytes: usize,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) default_buckets: Buckets,
    pub(crate) buckets: Vec<(Matcher, Buckets)>,
    pub(crate) clock: SharedClock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            global_labels: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            drop_labels: Vec::new(),
            series_per_family: SERIES_PER_FAMILY,
            series: SERIES,
            label_value_bytes: LABEL_VALUE_BYTES,
            idle_timeout: None,
            default_buckets: Buckets::default(),
            buckets: Vec::new(),
            clock: SharedClock(Arc::new(SystemClock::new())),
        }
    }
}

impl Config {
    /// The buckets of a new histogram: the first matcher that fits decides.
    pub(crate) fn buckets_for(&self, name: &str) -> &Buckets {
        let chosen = self.buckets.iter().find(|(matcher, _)| matcher.matches_name(name));
        chosen.map_or(&self.default_buckets, |(_, buckets)| buckets)
    }

    /// Whether filters look at labels, so that a metric may be refused for some and not for others.
    pub(crate) fn filters_labels(&self) -> bool {
        self.allow.iter().chain(&self.deny).any(Matcher::looks_at_labels)
    }

    /// Makes the global labels such as any label of a series would be made, and leaves what
    /// histograms and summaries need to them.
    pub(crate) fn check_global_labels(&mut self, note: impl Fn(Notice)) {
        let labels: Vec<(&str, &str)> =
            self.global_labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        let rules = Rules {
            value_bytes: self.label_value_bytes,
            reserved: &["le", "quantile"],
            dropped: &[],
        };
        let text = Labels::new(&labels, rules, note).text;
        self.global_labels =
            key::parse(&text).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    }

    pub(crate) fn admits(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let fits = |matcher: &Matcher| matcher.matches(name, labels);
        (self.allow.is_empty() || self.allow.iter().any(fits)) && !self.deny.iter().any(fits)
    }
}

/// Settings of a [`Registry`], from [`Registry::builder`].
///
/// ```
/// use nissa::{Buckets, Matcher, Registry};
///
/// let registry = Registry::builder()
///     .global_label("job", "train")
///     .buckets(Matcher::name("*_bytes"), Buckets::exponential_in(0.05, 1.0, 1e12)?)
///     .series_per_family(100)
///     .build();
/// registry.counter("steps_total", &[]).increment(1);
/// let text = nissa::expose::text(&registry.snapshot());
/// assert!(text.contains("steps_total{job=\"train\"} 1\n"));
/// # Ok::<(), nissa::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it builds or installs"]
pub struct RegistryBuilder {
    config: Config,
}

impl RegistryBuilder {
    /// A label that every series shows, unless it has one of that name itself.
    pub fn global_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.global_labels.push((name.into(), value.into()));
        self
    }

    /// Keeps only metrics that match this, or another `allow`. What is refused gets a no-op
    /// handle and is counted.
    pub fn allow(mut self, matcher: Matcher) -> Self {
        self.config.allow.push(matcher);
        self
    }

    /// Refuses metrics that match; stronger than `allow`.
    pub fn deny(mut self, matcher: Matcher) -> Self {
        self.config.deny.push(matcher);
        self
    }

    /// Leaves this label out of every series; series that differ in nothing else become one.
    pub fn drop_label(mut self, name: impl Into<String>) -> Self {
        self.config.drop_labels.push(name.into());
        self
    }

    /// How many series a metric may have (2,000). Updates of further ones go to one series with
    /// the label `nissa_overflow="true"`, so that sums over the metric stay exact.
    pub fn series_per_family(mut self, most: usize) -> Self {
        self.config.series_per_family = most;
        self
    }

    /// How many series all metrics together may have (200,000).
    pub fn series(mut self, most: usize) -> Self {
        self.config.series = most;
        self
    }

    /// The longest label value in bytes (4,096, and at least 16); longer ones are cut, marked with
    /// `…` and counted.
    pub fn label_value_bytes(mut self, most: usize) -> Self {
        self.config.label_value_bytes = most.max(16);
        self
    }

    /// Leaves series out of the output that were not used for this long (default: never).
    ///
    /// Nothing is lost by it: a handle that is used again brings its series back with all it had
    /// counted. Looked at whenever a snapshot is taken. Setting a gauge is a use, whatever the
    /// value; `increment(0)` and an `absolute` that changes nothing are none.
    pub fn idle_timeout(mut self, idle: Duration) -> Self {
        self.config.idle_timeout = Some(idle);
        self
    }

    /// The buckets of histograms that no [`buckets`](Self::buckets) matcher names (Prometheus's
    /// eleven, 5 ms to 10 s).
    pub fn default_buckets(mut self, buckets: Buckets) -> Self {
        self.config.default_buckets = buckets;
        self
    }

    /// The buckets of the histograms that match by name; the first matcher that fits decides.
    pub fn buckets(mut self, matcher: Matcher, buckets: Buckets) -> Self {
        self.config.buckets.push((matcher, buckets));
        self
    }

    #[allow(dead_code, reason = "feature `test-util` is who calls it")]
    pub(crate) fn measured_by(mut self, clock: SharedClock) -> Self {
        self.config.clock = clock;
        self
    }

    /// A registry with these settings, apart from the global one.
    pub fn build(self) -> Registry {
        Registry::with_config(self.config)
    }

    pub(crate) fn into_config(self) -> Config {
        self.config
    }
}
