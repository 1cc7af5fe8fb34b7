//! Handles: what a program holds to record with.
//!
//! A handle is a cell number and, where the series could otherwise go away, a pointer that keeps
//! it. Recording reads the number and nothing else.

mod counter;
mod exemplar;
mod gauge;
mod histogram;
mod timer;

pub use counter::{Counter, FloatCounter};
pub use gauge::Gauge;
pub use histogram::Histogram;
pub use timer::{Timed, TimedFuture, Timer};

use crate::cells::CellId;
use crate::entry::Entry;

/// What every handle is made of.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    cell: CellId,
    /// `None` for a no-op, and for series that live as long as the process.
    keep: Option<Entry>,
}

impl Handle {
    pub(crate) const NOOP: Self = Self { cell: CellId::DISCARD, keep: None };

    /// A handle to a series that cannot go away.
    #[inline]
    pub(crate) fn immortal(cell: CellId) -> Self {
        Self { cell, keep: None }
    }

    pub(crate) fn cell(&self) -> CellId {
        self.cell
    }

    /// Whether the series has left the output, or its registry is gone.
    pub(crate) fn is_idle(&self) -> bool {
        self.keep.as_ref().is_some_and(Entry::is_dormant)
    }

    /// A handle to a series, which keeps it if it could otherwise go away.
    #[inline]
    pub(crate) fn to(entry: &Entry) -> Self {
        if entry.is_mortal() { Self::keeping(entry) } else { Self::immortal(entry.cell()) }
    }

    /// Apart from the usual case, whose code stays small enough to be inlined.
    #[inline(never)]
    fn keeping(entry: &Entry) -> Self {
        Self { cell: entry.cell(), keep: Some(entry.clone()) }
    }
}
