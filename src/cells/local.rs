//! The calling thread's block, and the operations every handle comes down to.

use std::cell::Cell;

use super::arena::{Arena, Reader, Target};
use super::block::{Block, page_in};
use super::exemplars::{self, Exemplar};
use super::gate;
use super::page::{CellId, Layout, Page};
use crate::buckets::Buckets;
use crate::notice::{self, Notice};
use crate::sync::{AtomicPtr, Mutex};

static ARENA: Arena = Arena::new();

/// Uses the arena's locks, unless this thread is inside one already.
fn arena<R>(f: impl FnOnce(&'static Arena) -> R) -> Option<R> {
    thread_local! {
        static INSIDE: Cell<bool> = const { Cell::new(false) };
    }
    struct Outside;
    impl Drop for Outside {
        fn drop(&mut self) {
            INSIDE.set(false);
        }
    }
    if INSIDE.replace(true) {
        return None;
    }
    let _outside = Outside;
    Some(f(&ARENA))
}

/// What a recording reads of its thread. Nothing in here has a destructor, so it can be used for
/// as long as the thread runs, from the destructors of other thread-locals too.
struct Local {
    /// The block's directory; empty until the thread records, and again once it has left.
    directory: Cell<&'static [AtomicPtr<Page>]>,
    block: Cell<Option<&'static Block>>,
    /// What a call site's cell is masked with: all ones, or zero ("unresolved") while the thread
    /// has entered a registry other than the global one. One instruction tells both apart.
    site_mask: Cell<u32>,
}

thread_local! {
    static LOCAL: Local = const {
        Local { directory: Cell::new(&[]), block: Cell::new(None), site_mask: Cell::new(u32::MAX) }
    };
    static LEAVE: Leave = const { Leave };
}

/// Hands the thread's block on when the thread ends. Apart from `LOCAL`, because a thread-local
/// with a destructor costs a check of its state at every access.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        LOCAL.with(|local| {
            local.directory.set(&[]);
            if let Some(block) = local.block.take() {
                block.leave();
            }
        });
    }
}

/// The page to which this thread alone writes, if it has touched it before.
#[inline]
fn own_page(cell: CellId) -> Option<&'static Page> {
    LOCAL.with(|local| page_in(local.directory.get(), cell))
}

/// Adds to a counter. Wraps at 2⁶⁴.
#[inline]
pub(crate) fn add(cell: CellId, n: u64) {
    match own_page(cell) {
        Some(page) => page.add(cell.offset(), n),
        None => slow(cell, |target| match target {
            Target::Own(page) => page.add(cell.offset(), n),
            Target::Shared(page) => page.shared_add(cell.offset(), n),
        }),
    }
}

/// Adds to a float counter.
#[inline]
pub(crate) fn add_f64(cell: CellId, value: f64) {
    match own_page(cell) {
        Some(page) => page.add_f64(cell.offset(), value),
        None => slow(cell, |target| match target {
            Target::Own(page) => page.add_f64(cell.offset(), value),
            Target::Shared(page) => page.shared_add_f64(cell.offset(), value),
        }),
    }
}

/// The largest amount that is added to a sum of doubles: it takes 10¹⁸ of them to overflow it.
pub(crate) const SUMMABLE: f64 = 1e290;

/// Records a value `n` times into a histogram.
///
/// NaN has no bucket: it is refused and counted. An infinity counts in the outermost bucket but
/// is left out of the sum, which two of opposite signs would otherwise turn into NaN for ever; so
/// is what is so large that a few of it would come to infinity.
#[inline]
pub(crate) fn record(cell: CellId, value: f64, n: u64) {
    let sum = value * n as f64;
    if let Some(page) = own_page(cell) {
        if let Layout::Histogram(buckets) = page.layout() {
            if sum.abs() <= SUMMABLE {
                page.add(cell.offset() + 1 + buckets.index(value), n);
                page.add_f64(cell.offset(), sum);
                return;
            }
        }
    }
    record_slow(cell, value, n);
}

#[cold]
#[inline(never)]
fn record_slow(cell: CellId, value: f64, n: u64) {
    if value.is_nan() {
        return notice::process().count(Notice::NanSample, "");
    }
    let sum = value * n as f64;
    let sum = if sum.abs() <= SUMMABLE { sum } else { 0.0 };
    slow(cell, |target| {
        let (Target::Own(page) | Target::Shared(page)) = target;
        let Layout::Histogram(buckets) = page.layout() else { return };
        let bucket = cell.offset() + 1 + buckets.index(value);
        if matches!(target, Target::Own(_)) {
            page.add(bucket, n);
            page.add_f64(cell.offset(), sum);
        } else {
            page.shared_add(bucket, n);
            page.shared_add_f64(cell.offset(), sum);
        }
    });
}

/// Updates a row whose page this thread does not have at hand: makes the page, or uses the shared
/// one when memory, a recursion or the end of the thread forbid it.
#[cold]
#[inline(never)]
fn slow(cell: CellId, update: impl FnOnce(Target)) {
    let target = match gate::enter() {
        Some(_gate) => {
            let own = attached();
            arena(|arena| arena.target(own, cell)).flatten()
        }
        // Called from inside one of our own slow paths (an allocator that counts), or in the
        // child of a fork: nothing may be locked or allocated.
        None => own_page(cell)
            .map(Target::Own)
            .or_else(|| ARENA.existing_shared_page(cell).map(Target::Shared)),
    };
    match target {
        Some(target) => update(target),
        None => notice::process().count(Notice::UpdateLost, ""),
    }
    refresh();
}

/// This thread's block; `None` while the thread is being torn down.
fn attached() -> Option<&'static Block> {
    LOCAL.with(|local| {
        if local.block.get().is_none() && LEAVE.try_with(|_| ()).is_ok() {
            local.block.set(arena(Arena::attach));
        }
        local.block.get()
    })
}

/// Caches the directory the block has now.
fn refresh() {
    LOCAL.with(|local| {
        if let Some(block) = local.block.get() {
            local.directory.set(block.directory());
        }
    });
}

#[inline]
fn shared(cell: CellId, update: impl FnOnce(&Page)) {
    match ARENA.existing_shared_page(cell) {
        Some(page) => update(page),
        None => shared_slow(cell, update),
    }
}

#[cold]
#[inline(never)]
fn shared_slow(cell: CellId, update: impl FnOnce(&Page)) {
    match gate::enter().and_then(|_gate| arena(|arena| arena.shared_page(cell))?) {
        Some(page) => update(page),
        None => notice::process().count(Notice::UpdateLost, ""),
    }
}

/// Sets a gauge, and marks that it was used, even if the value is the one it had.
#[inline]
pub(crate) fn gauge_set(cell: CellId, value: f64) {
    shared(cell, |page| {
        page.store(cell.offset(), value.to_bits());
        page.store(cell.offset() + 1, 1);
    });
}

/// Sets the shared cell of a counter, lower than it was too: for a count that something else keeps
/// and may begin again.
pub(crate) fn observe(cell: CellId, bits: u64) {
    shared(cell, |page| page.store(cell.offset(), bits));
}

/// Adds to a gauge.
#[inline]
pub(crate) fn gauge_add(cell: CellId, value: f64) {
    shared(cell, |page| {
        page.shared_add_f64(cell.offset(), value);
        page.store(cell.offset() + 1, 1);
    });
}

/// Whether a gauge was used since the last time this was asked.
pub(crate) fn gauge_touched(cell: CellId) -> bool {
    ARENA.existing_shared_page(cell).is_some_and(|page| page.take(cell.offset() + 1) != 0)
}

/// Raises a counter to `value`, unless it is there already. The threads' cells are left alone: the
/// shared cell of the same row is what lifts the sum.
pub(crate) fn raise(cell: CellId, value: u64) {
    match gate::enter() {
        Some(gate) => raise_within(&gate, cell, value),
        None => notice::process().count(Notice::UpdateLost, ""),
    }
}

/// [`raise`] for callers that are inside the gate already.
pub(crate) fn raise_within(_: &gate::Gate, cell: CellId, value: u64) {
    let Some(Some(page)) = arena(|arena| arena.shared_page(cell)) else { return };
    let own = ARENA.own_sum(cell, 0u64, u64::wrapping_add);
    page.shared_update(cell.offset(), |base| {
        (value > own.wrapping_add(base)).then(|| value.wrapping_sub(own))
    });
}

/// Raises a float counter to `value`, exactly so when nothing was ever added to it.
pub(crate) fn raise_f64(cell: CellId, value: f64) {
    let Some(_gate) = gate::enter() else {
        return notice::process().count(Notice::UpdateLost, "");
    };
    let Some(Some(page)) = arena(|arena| arena.shared_page(cell)) else { return };
    let own = ARENA.own_sum(cell, 0.0, |sum, bits| sum + f64::from_bits(bits));
    page.shared_update(cell.offset(), |base| {
        (value > own + f64::from_bits(base)).then(|| (value - own).to_bits())
    });
}

/// Keeps an exemplar of what was recorded into a row.
pub(crate) fn keep_exemplar(cell: CellId, exemplar: Exemplar) {
    if cell == CellId::DISCARD {
        return;
    }
    let kept = gate::enter().is_some_and(|gate| {
        let layout = arena(|arena| arena.layout(cell)).flatten();
        layout.is_some_and(|layout| exemplars::keep(&gate, cell, layout, exemplar))
    });
    if !kept {
        notice::process().count(Notice::ExemplarLost, "");
    }
}

/// A row of cells, given back when dropped: whoever holds it keeps others from reusing it.
#[derive(Debug)]
pub(crate) struct Row(CellId);

impl Row {
    /// `None` when 2³² cells are in use.
    pub(crate) fn new(layout: &'static Layout) -> Option<Self> {
        arena(|arena| arena.allocate(layout)).flatten().map(Self)
    }

    #[inline]
    pub(crate) fn cell(&self) -> CellId {
        self.0
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        // In the child of a fork whose locks may be stuck, the row is leaked instead; and where an
        // allocator lets go of a series from inside one of the arena's own allocations.
        if let Some(_gate) = gate::enter_nested() {
            exemplars::forget(self.0);
            arena(|arena| arena.free(self.0));
        }
    }
}

/// The one layout for these buckets. Pages point at it, so it lives as long as the process; a
/// program has as many as it has different bucket schemes.
pub(crate) fn intern(buckets: &Buckets) -> &'static Layout {
    static LAYOUTS: Mutex<Vec<&'static Layout>> = Mutex::new(Vec::new());
    let mut layouts = LAYOUTS.lock();
    let same = |layout: &&&'static Layout| matches!(layout, Layout::Histogram(b) if b == buckets);
    if let Some(layout) = layouts.iter().find(same) {
        return layout;
    }
    let layout = Box::leak(Box::new(Layout::Histogram(buckets.clone())));
    layouts.push(layout);
    layout
}

pub(crate) fn reader(cells: usize) -> Reader {
    Reader::new(&ARENA, cells)
}

/// Reads one row into `cells`, just as a [`Reader`] would.
pub(crate) fn read_row(cell: CellId, cells: &mut [u64]) {
    cells.fill(0);
    ARENA.for_each_page(cell, |page| page.add_row_to(cell.offset(), cells));
}

/// How many bytes the threads' own pages may take together.
pub(crate) fn set_budget(bytes: usize) {
    ARENA.set_budget(bytes);
}

/// How many bytes the threads' own pages take.
pub(crate) fn allocated_bytes() -> usize {
    ARENA.bytes()
}

/// How many blocks there are: the most threads that ever recorded at one time.
pub(crate) fn blocks() -> usize {
    ARENA.blocks()
}

/// Whether this thread records into another registry than the global one.
#[inline]
pub(crate) fn scoped() -> bool {
    LOCAL.with(|local| local.site_mask.get() == 0)
}

pub(crate) fn set_scoped(scoped: bool) {
    LOCAL.with(|local| local.site_mask.set(if scoped { 0 } else { u32::MAX }));
}

/// The cell that a call site resolved for the global registry, if this thread may use it.
#[inline]
pub(crate) fn site_cell(raw: u32) -> Option<CellId> {
    LOCAL.with(|local| CellId::from_raw(raw & local.site_mask.get()))
}
