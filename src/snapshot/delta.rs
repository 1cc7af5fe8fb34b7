//! What happened between two snapshots.

use super::{Family, Series, Snapshot};
use crate::cells::Layout;

impl Snapshot {
    /// What was counted since `earlier`; gauges stay as they are now. A series that was not there
    /// before, or whose count went back (it expired and came again), counts in full.
    ///
    /// ```
    /// let registry = nissa::Registry::new();
    /// let jobs = registry.counter("jobs_total", &[]);
    /// jobs.increment(5);
    /// let before = registry.snapshot();
    /// jobs.increment(2);
    /// assert_eq!(registry.snapshot().since(&before).value("jobs_total"), Some(2.0));
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut delta = self.clone();
        for family in &mut delta.families {
            let Some(before) = earlier.family(family.name()).filter(|b| b.same_metric(family))
            else {
                continue;
            };
            let before = before.clone();
            let layout = family.layout();
            let mut index = 0;
            for (entry, now) in family.rows_mut() {
                // Both are sorted by the same text, so one pass finds all pairs.
                let old = before.entries();
                while old.get(index).is_some_and(|old| old.text() < entry.text()) {
                    index += 1;
                }
                if old.get(index).is_some_and(|old| old.text() == entry.text()) {
                    subtract(layout, now, before.row(index));
                }
            }
        }
        delta
    }

    /// Whether both hold the same series in the same places. Costs a comparison of pointers for
    /// each metric.
    #[allow(dead_code, reason = "of stages, which features bring")]
    pub(crate) fn same_series(&self, other: &Self) -> bool {
        self.families.len() == other.families.len()
            && self.families.iter().zip(&other.families).all(|(own, other)| own.same_series(other))
    }

    /// The series of all metrics, one after the other.
    #[allow(dead_code, reason = "of stages, which features bring")]
    pub(crate) fn all_series(&self) -> impl Iterator<Item = Series<'_>> {
        self.families.iter().flat_map(Family::series)
    }
}

fn subtract(layout: &Layout, now: &mut [u64], before: &[u64]) {
    let went_back = match layout {
        Layout::Gauge => return,
        Layout::FloatCounter => f64::from_bits(now[0]) < f64::from_bits(before[0]),
        Layout::Counter => now[0] < before[0],
        Layout::Histogram(_) => now[1..].iter().zip(&before[1..]).any(|(now, old)| now < old),
    };
    if went_back {
        return;
    }
    for (place, (now, before)) in now.iter_mut().zip(before).enumerate() {
        *now = if layout.is_float(place) {
            (f64::from_bits(*now) - f64::from_bits(*before)).to_bits()
        } else {
            *now - *before
        };
    }
}
