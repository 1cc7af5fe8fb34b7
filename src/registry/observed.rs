//! Series that show what something else keeps: the kernel, a driver, a queue.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::family::Family;
use super::lookup::{Found, Shape};
use super::{Inner, Registry, cache};
use crate::cells::{self, CellId, gate};
use crate::entry::Entry;
use crate::key;

/// A series that shows a number kept elsewhere, for collectors: in the output from the first
/// [`set`](Self::set), and out of it from [`clear`](Self::clear) or drop on. So what could not be
/// read is absent: neither 0 nor the value it had.
///
/// A counter may be set lower than it was, since what it shows may have begun again; Prometheus
/// knows such a reset. A set costs two plain stores and allocates nothing. Two of one name and
/// labels show what was set last, until neither has anything to show. A series that the program
/// made itself before stays in the output. Idle expiry leaves these series alone.
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
    /// Kept here, so that a set goes straight to it: who collects seldom finds what it has to
    /// follow out of the caches.
    cell: CellId,
    is_gauge: bool,
    /// Whether it was refused for want of room, which there may be later.
    is_put_off: bool,
    /// Whether this one shows its series.
    shown: Cell<bool>,
    value: PhantomData<fn(T)>,
}

impl Registry {
    /// A counter of integers that something else keeps.
    pub fn observed_counter(&self, name: &str, labels: &[(&str, &str)]) -> Observed<u64> {
        Observed::to(self.inner.observe(Shape::Counter, name, labels))
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
        Observed::to(self.inner.observe(Shape::FloatCounter, name, labels))
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
        Observed::to(self.inner.observe(Shape::Gauge, name, labels))
    }
}

impl<T> Observed<T> {
    /// One that shows nothing.
    pub const fn noop() -> Self {
        Self {
            series: None,
            cell: CellId::DISCARD,
            is_gauge: false,
            is_put_off: false,
            shown: Cell::new(false),
            value: PhantomData,
        }
    }

    /// Whether it was refused for want of room. What a filter, a kind or a name forbids is not.
    #[allow(dead_code, reason = "feature `host` is who asks")]
    pub(crate) fn is_put_off(&self) -> bool {
        self.is_put_off
    }

    fn to(series: Result<(Arc<Family>, Entry), Refusal>) -> Self {
        let (family, entry) = match series {
            Ok(series) => series,
            Err(why) => {
                let mut none = Self::noop();
                none.is_put_off = why == Refusal::ForNow;
                return none;
            }
        };
        let is_gauge = matches!(family.descriptor.layout, cells::Layout::Gauge);
        let cell = entry.cell();
        let series = Some((family, entry));
        let shown = Cell::new(false);
        Self { series, cell, is_gauge, is_put_off: false, shown, value: PhantomData }
    }

    /// Takes the series out of the output until it is set again.
    pub fn clear(&self) {
        if let (Some((_, entry)), true) = (&self.series, self.shown.take()) {
            entry.hide();
        }
    }

    /// The value has been stored.
    fn show(&self) {
        if let (Some((_, entry)), false) = (&self.series, self.shown.get()) {
            self.shown.set(entry.show());
        }
    }
}

impl Observed<u64> {
    /// Shows this value.
    pub fn set(&self, value: u64) {
        cells::observe(self.cell, value);
        self.show();
    }

    /// Shows this value, or nothing if there is none.
    pub fn set_or_clear(&self, value: Option<u64>) {
        value.map_or_else(|| self.clear(), |value| self.set(value));
    }
}

impl Observed<f64> {
    /// Shows this value.
    pub fn set(&self, value: f64) {
        match self.is_gauge {
            true => cells::gauge_set(self.cell, value),
            false => cells::observe(self.cell, value.to_bits()),
        }
        self.show();
    }

    /// Shows this value, or nothing if there is none.
    pub fn set_or_clear(&self, value: Option<f64>) {
        value.map_or_else(|| self.clear(), |value| self.set(value));
    }
}

impl<T> Drop for Observed<T> {
    fn drop(&mut self) {
        self.clear();
        let Some((family, entry)) = self.series.take() else { return };
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

/// Why there is no series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    ForNow,
    ForGood,
}

impl Inner {
    fn observe(
        &self,
        shape: Shape,
        name: &str,
        labels: &[(&str, &str)],
    ) -> Result<(Arc<Family>, Entry), Refusal> {
        let gate = gate::enter().ok_or(Refusal::ForNow)?;
        let mut labels = labels.to_vec();
        key::sort(&mut labels);
        match self.find_or_add(shape, name, &labels, true) {
            Found::Series(family, entry) => Ok((family, entry)),
            Found::Unshown(counted) => {
                // The thread may need a page for it.
                drop(gate);
                if let Some(counted) = counted {
                    cells::add(counted.cell(), 1);
                }
                Err(Refusal::ForNow)
            }
            // A number kept elsewhere adds nothing to the sum that an overflow series keeps.
            Found::Overflow(_) | Found::NotNow => Err(Refusal::ForNow),
            Found::Refused => Err(Refusal::ForGood),
        }
    }
}
