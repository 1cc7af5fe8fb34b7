//! Gauges.

use metrics::IntoF64;

use super::Handle;
use crate::cells;

/// A number that goes up and down.
///
/// One cell for all threads: the last `set` wins. `set` is a plain store, `increment` and
/// `decrement` are a compare-and-swap loop. Takes what the facade takes: `f64`, `f32`, the
/// integers up to 32 bits, `Duration` (as seconds).
///
/// ```
/// let registry = nissa::Registry::new();
/// let queued = registry.gauge("jobs_queued", &[]);
/// queued.set(5);
/// queued.increment(2);
/// queued.decrement(1.5);
/// assert_eq!(registry.snapshot().value("jobs_queued"), Some(5.5));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a gauge does nothing until it is set"]
pub struct Gauge(pub(crate) Handle);

impl Gauge {
    /// A gauge that goes nowhere, at the same cost.
    pub const fn noop() -> Self {
        Self(Handle::NOOP)
    }

    /// Sets the value. NaN and infinities are kept as they are.
    #[inline]
    pub fn set<T: IntoF64>(&self, value: T) {
        cells::gauge_set(self.0.cell, value.into_f64());
    }

    /// Adds to the value.
    #[inline]
    pub fn increment<T: IntoF64>(&self, value: T) {
        cells::gauge_add(self.0.cell, value.into_f64());
    }

    /// Subtracts from the value.
    #[inline]
    pub fn decrement<T: IntoF64>(&self, value: T) {
        cells::gauge_add(self.0.cell, -value.into_f64());
    }
}
