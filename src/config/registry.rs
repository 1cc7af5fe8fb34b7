//! Settings of the registry.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::key::Key;
use super::set;
use super::value::{Item, List, Pairs, Span};
use crate::buckets::Buckets;
use crate::error::Error;
use crate::monitor::Builder;
use crate::registry::{Matcher, Registry, RegistryBuilder};

pub(super) const KEYS: &[Key] = &[
    Key::new("registry.global_labels", "a table of label names and values", "{}"),
    Key::new("registry.allow", METRICS, "[] (all)"),
    Key::new("registry.deny", METRICS, "[]"),
    Key::new("registry.drop_labels", "a list of label names", "[]"),
    Key::new("registry.series_per_family", "a whole number", "2000"),
    Key::new("registry.series", "a whole number", "200000"),
    Key::new("registry.label_value_bytes", "a whole number, at least 16", "4096"),
    Key::new("registry.idle_timeout", "a duration", "never"),
    Key::new("registry.default_buckets", BUCKETS, "Prometheus's eleven, 5 ms to 10 s"),
    Key::new("registry.buckets", "a list of tables, each a `name` pattern with its buckets", "[]"),
    Key::new("registry.thread_memory", "a whole number of bytes", "67108864"),
];

pub(super) const METRICS: &str = "a list of name patterns, or of tables with `name` and `labels`";
const BUCKETS: &str = "a list of bounds, or a table with `bounds`, `relative_error` or `quantiles`";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    global_labels: Pairs<String>,
    allow: List<Pattern>,
    deny: List<Pattern>,
    drop_labels: List<String>,
    series_per_family: Option<usize>,
    series: Option<usize>,
    label_value_bytes: Option<usize>,
    idle_timeout: Option<Span>,
    default_buckets: Option<Bounds>,
    buckets: Vec<Named>,
    thread_memory: Option<usize>,
}

impl Section {
    pub(super) fn apply(self, builder: Builder) -> Builder {
        if let Some(bytes) = self.thread_memory {
            Registry::set_thread_memory(bytes);
        }
        // Settings of the global registry may come too late; none never do.
        if self.is_empty() {
            builder
        } else {
            builder.configure(|registry| self.configure(registry))
        }
    }

    fn is_empty(&self) -> bool {
        let lists = self.global_labels.0.is_empty()
            && self.allow.0.is_empty()
            && self.deny.0.is_empty()
            && self.drop_labels.0.is_empty()
            && self.buckets.is_empty();
        let limits = [self.series_per_family, self.series, self.label_value_bytes];
        lists
            && limits.iter().all(Option::is_none)
            && self.idle_timeout.is_none()
            && self.default_buckets.is_none()
    }

    fn configure(self, mut registry: RegistryBuilder) -> RegistryBuilder {
        for (name, value) in self.global_labels.0 {
            registry = registry.global_label(name, value);
        }
        for pattern in self.allow.0 {
            registry = registry.allow(pattern.into());
        }
        for pattern in self.deny.0 {
            registry = registry.deny(pattern.into());
        }
        for name in self.drop_labels.0 {
            registry = registry.drop_label(name);
        }
        for Named { name, buckets } in self.buckets {
            registry = registry.buckets(Matcher::name(name), buckets);
        }
        registry = set(registry, self.series_per_family, RegistryBuilder::series_per_family);
        registry = set(registry, self.series, RegistryBuilder::series);
        registry = set(registry, self.label_value_bytes, RegistryBuilder::label_value_bytes);
        registry = set(registry, self.idle_timeout, |to, Span(idle)| to.idle_timeout(idle));
        set(registry, self.default_buckets, |to, bounds| to.default_buckets(bounds.0))
    }
}

/// Metrics, by name and perhaps by labels.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Written")]
pub(super) struct Pattern {
    name: String,
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Table(PatternTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatternTable {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl From<Written> for Pattern {
    fn from(written: Written) -> Self {
        match written {
            Written::Name(name) => Self::of(&name),
            Written::Table(PatternTable { name, labels }) => Self { name, labels },
        }
    }
}

impl Item for Pattern {
    fn of(text: &str) -> Self {
        Self { name: text.to_owned(), labels: BTreeMap::new() }
    }
}

impl From<Pattern> for Matcher {
    fn from(pattern: Pattern) -> Self {
        let name = Self::name(pattern.name);
        pattern.labels.into_iter().fold(name, |matcher, (label, value)| matcher.label(label, value))
    }
}

/// Buckets, of one kind or another.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Kinds {
    name: Option<String>,
    bounds: Option<Vec<f64>>,
    relative_error: Option<f64>,
    least: Option<f64>,
    most: Option<f64>,
    quantiles: Option<Vec<f64>>,
}

impl Kinds {
    fn buckets(&self) -> Result<Buckets, Error> {
        let range = (self.least, self.most);
        match (&self.bounds, self.relative_error, &self.quantiles, range) {
            (Some(bounds), None, None, (None, None)) => Buckets::explicit(bounds),
            (None, Some(error), None, (None, None)) => Buckets::exponential(error),
            (None, Some(error), None, (Some(least), Some(most))) => {
                Buckets::exponential_in(error, least, most)
            }
            (None, None, Some(quantiles), (None, None)) => Buckets::summary(quantiles),
            _ => Err(Error::buckets(
                "`bounds`, `relative_error` (with or without `least` and `most`) or `quantiles`",
            )),
        }
    }
}

/// The buckets of histograms with no others.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Shape")]
struct Bounds(Buckets);

#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    List(Vec<f64>),
    Table(Kinds),
}

impl TryFrom<Shape> for Bounds {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<Self, Error> {
        match shape {
            Shape::List(bounds) => Buckets::explicit(&bounds).map(Self),
            Shape::Table(Kinds { name: Some(_), .. }) => {
                Err(Error::buckets("`name` belongs into `registry.buckets`"))
            }
            Shape::Table(kinds) => kinds.buckets().map(Self),
        }
    }
}

/// The buckets of histograms whose name fits a pattern.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Kinds")]
struct Named {
    name: String,
    buckets: Buckets,
}

impl TryFrom<Kinds> for Named {
    type Error = Error;

    fn try_from(kinds: Kinds) -> Result<Self, Error> {
        let buckets = kinds.buckets()?;
        let name = kinds.name.ok_or(Error::buckets("`name` is missing"))?;
        Ok(Self { name, buckets })
    }
}
