//! One writer's pages, found by page number.
//!
//! ```text
//!  thread A ─► Block ─► directory ─► [ page 0 | page 1 |  none  | page 3 ]
//!  thread B ─► Block ─► directory ─► [ page 0 |  none  ]            │
//!  everyone ─► Block ─► directory ─► [ gauges, absolute bases, … ]  └► 1,024 cells
//! ```
//!
//! Blocks, directories and pages are never freed: a thread that ends leaves its block, counts and
//! all, to the next one that starts, so there are never more than threads were ever alive at once.
//! That is what makes a reader need neither lock nor reference count to walk them.

use crate::sync::{AtomicBool, AtomicPtr, Ordering};

use super::page::{CellId, Layout, Page};

pub(super) type Directory = [AtomicPtr<Page>];

/// A directory, and the one it replaced, which stays behind for readers that are still in it.
/// Sizes double, so all old ones together are smaller than the current.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) pages: &'static Directory,
    /// Never followed; it keeps leak checkers from taking the old directory for lost.
    pub(super) _outgrown: *const Generation,
}

/// Entries of a first directory; two in the models, so that they see it outgrown.
const LEAST: usize = if cfg!(nissa_loom) { 2 } else { 8 };

#[derive(Debug)]
pub(crate) struct Block {
    /// Whether a living thread writes here. Leaving stores false with Release after the thread's
    /// last update; adopting swaps in true with Acquire, so the next owner goes on from the counts
    /// that are there.
    pub(super) owned: AtomicBool,
    /// The current directory. Only the owner replaces it (for the shared block: whoever holds the
    /// arena's lock), after filling the new one, hence Release; readers Acquire.
    pub(super) directory: AtomicPtr<Generation>,
}

impl Block {
    #[cfg(not(nissa_loom))]
    pub(crate) const fn new() -> Self {
        Self { owned: AtomicBool::new(true), directory: AtomicPtr::new(std::ptr::null_mut()) }
    }

    #[cfg(nissa_loom)]
    pub(crate) fn new() -> Self {
        Self { owned: AtomicBool::new(true), directory: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Takes the block over from a thread that has ended.
    pub(crate) fn adopt(&self) -> bool {
        self.owned.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Leaves the block, with its counts, to the next thread.
    pub(crate) fn leave(&self) {
        self.owned.store(false, Ordering::Release);
    }

    #[inline]
    pub(crate) fn directory(&self) -> &'static Directory {
        let current = self.directory.load(Ordering::Acquire);
        // SAFETY: either null or a leaked `Generation` that was fully written before the Release
        // store which the Acquire above saw.
        unsafe { current.as_ref() }.map_or(&[], |generation| generation.pages)
    }

    /// The page a row lies on, if this writer has it.
    #[inline]
    pub(crate) fn page(&self, cell: CellId) -> Option<&'static Page> {
        page_in(self.directory(), cell)
    }

    /// Adds a page that is not there yet. Only one thread may do so at a time: the owner, or the
    /// holder of the arena's lock for the shared block.
    pub(crate) fn add_page(&self, cell: CellId, layout: &'static Layout) -> &'static Page {
        let mut directory = self.directory();
        if directory.len() <= cell.page() {
            directory = self.grow(cell.page() + 1);
        }
        let page: &'static Page = Box::leak(Page::new(layout));
        // Release: a reader that finds the page finds its zeroes and its layout too.
        directory[cell.page()].store(std::ptr::from_ref(page).cast_mut(), Ordering::Release);
        page
    }

    fn grow(&self, least: usize) -> &'static Directory {
        let old = self.directory();
        let len = least.next_power_of_two().max(LEAST);
        let entry = |index: usize| {
            let page = old.get(index).map(|page| page.load(Ordering::Relaxed));
            AtomicPtr::new(page.unwrap_or(std::ptr::null_mut()))
        };
        let new: &'static Directory = Box::leak((0..len).map(entry).collect());
        let outgrown = self.directory.load(Ordering::Relaxed).cast_const();
        let generation = Box::leak(Box::new(Generation { pages: new, _outgrown: outgrown }));
        self.directory.store(generation, Ordering::Release);
        new
    }
}

#[inline]
pub(crate) fn page_in(directory: &Directory, cell: CellId) -> Option<&'static Page> {
    let page = directory.get(cell.page())?.load(Ordering::Acquire);
    // SAFETY: either null or a leaked page, fully written before the Release store in `add_page`.
    unsafe { page.as_ref() }
}
