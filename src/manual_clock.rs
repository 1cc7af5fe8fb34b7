//! A clock for tests.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SharedClock};
use crate::registry::RegistryBuilder;
use crate::sync::Mutex;

/// A clock that moves only when told to; hand it to
/// [`RegistryBuilder::clock`](crate::RegistryBuilder::clock).
///
/// ```
/// use std::time::Duration;
/// use nissa::{ManualClock, Registry};
///
/// let clock = ManualClock::new();
/// let registry = Registry::builder()
///     .idle_timeout(Duration::from_secs(60))
///     .clock(clock.clone())
///     .build();
/// registry.gauge("queue_depth", &[]).set(3);
/// assert!(registry.snapshot().family("queue_depth").is_some());
///
/// clock.advance(Duration::from_secs(61));
/// assert!(registry.snapshot().family("queue_depth").is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<Mutex<Times>>);

#[derive(Debug, Default)]
struct Times {
    now: Duration,
    unix: Duration,
}

impl ManualClock {
    /// A clock at zero, and at the Unix epoch. Clones show the same time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        let mut times = self.0.lock();
        times.now = times.now.saturating_add(by);
        times.unix = times.unix.saturating_add(by);
    }

    pub(crate) fn shared(self) -> SharedClock {
        SharedClock(Arc::new(self))
    }

    /// Sets the wall clock alone, forwards or back, as an administrator or NTP would.
    pub fn set_unix(&self, unix: Duration) {
        self.0.lock().unix = unix;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.0.lock().now
    }

    fn unix(&self) -> Duration {
        self.0.lock().unix
    }
}

impl RegistryBuilder {
    /// The clock that idle time is measured by, and when series began.
    pub fn clock(self, clock: ManualClock) -> Self {
        self.measured_by(clock.shared())
    }
}
