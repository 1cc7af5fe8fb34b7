//! Saves and restores what detectors learned, without making detection wait for a disk.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::evaluator::Evaluator;
use super::remembered::{collect, hand_out};
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
    forgotten: Counter,
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
        registry.describe_counter(
            "nissa_detector_states_dropped_total",
            None,
            "Series of which what was learned is not kept: unseen for too long, or no room.",
        );
        let dropped =
            |reason| registry.counter("nissa_detector_states_dropped_total", &[("reason", reason)]);
        let (forgotten, no_room) = (dropped("unseen"), dropped("no_room"));
        let (saved, failed) = (outcome("saved"), outcome("save_failed"));
        let store = match Store::open(path) {
            Ok(store) => store,
            Err(error) => {
                outcome("unavailable").increment(1);
                crate::logging::warn!(
                    "nissa: detectors' state in {} is not kept: {error}",
                    path.display()
                );
                return Ok(Self { next, worker: None, forgotten });
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
        let body = move |pause: &Pause| write(&store, &ours, [&saved, &failed, &no_room], pause);
        Ok(Self { next, worker: Some(Worker::spawn("nissa-detectors", body)?), forgotten })
    }

    /// Gives the thread what was learned until now, in place of what it has not written yet. The
    /// program ran so long since the last time.
    pub(super) fn keep(&mut self, evaluators: &mut [Evaluator], ran: Duration) {
        let Some(worker) = &self.worker else { return };
        let (records, forgotten) = collect(evaluators, ran);
        self.forgotten.increment(forgotten);
        *self.next.lock() = Some(records);
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

fn write(
    store: &Store,
    next: &Mutex<Option<Vec<Record>>>,
    [saved, failed, no_room]: [&Counter; 3],
    pause: &Pause,
) {
    let mut retry = FIRST_RETRY;
    let mut told = false;
    loop {
        let Some(records) = next.lock().take() else {
            if pause.until(clock::now() + A_WHILE) && next.lock().is_none() {
                return;
            }
            continue;
        };
        match store.save(&records) {
            Ok(left_out) => {
                retry = FIRST_RETRY;
                saved.increment(1);
                no_room.increment(left_out);
                if left_out > 0 && !std::mem::replace(&mut told, true) {
                    crate::logging::warn!(
                        "nissa: detectors' state of {left_out} series is not kept: more than 64 MiB"
                    );
                }
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
