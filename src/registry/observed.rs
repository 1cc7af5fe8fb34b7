//! Series that show what something else keeps: the kernel, a driver, a queue.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::family::Family;
use super::lookup::{Found, Shape};
use super::{Inner, Registry, cache};
use crate::cells::{self, gate};
use crate::entry::Entry;
use crate::key;

/// A series that shows a number kept elsewhere, for collectors: in the output from the first
/// [`set`](Self::set), and out of it from [`clear`](Self::clear) or drop on. So what could not be
/// read is absent: neither 0 nor the value it had.
///
/// A counter may be set lower than it was, since what it shows may have begun again; Prometheus
/// knows such a reset. A set costs two plain stores and allocates nothing. Meant for one owner:
/// two of one name and labels show what was set last, and either hides it. Idle expiry leaves
/// these series alone.
///
/// ```
/// let registry = nissa::Registry::new();
/// let received = registry.observed_counter("node_network_receive_bytes_total", &[("device", "eth0")]);
/// let shown = || registry.snapshot().value("node_network_receive_bytes_total");
/// assert_eq!(shown(), None);
/// received.set(1_000);
/// assert_eq!(shown(), Some(1000.0));
/// received.clear(); // the device has gone
/// assert_eq!(shown(), None);
/// ```
#[must_use = "its series leaves the output when this is dropped"]
pub struct Observed<T> {
    /// `None` for one that was refused.
    series: Option<(Arc<Family>, Entry)>,
    value: PhantomData<fn(T)>,
}

impl Registry {
    /// A counter of integers that something else keeps.
    pub fn observed_counter(&self, name: &str, labels: &[(&str, &str)]) -> Observed<u64> {
        Observed { series: self.inner.observe(Shape::Counter, name, labels), value: PhantomData }
    }

    /// A counter of seconds or joules that something else keeps.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// let busy = registry.observed_float_counter("disk_busy_seconds_total", &[]);
    /// busy.set(2.5);
    /// assert_eq!(registry.snapshot().value("disk_busy_seconds_total"), Some(2.5));
    /// ```
    pub fn observed_float_counter(&self, name: &str, labels: &[(&str, &str)]) -> Observed<f64> {
        let series = self.inner.observe(Shape::FloatCounter, name, labels);
        Observed { series, value: PhantomData }
    }

    /// A gauge of something that may not be known.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// let free = registry.observed_gauge("disk_free_bytes", &[]);
    /// free.set(1e9);
    /// drop(free);
    /// assert_eq!(registry.snapshot().value("disk_free_bytes"), None);
    /// ```
    pub fn observed_gauge(&self, name: &str, labels: &[(&str, &str)]) -> Observed<f64> {
        Observed { series: self.inner.observe(Shape::Gauge, name, labels), value: PhantomData }
    }
}

impl<T> Observed<T> {
    /// One that shows nothing.
    pub const fn noop() -> Self {
        Self { series: None, value: PhantomData }
    }

    /// Takes the series out of the output until it is set again.
    pub fn clear(&self) {
        if let Some((_, entry)) = &self.series {
            entry.set_hidden(true);
        }
    }

    fn show(&self, store: impl FnOnce(&Family, &Entry)) {
        if let Some((family, entry)) = &self.series {
            store(family, entry);
            entry.set_hidden(false);
        }
    }
}

impl Observed<u64> {
    /// Shows this value.
    pub fn set(&self, value: u64) {
        self.show(|_, entry| cells::observe(entry.cell(), value));
    }

    /// Shows this value, or nothing if there is none.
    pub fn set_or_clear(&self, value: Option<u64>) {
        value.map_or_else(|| self.clear(), |value| self.set(value));
    }
}

impl Observed<f64> {
    /// Shows this value.
    pub fn set(&self, value: f64) {
        self.show(|family, entry| match family.descriptor.layout {
            cells::Layout::Gauge => cells::gauge_set(entry.cell(), value),
            _ => cells::observe(entry.cell(), value.to_bits()),
        });
    }

    /// Shows this value, or nothing if there is none.
    pub fn set_or_clear(&self, value: Option<f64>) {
        value.map_or_else(|| self.clear(), |value| self.set(value));
    }
}

impl<T> Drop for Observed<T> {
    fn drop(&mut self) {
        let Some((family, entry)) = self.series.take() else { return };
        entry.set_hidden(true);
        // In the child of a fork whose locks may be stuck, hidden is all it gets.
        if let Some(_gate) = gate::enter_nested() {
            family.withdraw(entry);
            // So that threads which remember it let go.
            cache::invalidate();
        }
    }
}

impl<T> fmt::Debug for Observed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.series.as_ref().map(|(family, _)| &*family.descriptor.name);
        f.debug_struct("Observed").field("name", &name).finish_non_exhaustive()
    }
}

impl Inner {
    fn observe(
        &self,
        shape: Shape,
        name: &str,
        labels: &[(&str, &str)],
    ) -> Option<(Arc<Family>, Entry)> {
        let gate = gate::enter()?;
        let mut labels = labels.to_vec();
        key::sort(&mut labels);
        match self.find_or_add(shape, name, &labels, true) {
            Found::Series(family, entry) => Some((family, entry)),
            Found::Unshown(counted) => {
                // The thread may need a page for it.
                drop(gate);
                if let Some(counted) = counted {
                    cells::add(counted.cell(), 1);
                }
                None
            }
            // A number kept elsewhere adds nothing to the sum that an overflow series keeps.
            Found::Overflow(_) | Found::Refused | Found::NotNow => None,
        }
    }
}
