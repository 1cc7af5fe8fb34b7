//! What each rule knows of each series, as records for the file, and back.

use std::collections::HashMap;
use std::time::Duration;

use super::evaluator::Evaluator;
use super::store::Record;
use crate::detect::State;

/// Seconds after which a series that did not come back is forgotten: a week. Only those in which the
/// program runs are counted: one that was off for a month forgets nothing, nobody who sets the clock
/// makes it forget, and a job that is run over and over forgets no sooner than one that stays.
const MOST_UNSEEN: u32 = 7 * 24 * 60 * 60;

/// What was learned before a restart, of series that have not come back yet, by metric and labels.
pub(super) type Saved = HashMap<(String, String), Absent>;

#[derive(Debug)]
pub(super) struct Absent {
    pub(super) state: State,
    /// Seconds of running since it was there.
    unseen: u32,
}

/// Gives each rule what was saved for it.
pub(super) fn hand_out(records: Vec<Record>, evaluators: &mut [Evaluator]) {
    let places = places(evaluators);
    for Record { rule, nth, metric, labels, state, unseen } in records {
        let of_rule = evaluators.iter_mut().zip(&places).find(|(evaluator, place)| {
            *evaluator.rule.name == *rule
                && place.nth == nth
                && place.detector == Some(state.detector())
        });
        if let Some((evaluator, _)) = of_rule {
            evaluator.saved.insert((metric, labels), Absent { state, unseen });
        }
    }
}

/// Everything that is known: of series that are there, and then of those that are not, the latest
/// first. Also how many of these were forgotten, now that it ran so long since it was asked last.
pub(super) fn collect(evaluators: &mut [Evaluator], ran: Duration) -> (Vec<Record>, u64) {
    // One at least: runs too short to be counted would fill the file for ever.
    let ran = u32::try_from(ran.as_secs()).unwrap_or(u32::MAX).max(1);
    let places = places(evaluators);
    let (mut known, mut absent, mut forgotten) = (Vec::new(), Vec::new(), 0);
    for (evaluator, Place { nth, .. }) in evaluators.iter_mut().zip(places) {
        let record = |(metric, labels), state, unseen| {
            let rule = evaluator.rule.name.to_string();
            Record { rule, nth, metric, labels, state, unseen }
        };
        known.extend(evaluator.tracked.iter().filter_map(|tracked| {
            Some(record(tracked.place(), tracked.judge.detector.as_ref()?.save(), 0))
        }));
        let before = evaluator.saved.len();
        evaluator.saved.retain(|_, absent| {
            absent.unseen = absent.unseen.saturating_add(ran);
            absent.unseen <= MOST_UNSEEN
        });
        forgotten += before - evaluator.saved.len();
        let saved = evaluator.saved.iter();
        absent.extend(saved.map(|(place, of)| record(place.clone(), of.state.clone(), of.unseen)));
    }
    absent.sort_by_key(|record| record.unseen);
    known.append(&mut absent);
    (known, forgotten as u64)
}

/// What tells rules of one name apart: their detectors, and of equal ones the order.
struct Place {
    detector: Option<&'static str>,
    nth: u32,
}

fn places(evaluators: &[Evaluator]) -> Vec<Place> {
    let mut seen = HashMap::new();
    let place = |evaluator: &Evaluator| {
        let detector = evaluator.rule.condition.judge().detector.map(|it| it.name());
        let next = seen.entry((evaluator.rule.name.clone(), detector)).or_insert(0);
        let nth = *next;
        *next += 1;
        Place { detector, nth }
    };
    evaluators.iter().map(place).collect()
}
