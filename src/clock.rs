//! The only place that reads time. Everything that waits or expires takes its time from a
//! [`Clock`], so that a test moves it by hand.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic clock: time since an arbitrary start.
pub(crate) trait Clock: Send + Sync {
    fn now(&self) -> Duration;

    /// The wall clock: time since the Unix epoch. It may jump either way.
    fn unix(&self) -> Duration;
}

/// The system's monotonic clock, which no change of the wall clock touches.
#[derive(Debug)]
pub(crate) struct SystemClock(Instant);

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self(now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        since(self.0)
    }

    fn unix(&self) -> Duration {
        unix()
    }
}

/// The time a timer starts from.
#[allow(clippy::disallowed_methods, reason = "this module is where time is read")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock: time since the Unix epoch, zero before it.
#[allow(clippy::disallowed_methods, reason = "this module is where time is read")]
pub(crate) fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The time since then.
pub(crate) fn since(start: Instant) -> Duration {
    now().duration_since(start)
}

/// The moment so much later, or one too far away to matter.
#[allow(dead_code, reason = "depends on the features which modules wait")]
pub(crate) fn after(time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let now = now();
    now.checked_add(time).unwrap_or_else(|| now.checked_add(FAR).unwrap_or(now))
}

/// A clock that can be shared and printed.
#[derive(Clone)]
pub(crate) struct SharedClock(pub(crate) Arc<dyn Clock>);

impl SharedClock {
    pub(crate) fn now(&self) -> Duration {
        self.0.now()
    }

    pub(crate) fn unix(&self) -> Duration {
        self.0.unix()
    }
}

impl fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
