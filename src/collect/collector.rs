//! What a collector is.

use std::time::Duration;

use super::Failures;
use crate::registry::Registry;

/// Reads figures that something else keeps, and sets metrics to them.
///
/// `collect` is called at once when collecting starts, and then every `interval`; a call that
/// comes late is not made up for. It may take as long as it needs only if it has a thread of its
/// own, as every collector has that is given to the builder by itself.
///
/// What it cannot read belongs into the [`Failures`] it returns, by source, and out of the output:
/// figures held as [`Observed`](crate::Observed) can be cleared. A panic is caught and counted, the
/// collector is [cleared](Self::clear), and called again later, each time twice as late, up to five
/// minutes. While a call hangs its figures stay what they were: nobody else can reach them. Who
/// reads something that may hang alerts on `nissa_collector_last_success_timestamp_seconds`.
///
/// ```
/// use nissa::collect::{Collector, Failures, Runner};
/// use nissa::{Observed, Registry};
///
/// struct Entropy(Option<Observed<f64>>);
///
/// impl Collector for Entropy {
///     fn name(&self) -> &str {
///         "entropy"
///     }
///
///     fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
///         let gauge = self.0.get_or_insert_with(|| registry.observed_gauge("entropy_bits", &[]));
///         gauge.clear();
///         gauge.set("256".parse()?);
///         Ok(())
///     }
///
///     fn clear(&mut self) {
///         self.0 = None;
///     }
/// }
///
/// let registry = Registry::new();
/// let mut runner = Runner::new(&registry);
/// runner.add(Entropy(None));
/// runner.collect();
/// assert_eq!(registry.snapshot().value("entropy_bits"), Some(256.0));
/// ```
pub trait Collector: Send {
    /// What it is called in the metrics about collecting, and in errors.
    fn name(&self) -> &str;

    /// How long from one call to the next. Asked once.
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Reads everything and sets the metrics. What could be read is set even if the rest failed.
    fn collect(&mut self, registry: &Registry) -> Result<(), Failures>;

    /// Takes everything out of the output, and begins anew at the next call. Called when
    /// `collect` has panicked, since what it last showed would stand there until it is called
    /// again; so it finds the collector as the panic left it. Does nothing unless it is written.
    fn clear(&mut self) {}
}
