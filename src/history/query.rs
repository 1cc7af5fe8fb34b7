//! From a selector to the series it chooses, without holding the store for long.

use std::time::Duration;

use super::family::{Part, Shape};
use super::selector::Selector;
use super::store::Store;
use super::tier::millis;
use super::view::{Times, View};
use crate::entry::Kind;
use crate::error::Error;
use crate::key;
use crate::sync::Mutex;

/// Series that are copied under one lock.
const AT_ONCE: usize = 64;
/// Steps of one range.
const MOST_STEPS: u64 = 11_000;

/// What a question found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Lines<P> {
    /// The series, by name and labels.
    pub lines: Vec<Line<P>>,
    /// How many series more there were, which would have made the answer too long.
    pub left_out: usize,
    /// The time of the last tick, since the Unix epoch.
    pub now: Duration,
}

/// A series, and what was asked about it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Line<P> {
    /// The metric's name.
    pub name: String,
    /// What it measures.
    pub kind: Kind,
    /// Its labels, sorted by name, global ones too.
    pub labels: Vec<(String, String)>,
    /// In order of time.
    pub points: Vec<P>,
}

impl<P> Line<P> {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

/// A range of time cut into steps: each is told by its end, which belongs to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) step: u64,
}

impl Grid {
    pub(super) fn new(from: Duration, to: Duration, step: Duration) -> Result<Self, Error> {
        let (from, to, step) = (millis(from), millis(to), millis(step));
        if step == 0 {
            return Err(Error::setting("step: at least a millisecond"));
        }
        if to < from {
            return Err(Error::setting("to: it is before from"));
        }
        if (to - from) / step > MOST_STEPS {
            return Err(Error::setting("step: that makes more than 11,000 steps"));
        }
        Ok(Self { from, to, step })
    }

    /// The end of the step that a moment is in, if it is in the range.
    pub(super) fn end(&self, time: u64) -> Option<u64> {
        let steps = time.checked_sub(self.from)?.div_ceil(self.step);
        let end = self.from.checked_add(steps.checked_mul(self.step)?)?;
        (steps > 0 && end <= self.to).then_some(end)
    }
}

pub(super) fn moment(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Which of the past a question needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) limit: Limit,
}

/// How long an answer may be. Series beyond are left out and counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) series: usize,
    /// Over all series. One series more is let in, so that no answer is empty.
    pub(super) points: usize,
}

impl Limit {
    /// What a program asks for itself.
    pub(super) const LIBRARY: Self = Self { series: usize::MAX, points: 1 << 22 };
}

/// Asks about every series that the selector chooses. `ask` returns nothing of series that the
/// question makes no sense for.
pub(super) fn each<P>(
    store: &Mutex<Store>,
    selector: &Selector,
    span: Span,
    mut ask: impl FnMut(&View, &Times) -> Option<Vec<P>>,
) -> Lines<P> {
    let (times, part, ids) = {
        let store = store.lock();
        let (part, ids) = candidates(&store, selector);
        (Times::of(&store), part, ids)
    };
    let mut answer = Lines { lines: Vec::new(), left_out: 0, now: moment(times.now) };
    let (limit, mut points) = (span.limit, 0);
    for ids in ids.chunks(AT_ONCE) {
        let room = answer.lines.len() < limit.series && points < limit.points;
        let chosen = {
            let store = store.lock();
            let chosen = ids.iter().filter_map(|id| choose(&store, *id, part, selector));
            let view = |id| view(&store, id, part, span, &times);
            match room {
                true => chosen.map(|(line, id)| (line, view(id))).collect(),
                false => {
                    answer.left_out += chosen.count();
                    Vec::new()
                }
            }
        };
        for (mut line, view) in chosen {
            if answer.lines.len() >= limit.series || points >= limit.points {
                answer.left_out += 1;
            } else if let Some(found) = view.and_then(|view| ask(&view, &times)) {
                points += found.len();
                line.points = found;
                answer.lines.push(line);
            }
        }
    }
    answer
}

/// The series of all metrics whose name the selector takes; or else, if it names the count or the
/// sum of a histogram, those of that histogram.
fn candidates(store: &Store, selector: &Selector) -> (Part, Vec<u32>) {
    let families = store.by_name.iter().filter(|(name, _)| selector.takes_name(name));
    let families = families.filter_map(|(_, index)| store.families.get(*index as usize));
    let ids: Vec<u32> = families.flat_map(|family| family.sorted.iter().copied()).collect();
    let name = selector.only_name().filter(|name| ids.is_empty() && selector.takes_name(name));
    let family = name.and_then(Part::of).and_then(|(name, part)| {
        let family = store.families.get(*store.by_name.get(name)? as usize)?;
        family.shape.has(part).then_some((part, family.sorted.clone()))
    });
    family.unwrap_or((Part::Whole, ids))
}

fn choose<P>(store: &Store, id: u32, part: Part, selector: &Selector) -> Option<(Line<P>, u32)> {
    let series = store.series.get(id as usize)?.as_ref()?;
    let family = store.families.get(series.family as usize)?;
    let own =
        key::parse(&series.labels).map(|(name, value)| (name.into_owned(), value.into_owned()));
    let mut labels: Vec<(String, String)> = own.collect();
    for (name, value) in &store.global_labels {
        if labels.iter().all(|(own, _)| own != name) {
            labels.push((name.clone(), value.clone()));
        }
    }
    labels.sort();
    let chosen = selector.takes_labels(&labels);
    let name = format!("{}{}", family.name, part.suffix());
    let kind = if part == Part::Whole { family.shape.kind() } else { Kind::Counter };
    chosen.then(|| (Line { name, kind, labels, points: Vec::new() }, id))
}

fn view(store: &Store, id: u32, part: Part, span: Span, times: &Times) -> Option<View> {
    let series = store.series.get(id as usize)?.as_ref()?;
    let shape: &Shape = &store.families.get(series.family as usize)?.shape;
    Some(View::of(series, (shape, part), span, times))
}
