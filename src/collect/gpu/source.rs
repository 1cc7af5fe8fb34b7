//! What reads one GPU, and what a reading holds.
//!
//! A source runs in a thread of its own, which a driver may hold for ever. So it only fills in
//! readings; the metrics are set by whoever gets them, and are taken back by the same one if none
//! come.

use std::fmt;
use std::sync::Arc;

use super::metric::{Metric, Seen};
use crate::sync::{AtomicUsize, Ordering};

/// Reads one GPU.
pub(super) trait Source: Send {
    /// What its readings are of, in their order.
    fn metrics(&self) -> Vec<&'static Metric>;

    /// Reads everything once; what changes rarely only if `slow` is asked for. `at` is told each
    /// step before it is taken.
    fn read(&mut self, slow: bool, at: &Progress, into: &mut Readings);
}

/// A GPU that was found, and how it is told from others.
pub(super) struct Found {
    pub(super) identity: Identity,
    pub(super) source: Box<dyn Source>,
}

/// What a GPU is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Identity {
    /// Its number, or the name of its card.
    pub(super) gpu: String,
    /// What it keeps when numbers change.
    pub(super) uuid: String,
    pub(super) vendor: &'static str,
    pub(super) name: String,
    pub(super) driver: String,
    pub(super) pci_bus_id: String,
}

/// One reading of a GPU. Used again and again, so that a tick allocates nothing for it.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// In the order of the source's metrics.
    pub(super) values: Vec<Seen>,
    /// What failed, and how.
    pub(super) faults: Vec<(&'static str, String)>,
    /// Critical errors since the last reading.
    pub(super) xids: Vec<u64>,
    /// Processes and their memory, when they were asked for.
    pub(super) processes: Option<Vec<(u32, u64)>>,
    /// The parts of a divided GPU, when they were asked for.
    pub(super) parts: Option<Vec<Part>>,
    /// Whether the GPU has gone.
    pub(super) lost: bool,
    /// Whether anything answered.
    pub(super) answered: bool,
}

/// A MIG device.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) index: u32,
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) used: Option<u64>,
    pub(super) free: Option<u64>,
    pub(super) total: Option<u64>,
}

impl Readings {
    /// Empties it for a source of that many metrics.
    pub(super) fn begin(&mut self, metrics: usize) {
        self.values.clear();
        self.values.resize(metrics, Seen::Same);
        self.faults.clear();
        self.xids.clear();
        self.processes = None;
        self.parts = None;
        self.lost = false;
        self.answered = false;
    }

    pub(super) fn set(&mut self, index: usize, seen: impl Into<Seen>) {
        if let Some(value) = self.values.get_mut(index) {
            *value = seen.into();
        }
    }

    pub(super) fn fault(&mut self, call: &'static str, error: impl fmt::Display) {
        self.faults.push((call, error.to_string()));
    }
}

/// Which step a source is at, for whoever has to say what it got stuck in.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<AtomicUsize>);

impl Progress {
    pub(super) fn step(&self, step: usize) {
        self.0.store(step, Ordering::Relaxed);
    }

    pub(super) fn at(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
