//! The facade's one place, which one guard at a time may have.

use super::{Recorder, set_facade};
use crate::error::Error;
use crate::sync::{AtomicBool, Ordering};

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The right to install; dropping it lets the next one try.
#[derive(Debug)]
pub(crate) struct Seat(Recorder);

impl Seat {
    /// Reserves the place, before anything is started that would have to be stopped again.
    pub(crate) fn reserve(recorder: Recorder) -> Result<Self, Error> {
        if TAKEN.swap(true, Ordering::AcqRel) {
            return Err(Error::installed("a guard from an earlier installation is alive"));
        }
        Ok(Self(recorder))
    }

    /// Makes the recorder the facade's, unless it is already. The facade never lets go of one, so
    /// a program that stops and installs again finds its own.
    pub(crate) fn take(&self) -> Result<(), Error> {
        set_facade(&self.0, true)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}
