//! One metric: what it is, and which of the kept series are its.

use std::sync::{Arc, Weak};

use super::histogram::Histogram;
use super::scalar::{Measure, Scalar};
use super::series::Open;
use super::staged::Staged;
use crate::buckets::Buckets;
use crate::cells::Layout;
use crate::entry::{Entry, Kind};
use crate::snapshot;

/// Stands for a series that is not kept.
pub(super) const NONE: u32 = u32::MAX;

/// What a metric measures.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Scalar(Measure),
    Histogram(Arc<Buckets>),
}

impl Shape {
    pub(super) fn of(family: &snapshot::Family) -> Self {
        match family.layout() {
            Layout::Counter => Self::Scalar(Measure::Counter),
            Layout::FloatCounter => Self::Scalar(Measure::FloatCounter),
            Layout::Gauge => Self::Scalar(Measure::Gauge),
            Layout::Histogram(buckets) => Self::Histogram(Arc::new(buckets.clone())),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Scalar(Measure::Gauge) => Kind::Gauge,
            Self::Scalar(_) => Kind::Counter,
            Self::Histogram(buckets) if buckets.quantiles().is_some() => Kind::Summary,
            Self::Histogram(_) => Kind::Histogram,
        }
    }

    /// Whether it makes sense to ask how much it grew.
    pub(super) fn grows(&self) -> bool {
        *self != Self::Scalar(Measure::Gauge)
    }

    /// The cells of a row that are kept: not whether a gauge was used.
    pub(super) fn cells<'c>(&self, row: &'c [u64]) -> &'c [u64] {
        match self {
            Self::Scalar(_) => row.get(..1).unwrap_or_default(),
            Self::Histogram(_) => row,
        }
    }

    pub(super) fn open(&self) -> Open {
        match self {
            Self::Scalar(measure) => {
                Open::Scalar(Staged::default(), Box::new(Scalar::new(*measure)))
            }
            Self::Histogram(buckets) => {
                Open::Histogram(Box::new(Histogram::new(buckets.len() + 1)))
            }
        }
    }

    /// Whether it has this part.
    pub(super) fn has(&self, part: Part) -> bool {
        part == Part::Whole || matches!(self, Self::Histogram(_))
    }

    /// Memory that a series may come to need for what is open, about.
    pub(super) fn reserve(&self) -> usize {
        const SCALAR: usize = 2048;
        match self {
            Self::Scalar(_) => SCALAR,
            Self::Histogram(buckets) => SCALAR + 4 * 8 * buckets.len(),
        }
    }
}

/// What is asked of a series. A histogram's count and sum can be asked for by the names that
/// Prometheus knows them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Count,
    Sum,
}

impl Part {
    /// The metric whose part has this name.
    pub(super) fn of(name: &str) -> Option<(&str, Self)> {
        let part = |suffix, part| name.strip_suffix(suffix).map(|name| (name, part));
        part("_count", Self::Count).or_else(|| part("_sum", Self::Sum))
    }

    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Count => "_count",
            Self::Sum => "_sum",
        }
    }
}

#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: Box<str>,
    pub(super) shape: Shape,
    pub(super) unit: Option<metrics::Unit>,
    pub(super) help: Option<Box<str>>,
    /// The series of the last snapshot. A weak pointer keeps no series alive, and no other list
    /// can come to lie at its address.
    seen: Weak<Vec<Entry>>,
    /// For each of them its number in the store, or [`NONE`].
    pub(super) current: Vec<u32>,
    /// Every series kept of this metric, sorted by labels.
    pub(super) sorted: Vec<u32>,
    /// How many found no room.
    pub(super) refused: usize,
}

impl Family {
    pub(super) fn new(name: &str, shape: Shape) -> Self {
        Self {
            name: name.into(),
            shape,
            unit: None,
            help: None,
            seen: Weak::new(),
            current: Vec::new(),
            sorted: Vec::new(),
            refused: 0,
        }
    }

    /// Whether the snapshot's series are those of the last one.
    pub(super) fn knows(&self, family: &snapshot::Family) -> bool {
        std::ptr::eq(self.seen.as_ptr(), Arc::as_ptr(family.shared_entries()))
    }

    /// Whether the metric is still what it was.
    pub(super) fn fits(&self, family: &snapshot::Family) -> bool {
        match (&self.shape, family.layout()) {
            (Shape::Scalar(Measure::Counter), Layout::Counter)
            | (Shape::Scalar(Measure::FloatCounter), Layout::FloatCounter)
            | (Shape::Scalar(Measure::Gauge), Layout::Gauge) => true,
            (Shape::Histogram(ours), Layout::Histogram(theirs)) => {
                ours.len() == theirs.len() && ours.bounds() == theirs.bounds()
            }
            _ => false,
        }
    }

    pub(super) fn remember(&mut self, family: &snapshot::Family) {
        self.seen = Arc::downgrade(family.shared_entries());
        self.unit = family.unit();
        self.help = family.help().map(Into::into);
    }

    /// Looks its series up again at the next tick.
    pub(super) fn forget(&mut self) {
        self.seen = Weak::new();
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.help.as_ref().map_or(0, |help| help.len())
    }
}
