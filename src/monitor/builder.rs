//! What is monitored, by which stages, how often.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::wellness::Wellness;
use super::{Context, Guard, Monitor, Stage};
use crate::clock::{SharedClock, SystemClock};
use crate::error::Error;
use crate::health::{self, Health};
use crate::recorder::{Recorder, Seat};
use crate::registry::{Registry, RegistryBuilder};
use crate::sync::Mutex;

/// Settings of the monitor, from [`builder`]. Features add methods: `serve`, `collect`, `alert`.
#[must_use = "a builder does nothing until it installs or starts"]
pub struct Builder {
    settings: Option<RegistryBuilder>,
    registry: Option<Registry>,
    stages: Vec<Box<dyn Stage>>,
    health: Option<Health>,
    clock: SharedClock,
    interval: Duration,
    shutdown_timeout: Duration,
}

/// Starts to describe what works beside the program.
///
/// ```
/// let guard = nissa::builder().configure(|registry| registry.global_label("job", "train")).install()?;
/// metrics::counter!("steps_total").increment(1); // the facade's macros arrive too
/// let text = nissa::expose::text(&guard.registry().snapshot());
/// assert!(text.contains("steps_total{job=\"train\"} 1\n"));
/// # Ok::<(), nissa::Error>(())
/// ```
pub fn builder() -> Builder {
    Builder {
        settings: None,
        registry: None,
        stages: Vec::new(),
        health: None,
        clock: SharedClock(Arc::new(SystemClock::new())),
        interval: Duration::from_secs(1),
        shutdown_timeout: Duration::from_secs(5),
    }
}

impl Builder {
    /// Monitors this registry, not the global one. For tests, and programs with several.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Changes settings of the global registry: labels, limits, filters, buckets.
    pub fn configure(mut self, change: impl FnOnce(RegistryBuilder) -> RegistryBuilder) -> Self {
        self.settings = Some(change(self.settings.unwrap_or_default()));
        self
    }

    /// The time from tick to tick (1 s). A tick that comes late is followed by the next one on
    /// time: they never pile up.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long stopping may take in all (5 s). What a stage has not sent by then is lost, and a
    /// thread that still hangs is left to itself and counted.
    pub fn shutdown_timeout(mut self, limit: Duration) -> Self {
        self.shutdown_timeout = limit;
        self
    }

    /// Adds a stage.
    pub fn stage(mut self, stage: impl Stage + 'static) -> Self {
        self.stages.push(Box::new(stage));
        self
    }

    /// Changes the one stage of this type, which is added if it is not there yet.
    #[allow(dead_code, reason = "of stages that a feature brings")]
    pub(crate) fn change_stage<S: Stage + Default + 'static>(
        mut self,
        change: impl FnOnce(&mut S),
    ) -> Self {
        let mut stages = self.stages.iter_mut();
        match stages.find_map(|stage| stage.as_any()?.downcast_mut::<S>()) {
            Some(stage) => change(stage),
            None => {
                let mut stage = S::default();
                change(&mut stage);
                self.stages.push(Box::new(stage));
            }
        }
        self
    }

    /// Whether a stage of this name was added.
    #[allow(dead_code, reason = "feature `dashboard` is who asks")]
    pub(crate) fn has_stage(&self, name: &str) -> bool {
        self.stages.iter().any(|stage| stage.name() == name)
    }

    /// Answers health by these components, not by those of [`nissa::health`](crate::health()).
    pub fn health(mut self, health: Health) -> Self {
        self.health = Some(health);
        self
    }

    /// What ticks are timed by.
    #[allow(dead_code, reason = "feature `test-util` is who calls it")]
    pub(crate) fn timed_by(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the registry the recorder of the `metrics` facade, and starts everything.
    ///
    /// Call it first thing in `main`, inside or outside an async runtime, and keep the guard for
    /// as long as the program runs.
    ///
    /// # Errors
    ///
    /// The facade has another recorder, or a guard from an earlier call is still alive; a setting
    /// of the global registry comes too late, because a macro was used before; a setting makes no
    /// sense; a stage cannot start, say because its port is in use. Nothing is left running.
    pub fn install(self) -> Result<Guard, Error> {
        let own = self.registry.as_ref().map(Recorder::new);
        let seat = Seat::reserve(own.unwrap_or_else(Recorder::current))?;
        self.start_with(Some(seat))
    }

    /// Starts everything, and leaves the facade alone.
    ///
    /// # Errors
    ///
    /// As [`install`](Self::install), but for the facade.
    pub fn start(self) -> Result<Guard, Error> {
        self.start_with(None)
    }

    fn start_with(self, seat: Option<Seat>) -> Result<Guard, Error> {
        let (interval, limit) = (self.interval, self.shutdown_timeout);
        let monitor = self.build()?;
        seat.as_ref().map_or(Ok(()), Seat::take)?;
        Guard::new(monitor, seat, interval, limit)
    }

    /// Starts the stages without a thread to tick them: call [`Monitor::tick`] instead. For tests,
    /// and programs that have a clockwork of their own.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn build(mut self) -> Result<Monitor, Error> {
        if self.interval < Duration::from_millis(1) {
            return Err(Error::setting("interval: at least a millisecond"));
        }
        let registry = match (self.registry.take(), self.settings.take()) {
            (Some(_), Some(_)) => {
                return Err(Error::setting(
                    "configure: a registry of your own is configured by Registry::builder",
                ));
            }
            (Some(registry), None) => registry,
            (None, Some(settings)) => Registry::set_global(settings.into_config())?.clone(),
            (None, None) => Registry::global().clone(),
        };
        let health = self.health.take().unwrap_or_else(|| health::health().clone());
        let sources: Vec<_> = self.stages.iter().filter_map(|stage| stage.health()).collect();
        sources.iter().for_each(|source| health.add_source(Arc::clone(source)));
        let mut routes = health.routes();
        routes.extend(self.stages.iter().flat_map(|stage| stage.routes()));
        let context = Context {
            registry,
            routes: routes.into(),
            health,
            sources,
            interval: self.interval,
            clock: self.clock.clone(),
            shutdown_timeout: self.shutdown_timeout,
            addresses: Arc::new(Mutex::new(Vec::new())),
        };
        // Last, so that it sees what the others read in the same tick.
        self.stages.push(Box::new(Wellness::default()));
        Monitor::start(context, self.stages, self.clock)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages: Vec<&str> = self.stages.iter().map(|stage| stage.name()).collect();
        f.debug_struct("Builder").field("stages", &stages).finish_non_exhaustive()
    }
}
