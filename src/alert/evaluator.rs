//! One rule over all the series it is about.

use std::sync::Arc;

use super::condition::Condition;
use super::fitting::{Fitting, fits};
use super::group::Input;
use super::other::Other;
use super::remembered::Saved;
use super::report::Verdict;
use super::rule::Rule;
use super::tracked::{Event, Moment, Tracked};
use crate::snapshot::{Family, Snapshot};

/// Series that one rule keeps state of; further ones are not judged.
pub(super) const MOST_SERIES: usize = 10_000;
/// Panics after which a closure is not called again.
const MOST_PANICS: u32 = 10;

type Labels = Arc<[(String, String)]>;

/// A rule, and what it knows of each series.
#[derive(Debug)]
pub(super) struct Evaluator {
    pub(super) rule: Rule,
    /// Sorted by metric, then by labels, as in a snapshot: one pass over both finds every pair
    /// without a lookup.
    pub(super) tracked: Vec<Tracked>,
    /// Of each metric that it is about, in a snapshot's order.
    fittings: Vec<Fitting>,
    /// Of a group: each member's.
    inputs: Vec<Input>,
    pub(super) panics: u32,
    /// Series beyond the most, counted each tick.
    pub(super) refused: u64,
    /// What was learned before a restart, of series that have not come yet.
    pub(super) saved: Saved,
}

impl Evaluator {
    pub(super) fn new(rule: Rule) -> Self {
        let inputs = rule.members.iter().flatten().map(Input::new).collect();
        let (tracked, fittings, saved) = (Vec::new(), Vec::new(), Saved::new());
        Self { rule, tracked, fittings, inputs, panics: 0, refused: 0, saved }
    }

    /// Judges every series of the snapshot that the rule is about.
    pub(super) fn tick(&mut self, snapshot: &Snapshot, moment: Moment) -> Vec<Event> {
        match &self.rule.condition {
            Condition::Custom(_) | Condition::Absent => self.tick_whole(snapshot, moment),
            _ if !self.inputs.is_empty() => self.tick_group(snapshot, moment),
            _ => {
                // Before the pass: events speak of places, until the end of the tick.
                self.tracked.retain(|tracked| !tracked.is_forgotten());
                let Self { rule, tracked, fittings, refused, saved, panics, .. } = self;
                let events = Vec::new();
                let mut pass =
                    Pass { rule, tracked, moment, refused, saved, panics, at: 0, events };
                pass.run(snapshot, fittings);
                pass.events
            }
        }
    }

    /// How many of the series can be judged, and how many there are.
    pub(super) fn ready(&self) -> (usize, usize) {
        (self.tracked.iter().filter(|tracked| tracked.ready).count(), self.tracked.len())
    }

    /// A rule that is broken or not as a whole has one series, without labels.
    fn tick_whole(&mut self, snapshot: &Snapshot, moment: Moment) -> Vec<Event> {
        let verdict = match &self.rule.condition {
            Condition::Custom(closure) if self.panics < MOST_PANICS => {
                let broken = closure.call(snapshot);
                self.panics += u32::from(broken.is_none());
                let holds = || Verdict::certain("rule", "its condition holds");
                broken.unwrap_or(false).then(holds)
            }
            Condition::Absent => {
                self.is_absent(snapshot).then(|| Verdict::certain("absent", "no such series"))
            }
            _ => None,
        };
        if self.tracked.is_empty() {
            self.tracked.push(Tracked::whole(&self.rule));
        }
        let rule = &self.rule;
        let event =
            self.tracked.first_mut().and_then(|whole| whole.judge_whole(rule, verdict, moment));
        event.into_iter().collect()
    }

    /// A group is judged as one series, which is there as long as the rule.
    fn tick_group(&mut self, snapshot: &Snapshot, moment: Moment) -> Vec<Event> {
        if self.tracked.is_empty() {
            let mut whole = Tracked::whole(&self.rule);
            if let Some(absent) = self.saved.remove(&whole.place()) {
                whole.restore(&absent.state);
            }
            self.tracked.push(whole);
        }
        let Self { rule, tracked, inputs, refused, panics, .. } = self;
        // Each of them reads, so that a rate is always one since the last tick.
        let read: Vec<Option<f64>> = rule
            .members
            .iter()
            .flatten()
            .zip(inputs)
            .map(|(member, input)| input.read(member, snapshot, moment.seconds, refused))
            .collect();
        let values: Option<Vec<f64>> = read.into_iter().collect();
        let Some(whole) = tracked.first_mut() else { return Vec::new() };
        let event = whole.judge_group(rule, values.as_deref(), moment);
        *panics = panics.saturating_add(std::mem::take(&mut whole.panics));
        event.into_iter().collect()
    }

    /// Metric and labels of what an event is about.
    pub(super) fn subject(&self, event: &Event) -> Option<(Arc<str>, Labels)> {
        if let Some(input) = self.inputs.get(event.origin) {
            return Some((Arc::clone(&input.metric), input.labels()));
        }
        let tracked = self.tracked.get(event.series)?;
        Some((Arc::clone(&tracked.metric), Arc::clone(&tracked.labels)))
    }

    fn is_absent(&self, snapshot: &Snapshot) -> bool {
        let mut fitting = snapshot.families().filter(|family| self.rule.is_about(family.name()));
        !fitting.any(|family| {
            family.series().any(|series| fits(&self.rule.matcher, family.name(), &series))
        })
    }
}

impl Rule {
    /// Whether a metric of this name can have series that the rule is about.
    pub(super) fn is_about(&self, name: &str) -> bool {
        let own = name.starts_with("nissa_") && !self.pattern.starts_with("nissa_");
        !own && self.matcher.matches_name(name)
    }
}

/// One pass of a rule over a snapshot.
struct Pass<'a> {
    rule: &'a Rule,
    tracked: &'a mut Vec<Tracked>,
    moment: Moment,
    refused: &'a mut u64,
    saved: &'a mut Saved,
    panics: &'a mut u32,
    /// How far the pass has come in what is tracked.
    at: usize,
    events: Vec<Event>,
}

impl Pass<'_> {
    fn run(&mut self, snapshot: &Snapshot, fittings: &mut Vec<Fitting>) {
        let other = Other::new(&self.rule.condition, snapshot);
        let families: Vec<&Family> = match self.rule.pattern.contains('*') {
            true => snapshot.families().filter(|f| self.rule.is_about(f.name())).collect(),
            false => snapshot.family(&self.rule.pattern).into_iter().collect(),
        };
        // Where a metric came or went, those behind it are looked at anew.
        fittings.resize_with(families.len(), Fitting::default);
        for (family, fitting) in families.into_iter().zip(fittings) {
            fitting.look(&self.rule.matcher, family);
            self.family(family, fitting, &other);
        }
        // What is left was not there.
        while self.at < self.tracked.len() {
            self.miss();
        }
    }

    fn family(&mut self, family: &Family, fitting: &Fitting, other: &Other<'_>) {
        for series in fitting.series(family) {
            if !self.find(family.name(), series.entry.text_str()) {
                if self.tracked.len() >= MOST_SERIES {
                    *self.refused += 1;
                    continue;
                }
                let mut new = Tracked::new(self.rule, family.name(), &series);
                if let Some(absent) = self.saved.remove(&new.place()) {
                    new.restore(&absent.state);
                }
                self.tracked.insert(self.at, new);
            }
            let Some(tracked) = self.tracked.get_mut(self.at) else { continue };
            let event = tracked.judge(self.rule, &series, other, self.moment);
            *self.panics = self.panics.saturating_add(std::mem::take(&mut tracked.panics));
            self.events.extend(event.map(|event| event.of(self.at)));
            self.at += 1;
        }
    }

    /// Goes on to where this series is, or belongs. Those passed over are not in the snapshot.
    fn find(&mut self, name: &str, text: &str) -> bool {
        while let Some(known) = self.tracked.get(self.at) {
            match known.key().cmp(&(name, text)) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => return false,
                std::cmp::Ordering::Less => self.miss(),
            }
        }
        false
    }

    fn miss(&mut self) {
        let missed = self.tracked.get_mut(self.at).and_then(|t| t.miss(self.rule, self.moment));
        self.events.extend(missed.map(|event| event.of(self.at)));
        self.at += 1;
    }
}
