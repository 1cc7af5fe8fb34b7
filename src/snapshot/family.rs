//! One metric in a snapshot, and its series.

use std::borrow::Cow;
use std::sync::Arc;

use metrics::Unit;

use super::{Distribution, Value};
use crate::buckets::Buckets;
use crate::cells::Layout;
use crate::entry::{Descriptor, Entry, Kind, walk};
use crate::key;

/// A metric and all its series.
#[derive(Clone, Debug)]
pub struct Family {
    descriptor: Arc<Descriptor>,
    /// Sorted by labels; shared with the registry for as long as no series is added.
    entries: Arc<Vec<Entry>>,
    /// The rows of all series, one after the other.
    cells: Vec<u64>,
}

impl Family {
    pub(crate) fn new(
        descriptor: Arc<Descriptor>,
        entries: Arc<Vec<Entry>>,
        cells: Vec<u64>,
    ) -> Self {
        Self { descriptor, entries, cells }
    }

    /// The name, as the program gave it.
    pub fn name(&self) -> &str {
        &self.descriptor.name
    }

    /// What it measures.
    pub fn kind(&self) -> Kind {
        self.descriptor.kind()
    }

    /// The unit it was described with.
    pub fn unit(&self) -> Option<Unit> {
        self.descriptor.description.get().and_then(|description| description.unit)
    }

    /// The help text it was described with.
    pub fn help(&self) -> Option<&str> {
        self.descriptor.description.get().map(|description| &*description.help)
    }

    /// The buckets of a histogram or summary.
    pub fn buckets(&self) -> Option<&Buckets> {
        self.descriptor.buckets()
    }

    /// How many series it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never true of a family in a snapshot.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The series, sorted by labels.
    pub fn series(&self) -> impl ExactSizeIterator<Item = Series<'_>> {
        let rows = self.cells.chunks_exact(self.stride());
        walk(&self.entries).zip(rows).map(|(entry, cells)| Series {
            layout: self.descriptor.layout,
            entry,
            cells,
        })
    }

    /// The quantile `q` over all series of a histogram; `None` when nothing was recorded.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let buckets = self.descriptor.buckets()?;
        let mut counts = vec![0u64; buckets.len()];
        for row in self.cells.chunks_exact(self.stride()) {
            counts
                .iter_mut()
                .zip(&row[1..])
                .for_each(|(sum, count)| *sum = sum.wrapping_add(*count));
        }
        buckets.quantile(q, &counts)
    }

    pub(super) fn stride(&self) -> usize {
        self.descriptor.layout.stride()
    }

    pub(crate) fn layout(&self) -> &'static Layout {
        self.descriptor.layout
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn same_metric(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.descriptor, &other.descriptor)
    }

    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = (&Entry, &mut [u64])> {
        let stride = self.stride();
        self.entries.iter().zip(self.cells.chunks_exact_mut(stride))
    }

    pub(super) fn row(&self, index: usize) -> &[u64] {
        &self.cells[index * self.stride()..][..self.stride()]
    }
}

/// One series of a [`Family`].
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    layout: &'static Layout,
    pub(crate) entry: &'a Entry,
    pub(crate) cells: &'a [u64],
}

impl<'a> Series<'a> {
    /// The labels, sorted by name, as the program gave them; without global labels.
    pub fn labels(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        key::parse(self.entry.text_str())
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<Cow<'a, str>> {
        self.labels().find(|(label, _)| label == name).map(|(_, value)| value)
    }

    /// The value.
    pub fn value(&self) -> Value<'a> {
        match self.layout {
            Layout::Counter => Value::Counter(self.cells[0]),
            Layout::FloatCounter => Value::FloatCounter(f64::from_bits(self.cells[0])),
            Layout::Gauge => Value::Gauge(f64::from_bits(self.cells[0])),
            Layout::Histogram(buckets) => {
                Value::Distribution(Distribution::new(buckets, self.cells))
            }
        }
    }
}
