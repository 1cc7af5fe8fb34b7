//! What a snapshot shows, as plain data that can be compared.

use std::collections::BTreeMap;

use nissa::Snapshot;
use nissa::snapshot::Value as Read;

/// A double that equals itself: by its bits, or as a NaN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) f64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits() || self.0.is_nan() && other.0.is_nan()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Counter(u64),
    Float(Number),
    Gauge(Number),
    /// Counts per bucket, the one above all bounds last, and the sum.
    Histogram(Vec<u64>, Number),
}

/// What a snapshot shows of the user's metrics, and how often something was refused or changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Picture {
    pub(crate) families: BTreeMap<String, (Option<String>, BTreeMap<String, Value>)>,
    pub(crate) notices: BTreeMap<String, u64>,
}

impl Picture {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut picture = Self::default();
        for family in snapshot.families() {
            if is_own(family.name()) {
                for series in family.series() {
                    let Some(reason) = series.label("reason") else { continue };
                    let Read::Counter(count) = series.value() else { panic!("not a counter") };
                    picture.notices.insert(format!("{} {reason}", family.name()), count);
                }
                continue;
            }
            let series = family.series().map(|series| {
                let labels: BTreeMap<_, _> = series.labels().collect();
                assert_eq!(labels.len(), series.labels().count(), "a label twice");
                (format!("{labels:?}"), read(series.value()))
            });
            let shown = (family.help().map(str::to_owned), series.collect());
            let twice = picture.families.insert(family.name().to_owned(), shown);
            assert_eq!(twice, None, "a family twice");
        }
        picture
    }

    /// Leaves out what the documentation leaves open.
    pub(crate) fn blur(&mut self) {
        let mut blurred = BTreeMap::new();
        for (notice, count) in std::mem::take(&mut self.notices) {
            match notice.split(' ').next() {
                // Counted when labels are looked up; a thread that remembers them need not look.
                Some("nissa_adjusted_total") => *blurred.entry(notice).or_default() = 1,
                // Where two limits are reached, either may be named.
                Some(overflowed @ "nissa_overflowed_total") => {
                    *blurred.entry(overflowed.to_owned()).or_default() += count;
                }
                _ => *blurred.entry(notice).or_default() += count,
            }
        }
        self.notices = blurred;
    }
}

pub(crate) fn read(value: Read<'_>) -> Value {
    match value {
        Read::Counter(count) => Value::Counter(count),
        Read::FloatCounter(total) => Value::Float(Number(total)),
        Read::Gauge(value) => Value::Gauge(Number(value)),
        Read::Distribution(distribution) => {
            let counts: Vec<u64> = distribution.buckets().map(|(_, count)| count).collect();
            assert_eq!(distribution.count(), counts.iter().sum::<u64>());
            Value::Histogram(counts, Number(distribution.sum()))
        }
        other => panic!("a kind of value this test does not know: {other:?}"),
    }
}

pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with("nissa_")
}
