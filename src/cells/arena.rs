//! Who owns which block, and which row belongs to which series.

use crate::sync::{AtomicUsize, Mutex, Ordering};

use super::block::Block;
use super::page::{CellId, Layout, PAGE_CELLS, Page};

/// What all threads' own pages may take together before further ones record into shared pages.
const DEFAULT_BUDGET: usize = 64 << 20;

/// All cells of a process. (Only the loom models make more than one.)
#[derive(Debug)]
pub(crate) struct Arena {
    /// Every block ever made. The lock orders adopting and adding, so that two new threads cannot
    /// both overlook one free block and leave the process with more blocks than threads.
    blocks: Mutex<Vec<&'static Block>>,
    /// Pages that any thread may write, by read-modify-write: gauges, the bases `absolute`
    /// raises, and everything of threads that have no page of their own.
    shared: Block,
    rows: Mutex<Rows>,
    /// Bytes of the threads' own pages, and the most there may be.
    bytes: AtomicUsize,
    budget: AtomicUsize,
}

/// Which rows are taken.
#[derive(Debug)]
struct Rows {
    /// The layout of every page handed out so far, by page number.
    pages: Vec<&'static Layout>,
    classes: Vec<Class>,
}

/// The rows of one layout.
#[derive(Debug)]
struct Class {
    layout: &'static Layout,
    free: Vec<CellId>,
    /// The page being filled, and the next row on it.
    page: usize,
    next: usize,
}

/// Where an update goes.
#[derive(Debug)]
pub(crate) enum Target {
    /// The calling thread is the only writer.
    Own(&'static Page),
    /// Anybody may write.
    Shared(&'static Page),
}

impl Arena {
    #[cfg(not(nissa_loom))]
    pub(crate) const fn new() -> Self {
        Self {
            blocks: Mutex::new(Vec::new()),
            shared: Block::new(),
            rows: Mutex::new(Rows { pages: Vec::new(), classes: Vec::new() }),
            bytes: AtomicUsize::new(0),
            budget: AtomicUsize::new(DEFAULT_BUDGET),
        }
    }

    #[cfg(nissa_loom)]
    pub(crate) fn new() -> Self {
        Self {
            blocks: Mutex::new(Vec::new()),
            shared: Block::new(),
            rows: Mutex::new(Rows { pages: Vec::new(), classes: Vec::new() }),
            bytes: AtomicUsize::new(0),
            budget: AtomicUsize::new(DEFAULT_BUDGET),
        }
    }

    pub(crate) fn set_budget(&self, bytes: usize) {
        self.budget.store(bytes, Ordering::Relaxed);
    }

    #[cfg(not(nissa_loom))]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many blocks there are: at most as many as threads were ever alive at once.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks.lock().len()
    }

    /// A block for the calling thread: one that another thread left, or a new one.
    pub(crate) fn attach(&self) -> &'static Block {
        let mut blocks = self.blocks.lock();
        if let Some(block) = blocks.iter().find(|block| block.adopt()) {
            return block;
        }
        let block: &'static Block = Box::leak(Box::new(Block::new()));
        blocks.push(block);
        block
    }

    /// The page to update for `cell`, made if need be. `own` is the caller's block, if it has one.
    pub(crate) fn target(&self, own: Option<&'static Block>, cell: CellId) -> Option<Target> {
        let Some(block) = own else {
            return self.shared_page(cell).map(Target::Shared);
        };
        if let Some(page) = block.page(cell) {
            return Some(Target::Own(page));
        }
        if !self.reserve() {
            return self.shared_page(cell).map(Target::Shared);
        }
        let layout = self.layout(cell)?;
        Some(Target::Own(block.add_page(cell, layout)))
    }

    /// Counts one more page against the budget.
    fn reserve(&self) -> bool {
        let budget = self.budget.load(Ordering::Relaxed);
        let more = |bytes: usize| Some(bytes + size_of::<Page>()).filter(|bytes| *bytes <= budget);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// The shared page of a row if it exists: enough for gauges, whose page is made with the row.
    #[inline]
    pub(crate) fn existing_shared_page(&self, cell: CellId) -> Option<&'static Page> {
        self.shared.page(cell)
    }

    /// The shared page of a row, made if need be.
    pub(crate) fn shared_page(&self, cell: CellId) -> Option<&'static Page> {
        if let Some(page) = self.shared.page(cell) {
            return Some(page);
        }
        let rows = self.rows.lock();
        let layout = rows.layout(cell)?;
        // Another thread may have made it while this one waited for the lock.
        Some(self.shared.page(cell).unwrap_or_else(|| self.shared.add_page(cell, layout)))
    }

    pub(super) fn layout(&self, cell: CellId) -> Option<&'static Layout> {
        self.rows.lock().layout(cell)
    }

    /// A row of zeroes; `None` when the 2³² cells are spent.
    pub(crate) fn allocate(&self, layout: &'static Layout) -> Option<CellId> {
        let cell = self.rows.lock().allocate(layout)?;
        if matches!(layout, Layout::Gauge) {
            self.shared_page(cell);
        }
        Some(cell)
    }

    /// Takes a row back. The caller was the last to hold it, and what others did through it
    /// happened before this call. Its cells are zeroed in every thread's pages right here, so a
    /// later series finds them clean without having to know what was there.
    pub(crate) fn free(&self, cell: CellId) {
        let Some(layout) = self.layout(cell) else { return };
        self.for_each_page(cell, |page| page.clear(cell.offset(), layout.stride()));
        self.rows.lock().free(cell, layout);
    }

    /// A copy of the list, made without allocating under its lock: an allocator that records might
    /// come back for it.
    #[cfg(not(nissa_loom))]
    fn all_blocks(&self) -> Vec<&'static Block> {
        let mut copy = Vec::new();
        loop {
            let len = self.blocks();
            copy.reserve(len);
            let blocks = self.blocks.lock();
            if blocks.len() <= copy.capacity() {
                copy.extend_from_slice(&blocks);
                return copy;
            }
        }
    }

    /// Visits every copy of the page a row lies on, the shared one last.
    pub(crate) fn for_each_page(&self, cell: CellId, mut visit: impl FnMut(&'static Page)) {
        let blocks = self.blocks.lock();
        blocks.iter().filter_map(|block| block.page(cell)).for_each(&mut visit);
        self.shared.page(cell).into_iter().for_each(visit);
    }

    /// A cell's sum over the threads' own pages, without the shared one.
    pub(crate) fn own_sum<T>(&self, cell: CellId, zero: T, add: impl Fn(T, u64) -> T) -> T {
        let blocks = self.blocks.lock();
        let pages = blocks.iter().filter_map(|block| block.page(cell));
        pages.fold(zero, |sum, page| add(sum, page.get(cell.offset())))
    }
}

impl Rows {
    fn layout(&self, cell: CellId) -> Option<&'static Layout> {
        if cell == CellId::DISCARD {
            return Some(super::discard_layout());
        }
        self.pages.get(cell.page()).copied()
    }

    fn allocate(&mut self, layout: &'static Layout) -> Option<CellId> {
        if self.pages.is_empty() {
            self.pages.push(super::discard_layout());
        }
        let Self { pages, classes } = self;
        let known = classes.iter().position(|class| std::ptr::eq(class.layout, layout));
        let index = known.unwrap_or_else(|| {
            classes.push(Class { layout, free: Vec::new(), page: 0, next: PAGE_CELLS });
            classes.len() - 1
        });
        let class = &mut classes[index];
        if let Some(cell) = class.free.pop() {
            return Some(cell);
        }
        if class.next + layout.stride() > PAGE_CELLS {
            CellId::new(pages.len(), PAGE_CELLS - 1)?;
            class.page = pages.len();
            class.next = 0;
            pages.push(layout);
        }
        let cell = CellId::new(class.page, class.next);
        class.next += layout.stride();
        cell
    }

    fn free(&mut self, cell: CellId, layout: &'static Layout) {
        if let Some(class) = self.classes.iter_mut().find(|c| std::ptr::eq(c.layout, layout)) {
            class.free.push(cell);
        }
    }
}

/// A point from which totals are read, page by page, each page once.
#[cfg(not(nissa_loom))]
#[derive(Debug)]
pub(crate) struct Reader {
    blocks: Vec<&'static Block>,
    shared: &'static Block,
    /// For each page number, where its totals begin in `totals`, or `UNREAD`.
    position: Vec<u32>,
    totals: Vec<u64>,
    /// Whether any page of counters that was read has a shared one beside those of threads.
    shares_counters: bool,
}

#[cfg(not(nissa_loom))]
const UNREAD: u32 = u32::MAX;

#[cfg(not(nissa_loom))]
impl Reader {
    /// To read about so many cells; room for them is made at once, not piece by piece.
    pub(crate) fn new(arena: &'static Arena, cells: usize) -> Self {
        Self {
            blocks: arena.all_blocks(),
            shared: &arena.shared,
            position: Vec::new(),
            totals: Vec::with_capacity(cells.next_multiple_of(PAGE_CELLS)),
            shares_counters: false,
        }
    }

    /// A row's cells, added up over all threads. The first row of a page adds up the whole page,
    /// so that many threads cost a pass over the pages that exist and not one over every series.
    #[inline]
    pub(crate) fn row(&mut self, cell: CellId, stride: usize) -> &[u64] {
        let page = match self.position.get(cell.page()) {
            Some(&page) if page != UNREAD => page as usize,
            _ => self.read_page(cell),
        };
        let start = page * PAGE_CELLS + cell.offset();
        &self.totals[start..start + stride]
    }

    /// Whether some of a counter may be from before it was made here: `absolute` raised it, or a
    /// thread without a page of its own added to it, which looks the same.
    pub(crate) fn is_raised(&self, counter: CellId) -> bool {
        self.shared.page(counter).is_some_and(|page| page.get(counter.offset()) != 0)
    }

    /// Whether any counter that was read may be.
    pub(crate) fn has_raised(&self) -> bool {
        self.shares_counters
    }

    #[cold]
    fn read_page(&mut self, cell: CellId) -> usize {
        let start = self.totals.len();
        self.totals.resize(start + PAGE_CELLS, 0);
        let totals = &mut self.totals[start..];
        for block in self.blocks.iter().copied().chain([self.shared]) {
            if let Some(page) = block.page(cell) {
                page.add_to(totals);
            }
        }
        let shared = self.shared.page(cell).map(Page::layout);
        self.shares_counters |= matches!(shared, Some(Layout::Counter | Layout::FloatCounter));
        if self.position.len() <= cell.page() {
            self.position.resize(cell.page() + 1, UNREAD);
        }
        self.position[cell.page()] = (start / PAGE_CELLS) as u32;
        start / PAGE_CELLS
    }
}
