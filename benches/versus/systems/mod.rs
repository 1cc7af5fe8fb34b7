//! The systems compared, each used the way its own documentation shows.

mod client;
mod exporter;
mod fast_telemetry;
mod fastmetrics;
mod floor;
mod measured;
mod nissa;
mod prometheus;

use crate::harness::Batch;

/// What makes a thing, by name.
type Named<N, T> = (N, fn() -> T);

/// A metrics library, as the set of cases it can do. What it cannot do is absent, never zero.
pub struct System {
    pub name: &'static str,
    /// The heading of its column.
    pub short: &'static str,
    /// Memory per series grows with the number of threads that record.
    pub memory_per_thread: bool,
    batches: Vec<Named<&'static str, Batch>>,
    stores: Vec<Named<Kind, Store>>,
}

impl System {
    fn new(name: &'static str, short: &'static str) -> Self {
        Self { name, short, memory_per_thread: false, batches: Vec::new(), stores: Vec::new() }
    }

    fn batch(mut self, case: &'static str, make: fn() -> Batch) -> Self {
        self.batches.push((case, make));
        self
    }

    fn store(mut self, kind: Kind, make: fn() -> Store) -> Self {
        self.stores.push((kind, make));
        self
    }

    /// The hot loop of `case`.
    pub fn make_batch(&self, case: &str) -> Option<Batch> {
        self.batches.iter().find(|(name, _)| *name == case).map(|(_, make)| make())
    }

    /// An empty registry for one family of `kind`.
    pub fn make_store(&self, kind: Kind) -> Option<Store> {
        self.stores.iter().find(|(it, _)| *it == kind).map(|(_, make)| make())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Histogram,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

type Update = dyn Fn(&'static str, &str, u64) + Send + Sync;
type NewScraper = dyn Fn() -> Box<dyn Scraper> + Send + Sync;

/// A registry with one family labelled by method and path.
pub struct Store {
    update: Box<Update>,
    scraper: Box<NewScraper>,
}

impl Store {
    /// `update` looks the series up, registering it if it is new, adds a number to the counter
    /// or records the duration of that index, and lets go of the handle.
    fn new<S: Scraper + 'static>(
        update: impl Fn(&'static str, &str, u64) + Send + Sync + 'static,
        scraper: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        Self { update: Box::new(update), scraper: Box::new(move || Box::new(scraper())) }
    }

    pub fn update(&self, method: &'static str, path: &str, value: u64) {
        (self.update)(method, path, value);
    }

    /// A reader with its own buffer, still empty.
    pub fn scraper(&self) -> Box<dyn Scraper> {
        (self.scraper)()
    }
}

/// Renders the whole registry, again and again, into one buffer.
pub trait Scraper {
    fn scrape(&mut self) -> &[u8];
}

/// A [`Scraper`] from a buffer and a function that fills it.
struct Reused<B, F>(B, F);

impl<B: AsRef<[u8]> + Default, F: FnMut(&mut B)> Reused<B, F> {
    fn new(fill: F) -> Self {
        Self(B::default(), fill)
    }
}

impl<B: AsRef<[u8]>, F: FnMut(&mut B)> Scraper for Reused<B, F> {
    fn scrape(&mut self) -> &[u8] {
        (self.1)(&mut self.0);
        self.0.as_ref()
    }
}

/// The cases measured inside a shared library too.
pub const PLUGIN_CASES: [&str; 2] = ["counter_literal", "counter_runtime_label"];

/// Every system, the one that ratios refer to first.
pub fn all() -> Vec<System> {
    vec![
        nissa::system(),
        exporter::system(),
        prometheus::system(),
        client::system(),
        fastmetrics::system(),
        measured::system(),
        fast_telemetry::labels(),
        fast_telemetry::enums(),
        floor::system(),
    ]
}
