//! The history as a stage of the monitor.

use std::sync::Arc;
use std::time::Duration;

use super::{History, disk, routes};
use crate::error::Error;
use crate::health::{self, Status};
use crate::instrument::{Counter, Gauge};
use crate::monitor::{Builder, Context, Stage, Tick, Wants};
use crate::registry::Registry;
use crate::route::Route;
use crate::snapshot::Snapshot;
use crate::sync::Ordering;
use crate::thread::Worker;

impl Builder {
    /// Keeps the past of every series in this history.
    ///
    /// # Errors
    ///
    /// Of `install` and `start`: another monitor feeds it; a setting makes no sense; its file is
    /// in use by another process.
    pub fn history(self, history: History) -> Self {
        self.stage(Keeper { history, own: None, feeding: false, writer: None })
    }
}

/// Feeds a history.
struct Keeper {
    history: History,
    own: Option<Own>,
    feeding: bool,
    writer: Option<Worker>,
}

/// What the history tells of itself.
struct Own {
    used: Gauge,
    series: Gauge,
    refused: Gauge,
    ahead: Gauge,
    evicted: Vec<Counter>,
    flushes: Counter,
    failures: Counter,
    damaged: Counter,
}

impl Own {
    fn new(registry: &Registry, budget: usize) -> Self {
        let gauge = |name, help| {
            registry.describe_gauge(name, None, help);
            registry.gauge(name, &[])
        };
        gauge("nissa_history_budget_bytes", "Bytes the history may take.").set(budget as f64);
        registry.describe_counter(
            "nissa_history_evicted_samples_total",
            None,
            "Samples that went before their time, for the budget.",
        );
        let evicted = super::tier::Tier::ALL.map(|tier| {
            let labels = [("tier", tier.as_str())];
            registry.counter("nissa_history_evicted_samples_total", &labels)
        });
        let counter = |name, help| {
            registry.describe_counter(name, None, help);
            registry.counter(name, &[])
        };
        Self {
            used: gauge("nissa_history_bytes", "Bytes the history takes."),
            series: gauge("nissa_history_series", "Series in the history."),
            refused: gauge(
                "nissa_history_refused_series",
                "Series that found no room in the history.",
            ),
            ahead: gauge(
                "nissa_history_clock_ahead_seconds",
                "How far the history's time is ahead of a wall clock that was set back.",
            ),
            evicted: evicted.into(),
            flushes: counter(
                "nissa_history_flushes_total",
                "Times the history's file was written.",
            ),
            failures: counter(
                "nissa_history_flush_failures_total",
                "Times the history's file could not be written or read.",
            ),
            damaged: counter(
                "nissa_history_damaged_rows_total",
                "Rows of the history's file that were damaged, and left out.",
            ),
        }
    }
}

impl Stage for Keeper {
    fn name(&self) -> &'static str {
        "history"
    }

    fn wants(&self) -> Wants {
        Wants::Snapshots
    }

    fn health(&self) -> Option<health::Source> {
        let history = self.history.clone();
        Some(Arc::new(move |report| {
            if let Some(trouble) = history.inner.status.trouble() {
                report.component("history", Status::Degraded, &trouble);
            }
        }))
    }

    fn routes(&self) -> Vec<Route> {
        routes::routes(&self.history)
    }

    fn start(&mut self, context: &Context) -> Result<(), Error> {
        let inner = &self.history.inner;
        let mut settings = inner.settings.lock().clone();
        if settings.resolution < Duration::from_millis(1) {
            return Err(Error::setting("history: resolution: at least a millisecond"));
        }
        if settings.memory < LEAST_MEMORY {
            return Err(Error::setting("history: memory: at least 64 KiB"));
        }
        if inner.running.swap(true, Ordering::AcqRel) {
            return Err(Error::setting("history: another monitor feeds it"));
        }
        self.feeding = true;
        if context.interval() >= settings.resolution {
            // Every tick is kept at full resolution anyway.
            settings.recent = Duration::ZERO;
        }
        {
            let mut store = inner.store.lock();
            if store.timeline.now() == 0 {
                *store = settings.store();
            }
            if let Some(path) = settings.path {
                self.writer = Some(disk::start(inner, path, settings.flush, &mut store)?);
            }
        }
        self.own = Some(Own::new(context.registry(), settings.memory));
        Ok(())
    }

    fn before(&mut self, _: &Registry, _: Tick) {
        let Some(own) = &self.own else { return };
        let store = self.history.inner.store.lock();
        own.used.set(store.total() as f64);
        own.series.set(store.len() as f64);
        own.refused.set(store.refused() as f64);
        own.ahead.set(store.timeline.ahead() as f64 / 1e3);
        for (counter, samples) in own.evicted.iter().zip(store.counts.samples) {
            counter.absolute(samples);
        }
        let status = &self.history.inner.status;
        for (counter, count) in [
            (&own.flushes, &status.flushes),
            (&own.failures, &status.failures),
            (&own.damaged, &status.damaged),
        ] {
            counter.absolute(count.load(Ordering::Relaxed));
        }
    }

    fn after(&mut self, snapshot: &Snapshot, tick: Tick) {
        self.history.inner.store.lock().append(snapshot, tick);
    }

    fn stop(&mut self, limit: Duration) {
        if let Some(writer) = self.writer.take() {
            // Its last flush.
            writer.join(limit);
        }
        if std::mem::take(&mut self.feeding) {
            self.history.inner.running.store(false, Ordering::Release);
        }
    }
}

/// Less has no room for the open ends of a few dozen series.
const LEAST_MEMORY: usize = 64 << 10;
