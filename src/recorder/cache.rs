//! Each thread's `Arc`s of what it found for the facade.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use hashbrown::HashTable;
use metrics::Key;

use crate::instrument::{Counter, Gauge, Handle, Histogram};
use crate::notice::{self, Notice};
use crate::registry::{Registry, Shape, epoch};
use crate::sync::Mutex;

/// Series a thread remembers for the facade; when full, all are forgotten.
const CAPACITY: usize = 4096;

thread_local! {
    static CACHE: RefCell<Cache> = const { RefCell::new(Cache::new()) };
}

/// What the thread remembers for a key.
#[inline]
pub(super) fn find<T: Instrument>(registry: u32, key: &Key) -> Option<Arc<T>> {
    with_cache(|cache| cache.find(registry, key)).flatten()
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
pub(super) enum AnyHandle {
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
pub(super) trait Instrument: Sized + From<Handle> {
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

/// Looks a key up in the registry, and remembers what lasts. `None` from inside itself.
#[cold]
pub(super) fn remember<T: Instrument>(registry: &Registry, key: &Key) -> Option<Arc<T>> {
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
