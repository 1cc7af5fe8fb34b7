//! All series, and what a tick does to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::books::Books;
use super::budget::Counts;
use super::family::{Family, NONE, Shape};
use super::series::{Birth, STALE, Series, Turn};
use super::tier::{Tier, Tiers};
use super::timeline::Timeline;
use crate::entry::{Entry, walk};
use crate::key;
use crate::monitor::Tick;
use crate::registry::Matcher;
use crate::snapshot::{self, Snapshot};

/// Every series is looked at once in so many ticks.
const SWEEP: u64 = 256;

#[derive(Debug)]
pub(super) struct Store {
    pub(super) tiers: Tiers,
    /// In bytes.
    pub(super) budget: usize,
    only: Vec<Matcher>,
    pub(super) timeline: Timeline,
    pub(super) families: Vec<Family>,
    pub(super) by_name: BTreeMap<Box<str>, u32>,
    /// The metrics of the last snapshot, in its order.
    shown: Vec<Shown>,
    /// By number; a place is free while it is `None`.
    pub(super) series: Vec<Option<Series>>,
    free: Vec<u32>,
    pub(super) books: Books,
    pub(super) reserved: usize,
    pub(super) counts: Counts,
    pub(super) global_labels: Vec<(String, String)>,
    /// The serial number of the series that came last.
    serial: u64,
}

/// A metric of the last snapshot.
#[derive(Clone, Copy, Debug)]
struct Shown {
    /// Where its list of series is, or zero.
    list: usize,
    index: u32,
    /// It has series that are kept.
    is_kept: bool,
}

fn address(family: &snapshot::Family) -> usize {
    Arc::as_ptr(family.shared_entries()).addr()
}

impl Store {
    pub(super) fn new(tiers: Tiers, budget: usize, only: Vec<Matcher>) -> Self {
        Self {
            tiers,
            budget,
            only,
            timeline: Timeline::default(),
            families: Vec::new(),
            by_name: BTreeMap::new(),
            shown: Vec::new(),
            series: Vec::new(),
            free: Vec::new(),
            books: Books::default(),
            reserved: 0,
            counts: Counts::default(),
            global_labels: Vec::new(),
            serial: 0,
        }
    }

    /// Adds what a snapshot shows.
    pub(super) fn append(&mut self, snapshot: &Snapshot, tick: Tick) {
        let first = self.timeline.is_new();
        let (number, now) = self.timeline.push(tick);
        if self.global_labels != snapshot.global_labels() {
            self.global_labels = snapshot.global_labels().to_vec();
        }
        if number % STALE == 0 {
            // There may be room by now.
            self.families.iter_mut().filter(|family| family.refused > 0).for_each(Family::forget);
            self.shown.clear();
        }
        // Only of metrics that are there do their families hold the lists of series.
        self.shown.truncate(snapshot.families().len());
        for (place, family) in snapshot.families().enumerate() {
            let shown = match self.shown.get(place) {
                Some(shown) if shown.list == address(family) => *shown,
                _ => self.find(place, family, now, first),
            };
            if shown.is_kept {
                self.append_family(shown.index, family, number, now);
            }
        }
        self.sweep(number, now);
        self.pack();
        self.make_room();
        if number % SWEEP == 0 {
            self.forget_times(number, now);
        }
    }

    fn knows(&self, index: u32, shown: &snapshot::Family) -> bool {
        self.families.get(index as usize).is_some_and(|family| family.knows(shown))
    }

    /// Finds a metric whose series may have changed.
    fn find(&mut self, place: usize, shown: &snapshot::Family, now: u64, first: bool) -> Shown {
        let last = self.shown.get(place).map(|shown| shown.index);
        let is_it = |index: &u32| {
            let family = self.families.get(*index as usize);
            family.is_some_and(|family| *family.name == *shown.name() && family.fits(shown))
        };
        let index = last.filter(is_it).unwrap_or_else(|| self.family(shown));
        if !self.knows(index, shown) && !self.is_aligned(index, shown) {
            self.align(index, shown, now, first);
        }
        // Of a list that no family holds, the address may be another's next time.
        let list = if self.knows(index, shown) { address(shown) } else { 0 };
        let family = self.families.get(index as usize);
        let found = Shown { list, index, is_kept: family.is_some_and(|f| !f.sorted.is_empty()) };
        self.shown.resize(self.shown.len().max(place + 1), found);
        if let Some(known) = self.shown.get_mut(place) {
            *known = found;
        }
        found
    }

    fn append_family(&mut self, index: u32, shown: &snapshot::Family, number: u64, now: u64) {
        let hurry = self.hurry();
        let Some(family) = self.families.get(index as usize) else { return };
        let mut turn = turn(&self.timeline, &self.tiers, now, hurry);
        let rows = shown.cells().chunks_exact(shown.stride());
        for (id, row) in family.current.iter().zip(rows) {
            let Some(Some(series)) = self.series.get_mut(*id as usize) else { continue };
            if series.push(number, row, &mut turn) {
                self.books.update(*id, series, &mut turn);
            }
        }
    }

    /// The number of a metric; what was kept of another one of that name is dropped.
    fn family(&mut self, shown: &snapshot::Family) -> u32 {
        let known = self.by_name.get(shown.name()).copied();
        match known.and_then(|index| Some((index, self.families.get(index as usize)?))) {
            Some((index, family)) if family.knows(shown) || family.fits(shown) => index,
            Some((index, family)) => {
                let ids = family.sorted.clone();
                self.remove(&ids);
                self.counts.replaced += ids.len() as u64;
                if let Some(family) = self.families.get_mut(index as usize) {
                    *family = Family::new(shown.name(), Shape::of(shown));
                }
                index
            }
            None => self.add_family(Family::new(shown.name(), Shape::of(shown))),
        }
    }

    pub(super) fn add_family(&mut self, family: Family) -> u32 {
        let index = self.families.len() as u32;
        self.by_name.insert(family.name.clone(), index);
        self.books.used[4] += family.memory();
        self.families.push(family);
        index
    }

    /// Whether all series are those of the last snapshot. A metric that has some which are out of
    /// sight makes a new list of the others for each.
    fn is_aligned(&self, index: u32, shown: &snapshot::Family) -> bool {
        let Some(family) = self.families.get(index as usize) else { return false };
        let is_same = |(id, entry): (&u32, &Entry)| {
            let series = self.series.get(*id as usize).and_then(Option::as_ref);
            series.is_some_and(|series| series.labels.as_bytes() == entry.text())
        };
        family.current.len() == shown.len()
            && family.current.iter().zip(walk(shown.shared_entries())).all(is_same)
    }

    /// Finds the series of a snapshot among those that are kept: both are sorted by labels, so one
    /// pass finds all, and makes those that are new.
    fn align(&mut self, index: u32, shown: &snapshot::Family, now: u64, first: bool) {
        let Some(family) = self.families.get_mut(index as usize) else { return };
        let kept = std::mem::take(&mut family.sorted);
        let mut current = std::mem::take(&mut family.current);
        let shape = family.shape.clone();
        current.clear();
        let mut sorted = Vec::with_capacity(kept.len().max(shown.len()));
        let mut kept = kept.into_iter().peekable();
        let mut refused = 0;
        let rows = shown.cells().chunks_exact(shown.stride());
        for (entry, row) in walk(shown.shared_entries()).zip(rows) {
            let labels = entry.text_str();
            while let Some(id) = kept.next_if(|id| self.labels(*id) < labels) {
                sorted.push(id);
            }
            let id = match kept.next_if(|id| self.labels(*id) == labels) {
                Some(id) => id,
                None if !self.is_wanted(shown.name(), entry) => NONE,
                None => {
                    let before = (first || entry.is_observed()).then(|| shape.cells(row).into());
                    let birth = Birth { time: now, cells: before };
                    self.admit(index, labels, &shape, Some(birth))
                }
            };
            refused += usize::from(id == REFUSED);
            if id < REFUSED {
                sorted.push(id);
            }
            current.push(id);
        }
        sorted.extend(kept);
        if let Some(family) = self.families.get_mut(index as usize) {
            (family.sorted, family.current, family.refused) = (sorted, current, refused);
            family.remember(shown);
        }
    }

    fn labels(&self, id: u32) -> &str {
        self.series.get(id as usize).and_then(Option::as_ref).map_or("", |series| &series.labels)
    }

    fn is_wanted(&self, name: &str, entry: &Entry) -> bool {
        if self.only.is_empty() {
            return true;
        }
        let labels: Vec<_> = key::parse(entry.text_str()).collect();
        let labels: Vec<(&str, &str)> =
            labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        self.only.iter().any(|matcher| matcher.matches(name, &labels))
    }

    /// Makes a series, if there is room for its open ends.
    pub(super) fn admit(
        &mut self,
        family: u32,
        labels: &str,
        shape: &Shape,
        birth: Option<Birth>,
    ) -> u32 {
        let reserve = shape.reserve();
        if self.reserved + reserve > self.budget / 2 || self.hurry() {
            return REFUSED;
        }
        let mut series = Series::new(labels, family, shape.open(), birth);
        self.books.add(&mut series);
        self.serial += 1;
        series.serial = self.serial;
        self.reserved += reserve;
        if let Some(id) = self.free.pop() {
            if let Some(place) = self.series.get_mut(id as usize) {
                *place = Some(series);
                return id;
            }
        }
        self.series.push(Some(series));
        (self.series.len() - 1) as u32
    }

    /// Puts a series from the file into its place. False if there is no room.
    pub(super) fn place(&mut self, id: u32, mut series: Series, reserve: usize) -> bool {
        if self.reserved + reserve > self.budget / 2 {
            return false;
        }
        let index = id as usize;
        if self.series.len() <= index {
            self.series.resize_with(index + 1, || None);
        }
        self.reserved += reserve;
        self.serial += 1;
        series.serial = self.serial;
        if let Some(place) = self.series.get_mut(index) {
            *place = Some(series);
        }
        true
    }

    /// Brings the books in order after series were put into their places.
    pub(super) fn settle(&mut self) {
        self.books.used = [0, 0, 0, 0, self.families.iter().map(Family::memory).sum()];
        self.free.clear();
        for (id, place) in self.series.iter_mut().enumerate() {
            let Some(series) = place else {
                self.free.push(id as u32);
                continue;
            };
            self.books.add(series);
        }
        let labels = |id: &u32| self.series.get(*id as usize).and_then(Option::as_ref);
        for family in &mut self.families {
            family.sorted.sort_by_key(|id| labels(id).map(|series| &series.labels));
        }
        // Each tier's blocks came by series; the oldest are to go first.
        for queue in &mut self.books.queues {
            queue.make_contiguous().sort_by_key(|(_, first)| *first);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        let only = std::mem::take(&mut self.only);
        *self = Self::new(self.tiers, self.budget, only);
    }

    /// Notes that blocks of a series are in the file.
    pub(super) fn mark_stored(&mut self, id: u32, serial: u64, blocks: &[(Tier, u64)]) {
        let Some(Some(series)) = self.series.get_mut(id as usize) else { return };
        for (tier, first) in blocks.iter().filter(|_| series.serial == serial) {
            series.past.change(*tier, *first, |block| block.stored = true);
        }
    }

    /// Whether open ends take too much of the budget.
    fn hurry(&self) -> bool {
        self.books.used[4] > self.budget / 2
    }

    /// Looks at some of the series: closes what is stale, forgets what is old.
    fn sweep(&mut self, number: u64, now: u64) {
        let hurry = self.hurry();
        let mut turn = turn(&self.timeline, &self.tiers, now, hurry);
        let mut gone = Vec::new();
        let (round, count) = ((number % SWEEP) as usize, self.series.len());
        let ids = [round, round + 1].map(|round| count * round / SWEEP as usize);
        for id in ids[0]..ids[1] {
            let Some(Some(series)) = self.series.get_mut(id) else { continue };
            series.sweep(&mut turn);
            self.books.update(id as u32, series, &mut turn);
            if series.is_empty() {
                gone.push(id as u32);
            }
        }
        self.remove(&gone);
    }

    /// Drops series with all that is kept of them.
    pub(super) fn remove(&mut self, ids: &[u32]) {
        let mut families = Vec::new();
        for id in ids {
            let Some(series) = self.series.get_mut(*id as usize).and_then(Option::take) else {
                continue;
            };
            self.books.remove(&series);
            families.push(series.family);
            let reserve =
                self.families.get(series.family as usize).map_or(0, |f| f.shape.reserve());
            self.reserved = self.reserved.saturating_sub(reserve);
        }
        families.sort_unstable();
        families.dedup();
        for index in families {
            let Some(family) = self.families.get_mut(index as usize) else { continue };
            let there = |id: &u32| self.series.get(*id as usize).is_some_and(Option::is_some);
            family.sorted.retain(there);
            family.current.iter_mut().filter(|id| !there(id)).for_each(|id| *id = NONE);
        }
        self.free.extend(ids);
    }

    /// Packs some of the blocks that were closed: when many are in one tick, as after a gap, the
    /// others wait, and can be read as they are.
    fn pack(&mut self) {
        /// A series closes one in a thousand ticks, if all are kept.
        const FEW: usize = 512;
        let mut left = 2 + self.series.len() / FEW;
        while left > 0 {
            let Some((id, tier, first)) = self.books.next_unpacked() else { return };
            let Some(Some(series)) = self.series.get_mut(id as usize) else { continue };
            if series.pack(tier, first) {
                self.books.measure(series);
                left -= 1;
            }
        }
    }

    /// Forgets the times of ticks that nothing refers to any more.
    fn forget_times(&mut self, number: u64, now: u64) {
        /// A run is at most this long, then stale, then swept.
        const MOST: u64 = 2 * (Tier::Tick.samples() as u64) + STALE + 2 * SWEEP;
        let old = now.saturating_sub(self.tiers.keep(Tier::Tick));
        let unneeded = self.timeline.tick_at(old).min(number.saturating_sub(MOST));
        self.timeline.forget(unneeded);
    }
}

/// Stands for a series that found no room.
pub(super) const REFUSED: u32 = NONE - 1;

pub(super) fn turn<'a>(
    timeline: &'a Timeline,
    tiers: &'a Tiers,
    now: u64,
    hurry: bool,
) -> Turn<'a> {
    Turn { timeline, tiers, now, hurry, early: 0, base: None, closed: Vec::new() }
}
