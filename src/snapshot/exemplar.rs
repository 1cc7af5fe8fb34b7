//! Recordings that were given a name.

use std::borrow::Cow;
use std::time::Duration;

use crate::cells::Kept;
use crate::key;

/// A recording that stands for others of its kind: the last one that was recorded with labels into
/// a counter or into a bucket. Mostly the labels name a trace.
///
/// ```
/// let registry = nissa::Registry::new();
/// let latency = registry.histogram("latency_seconds", &[]);
/// latency.record_with_exemplar(0.03, &[("trace_id", "4bf92f35")]);
///
/// let snapshot = registry.snapshot();
/// let series = snapshot.family("latency_seconds").unwrap().series().next().unwrap();
/// let exemplar = series.exemplars().next().unwrap();
/// assert_eq!(exemplar.value(), 0.03);
/// assert_eq!(exemplar.label("trace_id").as_deref(), Some("4bf92f35"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'a>(pub(super) &'a Kept);

impl<'a> Exemplar<'a> {
    /// What was recorded: of a counter the amount by which it rose.
    pub fn value(&self) -> f64 {
        self.0.1.value
    }

    /// When it was recorded, by the wall clock, since 1970 (UTC).
    pub fn unix(&self) -> Duration {
        self.0.1.unix
    }

    /// The labels, sorted by name.
    pub fn labels(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        key::parse(&self.0.1.labels)
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<Cow<'a, str>> {
        self.labels().find(|(label, _)| label == name).map(|(_, value)| value)
    }

    /// The bucket it fell into, counted from the lowest; 0 of a counter.
    pub(crate) fn bucket(&self) -> usize {
        usize::from(self.0.0)
    }
}
