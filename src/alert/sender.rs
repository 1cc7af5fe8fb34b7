//! Alerts on their way out of the program.
//!
//! Each sink has a thread and a queue of its own. While the other end does not answer, the queue
//! fills, the oldest go and are counted, and attempts are made at growing intervals; the host
//! notices nothing of it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Alert;
use super::history::History;
use crate::clock;
use crate::error::Error;
use crate::instrument::Counter;
use crate::registry::Registry;
use crate::sync::Mutex;
use crate::thread::{Pause, Worker};

/// Alerts that wait for a sink.
const ROOM: usize = 1_000;
/// The first and the longest pause after an attempt that failed.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(60)];
const A_WHILE: Duration = Duration::from_secs(3_600);
/// Attempts for one batch; after minutes what comes next is worth more. Without `Retry-After` they
/// and the pauses between them take two and a half minutes at most, at 10 s each; with it eight and
/// a half.
const MOST_ATTEMPTS: u32 = 8;

/// Where alerts are sent. Called on a thread of its own, and may block for as long as its own
/// deadlines allow.
pub(crate) trait Sink: Send {
    fn name(&self) -> &'static str;

    /// Sends alerts; `stopping` says that nobody will wait long any more.
    fn send(&mut self, alerts: &[Arc<Alert>], stopping: bool) -> Outcome;

    /// How often what is firing is to be sent again.
    fn repeat(&self) -> Option<Duration> {
        None
    }
}

/// What came of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "sinks come with features of their own")]
pub(crate) enum Outcome {
    Sent,
    /// Will not be taken however often it is sent.
    Refused,
    /// Worth trying again, not before so long.
    Failed {
        wait: Option<Duration>,
    },
}

/// Brings alerts to one sink.
pub(super) struct Sender {
    shared: Arc<Shared>,
    worker: Option<Worker>,
}

struct Shared {
    queue: Mutex<VecDeque<Arc<Alert>>>,
    history: History,
    pauses: [Duration; 2],
    sent: Counter,
    refused: Counter,
    failed: Counter,
    dropped: Counter,
}

impl Sender {
    pub(super) fn start(
        sink: Box<dyn Sink>,
        history: History,
        registry: &Registry,
    ) -> Result<Self, Error> {
        Self::pausing(sink, history, registry, PAUSES)
    }

    fn pausing(
        sink: Box<dyn Sink>,
        history: History,
        registry: &Registry,
        pauses: [Duration; 2],
    ) -> Result<Self, Error> {
        let name = sink.name();
        registry.describe_counter(
            "nissa_alerts_sent_total",
            None,
            "Alerts sent out of the program, by what came of it; failed attempts are tried again.",
        );
        let outcome = |outcome| {
            let labels = [("sink", name), ("outcome", outcome)];
            registry.counter("nissa_alerts_sent_total", &labels)
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(VecDeque::new()),
            history,
            pauses,
            sent: outcome("sent"),
            refused: outcome("refused"),
            failed: outcome("failed"),
            dropped: outcome("dropped"),
        });
        let ours = Arc::clone(&shared);
        let worker = Worker::spawn("nissa-sink", move |pause| ours.run(sink, pause))?;
        Ok(Self { shared, worker: Some(worker) })
    }

    /// Hands an alert over without waiting; the oldest goes when there is no room.
    pub(super) fn hand(&self, alert: &Arc<Alert>) {
        let mut queue = self.shared.queue.lock();
        if queue.len() >= ROOM {
            queue.pop_front();
            self.shared.dropped.increment(1);
        }
        queue.push_back(Arc::clone(alert));
        drop(queue);
        self.worker.iter().for_each(Worker::nudge);
    }

    pub(super) fn ask_stop(&self) {
        self.worker.iter().for_each(Worker::ask_stop);
    }

    pub(super) fn stop(&mut self, limit: Duration) {
        let in_time = self.worker.take().is_none_or(|worker| worker.join(limit));
        let left = std::mem::take(&mut *self.shared.queue.lock()).len();
        self.shared.dropped.increment(left as u64);
        if !in_time || left > 0 {
            crate::logging::warn!("nissa: {left} alerts were not sent before the end");
        }
    }
}

impl Shared {
    fn run(&self, mut sink: Box<dyn Sink>, pause: &Pause) {
        let mut jitter = Jitter::new();
        let mut repeated = clock::now();
        loop {
            let batch: Vec<Arc<Alert>> = self.queue.lock().drain(..).collect();
            if !batch.is_empty() {
                self.deliver(&mut *sink, &batch, pause, &mut jitter);
            }
            let due = sink.repeat().map_or(A_WHILE, |every| every);
            if clock::since(repeated) >= due {
                repeated = clock::now();
                let firing = self.history.firing();
                if !firing.is_empty() {
                    self.deliver(&mut *sink, &firing, pause, &mut jitter);
                }
            }
            if !self.queue.lock().is_empty() {
                continue;
            }
            if pause.until(repeated + due) && self.queue.lock().is_empty() {
                return;
            }
        }
    }

    /// Sends a batch, again and again if it fails; what comes meanwhile waits in the queue.
    fn deliver(
        &self,
        sink: &mut dyn Sink,
        batch: &[Arc<Alert>],
        pause: &Pause,
        jitter: &mut Jitter,
    ) {
        let [mut retry, longest] = self.pauses;
        for left in (0..MOST_ATTEMPTS).rev() {
            let stopping = pause.stopped();
            match sink.send(batch, stopping) {
                Outcome::Sent => return self.sent.increment(batch.len() as u64),
                Outcome::Refused => return self.refused.increment(batch.len() as u64),
                Outcome::Failed { .. } if stopping => break,
                Outcome::Failed { wait } => {
                    self.failed.increment(1);
                    // What comes next need not wait for an attempt that is not made.
                    if left == 0 {
                        break;
                    }
                    let wait = wait.unwrap_or(Duration::ZERO).max(jitter.spread(retry));
                    self.wait(wait.min(longest), pause);
                    retry = (retry * 2).min(longest);
                }
            }
        }
        self.dropped.increment(batch.len() as u64);
        crate::logging::warn!("nissa: {} alerts could not be sent", batch.len());
    }

    /// Waits in spite of nudges, until it is to stop.
    fn wait(&self, time: Duration, pause: &Pause) {
        let deadline = clock::now() + time;
        while clock::now() < deadline {
            if pause.until(deadline) {
                return;
            }
        }
    }
}

/// Spreads attempts, so that many programs do not come back at one moment.
struct Jitter(u64);

impl Jitter {
    fn new() -> Self {
        let seed = clock::unix().as_nanos() as u64;
        Self(seed ^ u64::from(std::process::id()).rotate_left(32))
    }

    /// Between half and all of a time: splitmix64.
    fn spread(&mut self, time: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let share = (mixed >> 40) as f64 / (1u64 << 24) as f64;
        time.mul_f64(0.5 + 0.5 * share)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::sync::{AtomicU32, Ordering};

    /// Fails so many times. After the eighth it asks for an hour, which nobody is to wait.
    struct Fails(u32, Arc<AtomicU32>);

    impl Sink for Fails {
        fn name(&self) -> &'static str {
            "fails"
        }

        fn send(&mut self, _: &[Arc<Alert>], _: bool) -> Outcome {
            let before = self.1.fetch_add(1, Ordering::Relaxed);
            let wait = (before == 7).then_some(A_WHILE);
            if before < self.0 { Outcome::Failed { wait } } else { Outcome::Sent }
        }
    }

    #[test]
    fn a_batch_that_fails_eight_times_is_dropped_and_counted_and_the_next_one_goes() {
        let (registry, sends) = (Registry::new(), Arc::new(AtomicU32::new(0)));
        let fails = Box::new(Fails(8, Arc::clone(&sends)));
        let pauses = [Duration::ZERO, A_WHILE];
        let sender = Sender::pausing(fails, History::default(), &registry, pauses).unwrap();
        let count = |outcome| {
            let labels = [("sink", "fails"), ("outcome", outcome)];
            registry.snapshot().get("nissa_alerts_sent_total", &labels).unwrap().as_f64()
        };
        let alert = Arc::new(Alert::of_test(State::Firing, Duration::ZERO));
        for (outcome, attempts) in [("dropped", 8), ("sent", 9)] {
            sender.hand(&alert);
            while count(outcome) != Some(1.0) {
                std::thread::yield_now();
            }
            assert_eq!(sends.load(Ordering::Relaxed), attempts);
        }
        assert_eq!((count("failed"), count("dropped")), (Some(8.0), Some(1.0)));
    }
}
