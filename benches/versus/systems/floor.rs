//! What the machine itself charges: no metrics library can be quicker than these.

use std::cell::{Cell, RefCell};
use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};

use super::System;
use crate::harness::Batch;

/// Bytes copied at once by `floor_memcpy`: more than the first cache, less than the last.
const COPIED: usize = 1 << 20;

thread_local! {
    static PLAIN: Cell<u64> = const { Cell::new(0) };
    static COPY: RefCell<(Vec<u8>, Vec<u8>)> =
        RefCell::new((vec![1; COPIED], vec![0; COPIED]));
}

static SHARED: AtomicU64 = AtomicU64::new(0);

pub fn system() -> System {
    System::new("floor", "floor")
        .batch("floor_tls_add", tls_add)
        .batch("floor_fetch_add", fetch_add)
        .batch("floor_memcpy", copy)
}

fn fetch_add() -> Batch {
    Batch::new(|_| {
        SHARED.fetch_add(1, Ordering::Relaxed);
    })
}

/// By pointer, as a library's cells are.
///
/// A thread-local `static` is otherwise added to in place, relative to the thread's segment. On the
/// Zen 5 this was written on, that form goes at random, for milliseconds at a time, from 0.24 to
/// 1.65 ns; through a pointer it stays at 0.24.
fn tls_add() -> Batch {
    Batch::new(|_| {
        PLAIN.with(|cell| {
            let cell = hint::black_box(cell);
            cell.set(cell.get() + 1);
        });
    })
}

/// Per cache line of 64 bytes, which is about one line of the text format.
fn copy() -> Batch {
    let one_copy = |_| COPY.with_borrow_mut(|(from, to)| to.copy_from_slice(from));
    Batch::new(one_copy).operations((COPIED / 64) as u64)
}
