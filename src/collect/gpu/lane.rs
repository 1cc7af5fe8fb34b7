//! A thread that does one thing when told to, and may get stuck in it.
//!
//! A driver's call can hang for good. So whoever wants a figure never makes the call, but tells a
//! lane to, and looks later whether it is done. A lane that is stuck is left alone until it
//! returns: nothing joins it, and no second thread is sent after the first.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::clock;
use crate::error::Error;
use crate::thread::Worker;

/// A thread that turns an `I` into an `O`, one at a time. It ends when this is dropped, or as soon
/// after as what it is stuck in returns.
pub(super) struct Lane<I, O> {
    /// `None` only while this is dropped.
    orders: Option<SyncSender<I>>,
    results: Receiver<O>,
    /// When it was told to do what it does now.
    since: Option<Instant>,
    worker: Option<Worker>,
}

/// How long the thread of an idle lane is waited for.
const STOP: Duration = Duration::from_millis(50);

/// What became of an order.
pub(super) enum Turn<O> {
    Done(O),
    /// Not yet, for this long.
    Busy(Duration),
    /// Nothing was ordered.
    Idle,
    /// The thread has ended, which only a panic brings about.
    Dead,
}

impl<I: Send + 'static, O: Send + 'static> Lane<I, O> {
    pub(super) fn start(
        name: &'static str,
        mut work: impl FnMut(I) -> O + Send + 'static,
    ) -> Result<Self, Error> {
        let (orders, todo) = sync_channel::<I>(1);
        let (done, results) = sync_channel(1);
        let worker = Worker::spawn(name, move |_| {
            // An end of orders is how it is asked to stop.
            while let Ok(order) = todo.recv() {
                if done.send(work(order)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { orders: Some(orders), results, since: None, worker: Some(worker) })
    }

    /// Whether it has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.since.is_none()
    }

    /// Tells it to work on this. Only while it is idle.
    pub(super) fn tell(&mut self, order: I) {
        let Some(orders) = self.orders.as_ref().filter(|_| self.since.is_none()) else { return };
        if orders.try_send(order).is_ok() {
            self.since = Some(clock::now());
        }
    }

    /// Waits for the result, at most until then.
    pub(super) fn wait(&mut self, until: Instant) -> Turn<O> {
        let Some(since) = self.since else { return Turn::Idle };
        let left = until.saturating_duration_since(clock::now());
        match self.results.recv_timeout(left) {
            Ok(result) => {
                self.since = None;
                Turn::Done(result)
            }
            Err(RecvTimeoutError::Timeout) => Turn::Busy(clock::since(since)),
            Err(RecvTimeoutError::Disconnected) => Turn::Dead,
        }
    }
}

impl<I, O> Drop for Lane<I, O> {
    fn drop(&mut self) {
        self.orders = None;
        let limit = if self.since.is_some() { Duration::ZERO } else { STOP };
        if let Some(worker) = self.worker.take() {
            // One that is stuck is counted as left behind.
            worker.join(limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        clock::now() + Duration::from_secs(30)
    }

    #[test]
    fn it_works_when_told() {
        let mut lane = Lane::start("nissa-test", |n: u32| n + 1).unwrap();
        assert!(matches!(lane.wait(soon()), Turn::Idle));
        lane.tell(1);
        assert!(!lane.is_idle());
        assert!(matches!(lane.wait(soon()), Turn::Done(2)));
        assert!(lane.is_idle());
    }

    #[test]
    fn one_that_is_stuck_holds_nobody_up_and_comes_back() {
        let (free, stuck) = std::sync::mpsc::channel::<()>();
        let mut lane =
            Lane::start("nissa-test", move |()| stuck.recv().unwrap_or_default()).unwrap();
        lane.tell(());
        assert!(matches!(lane.wait(clock::now()), Turn::Busy(_)));
        lane.tell(()); // not heard
        drop(free);
        assert!(matches!(lane.wait(soon()), Turn::Done(())));
        assert!(matches!(lane.wait(soon()), Turn::Idle));
    }

    #[test]
    fn a_panic_is_seen() {
        let mut lane = Lane::start("nissa-test", |(): ()| panic!("as the test wants it")).unwrap();
        lane.tell(());
        assert!(matches!(lane.wait(soon()), Turn::Dead));
    }
}
