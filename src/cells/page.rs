//! A page of 8-byte cells, and the meaning of its rows.

use std::num::NonZeroU32;

use crate::buckets::Buckets;
use crate::sync::{AtomicU64, Ordering};

/// Cells of a page: 8 KiB. A row never straddles two pages, which is why a histogram has at most
/// 1,000 buckets. Larger pages waste more in threads that touch few series; smaller ones lengthen the
/// directory.
#[cfg(not(nissa_loom))]
pub(crate) const PAGE_CELLS: usize = 1024;
/// Loom tracks every atomic, so its pages are as small as a model needs.
#[cfg(nissa_loom)]
pub(crate) const PAGE_CELLS: usize = 4;

const PAGE_BITS: u32 = PAGE_CELLS.trailing_zeros();

/// Where a row of cells begins, the same in every thread's pages.
///
/// Cell 0 is never handed out, so that a call site can say "unresolved" with a zero; page 0 takes
/// what nobody will read (see [`DISCARD`](CellId::DISCARD)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CellId(NonZeroU32);

impl CellId {
    /// Where no-op handles record: a row like any other, so that they need no branch, which no
    /// reader looks at.
    pub(crate) const DISCARD: Self = Self(NonZeroU32::MIN);

    pub(crate) fn from_raw(raw: u32) -> Option<Self> {
        NonZeroU32::new(raw).map(Self)
    }

    pub(crate) fn new(page: usize, offset: usize) -> Option<Self> {
        let raw = u32::try_from(page * PAGE_CELLS + offset).ok()?;
        Self::from_raw(raw)
    }

    pub(crate) fn raw(self) -> u32 {
        self.0.get()
    }

    #[inline]
    pub(crate) fn page(self) -> usize {
        (self.0.get() >> PAGE_BITS) as usize
    }

    #[inline]
    pub(crate) fn offset(self) -> usize {
        self.0.get() as usize & (PAGE_CELLS - 1)
    }
}

/// What the cells of a row mean. All rows of a page have one layout, kept in the page itself, so
/// that recording into a histogram finds its buckets without another word at the call site.
#[allow(clippy::large_enum_variant, reason = "a program has a few, and reads them in place")]
#[derive(Debug)]
pub(crate) enum Layout {
    /// One integer.
    Counter,
    /// One double, added up.
    FloatCounter,
    /// A double that is set, and whether it was since somebody last asked. Lives in the shared
    /// pages only: the last write wins, so it has to be one cell for all threads.
    Gauge,
    /// The sum of what was recorded as a double, then one integer per bucket. The sum comes first
    /// so that recording need not ask how many buckets there are.
    Histogram(Buckets),
}

impl Layout {
    /// Cells in a row.
    pub(crate) fn stride(&self) -> usize {
        match self {
            Self::Counter | Self::FloatCounter => 1,
            Self::Gauge => 2,
            Self::Histogram(buckets) => buckets.len() + 1,
        }
    }

    /// Whether the cell at this place of a row adds up as a double rather than as an integer.
    pub(crate) fn is_float(&self, place: usize) -> bool {
        match self {
            Self::Counter => false,
            Self::FloatCounter => true,
            Self::Gauge | Self::Histogram(_) => place == 0,
        }
    }
}

/// Cells of one writer: the thread that owns the page, or any thread for a shared page.
///
/// The owner updates by a plain load and store, which no other thread's write can fall between.
/// Readers may look at any time; every cell is a number of its own and needs no order against
/// another, so all is Relaxed. The one outside writer is [`clear`](Self::clear), which runs when
/// no handle to the row exists any more.
#[derive(Debug)]
pub(crate) struct Page {
    layout: &'static Layout,
    cells: [AtomicU64; PAGE_CELLS],
}

impl Page {
    pub(crate) fn new(layout: &'static Layout) -> Box<Self> {
        Box::new(Self { layout, cells: std::array::from_fn(|_| AtomicU64::new(0)) })
    }

    #[inline]
    pub(crate) fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// The mask changes no offset that exists; it spares the bounds check.
    #[inline]
    fn cell(&self, offset: usize) -> &AtomicU64 {
        &self.cells[offset & (PAGE_CELLS - 1)]
    }

    #[inline]
    pub(crate) fn get(&self, offset: usize) -> u64 {
        self.cell(offset).load(Ordering::Relaxed)
    }

    /// Adds as the page's only writer.
    #[inline]
    pub(crate) fn add(&self, offset: usize, n: u64) {
        let cell = self.cell(offset);
        cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Adds a double as the page's only writer.
    #[inline]
    pub(crate) fn add_f64(&self, offset: usize, value: f64) {
        let cell = self.cell(offset);
        let sum = f64::from_bits(cell.load(Ordering::Relaxed)) + value;
        cell.store(sum.to_bits(), Ordering::Relaxed);
    }

    /// Adds as one of many writers.
    pub(crate) fn shared_add(&self, offset: usize, n: u64) {
        self.cell(offset).fetch_add(n, Ordering::Relaxed);
    }

    /// Replaces a cell by what `f` makes of it, as one of many writers; gives up when `f` does.
    pub(crate) fn shared_update(&self, offset: usize, f: impl FnMut(u64) -> Option<u64>) {
        let _ = self.cell(offset).fetch_update(Ordering::Relaxed, Ordering::Relaxed, f);
    }

    pub(crate) fn shared_add_f64(&self, offset: usize, value: f64) {
        self.shared_update(offset, |bits| Some((f64::from_bits(bits) + value).to_bits()));
    }

    #[inline]
    pub(crate) fn store(&self, offset: usize, bits: u64) {
        self.cell(offset).store(bits, Ordering::Relaxed);
    }

    /// Swaps a flag for zero and tells what it was.
    #[cfg(not(nissa_loom))]
    pub(crate) fn take(&self, offset: usize) -> u64 {
        self.cell(offset).swap(0, Ordering::Relaxed)
    }

    /// Zeroes a row that nobody holds any more.
    pub(crate) fn clear(&self, offset: usize, stride: usize) {
        (offset..offset + stride).for_each(|place| self.store(place, 0));
    }

    /// Adds this page's cells to `totals`, each as its layout says.
    #[cfg(not(nissa_loom))]
    pub(crate) fn add_to(&self, totals: &mut [u64]) {
        if matches!(self.layout, Layout::Counter) {
            // The common case, plain enough for vector instructions.
            for (total, cell) in totals.iter_mut().zip(&self.cells) {
                *total = total.wrapping_add(cell.load(Ordering::Relaxed));
            }
            return;
        }
        let stride = self.layout.stride();
        for (row, totals) in totals.chunks_exact_mut(stride).enumerate() {
            self.add_row_to(row * stride, totals);
        }
    }

    /// Adds one row to `totals`.
    pub(crate) fn add_row_to(&self, offset: usize, totals: &mut [u64]) {
        for (place, total) in totals.iter_mut().enumerate() {
            let bits = self.get(offset + place);
            *total = if matches!(self.layout, Layout::Gauge) {
                // A copy, not a sum: -0.0 added to 0.0 would lose its sign.
                bits
            } else if self.layout.is_float(place) {
                (f64::from_bits(*total) + f64::from_bits(bits)).to_bits()
            } else {
                total.wrapping_add(bits)
            };
        }
    }
}
