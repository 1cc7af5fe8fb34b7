//! Whether the program is well: its components, its resources, and what is unusual.
//!
//! A program names its components, by a check that is asked or by a status it sets itself; stages
//! add resources, anomalies and recommendations through a [`Source`]. The worst of it all is the
//! overall status. `/health` tells it, `/ready` and `/live` are for who routes requests and who
//! restarts programs, and the monitor keeps `nissa_health_status{component,status}` up to date,
//! with the components `overall`, `ready` and `live` beside the program's own.

mod check;
mod json;
#[cfg(any(test, feature = "test-util"))]
mod manual;
mod publish;
mod report;
mod routes;
mod runs;
mod state;
mod status;

use std::fmt;
use std::sync::{Arc, OnceLock};

pub use check::Check;
pub use report::{Anomaly, Report, Resource};
pub use status::{Status, Verdict};

pub(crate) use publish::Publisher;

use crate::clock::{SharedClock, SystemClock};
use crate::notice;
use crate::sync::{Condvar, Mutex};
use state::State;

/// Adds to a report what a stage knows. It is called on the thread that asks and at every tick of
/// the monitor, so it must be quick and wait for nothing.
pub type Source = Arc<dyn Fn(&mut Report) + Send + Sync>;

/// How well a program is. Cloning it is cheap and gives the same one.
///
/// ```
/// use nissa::health::{Health, Status};
///
/// let health = Health::new();
/// health.component("database", || Err::<(), _>("connection refused"));
/// health.set("cache", Status::Degraded, "cold");
///
/// let report = health.report();
/// assert_eq!(report.overall(), Status::Critical);
/// assert_eq!(report.find("database").unwrap().details(), "connection refused");
/// ```
#[derive(Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    /// A run of a check has ended.
    ended: Condvar,
    clock: SharedClock,
}

/// The health of this program, which [`builder`](crate::builder) uses unless it is given another.
///
/// ```
/// use nissa::health::Status;
///
/// nissa::health().set("queue", Status::Healthy, "12 waiting");
/// assert_eq!(nissa::health().report().find("queue").unwrap().status(), Status::Healthy);
/// ```
pub fn health() -> &'static Health {
    static HEALTH: OnceLock<Health> = OnceLock::new();
    HEALTH.get_or_init(Health::new)
}

impl Health {
    /// Without components; apart from the program's own.
    pub fn new() -> Self {
        Self::timed_by(SharedClock(Arc::new(SystemClock::new())))
    }

    fn timed_by(clock: SharedClock) -> Self {
        let state = Mutex::new(State::new(clock.now()));
        Self { inner: Arc::new(Inner { state, ended: Condvar::new(), clock }) }
    }

    /// Asks this component how well it is, every five seconds and for at most one; see [`Check`],
    /// which can change that. Takes the place of a component of this name.
    pub fn component<V: Into<Verdict>>(
        &self,
        name: impl Into<String>,
        ask: impl Fn() -> V + Send + Sync + 'static,
    ) {
        self.check(Check::new(name, ask));
    }

    /// [`component`](Self::component) with settings.
    ///
    /// A check runs on a thread of its own. One that takes longer than its limit is critical,
    /// `check timed out`, and is not started again until it ends; one that panics is critical,
    /// `check panicked`. Beyond 64 checks, the rest are refused and counted.
    pub fn check(&self, check: Check) {
        // Outside the lock, since dropping it runs the program's code.
        let replaced = self.inner.change(|state| state.add_check(check));
        drop(replaced);
    }

    /// Says how well a component is, until it says otherwise or is [removed](Self::remove). Takes
    /// the place of a component of this name. Beyond 256 components, the rest are refused and
    /// counted.
    pub fn set(&self, component: &str, status: Status, details: &str) {
        let replaced = self.inner.change(|state| state.set(component, status, details));
        drop(replaced);
    }

    /// Forgets a component.
    ///
    /// ```
    /// use nissa::health::{Health, Status};
    ///
    /// let health = Health::new();
    /// health.set("cache", Status::Degraded, "cold");
    /// health.remove("cache");
    /// assert_eq!(health.report().overall(), Status::Healthy);
    /// ```
    pub fn remove(&self, component: &str) {
        let removed = self.inner.state.lock().remove(component);
        drop(removed);
    }

    /// From which used share on any resource is degraded (0.9). A share that is not finite changes
    /// nothing.
    pub fn default_threshold(&self, share: f64) {
        self.inner.state.lock().thresholds.set_usual(share);
    }

    /// From which used share on this resource is degraded.
    ///
    /// ```
    /// use nissa::health::{Health, Status};
    ///
    /// let health = Health::new();
    /// health.threshold("disk", 0.8);
    /// health.critical_threshold("disk", 0.99);
    /// health.source(|report| report.resource("disk", 0.85));
    /// assert_eq!(health.report().overall(), Status::Degraded);
    /// ```
    pub fn threshold(&self, resource: &str, share: f64) {
        self.inner.state.lock().thresholds.set_degraded(resource, share);
    }

    /// From which used share on this resource is critical, so that probes answer 503 (never).
    pub fn critical_threshold(&self, resource: &str, share: f64) {
        self.inner.state.lock().thresholds.set_critical(resource, share);
    }

    /// The version that `/health` tells (this crate's).
    pub fn version(&self, version: impl Into<String>) {
        self.inner.state.lock().version = version.into();
    }

    /// Says whether the program is ready for requests (yes). It counts as ready only while nothing
    /// is critical and every check has been run once.
    ///
    /// ```
    /// let health = nissa::health::Health::new();
    /// health.ready(false); // the model is still loading
    /// assert!(!health.report().is_ready());
    /// health.ready(true);
    /// assert!(health.report().is_ready());
    /// ```
    pub fn ready(&self, ready: bool) {
        self.inner.state.lock().ready = ready;
    }

    /// Says whether the program works at all (yes). `/live` is 503 if it does not, and whoever runs
    /// the program will restart it.
    pub fn live(&self, live: bool) {
        self.inner.state.lock().live = live;
    }

    /// What [`live`](Self::live) was told last.
    pub fn is_live(&self) -> bool {
        self.inner.state.lock().live
    }

    /// Adds to every report from now on. A source that panics is left out, counted and logged once.
    pub fn source(&self, source: impl Fn(&mut Report) + Send + Sync + 'static) {
        self.add_source(Arc::new(source));
    }

    /// [`source`](Self::source) for what a stage gave.
    pub fn add_source(&self, source: Source) {
        self.inner.state.lock().sources.push(source);
    }

    /// Takes a source away again, as its stage stops.
    pub fn remove_source(&self, source: &Source) {
        self.inner.state.lock().sources.retain(|known| !Arc::ptr_eq(known, source));
    }
}

impl Inner {
    /// Changes what is known, and tells what was remarkable about it when the lock is free.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let notices = std::mem::take(&mut state.notices);
        drop(state);
        notices.iter().for_each(|(notice, name)| notice::process().count(*notice, name));
        result
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}
