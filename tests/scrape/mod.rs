//! Pages read back, format by format, by readers that share nothing with the writers.

#![allow(dead_code, reason = "no test needs all of it")]

pub(crate) mod json;
pub(crate) mod openmetrics2;
pub(crate) mod protobuf;
pub(crate) mod text;

use std::collections::BTreeMap;

/// A series: its name, and its labels by name. Bounds are as [`bound`] writes them.
pub(crate) type Key = (String, BTreeMap<String, String>);

/// An exemplar: labels, value, seconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
    pub(crate) seconds: f64,
}

/// All that a page says, a number a series: a histogram is its `_bucket`, `_sum` and `_count`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) samples: BTreeMap<Key, f64>,
    pub(crate) exemplars: BTreeMap<Key, Exemplar>,
    /// By series, without the suffix of a line: seconds since 1970.
    pub(crate) starts: BTreeMap<Key, f64>,
    /// By family name.
    pub(crate) types: BTreeMap<String, String>,
    pub(crate) units: BTreeMap<String, String>,
    pub(crate) helps: BTreeMap<String, String>,
    /// Native buckets by series: schema, zero threshold, count of zero, count by number.
    pub(crate) natives: BTreeMap<Key, Native>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Native {
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) zero_count: u64,
    pub(crate) buckets: BTreeMap<i64, u64>,
}

impl Page {
    #[track_caller]
    pub(crate) fn sample(&mut self, name: &str, labels: &BTreeMap<String, String>, value: f64) {
        let before = self.samples.insert((name.to_owned(), labels.clone()), value);
        assert!(before.is_none(), "series twice: {name}{labels:?}");
    }

    /// What the page says of values, for comparing: NaN is equal to NaN.
    pub(crate) fn values(&self) -> BTreeMap<Key, u64> {
        let bits = |value: f64| if value.is_nan() { u64::MAX } else { value.to_bits() };
        self.samples.iter().map(|(key, value)| (key.clone(), bits(*value))).collect()
    }

    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let key = (name.to_owned(), labels.collect());
        *self.samples.get(&key).unwrap_or_else(|| panic!("no {key:?} in {:#?}", self.samples))
    }
}

/// A bound as text that is the same for every way to write the number.
pub(crate) fn bound(value: f64) -> String {
    format!("{value:?}")
}

/// Labels with one more.
pub(crate) fn with(
    labels: &BTreeMap<String, String>,
    name: &str,
    value: String,
) -> BTreeMap<String, String> {
    let mut labels = labels.clone();
    assert!(labels.insert(name.to_owned(), value).is_none(), "{name} twice");
    labels
}
