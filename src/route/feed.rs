//! A stream of events that many read: published once, encoded once, shared by all.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// Events that a reader who is slow for a moment may still catch up with.
const KEPT: usize = 8;

/// Publishes server-sent events to however many connections read it. Clones publish to the same.
///
/// A reader who falls more than eight events behind misses those in between, so an event should
/// carry a number by which a reader notices.
///
/// ```
/// use nissa::route::{Feed, Response};
///
/// let feed = Feed::new();
/// let response = Response::events(&feed); // what a route answers with
/// assert_eq!((response.status(), feed.readers()), (200, 1));
/// feed.publish("event: tick\ndata: 1\n\n");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Feed(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    /// The number of the first event that is kept.
    first: u64,
    events: VecDeque<Arc<[u8]>>,
    /// By reader; taken when woken.
    wakers: Vec<(u64, Waker)>,
    readers: usize,
    next_reader: u64,
    closed: bool,
}

impl Feed {
    /// A feed without events or readers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends an event, in the form of server-sent events, to all readers. Without readers it is
    /// forgotten at once.
    pub fn publish(&self, event: impl Into<Vec<u8>>) {
        let mut shared = self.0.lock();
        if shared.readers == 0 || shared.closed {
            return;
        }
        shared.events.push_back(event.into().into());
        if shared.events.len() > KEPT {
            shared.events.pop_front();
            shared.first += 1;
        }
        wake(shared);
    }

    /// How many connections read it: without any, nothing needs to be made.
    pub fn readers(&self) -> usize {
        self.0.lock().readers
    }

    /// Ends all streams, once their readers have what was published.
    pub fn close(&self) {
        let mut shared = self.0.lock();
        shared.closed = true;
        wake(shared);
    }

    /// A new reader, who gets what is published from now on.
    pub(crate) fn read(&self) -> Reader {
        let mut shared = self.0.lock();
        shared.readers += 1;
        shared.next_reader += 1;
        let next = shared.first + shared.events.len() as u64;
        Reader { feed: self.clone(), id: shared.next_reader, next }
    }
}

/// Wakes readers when the lock is free again: a waker runs code of the runtime.
fn wake(mut shared: crate::sync::MutexGuard<'_, Shared>) {
    let wakers = std::mem::take(&mut shared.wakers);
    drop(shared);
    wakers.into_iter().for_each(|(_, waker)| waker.wake());
}

/// One connection's place in a feed.
#[derive(Debug)]
pub(crate) struct Reader {
    feed: Feed,
    id: u64,
    next: u64,
}

impl Reader {
    #[allow(dead_code, reason = "only the endpoint reads feeds")]
    /// The next event; `None` when the feed is closed.
    #[allow(dead_code, reason = "of the server, which a feature brings")]
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<[u8]>>> {
        let mut shared = self.feed.0.lock();
        self.next = self.next.max(shared.first);
        let at = usize::try_from(self.next - shared.first).unwrap_or(usize::MAX);
        if let Some(event) = shared.events.get(at) {
            self.next += 1;
            return Poll::Ready(Some(Arc::clone(event)));
        }
        if shared.closed {
            return Poll::Ready(None);
        }
        let waker = context.waker().clone();
        match shared.wakers.iter_mut().find(|(id, _)| *id == self.id) {
            Some(known) => known.1 = waker,
            None => shared.wakers.push((self.id, waker)),
        }
        Poll::Pending
    }
}

impl Clone for Reader {
    fn clone(&self) -> Self {
        let mut reader = self.feed.read();
        reader.next = self.next;
        reader
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut shared = self.feed.0.lock();
        shared.readers -= 1;
        shared.wakers.retain(|(id, _)| *id != self.id);
        if shared.readers == 0 {
            shared.first += shared.events.len() as u64;
            shared.events.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(reader: &mut Reader) -> Poll<Option<String>> {
        let mut context = Context::from_waker(Waker::noop());
        let text = |event: Arc<[u8]>| String::from_utf8(event.to_vec()).unwrap();
        reader.poll_next(&mut context).map(|event| event.map(text))
    }

    fn ready(text: &str) -> Poll<Option<String>> {
        Poll::Ready(Some(text.to_owned()))
    }

    #[test]
    fn readers_get_what_is_published_while_they_read() {
        let feed = Feed::new();
        feed.publish("nobody reads this");
        let mut early = feed.read();
        assert_eq!(next(&mut early), Poll::Pending);
        feed.publish("1");
        let mut late = feed.read();
        feed.publish("2");
        assert_eq!([next(&mut early), next(&mut early)], [ready("1"), ready("2")]);
        assert_eq!([next(&mut late), next(&mut late)], [ready("2"), Poll::Pending]);
        feed.publish("3");
        feed.close();
        feed.publish("4");
        assert_eq!([next(&mut late), next(&mut late)], [ready("3"), Poll::Ready(None)]);
    }

    #[test]
    fn a_slow_reader_misses_and_nothing_piles_up() {
        let feed = Feed::new();
        let mut slow = feed.read();
        (0..100).for_each(|number| feed.publish(number.to_string()));
        assert_eq!(next(&mut slow), ready("92"));
        assert_eq!(feed.0.lock().events.len(), KEPT);
        drop(slow);
        assert_eq!((feed.readers(), feed.0.lock().events.len()), (0, 0));
    }

    #[test]
    fn a_waiting_reader_is_woken_once_and_forgotten_when_gone() {
        struct Count(crate::sync::AtomicU64);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, crate::sync::Ordering::Relaxed);
            }
        }
        let count = Arc::new(Count(crate::sync::AtomicU64::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let feed = Feed::new();
        let mut reader = feed.read();
        for _ in 0..3 {
            assert!(reader.poll_next(&mut Context::from_waker(&waker)).is_pending());
        }
        feed.publish("1");
        assert_eq!(count.0.load(crate::sync::Ordering::Relaxed), 1);
        assert!(reader.poll_next(&mut Context::from_waker(&waker)).is_ready());
        assert!(reader.poll_next(&mut Context::from_waker(&waker)).is_pending());
        drop(reader);
        assert!(feed.0.lock().wakers.is_empty());
    }
}
