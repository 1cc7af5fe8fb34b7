//! What the macros expand to: call sites, and lookups for labels known only at run time.

use std::borrow::Cow;
use std::hash::Hasher;

use metrics::{Label, Unit};

use crate::buckets::Buckets;
use crate::cells;
use crate::entry::{Descriptor, Entry};
use crate::instrument::{Counter, Gauge, Handle, Histogram};
use crate::key;
use crate::registry::{self, ByName, GLOBAL_ID, Query, Registry, Shape, with_current};
use crate::sync::{AtomicU32, Ordering};

/// A call site whose name and labels are literals: remembers the series it found.
///
/// Only the global registry's series is remembered. A thread that has entered another registry
/// passes the memory by, which costs others nothing: both are one load and a branch.
#[derive(Debug)]
pub struct Site {
    /// The cell, or 0. Written with Release by whoever resolved it, read with Acquire, because a
    /// row that belonged to another series before was zeroed before it was handed out.
    cell: AtomicU32,
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
}

impl Site {
    /// A call site that has resolved nothing yet.
    pub const fn new(name: &'static str, labels: &'static [(&'static str, &'static str)]) -> Self {
        Self { cell: AtomicU32::new(0), name, labels }
    }

    /// The counter.
    #[inline]
    pub fn counter(&self) -> Counter {
        Counter(self.handle(Shape::Counter))
    }

    /// The gauge.
    #[inline]
    pub fn gauge(&self) -> Gauge {
        Gauge(self.handle(Shape::Gauge))
    }

    /// The histogram.
    #[inline]
    pub fn histogram(&self) -> Histogram {
        Histogram(self.handle(Shape::Histogram))
    }

    #[inline]
    fn handle(&self, shape: Shape) -> Handle {
        match cells::site_cell(self.cell.load(Ordering::Acquire)) {
            Some(cell) => Handle::immortal(cell),
            None => self.resolve(shape),
        }
    }

    #[cold]
    fn resolve(&self, shape: Shape) -> Handle {
        if cells::scoped() {
            return current(|registry| registry.inner.handle_for(shape, self.name, self.labels));
        }
        let Some(global) = Registry::global_outside_gate() else { return Handle::NOOP };
        let (handle, keep) = global.inner.resolve_site(shape, self.name, self.labels);
        if keep {
            self.cell.store(handle.cell().raw(), Ordering::Release);
        }
        handle
    }
}

/// A call site whose name and label names are literals, and whose label values are not.
#[derive(Debug)]
pub struct DynamicSite<const N: usize> {
    name: &'static str,
    labels: [&'static str; N],
    /// Where each label stands when they are sorted by name: `order[0]` comes first.
    order: [usize; N],
    /// How long each name is in canonical text, which quotes those that are not legal.
    written: [usize; N],
}

impl<const N: usize> DynamicSite<N> {
    /// A call site with these labels, in the order their values will come.
    pub const fn new(name: &'static str, labels: [&'static str; N]) -> Self {
        let mut order = [0; N];
        let mut end = 0;
        while end < N {
            let mut at = end;
            while at > 0 && is_less(labels[end], labels[order[at - 1]]) {
                order[at] = order[at - 1];
                at -= 1;
            }
            order[at] = end;
            end += 1;
        }
        let mut written = [0; N];
        let mut at = 0;
        while at < N {
            let quotes = if key::is_legal_label(labels[at]) { 0 } else { 2 };
            written[at] = labels[at].len() + quotes;
            at += 1;
        }
        Self { name, labels, order, written }
    }

    /// The counter.
    #[inline]
    pub fn counter(&self, values: [&str; N]) -> Counter {
        Counter(self.handle(Shape::Counter, values))
    }

    /// The gauge.
    #[inline]
    pub fn gauge(&self, values: [&str; N]) -> Gauge {
        Gauge(self.handle(Shape::Gauge, values))
    }

    /// The histogram.
    #[inline]
    pub fn histogram(&self, values: [&str; N]) -> Histogram {
        Histogram(self.handle(Shape::Histogram, values))
    }

    #[inline]
    fn handle(&self, shape: Shape, values: [&str; N]) -> Handle {
        let query = BySite { site: self, values };
        if !cells::scoped() {
            // The thread's memory of the global registry can be asked without the registry.
            if let Some(handle) = registry::find(GLOBAL_ID, &query) {
                return handle;
            }
        }
        self.resolve(shape, &query)
    }

    #[cold]
    #[inline(never)]
    fn resolve(&self, shape: Shape, query: &BySite<'_, N>) -> Handle {
        let labels = self.order.map(|index| (self.labels[index], query.values[index]));
        let by_name = ByName { shape, name: self.name, labels: &labels };
        current(|registry| {
            let inner = &registry.inner;
            if cells::scoped() {
                if let Some(handle) = registry::find(inner.id(), query) {
                    return handle;
                }
            }
            let resolved = inner.resolve(&by_name, query);
            if let Some(overflow) = resolved.overflow {
                inner.remember_full(&by_name, query.site(), overflow, |mut full, entries| {
                    let answers = self.answers(entries);
                    if answers.is_none() {
                        full.value_bytes = 0;
                    }
                    registry::remember_full(full, answers.unwrap_or_default());
                });
            }
            resolved.handle
        })
    }

    /// The series that this site can ask for, each with the query it answers. `None` if one has a
    /// value that comparing cannot find.
    fn answers<'a>(&'a self, entries: &'a [Entry]) -> Option<Vec<(BySite<'a, N>, Entry)>> {
        let mut answers = Vec::new();
        for entry in entries {
            let labels: Vec<_> = key::parse(entry.text_str()).collect();
            let names = self.order.iter().map(|index| self.labels[*index]);
            if !labels.iter().map(|(name, _)| &**name).eq(names) {
                continue;
            }
            if !entry.is_plain() {
                return None;
            }
            let mut values = [""; N];
            for (index, (_, value)) in self.order.iter().zip(&labels) {
                if let Cow::Borrowed(value) = value {
                    values[*index] = value;
                }
            }
            answers.push((BySite { site: self, values }, entry.clone()));
        }
        Some(answers)
    }
}

/// The values of a [`DynamicSite`].
struct BySite<'a, const N: usize> {
    site: &'a DynamicSite<N>,
    values: [&'a str; N],
}

impl<const N: usize> Query for BySite<'_, N> {
    #[inline]
    fn site(&self) -> usize {
        std::ptr::from_ref(self.site).addr()
    }

    #[inline(always)]
    fn hash(&self, hasher: &mut impl Hasher) {
        for value in self.values {
            hasher.write(value.as_bytes());
        }
    }

    #[inline(always)]
    fn is(&self, _: Option<&Descriptor>, entry: &Entry) -> bool {
        let Self { site, values } = self;
        entry.has_values(site.order.iter().map(|at| (site.written[*at], values[*at])))
            || self.is_by_name(entry)
    }

    #[inline]
    fn is_kept(&self, value_bytes: usize) -> bool {
        self.values.iter().all(|value| !value.is_empty() && value.len() <= value_bytes)
    }
}

impl<const N: usize> BySite<'_, N> {
    /// With a label that has no value, and so is absent, the values do not tell which names there
    /// are.
    #[cold]
    fn is_by_name(&self, entry: &Entry) -> bool {
        let Self { site, values } = self;
        values.iter().any(|value| value.is_empty())
            && entry.matches(&site.order.map(|at| (site.labels[at], values[at])))
    }
}

/// `a < b`, byte by byte, at compile time.
const fn is_less(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return a[at] < b[at];
        }
        at += 1;
    }
    a.len() < b.len()
}

/// The counter of a name and labels known at run time.
#[inline]
pub fn counter(name: &str, labels: &mut [(&str, &str)]) -> Counter {
    Counter(current(|registry| registry.inner.handle(Shape::Counter, name, labels)))
}

/// The gauge of a name and labels known at run time.
#[inline]
pub fn gauge(name: &str, labels: &mut [(&str, &str)]) -> Gauge {
    Gauge(current(|registry| registry.inner.handle(Shape::Gauge, name, labels)))
}

/// The histogram of a name and labels known at run time.
#[inline]
pub fn histogram(name: &str, labels: &mut [(&str, &str)]) -> Histogram {
    Histogram(current(|registry| registry.inner.handle(Shape::Histogram, name, labels)))
}

fn current(f: impl FnOnce(&Registry) -> Handle) -> Handle {
    with_current(f).unwrap_or(Handle::NOOP)
}

/// Describes a counter of the current registry.
pub fn describe_counter(name: &str, unit: Option<Unit>, help: &str) {
    with_current(|registry| registry.describe_counter(name, unit, help));
}

/// Describes a gauge of the current registry.
pub fn describe_gauge(name: &str, unit: Option<Unit>, help: &str) {
    with_current(|registry| registry.describe_gauge(name, unit, help));
}

/// Describes a histogram of the current registry.
pub fn describe_histogram(name: &str, unit: Option<Unit>, help: &str) {
    with_current(|registry| registry.describe_histogram(name, unit, help));
}

/// Chooses the buckets of a histogram of the current registry.
pub fn describe_buckets(name: &str, buckets: Buckets) {
    with_current(|registry| registry.describe_buckets(name, buckets));
}

/// Any string as `&str`, without naming the trait at the call site.
#[inline]
pub fn text<T: AsRef<str> + ?Sized>(text: &T) -> &str {
    text.as_ref()
}

/// The facade's labels as pairs.
pub fn pairs(labels: &[Label]) -> Vec<(&str, &str)> {
    labels.iter().map(|label| (label.key(), label.value())).collect()
}
