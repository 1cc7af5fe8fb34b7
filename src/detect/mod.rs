//! Detectors: numbers and times in, scores out.
//!
//! A [`Detector`] learns one series, sample by sample, and says how unusual each sample is. It
//! does not decide: thresholds, holding and cooling down belong to the rule or the watch around
//! it. It keeps no clock and draws no random number that is not seeded, so the same samples give
//! the same scores on every machine, and a state that was saved and restored goes on as if nothing
//! had happened.
//!
//! ```
//! use std::time::Duration;
//! use nissa::detect::{Detector, ZScore};
//!
//! let mut detector = ZScore::default();
//! for second in 0..100 {
//!     let value = 20.0 + (second % 3) as f64;
//!     let score = detector.observe(value, Duration::from_secs(second));
//!     assert!(score.value < 0.5);
//! }
//! let score = detector.observe(60.0, Duration::from_secs(100));
//! assert!(score.is_anomalous());
//! assert_eq!(score.reason.to_string(), "far from its mean");
//! ```
//!
//! What all detectors share:
//!
//! - Scores are 0 until [`WARM_UP`] samples were learned; [`Score::ready`] says so.
//! - A NaN or an infinity is never learned. It scores 1 with [`Reason::NotFinite`], from the first
//!   sample on.
//! - Magnitudes above 1e150 are taken for 1e150, so that squares stay finite.
//! - Nothing panics, whatever comes in, in whatever order.

mod cadence;
mod changepoint;
mod ensemble;
mod forecast;
mod forest;
mod once;
mod peaks;
mod profile;
mod relation;
mod robust;
mod score;
mod state;
mod variance;
mod window;
mod zscore;

use std::fmt;
use std::time::Duration;

pub use changepoint::Changepoint;
pub use ensemble::Ensemble;
pub use forecast::Forecast;
pub use forest::Forest;
pub use once::Once;
pub use peaks::Peaks;
pub(crate) use relation::MOST as MOST_IN_GROUP;
pub use robust::Robust;
pub use score::{Reason, Score, THRESHOLD, score_of_deviations};
pub use state::{State, Tape};
pub use zscore::ZScore;

use crate::error::Error;

/// Samples that a detector learns before it scores.
pub const WARM_UP: u32 = 50;

/// Learns one series and scores each sample of it.
///
/// Implementors carry their numbers over a [`Tape`]; [`save`](Detector::save) and
/// [`restore`](Detector::restore) follow from that.
pub trait Detector: fmt::Debug + Send {
    /// The name under which states are saved and scores are reported: `zscore`, `ensemble`, …
    fn name(&self) -> &'static str;

    /// Scores a sample, then learns it.
    ///
    /// `at` is the time since the Unix epoch where time of day matters; any steady origin will do
    /// elsewhere. A time at or before the last one is taken as "no time has passed".
    fn observe(&mut self, value: f64, at: Duration) -> Score;

    /// Takes note of the time of a sample that it is not to learn, where time matters to it: what
    /// it was not shown for long is no gap.
    fn skip(&mut self, at: Duration) {
        let _ = at;
    }

    /// How many series it judges together: one, unless it says otherwise.
    fn series(&self) -> usize {
        1
    }

    /// Scores a sample of each series of a group, in an order that stays the same, then learns
    /// them. A detector of one series looks at the first.
    fn observe_group(&mut self, values: &[f64], at: Duration) -> Score {
        self.observe(values.first().copied().unwrap_or(f64::NAN), at)
    }

    /// Reads or writes every number that the next scores depend on, always in the same order.
    fn carry(&mut self, tape: &mut Tape);

    /// Another one with the same settings and the same state.
    fn boxed_clone(&self) -> Box<dyn Detector>;

    /// Bytes held, those on the heap included.
    fn state_bytes(&self) -> usize;

    /// All that was learned. Costs a copy of the detector.
    fn save(&self) -> State {
        let mut copy = self.boxed_clone();
        let mut tape = Tape::writing();
        copy.carry(&mut tape);
        tape.into_state(self.name())
    }

    /// Goes on from what another detector of the same kind and settings had learned.
    ///
    /// # Errors
    ///
    /// If the state is of another detector, of settings that need more or fewer numbers, or of
    /// another version of this crate's format ([`Error::is_state`]). The detector is left as it
    /// was.
    fn restore(&mut self, state: &State) -> Result<(), Error> {
        let mut trial = self.boxed_clone();
        let mut tape = Tape::reading(state, self.name())?;
        trial.carry(&mut tape);
        tape.finish()?;
        self.carry(&mut Tape::reading(state, self.name())?);
        Ok(())
    }
}

/// What squares without overflow.
const LARGEST: f64 = 1e150;

/// A sample that can be calculated with, or `None` if it is not a number.
#[inline]
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then(|| value.clamp(-LARGEST, LARGEST))
}
