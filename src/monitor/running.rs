//! Stages at work.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::{Context, Stage, Tick, Wants};
use crate::clock::{self, SharedClock};
use crate::error::Error;
use crate::notice::{self, Notice};
use crate::registry::Registry;
use crate::route::Route;
use crate::sync::{AtomicBool, Mutex, Ordering};

/// Started stages, ticked by hand. From [`Builder::build`](super::Builder::build). Dropping it
/// stops them; in a forked child it does nothing, for threads and ports are the parent's.
pub struct Monitor {
    context: Context,
    stages: Vec<Running>,
    clock: SharedClock,
    started: Duration,
    last: Mutex<Duration>,
    stopped: AtomicBool,
    process: u32,
}

/// Each stage has a lock, so that those that hang do not keep the others from being stopped.
struct Running {
    name: &'static str,
    wants: Wants,
    stage: Mutex<Box<dyn Stage>>,
}

impl Monitor {
    pub(super) fn start(
        context: Context,
        stages: Vec<Box<dyn Stage>>,
        clock: SharedClock,
    ) -> Result<Self, Error> {
        let started = clock.now();
        let mut monitor = Self {
            context,
            stages: Vec::new(),
            clock,
            started,
            last: Mutex::new(Duration::ZERO),
            stopped: AtomicBool::new(false),
            process: std::process::id(),
        };
        for mut stage in stages {
            let (name, wants) = (stage.name(), stage.wants());
            let outcome = guarded(name, || stage.start(&monitor.context));
            // A stage whose start failed is stopped too: it may have done half of it.
            monitor.stages.push(Running { name, wants, stage: Mutex::new(stage) });
            let failed = match outcome {
                Some(Ok(())) => continue,
                Some(Err(error)) => error,
                None => Error::setting(format!("the stage {name} panicked as it started")),
            };
            return Err(failed);
        }
        Ok(monitor)
    }

    /// The most that any stage asks for.
    pub(super) fn wants(&self) -> Wants {
        self.stages.iter().map(|running| running.wants).max().unwrap_or_default()
    }

    /// Does what is due at one tick: `before` of all stages, one snapshot, `after` of all stages.
    pub fn tick(&self) {
        let tick = self.now();
        let registry = &self.context.registry;
        for running in self.asking(Wants::Ticks) {
            guarded(running.name, || running.stage.lock().before(registry, tick));
        }
        if self.wants() < Wants::Snapshots {
            return;
        }
        let snapshot = registry.snapshot();
        for running in self.asking(Wants::Snapshots) {
            guarded(running.name, || running.stage.lock().after(&snapshot, tick));
        }
    }

    fn asking(&self, wants: Wants) -> impl Iterator<Item = &Running> {
        self.stages.iter().filter(move |running| running.wants >= wants)
    }

    fn now(&self) -> Tick {
        let at = self.clock.now().saturating_sub(self.started);
        let before = std::mem::replace(&mut *self.last.lock(), at);
        let after_gap = at.saturating_sub(before) > self.context.interval.saturating_mul(2);
        Tick { at, unix: self.clock.unix(), after_gap }
    }

    /// The registry that is monitored.
    pub fn registry(&self) -> &Registry {
        &self.context.registry
    }

    /// What the stages answer over HTTP, for who has a server of their own, and for tests.
    pub fn routes(&self) -> &[Route] {
        self.context.routes()
    }

    /// Where stages listen, in the order they were started.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.context.addresses.lock().clone()
    }

    /// Stops the stages, the last one first, in at most this time. One that a tick is stuck in is
    /// left to itself and counted; false then.
    pub(super) fn stop(&self, limit: Duration) -> bool {
        if self.process != std::process::id() || self.stopped.swap(true, Ordering::AcqRel) {
            return true;
        }
        let health = &self.context.health;
        self.context.sources.iter().for_each(|source| health.remove_source(source));
        let deadline = clock::after(limit);
        let mut all = true;
        for running in self.stages.iter().rev() {
            match running.stage.try_lock_until(deadline) {
                Some(mut stage) => {
                    let left = deadline.saturating_duration_since(clock::now());
                    guarded(running.name, || stage.stop(left));
                }
                None => {
                    all = false;
                    notice::process().count(Notice::ThreadDetached, running.name);
                }
            }
        }
        all
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stop(self.context.shutdown_timeout);
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages: Vec<&str> = self.stages.iter().map(|running| running.name).collect();
        f.debug_struct("Monitor").field("stages", &stages).finish_non_exhaustive()
    }
}

/// Runs a hook; `None` if it panicked.
fn guarded<R>(name: &str, hook: impl FnOnce() -> R) -> Option<R> {
    let outcome = catch_unwind(AssertUnwindSafe(hook)).ok();
    if outcome.is_none() {
        notice::process().count(Notice::StagePanicked, name);
    }
    outcome
}
