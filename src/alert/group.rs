//! What the members of a group show at a tick: a number each.

use std::fmt::Write;
use std::sync::Arc;

use super::evaluator::MOST_SERIES;
use super::fitting::Fitting;
use super::member::Member;
use super::reading::Memory;
use super::report::Short;
use super::rule::Reading;
use crate::buckets::Buckets;
use crate::key;
use crate::snapshot::{Family, Series, Snapshot, Value};

/// Members of which a reason names the values.
const NAMED: usize = 5;

/// One member, and what it remembers of its series.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) metric: Arc<str>,
    fitting: Fitting,
    /// Of the first series that fit, in their order.
    parts: Vec<Part>,
    /// How many have no part.
    refused: usize,
}

#[derive(Debug)]
struct Part {
    /// The labels' canonical text.
    text: Box<str>,
    memory: Memory,
}

impl Input {
    pub(super) fn new(member: &Member) -> Self {
        let (metric, fitting) = (member.metric.as_str().into(), Fitting::default());
        Self { metric, fitting, parts: Vec::new(), refused: 0 }
    }

    /// The number of this tick, if there is one: of all series that fit, together.
    pub(super) fn read(
        &mut self,
        member: &Member,
        snapshot: &Snapshot,
        seconds: f64,
        refused: &mut u64,
    ) -> Option<f64> {
        let Some(family) = snapshot.family(&member.metric) else {
            *self = Self::new(member);
            return None;
        };
        if self.fitting.look(&member.matcher, family) {
            self.follow(family);
        }
        *refused += self.refused as u64;
        let mut sum = Sum::default();
        for (part, series) in self.parts.iter_mut().zip(self.fitting.series(family)) {
            sum.add(&mut part.memory, &series, member.reading, seconds);
        }
        sum.finish(member.reading)
    }

    /// The parts of the series that are there now; both lists are sorted. Those passed over are
    /// gone.
    fn follow(&mut self, family: &Family) {
        let mut before = std::mem::take(&mut self.parts).into_iter().peekable();
        let part = |series: Series<'_>| {
            let text = series.entry.text_str();
            while before.next_if(|part| &*part.text < text).is_some() {}
            let known = before.next_if(|part| &*part.text == text);
            known.unwrap_or_else(|| Part { text: text.into(), memory: Memory::default() })
        };
        self.parts = self.fitting.series(family).take(MOST_SERIES).map(part).collect();
        self.refused = self.fitting.count() - self.parts.len();
    }

    /// Of its series, if it is a single one.
    pub(super) fn labels(&self) -> Arc<[(String, String)]> {
        match &*self.parts {
            [part] => key::parse(&part.text).map(|(n, v)| (n.into(), v.into())).collect(),
            _ => Arc::new([]),
        }
    }
}

/// Several series as one.
#[derive(Debug, Default)]
struct Sum<'a> {
    total: f64,
    gauges: u32,
    others: u32,
    /// What histograms counted since the last tick.
    recent: Vec<u64>,
    scheme: Option<&'a Buckets>,
}

impl<'a> Sum<'a> {
    fn add(&mut self, memory: &mut Memory, series: &Series<'a>, reading: Reading, seconds: f64) {
        match (series.value(), reading) {
            (Value::Distribution(distribution), Reading::Quantile(_)) => {
                let Some(recent) = memory.recent(&distribution) else { return };
                self.scheme = Some(distribution.scheme());
                self.recent.resize(recent.len(), 0);
                self.recent.iter_mut().zip(recent).for_each(|(sum, count)| *sum += count);
            }
            (value, _) => {
                let Some(number) = memory.read(series, reading, seconds) else { return };
                self.total += number;
                let gauge = matches!(value, Value::Gauge(_));
                self.gauges += u32::from(gauge);
                self.others += u32::from(!gauge);
            }
        }
    }

    fn finish(self, reading: Reading) -> Option<f64> {
        match (self.scheme, reading) {
            (Some(scheme), Reading::Quantile(q)) => scheme.quantile(q, &self.recent),
            _ if self.gauges > 0 => Some(self.total / f64::from(self.gauges)),
            _ => (self.others > 0).then_some(self.total),
        }
    }
}

/// What a state is kept under: another group's must not be taken for it. If it is ever printed
/// otherwise, groups learn anew.
pub(super) fn description(members: &[Member]) -> String {
    format!("{members:?}")
}

/// Where the origin departs from the others: `… in group service, beside cpu_used_ratio 0.12`.
pub(super) fn beside(name: &str, members: &[Member], values: &[f64], origin: usize) -> String {
    let mut text = format!(" in group {name}, beside ");
    let others = members.iter().zip(values).enumerate().filter(|(index, _)| *index != origin);
    for (place, (_, (member, value))) in others.clone().take(NAMED).enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{} {}", member.metric, Short(*value));
    }
    let more = others.count().saturating_sub(NAMED);
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}
