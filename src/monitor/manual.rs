//! Ticks by a clock for tests.

use super::Builder;
use crate::manual_clock::ManualClock;

impl Builder {
    /// The clock that ticks are timed by. Tick by hand then: see [`Builder::build`].
    pub fn clock(self, clock: ManualClock) -> Self {
        self.timed_by(clock.shared())
    }
}
