//! Answers as JSON: a list of numbers for each column, which is what plots take.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::budget::{Capacity, Reach};
use super::catalog::About;
use super::quantile::Column;
use super::query::Lines;
use super::range::{Reading, Window};

/// An answer about several series.
#[derive(Serialize)]
pub(super) struct Answer<'a, C> {
    now: f64,
    left_out: usize,
    pub(super) series: Vec<Series<'a, C>>,
}

/// One series. Numbers that are not finite become null.
#[derive(Serialize)]
pub(super) struct Series<'a, C> {
    pub(super) name: &'a str,
    kind: &'static str,
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(flatten)]
    pub(super) columns: C,
}

impl<'a, C> Answer<'a, C> {
    pub(super) fn new<P>(lines: &'a Lines<P>, columns: impl Fn(&'a [P]) -> C) -> Self {
        let series = lines.lines.iter().map(|line| Series {
            name: &line.name,
            kind: line.kind.as_str(),
            labels: line.labels.iter().map(|(name, value)| (&**name, &**value)).collect(),
            columns: columns(&line.points),
        });
        Self { now: seconds(lines.now), left_out: lines.left_out, series: series.collect() }
    }
}

#[derive(Serialize)]
pub(super) struct Readings {
    time: Vec<f64>,
    value: Vec<f64>,
}

impl Readings {
    pub(super) fn new(points: &[Reading]) -> Self {
        Self {
            time: points.iter().map(|point| seconds(point.time)).collect(),
            value: points.iter().map(|point| point.value).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Windows {
    time: Vec<f64>,
    min: Vec<f64>,
    max: Vec<f64>,
    mean: Vec<f64>,
    last: Vec<f64>,
    count: Vec<u64>,
}

impl Windows {
    pub(super) fn new(points: &[Window]) -> Self {
        let column = |of: fn(&Window) -> f64| points.iter().map(of).collect();
        Self {
            time: column(|window| seconds(window.time)),
            min: column(|window| window.min),
            max: column(|window| window.max),
            mean: column(|window| window.mean),
            last: column(|window| window.last),
            count: points.iter().map(|window| window.count).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Heat<'a> {
    time: Vec<f64>,
    /// Pairs of a bucket's upper bound and its count; the infinite bound is null.
    buckets: Vec<&'a [(f64, u64)]>,
}

impl<'a> Heat<'a> {
    pub(super) fn new(points: &'a [Column]) -> Self {
        Self {
            time: points.iter().map(|column| seconds(column.time)).collect(),
            buckets: points.iter().map(|column| &column.buckets[..]).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Extent {
    first: f64,
    last: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) help: Option<String>,
}

impl Extent {
    pub(super) fn new(points: &[About]) -> Self {
        let point = points.first();
        Self {
            first: point.map_or(0.0, |about| seconds(about.first)),
            last: point.map_or(0.0, |about| seconds(about.last)),
            unit: None,
            help: None,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Room {
    now: f64,
    budget_bytes: usize,
    used_bytes: usize,
    series: usize,
    refused_series: usize,
    tiers: Vec<TierRoom>,
}

#[derive(Serialize)]
struct TierRoom {
    tier: &'static str,
    step_seconds: f64,
    asked_seconds: f64,
    reach_seconds: f64,
    used_bytes: usize,
    evicted_samples: u64,
}

impl Room {
    pub(super) fn new(capacity: &Capacity, now: Duration) -> Self {
        let tier = |reach: &Reach| TierRoom {
            tier: reach.tier,
            step_seconds: seconds(reach.step),
            asked_seconds: seconds(reach.asked),
            reach_seconds: seconds(reach.reach),
            used_bytes: reach.used,
            evicted_samples: reach.evicted,
        };
        Self {
            now: seconds(now),
            budget_bytes: capacity.budget,
            used_bytes: capacity.used,
            series: capacity.series,
            refused_series: capacity.refused,
            tiers: capacity.tiers.iter().map(tier).collect(),
        }
    }
}

/// With milliseconds, which is what is kept.
fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1e3
}
