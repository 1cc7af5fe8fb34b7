//! Saves and restores what detectors learned, without making detection wait for a disk.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::evaluator::Evaluator;
use super::store::{Record, Store};
use crate::clock;
use crate::error::Error;
use crate::instrument::Counter;
use crate::registry::Registry;
use crate::sync::Mutex;
use crate::thread::{Pause, Worker};

const A_WHILE: Duration = Duration::from_secs(3_600);
/// After a failed save the next is tried so much later, twice as long each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// A thread that writes, and what it is to write next.
pub(super) struct Keeper {
    next: Arc<Mutex<Option<Vec<Record>>>>,
    worker: Option<Worker>,
}

impl Keeper {
    /// Hands each rule what was saved for it. A file that is damaged or in use is counted and
    /// logged, and everything is learned anew.
    pub(super) fn start(
        path: &Path,
        registry: &Registry,
        evaluators: &mut [Evaluator],
    ) -> Result<Self, Error> {
        let next = Arc::new(Mutex::new(None));
        let outcome =
            |outcome| registry.counter("nissa_detector_state_total", &[("outcome", outcome)]);
        registry.describe_counter(
            "nissa_detector_state_total",
            None,
            "Times that detectors' state was loaded or saved, by what came of it.",
        );
        let (saved, failed) = (outcome("saved"), outcome("save_failed"));
        let store = match Store::open(path) {
            Ok(store) => store,
            Err(error) => {
                outcome("unavailable").increment(1);
                crate::logging::warn!(
                    "nissa: detectors' state in {} is not kept: {error}",
                    path.display()
                );
                return Ok(Self { next, worker: None });
            }
        };
        match store.load() {
            Ok(records) => {
                outcome("loaded").increment(1);
                hand_out(records, evaluators);
            }
            Err(reason) => {
                outcome("damaged").increment(1);
                crate::logging::warn!(
                    "nissa: detectors learn anew, {} is {reason}",
                    path.display()
                );
            }
        }
        let ours = Arc::clone(&next);
        let body = move |pause: &Pause| write(&store, &ours, [&saved, &failed], pause);
        Ok(Self { next, worker: Some(Worker::spawn("nissa-detectors", body)?) })
    }

    /// Gives the thread what was learned until now, in place of what it has not written yet.
    pub(super) fn keep(&mut self, evaluators: &[Evaluator]) {
        let Some(worker) = &self.worker else { return };
        *self.next.lock() = Some(evaluators.iter().flat_map(records).collect());
        worker.nudge();
    }

    pub(super) fn ask_stop(&self) {
        self.worker.iter().for_each(Worker::ask_stop);
    }

    pub(super) fn stop(self, limit: Duration) {
        if !self.worker.is_none_or(|worker| worker.join(limit)) {
            crate::logging::warn!("nissa: what detectors learned was not saved in time");
        }
    }
}

fn hand_out(records: Vec<Record>, evaluators: &mut [Evaluator]) {
    let detector = |of: &Evaluator| of.rule.condition.judge().detector.map(|it| it.name());
    let detectors: Vec<_> = evaluators.iter().map(detector).collect();
    for record in records {
        // Rules without a name of their own may share one; their detectors differ then.
        let of_rule = evaluators.iter_mut().zip(&detectors).find(|(evaluator, detector)| {
            *evaluator.rule.name == record.rule && **detector == Some(record.state.detector())
        });
        if let Some((evaluator, _)) = of_rule {
            evaluator.saved.insert((record.metric, record.labels), record.state);
        }
    }
}

fn records(evaluator: &Evaluator) -> impl Iterator<Item = Record> {
    let rule = &evaluator.rule.name;
    let known = evaluator.tracked.iter().filter_map(move |tracked| {
        let state = tracked.judge.detector.as_ref()?.save();
        let (metric, labels) = tracked.place();
        Some(Record { rule: rule.to_string(), metric, labels, state })
    });
    // Series that have not come back yet are not to be forgotten.
    let absent = evaluator.saved.iter().map(move |((metric, labels), state)| Record {
        rule: rule.to_string(),
        metric: metric.clone(),
        labels: labels.clone(),
        state: state.clone(),
    });
    known.chain(absent)
}

fn write(
    store: &Store,
    next: &Mutex<Option<Vec<Record>>>,
    [saved, failed]: [&Counter; 2],
    pause: &Pause,
) {
    let mut retry = FIRST_RETRY;
    loop {
        let Some(records) = next.lock().take() else {
            if pause.until(clock::now() + A_WHILE) && next.lock().is_none() {
                return;
            }
            continue;
        };
        match store.save(&records) {
            Ok(()) => {
                retry = FIRST_RETRY;
                saved.increment(1);
            }
            Err(error) => {
                failed.increment(1);
                crate::logging::warn!("nissa: what detectors learned cannot be saved: {error}");
                if pause.until(clock::now() + retry) {
                    return;
                }
                retry = (retry * 2).min(LONGEST_RETRY);
                let mut next = next.lock();
                if next.is_none() {
                    *next = Some(records);
                }
            }
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}
