//! Rules of alerts, and where detectors keep what they learned.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::key::Key;
use super::set;
use super::value::Span;
use crate::alert::{Member, Rule, Severity};
use crate::error::Error;
use crate::monitor::Builder;

pub(super) const ABSENT: Option<(&str, &str)> = None;

pub(super) const KEYS: &[Key] = &[
    Key::new("alerts.detector_state", "the path of a file", "none"),
    Key::new(
        "alerts.rules",
        "a list of tables, each a `metric` pattern with one condition, or a `group`",
        "[]",
    ),
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    detector_state: Option<PathBuf>,
    rules: Vec<Checked>,
}

impl Section {
    #[allow(clippy::unnecessary_wraps, reason = "as the other sections")]
    pub(super) fn apply(self, builder: Builder) -> Result<Builder, Error> {
        let builder = set(builder, self.detector_state, Builder::detector_state);
        Ok(self.rules.into_iter().fold(builder, |builder, Checked(rule)| builder.alert(rule)))
    }
}

/// A rule that makes sense.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
struct Checked(Rule);

/// A rule as it is written: `Rule`'s setters, and no more than one condition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    metric: Option<String>,
    group: Option<Vec<Part>>,
    named: Option<String>,
    #[serde(default)]
    label: BTreeMap<String, String>,
    above: Option<f64>,
    below: Option<f64>,
    outside: Option<(f64, f64)>,
    #[serde(default)]
    absent: bool,
    #[serde(default)]
    not_finite: bool,
    stuck: Option<u32>,
    changes: Option<f64>,
    ratio: Option<(String, f64)>,
    zscore: Option<f64>,
    #[serde(default)]
    anomalous: bool,
    quantile: Option<f64>,
    #[serde(default)]
    rate: bool,
    hold: Option<u32>,
    at_least: Option<(u32, u32)>,
    cooldown: Option<Span>,
    severity: Option<String>,
    action: Option<String>,
    min_samples: Option<u32>,
    learn_anomalies: Option<bool>,
    #[serde(default)]
    too_high: bool,
    #[serde(default)]
    too_low: bool,
}

/// A member of a group: a metric's name, or a table with `Member`'s setters.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Part {
    Name(String),
    Table(PartTable),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartTable {
    metric: String,
    #[serde(default)]
    label: BTreeMap<String, String>,
    quantile: Option<f64>,
    #[serde(default)]
    rate: bool,
}

impl From<Part> for Member {
    fn from(part: Part) -> Self {
        let PartTable { metric, label, quantile, rate } = match part {
            Part::Name(metric) => return Self::new(metric),
            Part::Table(table) => table,
        };
        let labels = label.into_iter();
        let member = labels.fold(Self::new(metric), |to, (name, value)| to.label(name, value));
        let member = set(member, quantile, Self::quantile);
        if rate { member.rate() } else { member }
    }
}

impl TryFrom<Written> for Checked {
    type Error = String;

    fn try_from(mut written: Written) -> Result<Self, String> {
        let severity = written.severity.as_deref().map(|word| {
            let known: Result<Severity, _> = word.parse();
            known.map_err(|_| format!("`severity` is info, warning or critical, not {word:?}"))
        });
        let conditions = written.conditions();
        let rule = written.rule()?;
        let name = rule.name().to_owned();
        if conditions > 1 {
            return Err(format!("{name:?} has {conditions} conditions, not one"));
        }
        let rule = written.condition(rule);
        let rule = set(rule, written.named, Rule::named);
        let labels = written.label.into_iter();
        let rule = labels.fold(rule, |rule, (name, pattern)| rule.label(name, pattern));
        let rule = set(rule, written.quantile, Rule::quantile);
        let rule = if written.rate { rule.rate() } else { rule };
        let rule = set(rule, written.hold, Rule::hold);
        let rule = set(rule, written.at_least, |to, (broken, of)| to.at_least(broken, of));
        let rule = set(rule, written.cooldown, |to, Span(time)| to.cooldown(time));
        let rule = set(rule, severity.transpose()?, Rule::severity);
        let rule = set(rule, written.action, Rule::action);
        let rule = set(rule, written.min_samples, Rule::min_samples);
        if written.too_high && written.too_low {
            return Err(format!("{name:?} is asked for both sides, which is neither"));
        }
        let rule = if written.too_high { rule.too_high() } else { rule };
        let rule = if written.too_low { rule.too_low() } else { rule };
        Ok(Self(set(rule, written.learn_anomalies, Rule::learn_anomalies)))
    }
}

impl Written {
    /// What it is about.
    fn rule(&mut self) -> Result<Rule, String> {
        match (&self.metric, self.group.take(), &self.named) {
            (Some(metric), None, _) => Ok(Rule::new(metric)),
            (None, Some(members), Some(name)) => Ok(Rule::group(name, members)),
            (None, Some(_), None) => Err("a group needs a name: `named` is missing".to_owned()),
            _ => Err("a rule is about a `metric` or a `group`, and not both".to_owned()),
        }
    }

    /// How many there are; with none it is the rule's own, the ensemble.
    fn conditions(&self) -> usize {
        let numbers = [self.above, self.below, self.changes, self.zscore];
        let numbers = numbers.iter().flatten().count();
        let words = [self.absent, self.not_finite, self.anomalous].iter().filter(|on| **on).count();
        let others = [self.outside.is_some(), self.stuck.is_some(), self.ratio.is_some()];
        numbers + words + others.iter().filter(|on| **on).count()
    }

    fn condition(&self, rule: Rule) -> Rule {
        let rule = set(rule, self.above, Rule::above);
        let rule = set(rule, self.below, Rule::below);
        let rule = set(rule, self.outside, |to, (low, high)| to.outside(low, high));
        let rule = set(rule, self.stuck, Rule::stuck);
        let rule = set(rule, self.changes, Rule::changes);
        let rule = set(rule, self.ratio.clone(), |to, (other, limit)| to.ratio(other, limit));
        let rule = set(rule, self.zscore, Rule::zscore);
        let rule = if self.absent { rule.absent() } else { rule };
        let rule = if self.not_finite { rule.not_finite() } else { rule };
        if self.anomalous { rule.anomalous() } else { rule }
    }
}
