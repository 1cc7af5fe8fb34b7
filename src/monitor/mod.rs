//! The clockwork: a builder, the stages it is given, and a guard that stops them.
//!
//! A stage is a part that works beside the program: it collects, serves, watches or sends. The
//! monitor ticks those that want it, once per interval, with one snapshot for all; it knows none
//! of them by name. What a stage cannot do within a tick it does in a thread of its own.
//!
//! ```
//! use nissa::Registry;
//! use nissa::monitor::{Stage, Tick, Wants};
//!
//! /// Shows how long the program has been watched.
//! struct Uptime;
//!
//! impl Stage for Uptime {
//!     fn name(&self) -> &'static str {
//!         "uptime"
//!     }
//!
//!     fn wants(&self) -> Wants {
//!         Wants::Ticks
//!     }
//!
//!     fn before(&mut self, registry: &Registry, tick: Tick) {
//!         registry.gauge("watched_seconds", &[]).set(tick.at.as_secs_f64());
//!     }
//! }
//!
//! let registry = Registry::new();
//! let guard = nissa::builder().registry(registry.clone()).stage(Uptime).start()?;
//! drop(guard); // a last tick
//! assert!(registry.snapshot().value("watched_seconds").is_some());
//! # Ok::<(), nissa::Error>(())
//! ```

mod builder;
mod guard;
#[cfg(any(test, feature = "test-util"))]
mod manual;
mod running;
mod wellness;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use builder::{Builder, builder};
pub use guard::Guard;
pub use running::Monitor;

use crate::clock::SharedClock;
use crate::error::Error;
use crate::health::{self, Health};
use crate::registry::Registry;
use crate::route::Route;
use crate::snapshot::Snapshot;
use crate::sync::Mutex;

/// A part that works beside the program. Every hook has an empty default.
///
/// `routes`, `health` and `start` are called once, on the thread that installs, in the order the
/// stages were added; the ticks come from the monitor's thread; `stop` comes last, in the reverse
/// order. A panic in a hook is caught, counted in `nissa_failures_total` and logged once.
pub trait Stage: Send {
    /// What the log calls it.
    fn name(&self) -> &'static str;

    /// What it asks of a tick. Asked once.
    fn wants(&self) -> Wants {
        Wants::Nothing
    }

    /// What it answers over HTTP, if something serves. Asked before any stage starts.
    fn routes(&self) -> Vec<Route> {
        Vec::new()
    }

    /// What it adds to `/health`.
    fn health(&self) -> Option<health::Source> {
        None
    }

    /// Opens ports and starts threads.
    ///
    /// # Errors
    ///
    /// What keeps it from working. Stages that were started before it are stopped again, and
    /// whoever installs gets the error.
    fn start(&mut self, context: &Context) -> Result<(), Error> {
        let _ = context;
        Ok(())
    }

    /// Before the tick's snapshot is taken, so what is set here is in it.
    fn before(&mut self, registry: &Registry, tick: Tick) {
        let _ = (registry, tick);
    }

    /// With the tick's snapshot, which all stages share.
    fn after(&mut self, snapshot: &Snapshot, tick: Tick) {
        let _ = (snapshot, tick);
    }

    /// Closes, flushes and joins, in at most this time.
    fn stop(&mut self, limit: Duration) {
        let _ = limit;
    }

    /// For stages that several methods of the builder add to: themselves.
    #[doc(hidden)]
    fn as_any(&mut self) -> Option<&mut dyn std::any::Any> {
        None
    }
}

/// What a stage asks of a tick. Nothing is done that nobody asks for: if no stage wants snapshots,
/// none is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wants {
    /// No ticks: it has threads of its own, or none.
    #[default]
    Nothing,
    /// [`Stage::before`] at each tick.
    Ticks,
    /// [`Stage::before`] and [`Stage::after`] at each tick.
    Snapshots,
}

/// One tick of the monitor's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tick {
    /// Time since the monitor started, by a clock that never jumps. Rates go by this.
    pub at: Duration,
    /// The wall clock: time since the Unix epoch. It may jump, either way.
    pub unix: Duration,
    /// Whether more than two intervals passed since the tick before: the process or its machine
    /// was stopped, and what happened meanwhile is one gap, not many ticks.
    pub after_gap: bool,
}

/// What a stage is given when it starts.
#[derive(Clone)]
pub struct Context {
    registry: Registry,
    routes: Arc<[Route]>,
    health: Health,
    /// What the stages added to it, until they stop.
    sources: Vec<health::Source>,
    interval: Duration,
    clock: SharedClock,
    shutdown_timeout: Duration,
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Context {
    /// The registry that is monitored.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What all stages answer over HTTP, and health's own routes.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Whether the program is well.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The time from tick to tick.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// What tells the time of ticks.
    #[allow(dead_code, reason = "depends on the features which stages ask between ticks")]
    pub(crate) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// How long all stages together may take to stop.
    pub fn shutdown_timeout(&self) -> Duration {
        self.shutdown_timeout
    }

    /// Tells the program, through [`Guard::addresses`], that the stage listens there.
    pub fn listens(&self, address: SocketAddr) {
        self.addresses.lock().push(address);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("routes", &self.routes).finish_non_exhaustive()
    }
}
