//! Histograms.

use metrics::IntoF64;

use super::{Handle, Timer, exemplar};
use crate::cells;

/// A distribution of values.
///
/// Every thread has a row of counts, one per bucket, and a sum; recording touches one count and
/// the sum. `count` is the sum of the buckets, so the two never disagree, and memory never grows.
///
/// NaN is refused and counted (`nissa_dropped_total{reason="nan"}`). An infinity counts in the
/// outermost bucket and is left out of the sum, as is what is close to one (beyond ±10²⁹⁰). A reader that looks while another thread records
/// may see the bucket of a value and not yet its share of the sum.
///
/// ```
/// let registry = nissa::Registry::new();
/// let latency = registry.histogram("latency_seconds", &[]);
/// latency.record(0.03);
/// latency.record_many(0.2, 3);
/// let answer = latency.time(|| 42);
///
/// let snapshot = registry.snapshot();
/// let distribution = snapshot.distribution("latency_seconds").unwrap();
/// assert_eq!((answer, distribution.count()), (42, 5));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a histogram does nothing until something is recorded"]
pub struct Histogram(pub(crate) Handle);

impl Histogram {
    /// A histogram that goes nowhere, at the same cost.
    pub const fn noop() -> Self {
        Self(Handle::NOOP)
    }

    /// Records a value.
    #[inline]
    pub fn record<T: IntoF64>(&self, value: T) {
        cells::record(self.0.cell, value.into_f64(), 1);
    }

    /// Records a value `count` times, at the cost of once.
    #[inline]
    pub fn record_many<T: IntoF64>(&self, value: T, count: usize) {
        cells::record(self.0.cell, value.into_f64(), count as u64);
    }

    /// Records a value, and keeps the labels, mostly a trace's number, as the exemplar of its
    /// bucket in place of the one before. Of exponential buckets the last 64 that got one keep
    /// theirs. Labels of more than 128 characters in all are not kept but counted
    /// (`nissa_dropped_total{reason="exemplar_labels"}`).
    ///
    /// Reads the clock, allocates and takes a lock: some 200 ns, for what is traced anyway.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// let latency = registry.histogram("latency_seconds", &[]);
    /// latency.record_with_exemplar(0.03, &[("trace_id", "4bf92f35")]);
    /// let page = nissa::expose::Format::OPENMETRICS_1.encode(&registry.snapshot());
    /// let page = String::from_utf8(page).unwrap();
    /// assert!(page.contains("latency_seconds_bucket{le=\"0.05\"} 1 # {trace_id=\"4bf92f35\"} 0.03 "));
    /// ```
    pub fn record_with_exemplar<T: IntoF64>(&self, value: T, labels: &[(&str, &str)]) {
        let value = value.into_f64();
        cells::record(self.0.cell, value, 1);
        if !value.is_nan() {
            exemplar::keep(self.0.cell, value, labels);
        }
    }

    /// Runs `f` and records how many seconds it took; if it panics, until the panic.
    pub fn time<R>(&self, f: impl FnOnce() -> R) -> R {
        let _timer = self.start_timer();
        f()
    }

    /// Starts a timer that records the seconds until it is dropped.
    pub fn start_timer(&self) -> Timer {
        Timer::new(self.clone())
    }
}
