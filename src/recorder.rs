//! The registry as the facade's recorder, so that every crate instrumented with `metrics` joins
//! in.
//!
//! The facade wants an `Arc` for every macro call, and cloning a shared one would make all threads
//! fight over its count. So each thread keeps `Arc`s of its own.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use hashbrown::HashTable;
use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};

use crate::cells;
use crate::entry::Kind;
use crate::error::Error;
use crate::instrument::{Counter, Gauge, Handle, Histogram};
use crate::notice::{self, Notice};
use crate::registry::{GLOBAL_ID, Registry, RegistryBuilder, Shape, epoch, with_current};
use crate::sync::Mutex;

/// Series a thread remembers for the facade; when full, all are forgotten.
const CAPACITY: usize = 4096;

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
        match with_cache(|cache| cache.find(id, key)) {
            Some(Some(found)) => Some(found),
            _ => self.with(|registry| remember(registry, key))?,
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
    metrics::set_global_recorder(Recorder::current())
        .map_err(|error| Error::installed("the facade has a recorder").because(error.to_string()))
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

thread_local! {
    static CACHE: RefCell<Cache> = const { RefCell::new(Cache::new()) };
}

/// Uses the thread's memory; once the thread is being torn down, one that all such threads share.
/// Without it each call would make an `Arc` and free it, and an allocator that counts through the
/// facade would never come to an end. `None` where it is in use, by this thread or another.
#[inline]
fn with_cache<R>(f: impl FnOnce(&mut Cache) -> R) -> Option<R> {
    static LATE: Mutex<Cache> = Mutex::new(Cache::new());
    let mut f = Some(f);
    let own = CACHE.try_with(|cache| {
        let mut cache = cache.try_borrow_mut().ok()?;
        f.take().map(|f| f(&mut cache))
    });
    own.unwrap_or_else(|_gone| LATE.try_lock().zip(f).map(|(mut cache, f)| f(&mut cache)))
}

struct Cache {
    table: HashTable<Remembered>,
    epoch: u64,
}

struct Remembered {
    registry: u32,
    key: Key,
    handle: AnyHandle,
}

#[derive(Clone)]
enum AnyHandle {
    Counter(Arc<Counter>),
    Gauge(Arc<Gauge>),
    Histogram(Arc<Histogram>),
}

impl AnyHandle {
    fn is_idle(&self) -> bool {
        match self {
            Self::Counter(counter) => counter.0.is_idle(),
            Self::Gauge(gauge) => gauge.0.is_idle(),
            Self::Histogram(histogram) => histogram.0.is_idle(),
        }
    }
}

/// A handle type of the facade's three.
trait Instrument: Sized + From<Handle> {
    const SHAPE: Shape;
    fn any(this: Arc<Self>) -> AnyHandle;
    fn of(any: &AnyHandle) -> Option<&Arc<Self>>;
}

macro_rules! instrument {
    ($($handle:ident),*) => { $(
        impl From<Handle> for $handle {
            fn from(handle: Handle) -> Self {
                Self(handle)
            }
        }

        impl Instrument for $handle {
            const SHAPE: Shape = Shape::$handle;

            fn any(this: Arc<Self>) -> AnyHandle {
                AnyHandle::$handle(this)
            }

            #[inline]
            fn of(any: &AnyHandle) -> Option<&Arc<Self>> {
                match any {
                    AnyHandle::$handle(handle) => Some(handle),
                    _ => None,
                }
            }
        }
    )* };
}

instrument!(Counter, Gauge, Histogram);

impl Cache {
    const fn new() -> Self {
        Self { table: HashTable::new(), epoch: 0 }
    }

    #[inline]
    fn find<T: Instrument>(&mut self, registry: u32, key: &Key) -> Option<Arc<T>> {
        if self.epoch != epoch() {
            // Arcs keep their series; let go of those that are idle or whose registry has gone.
            self.epoch = epoch();
            self.table.retain(|known| !known.handle.is_idle());
        }
        let is_it = |known: &Remembered| {
            known.registry == registry
                && T::of(&known.handle).is_some()
                && (is_same(&known.key, key) || known.key == *key)
        };
        let known = self.table.find(key.get_hash(), is_it)?;
        T::of(&known.handle).cloned()
    }
}

/// Whether two keys are made of the very same memory, as a macro's static key is every time.
#[inline]
fn is_same(a: &Key, b: &Key) -> bool {
    let (labels, others) = (a.labels().as_slice(), b.labels().as_slice());
    std::ptr::eq(a.name(), b.name()) && std::ptr::eq(labels, others)
}

#[cold]
fn remember<T: Instrument>(registry: &Registry, key: &Key) -> Option<Arc<T>> {
    thread_local! {
        static REMEMBERING: Cell<bool> = const { Cell::new(false) };
    }
    // What follows allocates; an allocator that counts through the facade would come here again.
    if REMEMBERING.replace(true) {
        notice::process().count(Notice::Recursion, key.name());
        return None;
    }
    /// Also when a logger that is told of a refusal panics.
    struct Done;
    impl Drop for Done {
        fn drop(&mut self) {
            REMEMBERING.set(false);
        }
    }
    let _done = Done;
    let labels: Vec<(&str, &str)> = key.labels().map(|l| (l.key(), l.value())).collect();
    let (handle, lasting) = registry.inner.lasting_handle(T::SHAPE, key.name(), &labels);
    let handle = Arc::new(T::from(handle));
    if !lasting {
        return Some(handle);
    }
    let known = Remembered {
        registry: registry.inner.id(),
        key: key.to_retained(),
        handle: T::any(Arc::clone(&handle)),
    };
    with_cache(|cache| {
        if cache.table.len() >= CAPACITY {
            cache.table.clear();
        }
        cache.table.insert_unique(key.get_hash(), known, |known| known.key.get_hash());
    });
    Some(handle)
}
