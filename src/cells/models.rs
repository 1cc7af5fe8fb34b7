//! Loom's models of the cells: every interleaving of a few threads, checked.
//!
//! Each model has a twin that makes one mistake and must fail; a model that cannot tell the
//! mistake apart proves nothing. Run by `RUSTFLAGS="--cfg nissa_loom" cargo test --release --lib`.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32};
use loom::thread;

use super::arena::{Arena, Target};
use super::block::{Block, Directory, Generation};
use super::page::{CellId, Layout, Page};
use crate::buckets::Buckets;
use crate::sync::{AtomicPtr, Ordering};

/// What a thread does: attach, record, leave.
struct Writer {
    arena: &'static Arena,
    block: &'static Block,
}

impl Writer {
    fn attach(arena: &'static Arena) -> Self {
        Self { arena, block: arena.attach() }
    }

    fn page(&self, cell: CellId) -> &'static Page {
        match self.arena.target(Some(self.block), cell) {
            Some(Target::Own(page)) => page,
            other => panic!("the budget is not spent: {other:?}"),
        }
    }

    fn add(&self, cell: CellId, n: u64) {
        self.page(cell).add(cell.offset(), n);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.block.leave();
    }
}

fn arena() -> &'static Arena {
    Box::leak(Box::new(Arena::new()))
}

fn sum(arena: &Arena, cell: CellId) -> u64 {
    let shared = arena.existing_shared_page(cell).map_or(0, |page| page.get(cell.offset()));
    arena.own_sum(cell, shared, u64::wrapping_add)
}

fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    // Unless LOOM_MAX_PREEMPTIONS asks for more.
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(f);
}

/// Two writers, a reader: nothing is lost, and what is read never goes back.
#[test]
fn increments_are_not_lost() {
    model(|| {
        let arena = arena();
        let cell = arena.allocate(&Layout::Counter).unwrap();
        let write = move || {
            let writer = Writer::attach(arena);
            writer.add(cell, 1);
            writer.add(cell, 1);
        };
        let threads = [thread::spawn(write), thread::spawn(write)];
        let first = sum(arena, cell);
        let second = sum(arena, cell);
        assert!(first <= second && second <= 4);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(sum(arena, cell), 4);
    });
}

/// The twin writes as an owner into a page that others write too.
#[test]
#[should_panic(expected = "assertion")]
fn twin_two_owners_of_one_page() {
    model(|| {
        let arena = arena();
        let cell = arena.allocate(&Layout::Counter).unwrap();
        let page = arena.shared_page(cell).unwrap();
        let other = thread::spawn(move || page.add(cell.offset(), 1));
        page.add(cell.offset(), 1);
        other.join().unwrap();
        assert_eq!(sum(arena, cell), 2);
    });
}

/// Threads without a page of their own share one by read-modify-write.
#[test]
fn shared_pages_lose_nothing() {
    model(|| {
        let arena = arena();
        let cell = arena.allocate(&Layout::Counter).unwrap();
        let write = move || arena.shared_page(cell).unwrap().shared_add(cell.offset(), 1);
        let other = thread::spawn(write);
        write();
        other.join().unwrap();
        assert_eq!(sum(arena, cell), 2);
    });
}

/// The twin makes the shared page without the lock, so two threads make one each.
#[test]
#[should_panic(expected = "assertion")]
fn twin_shared_page_without_the_lock() {
    model(|| {
        let arena = arena();
        let cell = arena.allocate(&Layout::Counter).unwrap();
        let block: &'static Block = Box::leak(Box::new(Block::new()));
        let write = move || {
            let page = block.page(cell).unwrap_or_else(|| block.add_page(cell, &Layout::Counter));
            page.shared_add(cell.offset(), 1);
        };
        let other = thread::spawn(write);
        write();
        other.join().unwrap();
        assert_eq!(block.page(cell).unwrap().get(cell.offset()), 2);
    });
}

fn one_bound() -> &'static Layout {
    Box::leak(Box::new(Layout::Histogram(Buckets::explicit(&[1.0]).unwrap())))
}

/// A reader's buckets, counted twice, never go back and never exceed what was recorded; the count
/// is their sum, so it cannot disagree.
#[test]
fn histograms_are_not_torn() {
    model(|| {
        let arena = arena();
        let cell = arena.allocate(one_bound()).unwrap();
        let recorder = thread::spawn(move || {
            let writer = Writer::attach(arena);
            for bucket in [0, 1] {
                let page = writer.page(cell);
                page.add(cell.offset() + 1 + bucket, 1);
                page.add_f64(cell.offset(), 1.0);
            }
        });
        let read = || {
            let mut row = [0; 3];
            arena.for_each_page(cell, |page| page.add_row_to(cell.offset(), &mut row));
            (row[1] + row[2], f64::from_bits(row[0]))
        };
        let (first, second) = (read(), read());
        assert!(first.0 <= second.0 && second.0 <= 2);
        assert!(first.1 <= second.1 && second.1 <= 2.0);
        recorder.join().unwrap();
        assert_eq!(read(), (2, 2.0));
    });
}

/// The twin keeps a count beside the buckets.
#[test]
#[should_panic(expected = "assertion")]
fn twin_a_count_beside_the_buckets() {
    model(|| {
        let arena = arena();
        let cell = arena.allocate(one_bound()).unwrap();
        let recorder = thread::spawn(move || {
            let writer = Writer::attach(arena);
            let page = writer.page(cell);
            page.add(cell.offset(), 1);
            page.add(cell.offset() + 2, 1);
        });
        let mut row = [0; 2];
        arena.for_each_page(cell, |page| {
            row = [page.get(cell.offset()), page.get(cell.offset() + 2)];
        });
        assert_eq!(row[0], row[1]);
        recorder.join().unwrap();
    });
}

/// A thread that ends leaves its counts to the next; there are never more blocks than threads.
#[test]
fn blocks_are_handed_over_with_their_counts() {
    hand_over(Block::leave);
}

/// The twin leaves without Release, so the next owner may go on from an older count.
#[test]
#[should_panic(expected = "assertion")]
fn twin_leaving_relaxed() {
    hand_over(|block| block.owned.store(false, Ordering::Relaxed));
}

fn hand_over(leave: fn(&Block)) {
    model(move || {
        let arena = arena();
        let cell = arena.allocate(&Layout::Counter).unwrap();
        let live = move || {
            let writer = std::mem::ManuallyDrop::new(Writer::attach(arena));
            writer.add(cell, 1);
            leave(writer.block);
        };
        let other = thread::spawn(live);
        live();
        other.join().unwrap();
        assert_eq!(sum(arena, cell), 2);
        assert!(arena.blocks() <= 2);
    });
}

/// The directory is outgrown while a reader looks: what was there before stays in sight.
#[test]
fn directories_grow_unseen() {
    grow(|writer, cell| {
        writer.add(cell, 1);
    });
}

/// The twin shows the new directory before it has filled it.
#[test]
#[should_panic(expected = "assertion")]
fn twin_directory_shown_empty() {
    grow(|writer, _| {
        let old = writer.block.directory();
        let empty = (0..4).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect();
        let new: &'static Directory = Box::leak(empty);
        let generation = Generation { pages: new, _outgrown: std::ptr::null() };
        writer.block.directory.store(Box::leak(Box::new(generation)), Ordering::Release);
        for (place, page) in new.iter().zip(old) {
            place.store(page.load(Ordering::Relaxed), Ordering::Release);
        }
    });
}

fn grow(grow: fn(&Writer, CellId)) {
    model(move || {
        let arena = arena();
        let cells: Vec<CellId> =
            (0..8).map(|_| arena.allocate(&Layout::Counter).unwrap()).collect();
        let (first, last) = (cells[0], cells[7]);
        assert_eq!((first.page(), last.page()), (1, 2), "the second page needs a new directory");
        let writer = thread::spawn(move || {
            let writer = Writer::attach(arena);
            writer.add(first, 1);
            grow(&writer, last);
        });
        let (once, again) = (sum(arena, first), sum(arena, first));
        assert!(once <= again && again <= 1);
        writer.join().unwrap();
        assert_eq!(sum(arena, first), 1);
    });
}

/// A row is given back and used for another series: nothing of the old one shows, even in a
/// thread that learns of the new one from a call site.
#[test]
fn reused_rows_are_clean() {
    reuse(Ordering::Acquire);
}

/// The twin reads the call site without Acquire, and may add to what it last wrote itself.
#[test]
#[should_panic(expected = "assertion")]
fn twin_call_site_read_relaxed() {
    reuse(Ordering::Relaxed);
}

fn reuse(read_site: Ordering) {
    model(move || {
        let arena = arena();
        let old = arena.allocate(&Layout::Counter).unwrap();
        let (dropped, site) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let user = thread::spawn({
            let (dropped, site) = (Arc::clone(&dropped), Arc::clone(&site));
            move || {
                let writer = Writer::attach(arena);
                writer.add(old, 5);
                // As dropping the last handle does.
                dropped.store(true, Ordering::Release);
                match CellId::from_raw(site.load(read_site)) {
                    Some(cell) => {
                        writer.add(cell, 1);
                        1
                    }
                    None => 0,
                }
            }
        });
        let mut new = None;
        if dropped.load(Ordering::Acquire) {
            arena.free(old);
            let cell = arena.allocate(&Layout::Counter).unwrap();
            assert_eq!(cell, old, "the row is used again");
            site.store(cell.raw(), Ordering::Release);
            new = Some(cell);
        }
        let added = user.join().unwrap();
        if let Some(cell) = new {
            assert_eq!(sum(arena, cell), added);
        }
    });
}
