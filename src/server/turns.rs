//! Turns at a route: a few at once, and a line for one that has an end.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sync::{AtomicUsize, Ordering};

/// Who runs a route now, and how many wait to.
#[derive(Debug)]
pub(super) struct Turns {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
}

impl Turns {
    pub(super) fn new(at_once: usize, most_waiting: usize) -> Self {
        let free = Arc::new(Semaphore::new(at_once));
        Self { free, waiting: AtomicUsize::new(0), most_waiting }
    }

    /// Waits for a turn, over when it is dropped; `None` at once if too many wait already.
    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(turn) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(turn);
        }
        let _place = Place::take(self)?;
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

/// A place in the line, left by who has his turn and by who waits no more.
struct Place<'a>(&'a Turns);

impl<'a> Place<'a> {
    fn take(turns: &'a Turns) -> Option<Self> {
        let more = |waiting| (waiting < turns.most_waiting).then_some(waiting + 1);
        turns.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(turns))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn the_line_has_an_end_and_places_are_given_up() {
        let turns = Turns::new(1, 2);
        let mut context = Context::from_waker(Waker::noop());
        let mut poll = |take: std::pin::Pin<&mut dyn Future<Output = _>>| take.poll(&mut context);
        let Poll::Ready(Some(first)) = poll(pin!(turns.take())) else { panic!("nobody runs") };
        let (mut second, mut third) = (pin!(turns.take()), Box::pin(turns.take()));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert!(matches!(poll(pin!(turns.take())), Poll::Ready(None)), "two wait");
        drop(third);
        let mut fourth = pin!(turns.take());
        assert!(poll(fourth.as_mut()).is_pending(), "one of them went away");
        drop(first);
        assert!(matches!(poll(second.as_mut()), Poll::Ready(Some(_))));
        assert!(matches!(poll(fourth.as_mut()), Poll::Ready(Some(_))));
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);
    }
}
