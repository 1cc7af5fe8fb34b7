//! The monitor's thread, for as long as its guard lives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Monitor, Wants};
use crate::clock;
use crate::error::Error;
use crate::instrument::Counter;
use crate::recorder::Seat;
use crate::registry::Registry;
use crate::thread::{Pause, Worker};

/// Keeps the monitor at work. Dropping it takes a last tick, stops all stages and joins their
/// threads, in at most [`shutdown_timeout`](super::Builder::shutdown_timeout) and mostly at once.
/// It may be dropped anywhere: in async code, in a callback, in a forked child (where it does
/// nothing: threads and ports are the parent's).
///
/// The registry stays, and the facade's recorder too: what is recorded later is kept, and shown
/// if the program installs again.
#[derive(Debug)]
#[must_use = "dropping the guard stops everything it stands for"]
pub struct Guard {
    monitor: Arc<Monitor>,
    /// None when it has ended.
    ticker: Option<Worker>,
    /// Gives the facade free for the next installation.
    _seat: Option<Seat>,
    shutdown_timeout: Duration,
}

impl Guard {
    pub(super) fn new(
        monitor: Monitor,
        seat: Option<Seat>,
        interval: Duration,
        shutdown_timeout: Duration,
    ) -> Result<Self, Error> {
        let monitor = Arc::new(monitor);
        let mut guard = Self { monitor, ticker: None, _seat: seat, shutdown_timeout };
        if guard.monitor.wants() > Wants::Nothing {
            let monitor = Arc::clone(&guard.monitor);
            let ticks = move |pause: &Pause| run(&monitor, interval, pause);
            // On failure the guard goes, and stops the stages.
            guard.ticker = Some(Worker::spawn("nissa-monitor", ticks)?);
        }
        Ok(guard)
    }

    /// The registry that is monitored.
    pub fn registry(&self) -> &Registry {
        self.monitor.registry()
    }

    /// Where stages listen: with port 0, this is how to learn the port.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.monitor.addresses()
    }

    /// Stops everything now, as dropping does, and says whether all of it ended in time.
    pub fn shutdown(mut self) -> bool {
        self.stop()
    }

    fn stop(&mut self) -> bool {
        let deadline = clock::after(self.shutdown_timeout);
        let left = || deadline.saturating_duration_since(clock::now());
        let in_time = self.ticker.take().is_none_or(|ticker| ticker.join(left()));
        self.monitor.stop(left()) && in_time
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ticks at once, then at every interval, and once more when asked to stop.
fn run(monitor: &Monitor, interval: Duration, pause: &Pause) {
    let registry = monitor.registry();
    let ticks = registry.counter("nissa_ticks_total", &[]);
    let skipped = registry.counter("nissa_ticks_skipped_total", &[]);
    registry.describe_counter("nissa_ticks_total", None, "Ticks of the monitor.");
    registry.describe_counter(
        "nissa_ticks_skipped_total",
        None,
        "Ticks that were left out because the one before took too long.",
    );
    let mut due = clock::now();
    loop {
        monitor.tick();
        ticks.increment(1);
        due = next(due, interval, clock::now(), &skipped);
        if pause.until(due) {
            monitor.tick();
            ticks.increment(1);
            return;
        }
    }
}

/// The next moment of the schedule that is still to come.
fn next(due: Instant, interval: Duration, now: Instant, skipped: &Counter) -> Instant {
    let late = now.saturating_duration_since(due).as_nanos();
    let missed = u64::try_from(late / interval.as_nanos().max(1)).unwrap_or(u64::MAX);
    skipped.increment(missed);
    let intervals = u32::try_from(missed.saturating_add(1)).unwrap_or(u32::MAX);
    let next = interval.checked_mul(intervals).and_then(|step| due.checked_add(step));
    next.unwrap_or_else(|| clock::after(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_ticks_are_skipped_and_counted() {
        let registry = Registry::new();
        let skipped = registry.counter("skipped_total", &[]);
        let second = Duration::from_secs(1);
        let start = clock::now();
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(next(start, second, after(20), &skipped), after(1_000));
        assert_eq!(registry.snapshot().value("skipped_total"), Some(0.0));
        assert_eq!(next(start, second, after(3_500), &skipped), after(4_000));
        assert_eq!(registry.snapshot().value("skipped_total"), Some(3.0));
    }
}
