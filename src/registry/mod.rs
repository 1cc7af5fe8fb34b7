//! All metrics of a program (or of a test), by name.
//!
//! A name leads to its [`Family`](family::Family), and labels lead to a series through the family's
//! [`Table`](table::Table). Both are cold: a call site remembers what it found, and so does every
//! thread.

mod builder;
mod cache;
mod describe;
mod family;
mod lookup;
mod matcher;
mod observed;
mod own;
mod read;
mod report;
mod scope;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::Unit;

pub use builder::RegistryBuilder;
pub use matcher::Matcher;
pub use observed::Observed;
pub use report::{Cardinality, FamilyCardinality, FamilyInfo, LabelCardinality};
pub use scope::Scope;

pub(crate) use cache::{ByName, Query, epoch, find, remember_full};
pub(crate) use lookup::Shape;
pub(crate) use scope::with_current;

use builder::Config;
use family::Family;
use own::OwnMetrics;

use crate::buckets::Buckets;
use crate::cells::gate;
use crate::entry::{Description, Entry, Kind};
use crate::error::Error;
use crate::instrument::{Counter, FloatCounter, Gauge, Handle, Histogram};
use crate::notice::{self, Notice, Notices};
use crate::snapshot::Snapshot;
use crate::sync::{AtomicU32, AtomicUsize, Mutex, Ordering, RwLock};

/// A set of metrics. Cloning it is cheap and gives the same set.
///
/// The macros use the [global](Self::global) registry, or the one the thread has
/// [entered](Self::enter). All methods can be called from any thread at any time.
///
/// ```
/// let registry = nissa::Registry::new();
/// registry.counter("jobs_total", &[("queue", "mail")]).increment(1);
/// registry.gauge("workers", &[]).set(4);
///
/// let text = nissa::expose::text(&registry.snapshot());
/// let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
/// assert_eq!(samples, ["jobs_total{queue=\"mail\"} 1", "workers 4"]);
/// ```
#[derive(Clone)]
pub struct Registry {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    id: u32,
    /// The global registry: its series never go away unless they expire.
    immortal: bool,
    /// What the wall clock shows when the registry's clock is at zero. Asked once, so that a series
    /// is said to have begun at one moment for ever.
    epoch: Duration,
    config: Config,
    families: RwLock<Families>,
    series: AtomicUsize,
    /// Series that call sites have resolved for good.
    pinned: Mutex<Vec<Entry>>,
    notices: Notices,
    own: OwnMetrics,
}

#[derive(Default)]
struct Families {
    /// Sorted, because that is how they are shown.
    by_name: BTreeMap<Box<str>, Arc<Family>>,
    /// Descriptions of metrics that nobody has used yet.
    described: BTreeMap<Box<str>, (Kind, Description)>,
    /// Buckets chosen by name for histograms that nobody has used yet.
    buckets: BTreeMap<Box<str>, Buckets>,
    /// What the text format may write illegal names as, and how many of them so.
    escaped: HashMap<Box<str>, usize>,
}

/// Known without asking, so that a thread's memory can be searched before the registry is.
pub(crate) const GLOBAL_ID: u32 = 0;

static GLOBAL: OnceLock<Registry> = OnceLock::new();

impl Registry {
    /// An empty registry with default settings, apart from the global one.
    pub fn new() -> Self {
        Self::with_config(Config::default())
    }

    /// Settings for a new registry.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// The registry that macros use unless the thread has entered another.
    ///
    /// A global allocator may use the macros, but not call this before something else has: making
    /// the registry allocates.
    pub fn global() -> &'static Self {
        // Inside the gate, so that an allocator that counts does not come back here meanwhile.
        match GLOBAL.get() {
            Some(global) => global,
            None => {
                let _gate = gate::enter();
                GLOBAL.get_or_init(|| Self::immortal(Config::default()))
            }
        }
    }

    /// The global registry, unless this thread is just making it.
    #[inline]
    pub(crate) fn global_outside_gate() -> Option<&'static Self> {
        match GLOBAL.get() {
            Some(global) => Some(global),
            None if gate::is_busy() => {
                notice::process().count(Notice::Recursion, "");
                None
            }
            None => Some(Self::global()),
        }
    }

    /// Makes a registry with these settings the global one. Fails if that is in use already.
    pub(crate) fn set_global(config: Config) -> Result<&'static Self, Error> {
        GLOBAL.set(Self::immortal(config)).map_err(|_| {
            Error::installed("a metric was used before, so the settings come too late")
        })?;
        Ok(Self::global())
    }

    pub(crate) fn with_config(config: Config) -> Self {
        Self { inner: Arc::new(Inner::new(config, false)) }
    }

    fn immortal(config: Config) -> Self {
        Self { inner: Arc::new(Inner::new(config, true)) }
    }

    /// The counter of this name and labels. Registers it if it is new; a metric that is of another
    /// kind already, or refused, gives a no-op handle and is counted.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Counter {
        Counter(self.inner.handle_for(Shape::Counter, name, labels))
    }

    /// The float counter of this name and labels. A name is either a counter of integers or of
    /// doubles; the first use decides.
    pub fn float_counter(&self, name: &str, labels: &[(&str, &str)]) -> FloatCounter {
        FloatCounter(self.inner.handle_for(Shape::FloatCounter, name, labels))
    }

    /// The gauge of this name and labels.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        Gauge(self.inner.handle_for(Shape::Gauge, name, labels))
    }

    /// The histogram of this name and labels, with the buckets the builder chose for the name.
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Histogram {
        Histogram(self.inner.handle_for(Shape::Histogram, name, labels))
    }

    /// Gives a counter its unit and help text. The first description of a name wins, before or
    /// after its first use; a different second one is counted and logged once.
    pub fn describe_counter(&self, name: &str, unit: Option<Unit>, help: &str) {
        self.inner.describe(Kind::Counter, name, unit, help);
    }

    /// Gives a gauge its unit and help text.
    pub fn describe_gauge(&self, name: &str, unit: Option<Unit>, help: &str) {
        self.inner.describe(Kind::Gauge, name, unit, help);
    }

    /// Gives a histogram its unit and help text.
    pub fn describe_histogram(&self, name: &str, unit: Option<Unit>, help: &str) {
        self.inner.describe(Kind::Histogram, name, unit, help);
    }

    /// Chooses the buckets of one histogram, before its first use; stronger than the builder's
    /// matchers. As with descriptions the first choice wins, and one that comes too late is
    /// counted and logged once.
    ///
    /// ```
    /// use nissa::{Buckets, Registry};
    ///
    /// let registry = Registry::new();
    /// registry.describe_buckets("batch_size", Buckets::explicit(&[8.0, 32.0, 128.0])?);
    /// registry.histogram("batch_size", &[]).record(20);
    /// let snapshot = registry.snapshot();
    /// assert_eq!(snapshot.distribution("batch_size").unwrap().scheme().bounds(), [8.0, 32.0, 128.0]);
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn describe_buckets(&self, name: &str, buckets: Buckets) {
        self.inner.describe_buckets(name, buckets);
    }

    /// Makes the macros on this thread record into this registry until the scope is dropped,
    /// those that have cached their series for the global one included. Other threads, also ones
    /// started inside the scope, are not affected until they enter a clone themselves.
    ///
    /// ```
    /// use nissa::{Registry, counter};
    ///
    /// fn work() {
    ///     counter!("work_total").increment(1);
    /// }
    ///
    /// work(); // into the global registry
    /// let registry = Registry::new();
    /// {
    ///     let _scope = registry.enter();
    ///     work();
    ///     std::thread::scope(|threads| {
    ///         let registry = registry.clone();
    ///         threads.spawn(move || registry.in_scope(work));
    ///     });
    /// }
    /// assert_eq!(registry.snapshot().value("work_total"), Some(2.0));
    /// assert_eq!(Registry::global().snapshot().value("work_total"), Some(1.0));
    /// ```
    pub fn enter(&self) -> Scope {
        Scope::enter(self.clone())
    }

    /// Runs `f` inside [`enter`](Self::enter).
    pub fn in_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let _scope = self.enter();
        f()
    }

    /// Everything as it is now, sorted by name and labels. Reading changes nothing and holds up
    /// neither recording nor registering. In a forked child whose parent's locks may be stuck it
    /// is empty.
    pub fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    /// [`snapshot`](Self::snapshot) of the metrics whose names pass, at the cost of those alone:
    /// no cell of another is read.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// registry.counter("jobs_total", &[]).increment(1);
    /// registry.gauge("load", &[]).set(0.5);
    /// let snapshot = registry.snapshot_of(|name| name.ends_with("_total"));
    /// assert_eq!(snapshot.value("jobs_total"), Some(1.0));
    /// assert!(snapshot.family("load").is_none());
    /// ```
    pub fn snapshot_of(&self, keep: impl Fn(&str) -> bool) -> Snapshot {
        self.inner.snapshot_of(keep)
    }

    /// How many bytes the pages of all threads may take together (64 MiB), for the whole process.
    /// Threads that would need more record into pages that all share: slower, nothing is lost.
    pub fn set_thread_memory(bytes: usize) {
        crate::cells::set_budget(bytes);
    }
}

// No user's code runs under a registry's locks, so a panic cannot leave it half changed.
impl std::panic::UnwindSafe for Registry {}
impl std::panic::RefUnwindSafe for Registry {}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

impl Inner {
    fn new(config: Config, immortal: bool) -> Self {
        static NEXT_ID: AtomicU32 = AtomicU32::new(GLOBAL_ID + 1);
        let notices = Notices::new();
        let mut config = config;
        config.check_global_labels(|notice| notices.count(notice, "a global label"));
        Self {
            id: if immortal { GLOBAL_ID } else { NEXT_ID.fetch_add(1, Ordering::Relaxed) },
            immortal,
            epoch: config.clock.unix().saturating_sub(config.clock.now()),
            config,
            families: RwLock::default(),
            series: AtomicUsize::new(0),
            pinned: Mutex::new(Vec::new()),
            notices,
            own: OwnMetrics::default(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// A handle for the facade to keep, and whether it may.
    pub(crate) fn lasting_handle(
        &self,
        shape: Shape,
        name: &str,
        labels: &[(&str, &str)],
    ) -> (Handle, bool) {
        let mut labels = labels.to_vec();
        crate::key::sort(&mut labels);
        let query = ByName { shape, name, labels: &labels };
        let resolved = self.resolve(&query, &query);
        (resolved.handle, resolved.lasting)
    }

    pub(crate) fn handle_for(&self, shape: Shape, name: &str, labels: &[(&str, &str)]) -> Handle {
        // Sorting needs a copy. On the stack, so that an allocator can be instrumented.
        let mut few = [("", ""); 16];
        match few.get_mut(..labels.len()) {
            Some(few) => {
                few.copy_from_slice(labels);
                self.handle(shape, name, few)
            }
            None => self.handle(shape, name, &mut labels.to_vec()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for family in self.families.get_mut().by_name.values() {
            // So that threads that remember them let go.
            family.table.for_each(Entry::set_gone);
        }
        cache::invalidate();
    }
}
