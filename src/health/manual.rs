//! Health by a clock for tests.

use super::Health;
use crate::manual_clock::ManualClock;

impl Health {
    /// Without components, and timed by this clock: results age and checks time out by it.
    pub fn with_clock(clock: ManualClock) -> Self {
        Self::timed_by(clock.shared())
    }
}
