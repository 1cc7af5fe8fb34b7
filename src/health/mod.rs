//! Whether the program is well: its components, its resources, and what is unusual.
//!
//! A program names its components, by a check that is called or by a status it sets itself;
//! stages add resources, anomalies and recommendations through a [`Source`]. The worst of it all
//! is the overall status, which `/health` tells.

mod report;
mod status;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

pub use report::{Anomaly, Report, Resource};
pub use status::{Status, Verdict};

use crate::sync::Mutex;
use report::Thresholds;

/// Adds to a report what a stage knows. It is called on the thread that asks, so it must be quick
/// and take no lock that is held for long.
pub type Source = Arc<dyn Fn(&mut Report) + Send + Sync>;

/// How well a program is. Cloning it is cheap and gives the same one.
///
/// ```
/// use nissa::health::{Health, Status};
///
/// let health = Health::new();
/// health.set("cache", Status::Degraded, "cold");
/// assert_eq!(health.report().overall(), Status::Degraded);
/// health.remove("cache");
/// assert_eq!(health.report().overall(), Status::Healthy);
/// ```
#[derive(Clone, Default)]
pub struct Health {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    set: BTreeMap<String, Verdict>,
    sources: Vec<Source>,
    thresholds: Thresholds,
}

/// The health of this program, which [`builder`](crate::monitor) uses unless it is given another.
pub fn health() -> &'static Health {
    static HEALTH: OnceLock<Health> = OnceLock::new();
    HEALTH.get_or_init(Health::new)
}

impl Health {
    /// Without components; apart from the program's own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how well a component is, until it says otherwise or is [removed](Self::remove).
    pub fn set(&self, component: &str, status: Status, details: &str) {
        let verdict = Verdict::from(status).with_details(details.to_owned());
        self.inner.state.lock().set.insert(component.to_owned(), verdict);
    }

    /// Forgets a component.
    pub fn remove(&self, component: &str) {
        self.inner.state.lock().set.remove(component);
    }

    /// From which used share on a resource is degraded (0.9).
    pub fn threshold(&self, resource: &str, share: f64) {
        self.inner.state.lock().thresholds.degraded.insert(resource.to_owned(), share);
    }

    /// Adds to every report from now on.
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

    /// What answers over HTTP.
    pub fn routes(&self) -> Vec<crate::route::Route> {
        Vec::new()
    }

    /// How well the program is now.
    pub fn report(&self) -> Report {
        let (mut report, sources) = {
            let state = self.inner.state.lock();
            let thresholds = state.thresholds.clone();
            let report = Report { thresholds, components: state.set.clone(), ..Report::default() };
            (report, state.sources.clone())
        };
        // Not under the lock: a source may set a component.
        for source in sources {
            if catch_unwind(AssertUnwindSafe(|| source(&mut report))).is_err() {
                report.refused += 1;
            }
        }
        report
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}
