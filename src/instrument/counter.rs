//! Counters of integers and of doubles.

use super::{Handle, exemplar};
use crate::cells;
use crate::notice::{self, Notice};

/// A number that only grows.
///
/// Cloning shares the series. Adding costs a plain load and store in memory that only the calling
/// thread writes, whatever other threads do; a reader may see it a moment later. The total wraps
/// at 2⁶⁴, which Prometheus takes for a restart.
///
/// ```
/// let registry = nissa::Registry::new();
/// let requests = registry.counter("requests_total", &[("method", "GET")]);
/// requests.increment(2);
/// requests.absolute(10); // raises it to 10
/// requests.absolute(5); // and never lowers it
/// assert_eq!(registry.snapshot().value("requests_total"), Some(10.0));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a counter does nothing until it is incremented"]
pub struct Counter(pub(crate) Handle);

impl Counter {
    /// A counter that goes nowhere, at the same cost.
    pub const fn noop() -> Self {
        Self(Handle::NOOP)
    }

    /// Adds `n`.
    #[inline]
    pub fn increment(&self, n: u64) {
        cells::add(self.0.cell, n);
    }

    /// Adds `n`, and keeps the labels, mostly a trace's number, as the counter's exemplar in place
    /// of the one before. Labels of more than 128 characters in all are not kept but counted
    /// (`nissa_dropped_total{reason="exemplar_labels"}`).
    ///
    /// Reads the clock, allocates and takes a lock: some 200 ns, for what is traced anyway.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// let errors = registry.counter("errors_total", &[]);
    /// errors.increment_with_exemplar(1, &[("trace_id", "4bf92f35")]);
    /// let snapshot = registry.snapshot();
    /// let series = snapshot.family("errors_total").unwrap().series().next().unwrap();
    /// assert_eq!(series.exemplars().next().unwrap().value(), 1.0);
    /// ```
    pub fn increment_with_exemplar(&self, n: u64, labels: &[(&str, &str)]) {
        self.increment(n);
        exemplar::keep(self.0.cell, n as f64, labels);
    }

    /// Raises the total to `value`, for counts that something else keeps (a driver, `/proc`).
    /// A value below the total changes nothing.
    ///
    /// Reads the cells of all threads under a lock: for a collector's tick, not for a hot path.
    pub fn absolute(&self, value: u64) {
        cells::raise(self.0.cell, value);
    }
}

/// A counter of a quantity that has fractions: seconds, joules.
///
/// To every reader it is a counter like any other. Amounts that are negative, NaN, infinite or
/// close to it (beyond 10²⁹⁰) are dropped and counted (`nissa_dropped_total{reason="invalid_amount"}`).
///
/// ```
/// let registry = nissa::Registry::new();
/// let busy = registry.float_counter("busy_seconds_total", &[]);
/// busy.increment(0.25);
/// busy.increment(-1.0);
/// assert_eq!(registry.snapshot().value("busy_seconds_total"), Some(0.25));
/// busy.absolute(12.34);
/// assert_eq!(registry.snapshot().value("busy_seconds_total"), Some(12.34));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a counter does nothing until it is incremented"]
pub struct FloatCounter(pub(crate) Handle);

impl FloatCounter {
    /// A counter that goes nowhere, at the same cost.
    pub const fn noop() -> Self {
        Self(Handle::NOOP)
    }

    /// Adds `amount`.
    #[inline]
    pub fn increment(&self, amount: f64) {
        // False for NaN too.
        if (0.0..=cells::SUMMABLE).contains(&amount) {
            cells::add_f64(self.0.cell, amount);
        } else {
            notice::process().count(Notice::InvalidAmount, "");
        }
    }

    /// Adds `amount` with an exemplar; see [`Counter::increment_with_exemplar`]. What is dropped
    /// leaves none.
    pub fn increment_with_exemplar(&self, amount: f64, labels: &[(&str, &str)]) {
        self.increment(amount);
        if (0.0..=cells::SUMMABLE).contains(&amount) {
            exemplar::keep(self.0.cell, amount, labels);
        }
    }

    /// Raises the total to `value`; a value below the total changes nothing. As costly as
    /// [`Counter::absolute`].
    pub fn absolute(&self, value: f64) {
        if value <= cells::SUMMABLE {
            cells::raise_f64(self.0.cell, value);
        } else {
            notice::process().count(Notice::InvalidAmount, "");
        }
    }
}
