//! Per-thread storage: where every count lives.
//!
//! A lock-prefixed add costs 4.5 ns alone and 15 ns when two threads share it; a plain load and
//! store into memory that only one thread writes costs a quarter of one. So every counter and
//! histogram is a row of cells at one index, and every thread has pages of its own for the rows it
//! touches. Reading adds a row up over all threads.
//!
//! This module is the only one with `unsafe`, all of it following pointers to memory that is
//! never freed (see `block.rs`) but for the one libc call that tells of a fork (`gate.rs`).

#![allow(unsafe_code, reason = "pages are found through atomic pointers; nowhere else is")]

mod arena;
mod block;
#[cfg(not(nissa_loom))]
mod exemplars;
#[cfg(not(nissa_loom))]
pub(crate) mod gate;
#[cfg(all(test, nissa_loom))]
mod models;
mod page;

#[cfg(not(nissa_loom))]
mod local;

use std::sync::OnceLock;

/// Asks for memory that will be read soon. Only a hint: any address will do, and where there is no
/// such instruction nothing happens.
#[inline]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch of any address whatever neither faults nor changes anything, and SSE is
    // part of every x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

pub(crate) use page::Layout;
#[cfg(not(nissa_loom))]
pub(crate) use {
    arena::Reader,
    exemplars::{Exemplar, Exemplars, Kept},
    local::{
        Row, SUMMABLE, add, add_f64, allocated_bytes, blocks, gauge_add, gauge_set, gauge_touched,
        intern, keep_exemplar, observe, raise, raise_f64, raise_within, read_row, reader, record,
        scoped, set_budget, set_scoped, site_cell,
    },
    page::CellId,
};

/// The layout of page 0, where no-op handles of every kind record: any row of it can be taken for
/// a counter, a total, a gauge or a histogram, since nobody reads it.
fn discard_layout() -> &'static Layout {
    static DISCARD: OnceLock<Layout> = OnceLock::new();
    DISCARD.get_or_init(|| {
        let one = crate::buckets::Buckets::explicit(&[0.0]).unwrap_or_default();
        Layout::Histogram(one)
    })
}
