//! Which series of a metric a rule is about.

use std::sync::{Arc, Weak};

use crate::entry::Entry;
use crate::registry::Matcher;
use crate::snapshot::{Family, Series};

/// Matched when a series is added or goes, and not at each tick: most rules with labels leave most
/// series out.
#[derive(Debug, Default)]
pub(super) struct Fitting {
    /// While these are the same, so are the series.
    entries: Weak<Vec<Entry>>,
    fits: Vec<bool>,
}

impl Fitting {
    /// Looks at the series of a metric. False if they are those of the last time.
    pub(super) fn look(&mut self, matcher: &Matcher, family: &Family) -> bool {
        let entries = family.shared_entries();
        if std::ptr::eq(self.entries.as_ptr(), Arc::as_ptr(entries)) {
            return false;
        }
        self.entries = Arc::downgrade(entries);
        self.fits.clear();
        self.fits.extend(family.series().map(|series| fits(matcher, family.name(), &series)));
        true
    }

    /// Those that fit, of the family that was looked at, in its order.
    pub(super) fn series<'a>(&self, family: &'a Family) -> impl Iterator<Item = Series<'a>> {
        let fitting = family.series().zip(&self.fits).filter(|(_, fits)| **fits);
        fitting.map(|(series, _)| series)
    }

    pub(super) fn count(&self) -> usize {
        self.fits.iter().filter(|fits| **fits).count()
    }
}

/// Whether a series of this metric fits, of which it is known that its name does.
pub(super) fn fits(matcher: &Matcher, name: &str, series: &Series<'_>) -> bool {
    if !matcher.looks_at_labels() {
        return true;
    }
    let labels: Vec<_> = series.labels().collect();
    let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (&**n, &**v)).collect();
    matcher.matches(name, &labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use proptest::prelude::*;

    proptest! {
        /// Over series that come, and over registries that come where others went.
        #[test]
        fn what_is_remembered_is_what_fits(
            ticks in prop::collection::vec((0..4_u32, 0..30_u32, 0..3_u32), 1..60),
        ) {
            let matcher = Matcher::name("x").label("host", "1*").label("disk", "*");
            let (mut registry, mut fitting) = (Registry::new(), Fitting::default());
            for (turn, host, disk) in ticks {
                if turn == 0 {
                    registry = Registry::new();
                }
                let (host, disk) = (host.to_string(), disk.to_string());
                let labels = [("host", &*host), ("disk", &*disk)];
                // Some have one label only.
                registry.gauge("x", &labels[..1 + turn as usize % 2]).set(1.0);
                let snapshot = registry.snapshot();
                let family = snapshot.family("x").unwrap();
                fitting.look(&matcher, family);
                prop_assert!(!fitting.look(&matcher, family));
                let remembered: Vec<_> =
                    fitting.series(family).map(|series| series.entry.text_str()).collect();
                let naive = family.series().filter(|series| fits(&matcher, "x", series));
                let naive: Vec<_> = naive.map(|series| series.entry.text_str()).collect();
                prop_assert_eq!(fitting.count(), naive.len());
                prop_assert_eq!(remembered, naive);
            }
        }
    }
}
