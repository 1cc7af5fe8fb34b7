//! The registry's metrics about itself.

use std::sync::OnceLock;

use super::Inner;
use super::lookup::{Found, Shape};
use crate::cells::{self, gate::Gate};
use crate::entry::{Entry, Kind};
use crate::notice::{self, Notice};
use crate::sync::Ordering;

const HELP: [(&str, Kind, &str); 7] = [
    ("nissa_dropped_total", Kind::Counter, "Updates and registrations that went nowhere."),
    ("nissa_overflowed_total", Kind::Counter, "Lookups that a limit sent to an overflow series."),
    ("nissa_adjusted_total", Kind::Counter, "Names and labels that were changed to be valid."),
    (
        "nissa_failures_total",
        Kind::Counter,
        "What failed or had to be left behind in the background.",
    ),
    ("nissa_series", Kind::Gauge, "Series that take a place under the limits, idle ones included."),
    ("nissa_thread_pages_bytes", Kind::Gauge, "Memory of the pages that threads record into."),
    ("nissa_threads_peak", Kind::Gauge, "Most threads that ever recorded at one time."),
];

/// The names of the crate's own metrics.
pub(super) fn own_names() -> impl Iterator<Item = &'static str> {
    HELP.iter().map(|(name, ..)| *name)
}

/// Whether a metric is one of the crate's own.
pub(super) fn is_own(name: &str) -> bool {
    own_names().any(|own| own == name)
}

/// The series that show a registry's notices, once there is something to show.
#[derive(Default)]
pub(super) struct OwnMetrics {
    notices: [OnceLock<Entry>; Notice::ALL.len()],
}

impl Inner {
    /// Brings the registry's own metrics up to date.
    ///
    /// The global registry shows all of them from the start, so that a first mishap is an increase
    /// from zero. Another registry, mostly a test's, shows what happened and nothing else.
    pub(super) fn publish_own(&self, gate: &Gate) {
        for notice in Notice::ALL {
            let count = self.count_of(notice);
            if !self.immortal && count == 0 {
                continue;
            }
            match self.own_notice(notice) {
                // Counted where it happens, in cells.
                Some(_) if notice.is_overflow() => {}
                Some(entry) => cells::raise_within(gate, entry.cell(), count),
                None => {}
            }
        }
        if self.immortal {
            self.publish_sizes();
        }
    }

    /// The series that counts a notice.
    pub(super) fn own_notice(&self, notice: Notice) -> Option<Entry> {
        let known = self.own.notices[notice as usize].get();
        known.cloned().or_else(|| {
            let (name, reason) = notice.metric();
            let entry = self.own_series(Shape::Counter, name, &[("reason", reason)])?;
            Some(self.own.notices[notice as usize].get_or_init(|| entry).clone())
        })
    }

    fn publish_sizes(&self) {
        let sizes = [
            ("nissa_series", self.series.load(Ordering::Relaxed)),
            ("nissa_thread_pages_bytes", cells::allocated_bytes()),
            ("nissa_threads_peak", cells::blocks()),
        ];
        for (name, size) in sizes {
            if let Some(entry) = self.own_series(Shape::Gauge, name, &[]) {
                cells::gauge_set(entry.cell(), size as f64);
            }
        }
    }

    /// What happened in this registry; for the global one, also what belongs to none.
    fn count_of(&self, notice: Notice) -> u64 {
        let everywhere = if self.immortal { notice::process().get(notice) } else { 0 };
        self.notices.get(notice) + everywhere
    }

    fn own_series(&self, shape: Shape, name: &str, labels: &[(&str, &str)]) -> Option<Entry> {
        let Found::Series(family, entry) = self.find_or_add_admitted(shape, name, labels, false)
        else {
            return None;
        };
        if let Some((_, _, help)) = HELP.iter().find(|(known, ..)| *known == name) {
            family
                .descriptor
                .description
                .get_or_init(|| crate::entry::Description { unit: None, help: (*help).into() });
        }
        Some(entry)
    }
}
