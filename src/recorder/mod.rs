//! The registry as the facade's recorder, so that every crate instrumented with `metrics` joins
//! in.
//!
//! The facade wants an `Arc` for every macro call, and cloning a shared one would make all threads
//! fight over its count. So each thread keeps `Arc`s of its own.

mod cache;
#[cfg(feature = "monitor")]
mod seat;

use std::sync::{Arc, OnceLock};

use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};

use crate::cells;
use crate::entry::Kind;
use crate::error::Error;
use crate::instrument::{Counter, Gauge, Histogram};
use crate::registry::{GLOBAL_ID, Registry, RegistryBuilder, with_current};
use cache::Instrument;
#[cfg(feature = "monitor")]
pub(crate) use seat::Seat;

/// A recorder for the `metrics` facade that records into a [`Registry`].
///
/// [`install`](crate::install) makes one for the whole program. This type is for stacking under
/// `metrics-util`'s layers and for `metrics::with_local_recorder`.
///
/// Programs that depend on two incompatible versions of `metrics` have two facades, and only the
/// one this crate was built with ends here: `cargo tree -d` shows whether that is so.
///
/// ```
/// let registry = nissa::Registry::new();
/// metrics::with_local_recorder(&nissa::Recorder::new(&registry), || {
///     metrics::counter!("from_the_facade_total").increment(1);
/// });
/// assert_eq!(registry.snapshot().value("from_the_facade_total"), Some(1.0));
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    /// `None` follows the thread's scope.
    registry: Option<Registry>,
}

impl Recorder {
    /// Records into this registry.
    pub fn new(registry: &Registry) -> Self {
        Self { registry: Some(registry.clone()) }
    }

    /// Records where the macros on the same thread record: the global registry, or the one the
    /// thread has [entered](Registry::enter).
    pub fn current() -> Self {
        Self { registry: None }
    }

    fn with<R>(&self, f: impl FnOnce(&Registry) -> R) -> Option<R> {
        match &self.registry {
            Some(registry) => Some(f(registry)),
            None => with_current(f),
        }
    }

    /// The thread's `Arc` of what the registry has for `key`; `None` from inside its own making.
    #[inline]
    fn remembered<T: Instrument>(&self, key: &Key) -> Option<Arc<T>> {
        let id = match &self.registry {
            Some(registry) => registry.inner.id(),
            None if !cells::scoped() => GLOBAL_ID,
            None => with_current(|registry| registry.inner.id())?,
        };
        match cache::find(id, key) {
            Some(found) => Some(found),
            None => self.with(|registry| cache::remember(registry, key))?,
        }
    }
}

/// Makes the global registry the recorder of the `metrics` facade. From then on one registry
/// receives both worlds. Threads that have [entered](Registry::enter) another registry record
/// there, whichever macros they use.
///
/// ```
/// nissa::install()?;
/// metrics::counter!("facade_total").increment(1);
/// nissa::counter!("own_total").increment(1);
/// let snapshot = nissa::Registry::global().snapshot();
/// assert_eq!(snapshot.value("facade_total"), Some(1.0));
/// assert_eq!(snapshot.value("own_total"), Some(1.0));
/// assert!(nissa::install().unwrap_err().is_installed());
/// # Ok::<(), nissa::Error>(())
/// ```
///
/// # Errors
///
/// The facade has a recorder already; it keeps it.
pub fn install() -> Result<(), Error> {
    set_facade(&Recorder::current(), false)
}

/// Makes a recorder the facade's. One that is there already may do, if it is an equal of ours.
fn set_facade(recorder: &Recorder, again: bool) -> Result<(), Error> {
    /// The registry the facade's recorder was made for, once it is ours.
    static OURS: OnceLock<Option<u32>> = OnceLock::new();
    let registry = recorder.registry.as_ref().map(|registry| registry.inner.id());
    if again && OURS.get() == Some(&registry) {
        return Ok(());
    }
    metrics::set_global_recorder(recorder.clone()).map_err(|error| {
        Error::installed("the facade has a recorder").because(error.to_string())
    })?;
    let _ = OURS.set(registry);
    Ok(())
}

impl RegistryBuilder {
    /// Makes a registry with these settings the global one, and the recorder of the facade: see
    /// [`install`]. Do it first thing in `main`.
    ///
    /// # Errors
    ///
    /// A macro was used before, which made the global registry with default settings; or the
    /// facade has a recorder already, in which case the settings do hold for nissa's own macros.
    pub fn install(self) -> Result<(), Error> {
        Registry::set_global(self.into_config())?;
        install()
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.with(|r| r.inner.describe(Kind::Counter, key.as_str(), unit, &description));
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.with(|r| r.inner.describe(Kind::Gauge, key.as_str(), unit, &description));
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.with(|r| r.inner.describe(Kind::Histogram, key.as_str(), unit, &description));
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        let found = self.remembered::<Counter>(key);
        found.map_or_else(metrics::Counter::noop, metrics::Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let found = self.remembered::<Gauge>(key);
        found.map_or_else(metrics::Gauge::noop, metrics::Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let found = self.remembered::<Histogram>(key);
        found.map_or_else(metrics::Histogram::noop, metrics::Histogram::from_arc)
    }
}

impl CounterFn for Counter {
    fn increment(&self, value: u64) {
        self.increment(value);
    }

    fn absolute(&self, value: u64) {
        self.absolute(value);
    }
}

impl GaugeFn for Gauge {
    fn increment(&self, value: f64) {
        self.increment(value);
    }

    fn decrement(&self, value: f64) {
        self.decrement(value);
    }

    fn set(&self, value: f64) {
        self.set(value);
    }
}

impl HistogramFn for Histogram {
    fn record(&self, value: f64) {
        self.record(value);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.record_many(value, count);
    }
}
