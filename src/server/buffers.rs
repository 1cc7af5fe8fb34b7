//! Buffers that pages are written into, used again and again.
//!
//! A new buffer for each scrape costs more than writing the page: the system hands out memory page
//! by page and zeroes it. So the buffer of a response that is over is kept for the next one, at
//! most two of them, and given back to the system when nobody has scraped for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::clock;
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// The spare buffers, and how much is out.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    spare: Mutex<Vec<Spare>>,
    /// Pages that some response still needs.
    pages: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Spare {
    buffer: Vec<u8>,
    since: Instant,
}

/// A page on its way to clients, back to the spare buffers when the last has it.
#[derive(Debug)]
struct Page {
    buffer: Vec<u8>,
    home: Arc<Buffers>,
}

const MOST_SPARE: usize = 2;
const KEPT: Duration = Duration::from_secs(60);

impl Buffers {
    /// An empty buffer with room for so much; `None` if the system has no memory.
    pub(super) fn take(&self, room: usize) -> Option<Vec<u8>> {
        let fits = |spare: &&Spare| spare.buffer.capacity() >= room;
        let mut spare = self.spare.lock();
        let best = spare.iter().filter(fits).map(|spare| spare.buffer.capacity()).min();
        let at = best.and_then(|best| spare.iter().position(|it| it.buffer.capacity() == best));
        if let Some(at) = at {
            return Some(spare.swap_remove(at).buffer);
        }
        drop(spare);
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(room).ok()?;
        Some(buffer)
    }

    /// Makes a page of a buffer.
    pub(super) fn page(self: &Arc<Self>, mut buffer: Vec<u8>) -> Bytes {
        // A buffer that grew is up to twice as large as what is in it.
        if buffer.capacity() > buffer.len() + buffer.len() / 10 {
            buffer.shrink_to(buffer.len() + buffer.len() / 50);
        }
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(buffer.capacity(), Ordering::Relaxed);
        Bytes::from_owner(Page { buffer, home: Arc::clone(self) })
    }

    /// Keeps a buffer that is needed no more.
    pub(super) fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let spare = Spare { buffer, since: clock::now() };
        let mut all = self.spare.lock();
        all.push(spare);
        if all.len() > MOST_SPARE {
            // Which one was not needed for longest, or never.
            let oldest = all.iter().enumerate().min_by_key(|(_, spare)| spare.since);
            if let Some(at) = oldest.map(|(at, _)| at) {
                let gone = all.swap_remove(at);
                drop(all);
                drop(gone);
            }
        }
    }

    /// Gives memory that was not needed for a while back to the system.
    pub(super) fn trim(&self) {
        let now = clock::now();
        self.spare.lock().retain(|spare| now.saturating_duration_since(spare.since) < KEPT);
    }

    /// How many pages responses hold, and how many bytes.
    pub(super) fn out(&self) -> (usize, usize) {
        (self.pages.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.home.pages.fetch_sub(1, Ordering::Relaxed);
        self.home.bytes.fetch_sub(self.buffer.capacity(), Ordering::Relaxed);
        self.home.give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_the_last_reader_is_done() {
        let buffers = Arc::new(Buffers::default());
        let mut buffer = buffers.take(1000).unwrap();
        buffer.extend_from_slice(&[7; 1000]);
        let address = buffer.as_ptr();
        let page = buffers.page(buffer);
        let other = page.clone();
        drop(page);
        assert_eq!(buffers.out().0, 1);
        assert_eq!(other, vec![7; 1000]);
        drop(other);
        assert_eq!(buffers.out(), (0, 0));
        let again = buffers.take(900).unwrap();
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), address);
    }

    #[test]
    fn few_are_kept_and_none_is_wasteful() {
        let buffers = Arc::new(Buffers::default());
        let mut large = Vec::with_capacity(1 << 20);
        large.push(1);
        drop(buffers.page(large));
        assert!(buffers.take(1 << 10).unwrap().capacity() < 1 << 20, "it was shrunk");
        (0..9).for_each(|_| buffers.give_back(Vec::with_capacity(64)));
        assert_eq!(buffers.spare.lock().len(), MOST_SPARE);
    }

    #[test]
    fn memory_that_is_not_there_is_not_had() {
        assert!(Buffers::default().take(usize::MAX >> 1).is_none());
    }
}
