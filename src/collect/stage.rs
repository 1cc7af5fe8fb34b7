//! Collectors as a stage: threads that call them.

use std::sync::Arc;
use std::time::Duration;

use super::failures::ErrorLog;
use super::{CollectionError, Collectors, Runner};
use crate::clock;
use crate::error::Error;
use crate::health;
use crate::monitor::{Builder, Context, Guard, Monitor, Stage};
use crate::registry::Registry;
use crate::thread::{Pause, Worker};

/// How long stopping waits for a collector. One that takes longer is held by a driver or a dead
/// server, for nobody knows how long.
const PATIENCE: Duration = Duration::from_millis(100);

impl Builder {
    /// Collects figures of what something else keeps: [`Host`](super::Host), or a
    /// [`Collector`](super::Collector) of the program's own, which gets a thread of its own.
    ///
    /// Each is called at once, then at its interval, in a thread that no signal reaches. What it
    /// could not read is counted in `nissa_collector_errors_total`, and listed by
    /// [`Guard::collection_errors`]. When the guard goes, a collector has 100 ms to end; one that
    /// hangs is left to itself and counted.
    ///
    /// ```
    /// use nissa::Registry;
    /// use nissa::collect::{Collector, Failures};
    ///
    /// struct Queue;
    ///
    /// impl Collector for Queue {
    ///     fn name(&self) -> &str {
    ///         "queue"
    ///     }
    ///
    ///     fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
    ///         registry.gauge("queue_depth", &[]).set(3);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let registry = Registry::new();
    /// let guard = nissa::builder().registry(registry.clone()).collect(Queue).start()?;
    /// while registry.snapshot().value("queue_depth").is_none() {
    ///     std::thread::yield_now();
    /// }
    /// assert!(guard.collection_errors().is_empty());
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn collect(self, collectors: impl Into<Collectors>) -> Self {
        let collectors = collectors.into();
        self.stage(Collecting { collectors, workers: Vec::new(), errors: None })
    }
}

impl Guard {
    /// The last failure of every source that the collectors could not read, ever, by collector
    /// and source.
    pub fn collection_errors(&self) -> Vec<CollectionError> {
        ErrorLog::of(self.registry()).list()
    }
}

impl Monitor {
    /// As [`Guard::collection_errors`].
    pub fn collection_errors(&self) -> Vec<CollectionError> {
        ErrorLog::of(self.registry()).list()
    }
}

struct Collecting {
    collectors: Collectors,
    workers: Vec<Worker>,
    /// Kept for as long as this runs, so that who asks by the registry finds it.
    errors: Option<ErrorLog>,
}

impl Stage for Collecting {
    fn name(&self) -> &'static str {
        "collect"
    }

    fn health(&self) -> Option<health::Source> {
        let sources = self.collectors.health.clone();
        if sources.is_empty() {
            return None;
        }
        Some(Arc::new(move |report| sources.iter().for_each(|source| source(report))))
    }

    fn start(&mut self, context: &Context) -> Result<(), Error> {
        let registry: &Registry = context.registry();
        let errors = self.errors.insert(ErrorLog::of(registry)).clone();
        for thread in std::mem::take(&mut self.collectors.threads) {
            let mut runner = Runner::reporting(registry, errors.clone());
            thread.into_iter().for_each(|collector| runner.add_boxed(collector));
            self.workers.push(Worker::spawn("nissa-collect", move |pause| run(runner, pause))?);
        }
        Ok(())
    }

    fn stop(&mut self, limit: Duration) {
        self.workers.iter().for_each(Worker::ask_stop);
        let deadline = clock::now() + limit.min(PATIENCE);
        for worker in self.workers.drain(..) {
            worker.join(deadline.saturating_duration_since(clock::now()));
        }
    }
}

fn run(mut runner: Runner, pause: &Pause) {
    let start = clock::now();
    while !pause.stopped() {
        let next = runner.tick(clock::since(start));
        let next = next.and_then(|next| start.checked_add(next));
        if next.is_none_or(|next| pause.until(next)) {
            return;
        }
    }
}
