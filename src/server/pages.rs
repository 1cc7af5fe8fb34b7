//! Pages of metrics: many scrapers, one reading.
//!
//! Whoever wants a page while one is being written waits for the next; then one snapshot serves
//! all who wait, one text all who asked for that format, one compression all who asked for that.
//! So a page is never older than the request it answers, and a crowd of scrapers costs what one
//! costs. How many may wait is limited, and so is how many pages slow readers may keep in memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::buffers::Buffers;
use super::crew::Crew;
use super::encoding::{Encoding, WORTH_COMPRESSING};
use super::forms::Form;
use crate::clock;
use crate::expose::is_named;
use crate::registry::Registry;
use crate::snapshot::Snapshot;
use crate::sync::Mutex;

/// What a scraper asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) form: Form,
    pub(super) encoding: Encoding,
    /// Only metrics of these names, if there are any; sorted, so that equal wishes are equal.
    pub(super) names: Vec<String>,
}

/// A page, and what it is compressed with after all.
pub(super) type Page = (Bytes, Encoding);

/// All who want the same page.
type Asked = (Wanted, Vec<oneshot::Sender<Page>>);

/// Writes pages.
pub(super) struct Pages {
    registry: Registry,
    crew: Crew,
    state: Mutex<State>,
    buffers: Arc<Buffers>,
    limits: Limits,
    /// Asked to make slow readers let go of a page; false if there are none.
    relieve: Box<dyn Fn() -> bool + Send + Sync>,
}

/// What pages may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of pages that clients are still reading.
    pub(super) memory: usize,
    /// Scrapers that wait for one.
    pub(super) waiting: usize,
}

struct State {
    waiting: Vec<Asked>,
    writing: bool,
    /// What whole pages took the last time, by form and encoding.
    known: Vec<(Form, Encoding, Known)>,
}

/// What is known of a page from the last time.
#[derive(Clone, Copy)]
struct Known {
    length: usize,
    /// The time of the writing that it was part of; long if nobody knows.
    cost: Duration,
}

/// Writing that takes less than this is done on the spot: handing it to a thread and back costs a
/// good part of it, and nobody notices a thread that is away for so long.
const QUICK: Duration = Duration::from_millis(1);

/// One page may be larger than the limit on all of them, and a second one begun meanwhile.
const ALWAYS_ALLOWED: usize = 2;

impl Pages {
    pub(super) fn new(
        registry: &Registry,
        limits: Limits,
        relieve: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            registry: registry.clone(),
            crew: Crew::new("nissa-pages", 1, 1),
            state: Mutex::new(State { waiting: Vec::new(), writing: false, known: Vec::new() }),
            buffers: Arc::default(),
            limits,
            relieve: Box::new(relieve),
        }
    }

    /// A page as things are from now on; `None` if too many wait already, a page could not be
    /// written, or there is no memory for it.
    pub(super) async fn page(self: &Arc<Self>, wanted: Wanted) -> Option<Page> {
        let receiver = self.enqueue(wanted)?;
        if self.state.lock().is_quick() {
            // All whose requests are there already are to ask first.
            yield_once().await;
        }
        self.begin();
        receiver.await.ok()
    }

    fn enqueue(&self, wanted: Wanted) -> Option<oneshot::Receiver<Page>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        let waiting: usize = state.waiting.iter().map(|(_, senders)| senders.len()).sum();
        if waiting >= self.limits.waiting {
            return None;
        }
        match state.waiting.iter_mut().find(|(other, _)| *other == wanted) {
            Some((_, senders)) => senders.push(sender),
            None => state.waiting.push((wanted, vec![sender])),
        }
        Some(receiver)
    }

    /// Has somebody write for those who wait, if nobody does.
    fn begin(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if state.waiting.is_empty() || std::mem::replace(&mut state.writing, true) {
            return;
        }
        let quick = state.is_quick();
        drop(state);
        // Who comes meanwhile, on another thread of the caller's runtime, is not waited for here.
        if quick && self.write_next() {
            return;
        }
        let pages = Arc::clone(self);
        // Without a thread it is done here: late is better than never.
        if let Err(job) = self.crew.submit(Box::new(move || while !pages.write_next() {})) {
            job();
        }
    }

    /// Serves all who wait now. True if nobody waits afterwards, and so nobody writes any more.
    fn write_next(&self) -> bool {
        let mut asked = std::mem::take(&mut self.state.lock().waiting);
        asked.iter_mut().for_each(|(_, senders)| senders.retain(|it| !it.is_closed()));
        asked.retain(|(_, senders)| !senders.is_empty());
        let whole = asked.iter().filter(|(wanted, _)| wanted.names.is_empty());
        let whole: Vec<_> = whole.map(|(wanted, _)| (wanted.form, wanted.encoding)).collect();
        let start = clock::now();
        // Who gets nothing learns of a panic by that; the next are not to suffer from it.
        let written = catch_unwind(AssertUnwindSafe(|| self.write(asked)));
        let mut state = self.state.lock();
        let cost = if written.is_ok() { clock::since(start) } else { Duration::MAX };
        whole.into_iter().for_each(|(form, encoding)| state.known(form, encoding).cost = cost);
        state.writing = !state.waiting.is_empty();
        !state.writing
    }

    /// One snapshot for all who want everything, one text for all who asked for the same.
    fn write(&self, mut asked: Vec<Asked>) {
        let mut whole = None;
        while let Some((first, _)) = asked.first() {
            let (form, names) = (first.form, first.names.clone());
            let same = |wanted: &Wanted| wanted.form == form && wanted.names == names;
            let (now, later) = asked.into_iter().partition(|(wanted, _)| same(wanted));
            asked = later;
            let plain = if names.is_empty() {
                self.plain(form, whole.get_or_insert_with(|| self.registry.snapshot()), true)
            } else {
                let some = self.registry.snapshot_of(|name| is_named(&names, name));
                self.plain(form, &some, false)
            };
            if let Some(plain) = plain {
                self.hand_out(form, plain, now);
            }
        }
    }

    /// The page without compression.
    fn plain(&self, form: Form, snapshot: &Snapshot, whole: bool) -> Option<Vec<u8>> {
        let mut buffer = self.room(form, Encoding::Identity, whole)?;
        form.write(snapshot, &mut buffer);
        if whole {
            self.remember(form, Encoding::Identity, buffer.len());
        }
        Some(buffer)
    }

    fn hand_out(&self, form: Form, plain: Vec<u8>, asked: Vec<Asked>) {
        let mut as_it_is = Vec::new();
        for (wanted, senders) in asked {
            let encoding = wanted.encoding;
            if encoding == Encoding::Identity || plain.len() < WORTH_COMPRESSING {
                as_it_is.extend(senders);
                continue;
            }
            let Some(mut buffer) = self.room(form, encoding, wanted.names.is_empty()) else {
                continue;
            };
            // Writing into memory does not fail; if it did, the plain page is a page too.
            if encoding.compress(&plain, &mut buffer).is_err() {
                as_it_is.extend(senders);
                continue;
            }
            if wanted.names.is_empty() {
                self.remember(form, encoding, buffer.len());
            }
            send(&self.buffers.page(buffer), encoding, senders);
        }
        if as_it_is.is_empty() {
            return self.buffers.give_back(plain);
        }
        send(&self.buffers.page(plain), Encoding::Identity, as_it_is);
    }

    /// A buffer as long as the page was the last time and a little longer; `None` if there is no
    /// memory for it, or slow readers have all that pages may take.
    fn room(&self, form: Form, encoding: Encoding, whole: bool) -> Option<Vec<u8>> {
        const FIRST: usize = 4 << 10;
        let (pages, bytes) = self.buffers.out();
        if pages >= ALWAYS_ALLOWED && bytes > self.limits.memory && !(self.relieve)() {
            return None;
        }
        let state = self.state.lock();
        let known = state.known.iter().find(|it| whole && (it.0, it.1) == (form, encoding));
        let room = known.map_or(FIRST, |it| it.2.length + it.2.length / 50 + FIRST);
        drop(state);
        self.buffers.take(room)
    }

    fn remember(&self, form: Form, encoding: Encoding, length: usize) {
        self.state.lock().known(form, encoding).length = length;
    }

    /// Gives memory that was not needed for a while back to the system.
    pub(super) fn trim(&self) {
        self.buffers.trim();
    }

    /// Ends the thread, and waits for it until then.
    pub(super) fn stop(&self, deadline: std::time::Instant) -> bool {
        self.crew.stop(deadline)
    }
}

impl State {
    /// Whether all who wait want pages that are known to be written in no time. Of some metrics
    /// alone nothing is known: the next who asks so may mean others.
    fn is_quick(&self) -> bool {
        let cost = |(wanted, _): &Asked| {
            let is = |it: &&(Form, Encoding, Known)| (it.0, it.1) == (wanted.form, wanted.encoding);
            let known = self.known.iter().find(is).filter(|_| wanted.names.is_empty());
            known.map_or(Duration::MAX, |it| it.2.cost)
        };
        self.waiting.iter().map(cost).fold(Duration::ZERO, Duration::saturating_add) <= QUICK
    }

    fn known(&mut self, form: Form, encoding: Encoding) -> &mut Known {
        let at = self.known.iter().position(|it| (it.0, it.1) == (form, encoding));
        let at = at.unwrap_or_else(|| {
            self.known.push((form, encoding, Known { length: 0, cost: Duration::MAX }));
            self.known.len() - 1
        });
        &mut self.known[at].2
    }
}

/// Lets everybody else on this runtime have a turn.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

fn send(page: &Bytes, encoding: Encoding, senders: Vec<oneshot::Sender<Page>>) {
    // Who does not wait any more needs no page.
    senders.into_iter().for_each(|sender| drop(sender.send((page.clone(), encoding))));
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 64 << 20, waiting: 256 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expose::Format;

    fn wanted(form: Form, names: &[&str]) -> Wanted {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Wanted { form, encoding: Encoding::Identity, names }
    }

    /// The thread that talks to clients must not be the one that writes a page of a million series,
    /// only because another page, or a part of this one, was small.
    #[test]
    fn only_what_is_known_to_be_quick_is_written_on_the_spot() {
        let pages = Pages::new(&Registry::new(), Limits::default(), || false);
        let text = Form::Exposition(Format::TEXT);
        pages.state.lock().known(text, Encoding::Identity).cost = QUICK;
        let is_quick = |wishes: &[Wanted]| {
            let all = wishes.iter().map(|wanted| pages.enqueue(wanted.clone()).unwrap());
            let _all: Vec<_> = all.collect();
            let quick = pages.state.lock().is_quick();
            pages.state.lock().waiting.clear();
            quick
        };
        assert!(is_quick(&[wanted(text, &[])]));
        assert!(!is_quick(&[wanted(Form::Json, &[])]), "nobody knows");
        assert!(!is_quick(&[wanted(text, &["a"])]));
        assert!(!is_quick(&[wanted(text, &[]), wanted(Form::Json, &[])]));
        drop(pages.enqueue(wanted(text, &["a"])));
        assert!(pages.write_next());
        assert_eq!(pages.state.lock().known.len(), 1, "a part says nothing of the whole");
        let _receiver = pages.enqueue(wanted(Form::Json, &[]));
        assert!(pages.write_next());
        assert!(pages.state.lock().known(Form::Json, Encoding::Identity).cost < Duration::MAX);
    }
}
