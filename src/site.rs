//! What the macros expand to: call sites, and lookups for labels known only at run time.

use metrics::{Label, Unit};

use crate::cells;
use crate::instrument::{Counter, Gauge, Handle, Histogram};
use crate::registry::{Registry, Shape, with_current};
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
        Counter(self.handle(Shape::Count))
    }

    /// The gauge.
    #[inline]
    pub fn gauge(&self) -> Gauge {
        Gauge(self.handle(Shape::Gauge))
    }

    /// The histogram.
    #[inline]
    pub fn histogram(&self) -> Histogram {
        Histogram(self.handle(Shape::Distribution))
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
            let mut labels = self.labels.to_vec();
            return with_current(|registry| registry.inner.handle(shape, self.name, &mut labels));
        }
        let (handle, keep) = Registry::global().inner.resolve_site(shape, self.name, self.labels);
        if keep {
            self.cell.store(handle.cell().raw(), Ordering::Release);
        }
        handle
    }
}

/// The counter of a name and labels known at run time.
#[inline]
pub fn counter(name: &str, labels: &mut [(&str, &str)]) -> Counter {
    Counter(with_current(|registry| registry.inner.handle(Shape::Count, name, labels)))
}

/// The gauge of a name and labels known at run time.
#[inline]
pub fn gauge(name: &str, labels: &mut [(&str, &str)]) -> Gauge {
    Gauge(with_current(|registry| registry.inner.handle(Shape::Gauge, name, labels)))
}

/// The histogram of a name and labels known at run time.
#[inline]
pub fn histogram(name: &str, labels: &mut [(&str, &str)]) -> Histogram {
    Histogram(with_current(|registry| registry.inner.handle(Shape::Distribution, name, labels)))
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

/// Any string as `&str`, without naming the trait at the call site.
#[inline]
pub fn text<T: AsRef<str> + ?Sized>(text: &T) -> &str {
    text.as_ref()
}

/// The facade's labels as pairs.
pub fn pairs(labels: &[Label]) -> Vec<(&str, &str)> {
    labels.iter().map(|label| (label.key(), label.value())).collect()
}
