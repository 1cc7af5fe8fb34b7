//! The recent past of every series, compressed, within a byte budget.
//!
//! A [`History`] is given to the builder, and may be asked at any time, also after the guard is
//! gone. It keeps every tick for a while, then a sample every 10 s, then rollups, for as long as
//! the budget has room: [`History::capacity`] says how far back it goes.
//!
//! ```
//! use std::time::Duration;
//! use nissa::history::{History, Selector};
//!
//! let history = History::new().memory(16 << 20);
//! let registry = nissa::Registry::new();
//! let guard = nissa::builder().registry(registry.clone()).history(history.clone()).start()?;
//! registry.gauge("training_loss", &[("run", "a")]).set(0.25);
//! drop(guard); // a last tick
//!
//! let loss: Selector = r#"training_loss{run=~"a|b"}"#.parse()?;
//! assert_eq!(history.latest(&loss).lines[0].points[0].value, 0.25);
//! # Ok::<(), nissa::Error>(())
//! ```

mod bits;
mod block;
mod books;
mod budget;
mod catalog;
mod decimal;
mod disk;
mod family;
mod gorilla;
mod head;
mod histogram;
mod json;
mod packed;
mod quantile;
mod query;
mod range;
mod resample;
mod rollup;
mod routes;
mod rows;
mod scalar;
mod selector;
mod series;
mod stage;
mod staged;
mod store;
mod tier;
mod timeline;
mod trend;
mod view;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use budget::{Capacity, Reach};
pub use catalog::About;
pub use quantile::Column;
pub use query::{Line, Lines};
pub use range::{Reading, Window};
pub use selector::Selector;

use crate::registry::Matcher;
use crate::sync::{AtomicBool, Mutex};
use disk::Status;
use store::Store;
use tier::Tiers;

/// The past of every series. Clones are of the same one.
///
/// The methods that return `Self` are settings. They count until the history is given to a
/// builder.
#[derive(Clone)]
#[must_use = "a history is empty until a builder gets it"]
pub struct History {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Mutex<Settings>,
    store: Mutex<Store>,
    /// A monitor feeds it.
    running: AtomicBool,
    status: Status,
}

#[derive(Clone, Debug)]
struct Settings {
    memory: usize,
    resolution: Duration,
    recent: Duration,
    retention: Duration,
    only: Vec<Matcher>,
    path: Option<PathBuf>,
    flush: Duration,
}

impl Settings {
    fn tiers(&self) -> Tiers {
        Tiers::new(self.resolution, self.recent, self.retention)
    }

    fn store(&self) -> Store {
        Store::new(self.tiers(), self.memory, self.only.clone())
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl History {
    /// With the usual settings, and nothing in it.
    pub fn new() -> Self {
        let settings = Settings {
            memory: 64 << 20,
            resolution: Duration::from_secs(10),
            recent: Duration::from_secs(15 * 60),
            retention: Duration::from_secs(7 * 24 * 3600),
            only: Vec::new(),
            path: None,
            flush: Duration::from_secs(60),
        };
        let (store, running) = (Mutex::new(settings.store()), AtomicBool::new(false));
        let (settings, status) = (Mutex::new(settings), Status::default());
        Self { inner: Arc::new(Inner { settings, store, running, status }) }
    }

    /// The bytes it may take (64 MiB). This wins over all that is asked for below.
    pub fn memory(self, bytes: usize) -> Self {
        self.set(|settings| settings.memory = bytes)
    }

    /// From one sample to the next where not every tick is kept (10 s). Rollups are of 30 and of
    /// 360 of these steps.
    pub fn resolution(self, step: Duration) -> Self {
        self.set(|settings| settings.resolution = step)
    }

    /// For how long every tick is kept (15 min).
    pub fn recent(self, time: Duration) -> Self {
        self.set(|settings| settings.recent = time)
    }

    /// For how long samples are kept at the full [`resolution`](Self::resolution) (7 days). Finer
    /// rollups are kept four times as long, coarser ones 52 times.
    pub fn retention(self, time: Duration) -> Self {
        self.set(|settings| settings.retention = time)
    }

    /// Keeps only series that fit this, or another one given so.
    pub fn only(self, matcher: Matcher) -> Self {
        self.set(|settings| settings.only.push(matcher))
    }

    /// Keeps it in this file too, from where it goes on when the program starts again. One
    /// process has the file at a time. Without room on the disk, or without the right to write,
    /// the history stays in memory, and says so in `/health`.
    ///
    /// ```
    /// # use nissa::history::{History, Selector};
    /// # let folder = std::env::temp_dir().join(format!("nissa-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder).unwrap();
    /// # let path = folder.join("history");
    /// let run = |loss: f64| {
    ///     let history = History::new().path(&path);
    ///     # let history = history.resolution(std::time::Duration::from_millis(1));
    ///     let registry = nissa::Registry::new();
    ///     let guard = nissa::builder().registry(registry.clone()).history(history.clone()).start()?;
    ///     registry.gauge("loss", &[]).set(loss);
    ///     drop(guard);
    ///     let (from, to) = (std::time::Duration::ZERO, history.now());
    ///     history.samples(&Selector::name("loss"), from, to, 1_000)
    /// };
    /// run(4.0)?;
    /// let values: Vec<f64> = run(2.0)?.lines[0].points.iter().map(|point| point.value).collect();
    /// assert!(values.contains(&4.0) && values.contains(&2.0));
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn path(self, path: impl Into<PathBuf>) -> Self {
        self.set(|settings| settings.path = Some(path.into()))
    }

    /// How often what is new goes into the file (60 s): a program that is killed loses no more.
    pub fn flush(self, every: Duration) -> Self {
        self.set(|settings| settings.flush = every)
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.inner.settings.lock());
        self
    }

    /// How much it holds, and how far back it goes.
    pub fn capacity(&self) -> Capacity {
        self.store().lock().capacity()
    }

    /// The time of the last tick, since the Unix epoch; zero before the first. Later ones are
    /// never earlier, even if the wall clock is set back.
    pub fn now(&self) -> Duration {
        query::moment(self.store().lock().timeline.now())
    }

    fn store(&self) -> &Mutex<Store> {
        &self.inner.store
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}
