//! One metric in a snapshot, and its series.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use metrics::Unit;

use super::{Distribution, Exemplar, Value};
use crate::buckets::Buckets;
use crate::cells::{Kept, Layout};
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
    rare: Rare,
    /// What the wall clock showed when the registry's clock was at zero.
    epoch: Duration,
}

/// What few series have, by index, lowest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rare {
    /// Those that may have begun before they were made.
    pub(crate) raised: Vec<usize>,
    pub(crate) exemplars: Vec<(usize, Vec<Kept>)>,
}

impl Family {
    pub(crate) fn new(
        descriptor: Arc<Descriptor>,
        entries: Arc<Vec<Entry>>,
        cells: Vec<u64>,
        rare: Rare,
        epoch: Duration,
    ) -> Self {
        Self { descriptor, entries, cells, rare, epoch }
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
        walk(&self.entries).zip(rows).enumerate().map(|(index, (entry, cells))| Series {
            family: self,
            index,
            entry,
            cells,
        })
    }

    /// Whether any series has an exemplar.
    pub(crate) fn has_exemplars(&self) -> bool {
        !self.rare.exemplars.is_empty()
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

    pub(crate) fn stride(&self) -> usize {
        self.descriptor.layout.stride()
    }

    pub(crate) fn layout(&self) -> &'static Layout {
        self.descriptor.layout
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The series, shared: while a weak pointer to them is the same, so are they.
    #[allow(dead_code, reason = "of the history, which a feature brings")]
    pub(crate) fn shared_entries(&self) -> &Arc<Vec<Entry>> {
        &self.entries
    }

    /// The rows of all series.
    #[allow(dead_code, reason = "of the history, which a feature brings")]
    pub(crate) fn cells(&self) -> &[u64] {
        &self.cells
    }

    pub(super) fn same_metric(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.descriptor, &other.descriptor)
    }

    pub(super) fn same_series(&self, other: &Self) -> bool {
        self.same_metric(other) && Arc::ptr_eq(&self.entries, &other.entries)
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
    family: &'a Family,
    index: usize,
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
        match self.family.descriptor.layout {
            Layout::Counter => Value::Counter(self.cells[0]),
            Layout::FloatCounter => Value::FloatCounter(f64::from_bits(self.cells[0])),
            Layout::Gauge => Value::Gauge(f64::from_bits(self.cells[0])),
            Layout::Histogram(buckets) => {
                Value::Distribution(Distribution::new(buckets, self.cells))
            }
        }
    }

    /// The exemplars of a counter or of a histogram's buckets, the lowest bucket first.
    pub fn exemplars(&self) -> impl ExactSizeIterator<Item = Exemplar<'a>> + use<'a> {
        let all = &self.family.rare.exemplars;
        let kept = match all.binary_search_by_key(&self.index, |(index, _)| *index) {
            Ok(at) => &*all[at].1,
            Err(_) => &[],
        };
        kept.iter().map(Exemplar)
    }

    /// When it began to count, since 1970 (UTC): when it was registered, or up to a sixteenth of a
    /// second earlier. `None` of a gauge, and of a counter that shows what something else counts
    /// ([`Observed`](crate::Observed), or raised by `absolute`), since that began elsewhere.
    ///
    /// A thread that finds no room for pages of its own raises counters in the same way, so theirs
    /// is lost too.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// registry.counter("jobs_total", &[]).increment(1);
    /// registry.counter("page_faults_total", &[]).absolute(1_234);
    /// let snapshot = registry.snapshot();
    /// let start = |name| snapshot.family(name).unwrap().series().next().unwrap().start();
    /// assert!(start("jobs_total").is_some());
    /// assert_eq!(start("page_faults_total"), None);
    /// ```
    pub fn start(&self) -> Option<Duration> {
        self.born().map(|_| self.family.epoch + self.entry.born())
    }

    /// The same as a number that is equal for equal starts of a family.
    #[inline]
    pub(crate) fn born(&self) -> Option<u32> {
        if self.family.kind() == Kind::Gauge
            || self.entry.is_observed()
            || self.family.rare.raised.binary_search(&self.index).is_ok()
        {
            return None;
        }
        Some(self.entry.born_raw())
    }
}
