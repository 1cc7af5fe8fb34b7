//! The naive twin of a registry: maps, and the rules as the documentation states them.

use std::collections::btree_map::{BTreeMap, Entry};

use nissa::Snapshot;

use super::picture::{Number, Picture, Value, is_own, read};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Float,
    Gauge,
    Histogram,
}

impl Kind {
    /// To every reader, and so to a description, a float counter is a counter.
    pub(crate) fn described(self) -> Self {
        if self == Self::Float { Self::Counter } else { self }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) series_per_family: usize,
    pub(crate) series: usize,
    /// Left out of every series.
    pub(crate) drop_label: Option<&'static str>,
    /// Series with this label are refused.
    pub(crate) deny: Option<(&'static str, &'static str)>,
    /// Finite upper bounds of every histogram.
    pub(crate) bounds: Vec<f64>,
}

#[derive(Debug)]
pub(crate) struct Model {
    settings: Settings,
    families: BTreeMap<String, Family>,
    /// Descriptions of metrics that do not exist yet.
    described: BTreeMap<String, (Kind, String)>,
    /// Buckets chosen for histograms that do not exist yet.
    chosen: BTreeMap<String, Vec<f64>>,
    notices: BTreeMap<String, u64>,
    series: usize,
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    help: Option<String>,
    /// Of a histogram.
    bounds: Vec<f64>,
    series: BTreeMap<Labels, Value>,
}

pub(crate) type Labels = BTreeMap<String, String>;

/// What a lookup leads to: a series, or nothing.
pub(crate) type Place = Option<(String, Labels)>;

/// One update; each kind takes what it has a verb for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    /// `absolute` or `set` rather than adding.
    pub(crate) replace: bool,
    pub(crate) integer: u64,
    pub(crate) float: f64,
    pub(crate) times: usize,
}

impl Model {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            families: BTreeMap::new(),
            described: BTreeMap::new(),
            chosen: BTreeMap::new(),
            notices: BTreeMap::new(),
            series: 0,
        }
    }

    /// A registry that has been used before, with its default settings.
    pub(crate) fn of(snapshot: &Snapshot, bounds: Vec<f64>) -> Self {
        let (drop_label, deny) = (None, None);
        let mut model = Self::new(Settings {
            series_per_family: 2000,
            series: 200_000,
            drop_label,
            deny,
            bounds,
        });
        for family in snapshot.families().filter(|family| !is_own(family.name())) {
            let series: BTreeMap<_, _> = family
                .series()
                .map(|series| {
                    let label = |(name, value): (_, _)| (String::from(name), String::from(value));
                    (series.labels().map(label).collect(), read(series.value()))
                })
                .collect();
            let kind = match series.values().next().unwrap() {
                Value::Counter(_) => Kind::Counter,
                Value::Float(_) => Kind::Float,
                Value::Gauge(_) => Kind::Gauge,
                Value::Histogram(..) => Kind::Histogram,
            };
            model.series += series.len();
            let help = family.help().map(str::to_owned);
            let bounds = family.buckets().map(|buckets| buckets.bounds()).unwrap_or_default();
            model.families.insert(family.name().to_owned(), Family { kind, help, bounds, series });
        }
        model
    }

    pub(crate) fn picture(&self) -> Picture {
        let families = self.families.iter().map(|(name, family)| {
            let series = family.series.iter().map(|(l, value)| (format!("{l:?}"), value.clone()));
            (name.clone(), (family.help.clone(), series.collect()))
        });
        Picture { families: families.collect(), notices: self.notices.clone() }
    }

    pub(crate) fn describe(&mut self, kind: Kind, name: &str, help: &str) {
        let new = (kind, help.to_owned());
        let agrees = if let Some(family) = self.families.get_mut(name) {
            family.kind.described() == kind
                && family.help.get_or_insert_with(|| help.to_owned()) == help
        } else if let Some(first) = self.described.get(name) {
            *first == new
        } else if self.described.len() >= self.settings.series {
            false
        } else {
            self.described.insert(name.to_owned(), new);
            true
        };
        if !agrees {
            self.note("nissa_dropped_total description_conflict");
        }
    }

    pub(crate) fn choose(&mut self, name: &str, bounds: &[f64]) {
        let agrees = if let Some(family) = self.families.get(name) {
            family.kind == Kind::Histogram && family.bounds == bounds
        } else if self.chosen.len() >= self.settings.series {
            false
        } else {
            self.chosen.entry(name.to_owned()).or_insert_with(|| bounds.to_vec()) == bounds
        };
        if !agrees {
            self.note("nissa_dropped_total description_conflict");
        }
    }

    pub(crate) fn lookup(&mut self, kind: Kind, name: &str, labels: &[(&str, &str)]) -> Place {
        if self.settings.deny.is_some_and(|denied| labels.contains(&denied)) {
            self.note("nissa_dropped_total filtered");
            return None;
        }
        if !self.families.contains_key(name) && !self.add_family(kind, name) {
            return None;
        }
        if self.families[name].kind != kind {
            self.note("nissa_dropped_total kind_conflict");
            return None;
        }
        let labels = self.canonical(kind, labels);
        let family = &self.families[name];
        if family.series.contains_key(&labels) {
            return Some((name.to_owned(), labels));
        }
        // No limit counts the series that takes what the limits refuse.
        let counted = family.series.keys().filter(|labels| **labels != overflow_labels()).count();
        let labels = if counted >= self.settings.series_per_family {
            self.overflow("nissa_overflowed_total family_full")
        } else if self.series >= self.settings.series {
            self.overflow("nissa_overflowed_total registry_full")
        } else {
            self.series += 1;
            labels
        };
        let family = self.families.get_mut(name).unwrap();
        let zero = family.zero();
        if let Entry::Vacant(new) =
            self.families.get_mut(name).unwrap().series.entry(labels.clone())
        {
            new.insert(zero);
        }
        Some((name.to_owned(), labels))
    }

    fn add_family(&mut self, kind: Kind, name: &str) -> bool {
        if name.is_empty() {
            self.note("nissa_dropped_total invalid_name");
            return false;
        }
        if self.series >= self.settings.series || self.families.len() >= self.settings.series {
            self.note("nissa_dropped_total registry_full");
            return false;
        }
        let described = self.described.remove(name);
        let (fitting, other): (Vec<_>, Vec<_>) =
            described.into_iter().partition(|(described, _)| *described == kind.described());
        if !other.is_empty() {
            self.note("nissa_dropped_total description_conflict");
        }
        let help = fitting.into_iter().next().map(|(_, help)| help);
        let chosen = self.chosen.remove(name);
        if other.is_empty() && chosen.is_some() && kind != Kind::Histogram {
            self.note("nissa_dropped_total description_conflict");
        }
        let bounds = chosen.unwrap_or_else(|| self.settings.bounds.clone());
        let family = Family { kind, help, bounds, series: BTreeMap::new() };
        self.families.insert(name.to_owned(), family);
        true
    }

    /// The last of two equal names counts; an empty value is no label.
    fn canonical(&mut self, kind: Kind, labels: &[(&str, &str)]) -> Labels {
        let mut canonical = Labels::new();
        for (name, value) in labels {
            let name = match *name {
                "" => {
                    self.note("nissa_adjusted_total invalid_label");
                    continue;
                }
                dropped if self.settings.drop_label == Some(dropped) => continue,
                "le" if kind == Kind::Histogram => {
                    self.note("nissa_adjusted_total reserved_label");
                    "exported_le"
                }
                name => name,
            };
            if canonical.insert(name.to_owned(), (*value).to_owned()).is_some() {
                self.note("nissa_adjusted_total duplicate_label");
            }
        }
        canonical.retain(|_, value| !value.is_empty());
        canonical
    }

    /// The labels of the series that takes what a limit refused.
    fn overflow(&mut self, why: &str) -> Labels {
        self.note(why);
        overflow_labels()
    }

    pub(crate) fn update(&mut self, place: &Place, update: Update) {
        let Some((name, labels)) = place else { return };
        let Family { series, bounds, .. } = self.families.get_mut(name).unwrap();
        let Update { replace, integer, float, times } = update;
        match series.get_mut(labels).unwrap() {
            Value::Counter(total) if replace => *total = (*total).max(integer),
            Value::Counter(total) => *total = total.wrapping_add(integer),
            Value::Float(_) if !float.is_finite() => {}
            Value::Float(Number(total)) if replace => *total = total.max(float),
            Value::Float(Number(total)) => *total += float.max(0.0),
            Value::Gauge(Number(value)) if replace => *value = float,
            // Odd amounts are taken away, to use the third verb.
            Value::Gauge(Number(value)) if times % 2 == 1 => *value -= float,
            Value::Gauge(Number(value)) => *value += float,
            Value::Histogram(..) if float.is_nan() => {}
            Value::Histogram(counts, Number(sum)) => {
                let below = bounds.iter().filter(|bound| **bound < float).count();
                let times = if replace { 1 } else { times };
                counts[below] = counts[below].wrapping_add(times as u64);
                if float.is_finite() {
                    *sum += float * times as f64;
                }
            }
        }
    }

    fn note(&mut self, notice: &str) {
        *self.notices.entry(notice.to_owned()).or_default() += 1;
    }
}

impl Family {
    fn zero(&self) -> Value {
        match self.kind {
            Kind::Counter => Value::Counter(0),
            Kind::Float => Value::Float(Number(0.0)),
            Kind::Gauge => Value::Gauge(Number(0.0)),
            Kind::Histogram => Value::Histogram(vec![0; self.bounds.len() + 1], Number(0.0)),
        }
    }
}

fn overflow_labels() -> Labels {
    Labels::from([("nissa_overflow".to_owned(), "true".to_owned())])
}
