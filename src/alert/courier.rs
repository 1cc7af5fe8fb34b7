//! Alerts on their way to the user's code.
//!
//! Each callback has a thread and a queue of its own: one that never returns holds up neither
//! detection nor the others. It is called without any lock held, so it may record, read and
//! register as it likes.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::Alert;
use super::rule::Callback;
use crate::clock::{self, Clock, SystemClock};
use crate::error::Error;
use crate::instrument::Counter;
use crate::registry::Registry;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use crate::thread::{Pause, Worker};

/// Alerts that wait for a callback; further ones are dropped and counted.
const ROOM: usize = 256;
/// Panics in a row after which a callback is not called again.
const MOST_PANICS: u32 = 10;
/// How long a callback may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(30);
/// Longer than anything needs to be waited for.
const A_WHILE: Duration = Duration::from_secs(3_600);

/// Brings alerts to one callback.
pub(super) struct Courier {
    /// Only alerts of this rule.
    rule: Option<Arc<str>>,
    shared: Arc<Shared>,
    worker: Option<Worker>,
}

struct Shared {
    queue: Mutex<VecDeque<Arc<Alert>>>,
    clock: SystemClock,
    /// When the call that is going on began, in milliseconds and one more; 0 between calls.
    busy_since: AtomicU64,
    panics_in_a_row: AtomicU32,
    done: Counter,
    panicked: Counter,
    dropped: Counter,
}

impl Courier {
    pub(super) fn start(
        callback: Callback,
        rule: Option<Arc<str>>,
        registry: &Registry,
    ) -> Result<Self, Error> {
        let outcome = |outcome| registry.counter("nissa_callbacks_total", &[("outcome", outcome)]);
        let shared = Arc::new(Shared {
            queue: Mutex::new(VecDeque::new()),
            clock: SystemClock::new(),
            busy_since: AtomicU64::new(0),
            panics_in_a_row: AtomicU32::new(0),
            done: outcome("done"),
            panicked: outcome("panicked"),
            dropped: outcome("dropped"),
        });
        let ours = Arc::clone(&shared);
        let body = move |pause: &Pause| ours.run(&callback, pause);
        let worker = Worker::spawn("nissa-callback", body)?;
        Ok(Self { rule, shared, worker: Some(worker) })
    }

    /// Hands an alert over without waiting.
    pub(super) fn hand(&self, alert: &Arc<Alert>) {
        // The very rule: two may bear one name, as two limits of one metric do.
        if self.rule.as_ref().is_some_and(|rule| !Arc::ptr_eq(rule, &alert.rule)) {
            return;
        }
        let mut queue = self.shared.queue.lock();
        if queue.len() >= ROOM || self.shared.is_given_up() {
            self.shared.dropped.increment(1);
            return;
        }
        queue.push_back(Arc::clone(alert));
        drop(queue);
        self.worker.iter().for_each(Worker::nudge);
    }

    /// Whether its callback has not returned for long.
    pub(super) fn is_stuck(&self) -> bool {
        let since = self.shared.busy_since.load(Ordering::Relaxed);
        let now = self.shared.millis();
        since > 0 && now.saturating_sub(since) > STUCK.as_millis() as u64
    }

    pub(super) fn ask_stop(&self) {
        self.worker.iter().for_each(Worker::ask_stop);
    }

    /// Waits until the queue is empty, at most so long; what is left is dropped and counted.
    pub(super) fn stop(&mut self, limit: Duration) {
        let in_time = self.worker.take().is_none_or(|worker| worker.join(limit));
        let left = std::mem::take(&mut *self.shared.queue.lock()).len();
        if !in_time || left > 0 {
            self.shared.dropped.increment(left as u64);
            crate::logging::warn!(
                "nissa: a callback did not end in time, {left} alerts undelivered"
            );
        }
    }
}

impl Shared {
    fn run(&self, callback: &Callback, pause: &Pause) {
        loop {
            while let Some(alert) = self.next() {
                self.deliver(callback, &alert);
            }
            if pause.until(clock::now() + A_WHILE) && self.queue.lock().is_empty() {
                return;
            }
        }
    }

    fn next(&self) -> Option<Arc<Alert>> {
        self.queue.lock().pop_front()
    }

    fn deliver(&self, callback: &Callback, alert: &Alert) {
        if self.is_given_up() {
            self.dropped.increment(1);
            return;
        }
        self.busy_since.store(self.millis() + 1, Ordering::Relaxed);
        let outcome = catch_unwind(AssertUnwindSafe(|| callback(alert)));
        self.busy_since.store(0, Ordering::Relaxed);
        match outcome {
            Ok(()) => {
                self.panics_in_a_row.store(0, Ordering::Relaxed);
                self.done.increment(1);
            }
            Err(panic) => {
                // What it carries may panic in its turn as it is dropped.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
                self.panicked.increment(1);
                if self.panics_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 == MOST_PANICS {
                    crate::logging::warn!("nissa: a callback panicked too often; not called again");
                }
            }
        }
    }

    fn is_given_up(&self) -> bool {
        self.panics_in_a_row.load(Ordering::Relaxed) >= MOST_PANICS
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("rule", &self.rule).finish_non_exhaustive()
    }
}
