//! A series as it was at one moment, for reading without a lock.

use std::sync::Arc;

use super::block::Block;
use super::family::{Part, Shape};
use super::gorilla::Word;
use super::query::Span;
use super::rollup::{KINDS, Rolling};
use super::rows::Rows;
use super::scalar::{Measure, growth};
use super::series::{Birth, Series};
use super::store::Store;
use super::tier::{Tier, Tiers};
use crate::buckets::Buckets;

/// The times of ticks, shared by all views of a query.
#[derive(Clone, Debug)]
pub(super) struct Times {
    first: u64,
    times: Arc<[u64]>,
    pub(super) tiers: Tiers,
    pub(super) now: u64,
}

impl Times {
    pub(super) fn of(store: &Store) -> Self {
        let timeline = &store.timeline;
        let (first, times) = (timeline.first(), timeline.times().collect());
        Self { first, times, tiers: store.tiers, now: timeline.now() }
    }

    fn time(&self, tier: Tier, position: u64) -> Option<u64> {
        match tier {
            Tier::Tick => {
                let index = position.checked_sub(self.first)?;
                self.times.get(usize::try_from(index).ok()?).copied()
            }
            _ => Some(self.tiers.time(tier, position)),
        }
    }

    /// The first time of a block that is known.
    fn first(&self, tier: Tier, block: &Block) -> Option<u64> {
        match tier {
            Tier::Tick => {
                let first = block.first.max(self.first);
                self.time(tier, first).filter(|_| first < block.end())
            }
            _ => self.time(tier, block.first),
        }
    }

    /// Calls back with the index and the time of each sample of a block, up to a time.
    #[inline]
    fn each(&self, tier: Tier, block: &Block, end: u64, mut visit: impl FnMut(usize, u64)) {
        let mut index = 0;
        for run in block.runs() {
            if tier == Tier::Tick {
                let unknown = self.first.saturating_sub(run.start).min(run.end - run.start);
                let start = usize::try_from(run.start.saturating_sub(self.first));
                let times = start.ok().and_then(|start| self.times.get(start..));
                let known = unknown as usize..(run.end - run.start) as usize;
                for (at, time) in known.zip(times.unwrap_or_default()) {
                    if *time > end {
                        return;
                    }
                    visit(index + at, *time);
                }
            } else {
                let step = self.tiers.step(tier);
                let mut time = self.tiers.time(tier, run.start);
                for at in 0..(run.end - run.start) as usize {
                    if time > end {
                        return;
                    }
                    visit(index + at, time);
                    time = time.saturating_add(step);
                }
            }
            index += (run.end - run.start) as usize;
        }
    }

    /// How much time a sample of the tier stands for.
    fn step(&self, tier: Tier) -> u64 {
        if tier == Tier::Tick { 0 } else { self.tiers.step(tier) }
    }
}

/// A sample, or what became of many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// The sample's time, or the end of the time it stands for.
    pub(super) time: u64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) mean: f64,
    pub(super) last: f64,
    pub(super) count: u64,
    /// How much a counter grew since the point before.
    pub(super) growth: f64,
}

/// Blocks of a series, open ends too, by tier.
#[derive(Clone, Debug)]
pub(super) struct View {
    blocks: [Vec<Block>; 4],
    birth: Option<Birth>,
    shape: Shape,
    part: Part,
}

impl View {
    /// Of what is asked for, and a sample before it.
    pub(super) fn of(
        series: &Series,
        (shape, part): (&Shape, Part),
        span: Span,
        times: &Times,
    ) -> Self {
        let Span { from, to, .. } = span;
        let blocks = Tier::ALL.map(|tier| {
            let time = |position| times.time(tier, position).unwrap_or(0);
            let closed = series.past.of(tier);
            // One more, for the sample before.
            let start =
                closed.partition_point(|block| time(block.end() - 1) < from).saturating_sub(1);
            let begins = |block: &&Block| time(block.first).saturating_sub(times.step(tier)) <= to;
            let open = series.open_block(tier).into_iter();
            let staged = series.staged_block().filter(|_| tier == Tier::Tick);
            let open = open.chain(staged).filter(|block| begins(&block));
            closed.iter().skip(start).take_while(begins).cloned().chain(open).collect()
        });
        Self { blocks, birth: series.birth.clone(), shape: shape.clone(), part }
    }

    /// Calls back for each block, in order of time, with the end of those of its samples that no
    /// finer tier knows better. A coarse step that a finer tier knows a part of is left out: the
    /// finer samples are worth more than what was before them in that step, and what a counter grew
    /// by there shows in the first of them.
    fn walk(&self, times: &Times, mut visit: impl FnMut(Tier, &Block, u64)) {
        let mut end = u64::MAX;
        let ends = Tier::ALL.map(|tier| {
            let ends = end;
            let first =
                self.blocks[tier as usize].iter().find_map(|block| times.first(tier, block));
            let before = |first: u64| first.saturating_sub(times.step(tier).max(1));
            end = end.min(first.map_or(u64::MAX, before));
            ends
        });
        for tier in Tier::ALL.into_iter().rev() {
            for block in &self.blocks[tier as usize] {
                visit(tier, block, ends[tier as usize]);
            }
        }
    }

    /// The samples of a counter or gauge, or how many observations a histogram held, in order of
    /// time.
    pub(super) fn points(&self, times: &Times) -> Vec<Point> {
        let most = self.blocks.iter().flatten().map(Block::count).sum();
        let mut points = Vec::with_capacity(most);
        self.each(times, |point| points.push(point));
        points
    }

    /// Calls back with each of the [`points`](Self::points).
    #[inline]
    pub(super) fn each(&self, times: &Times, visit: impl FnMut(Point)) {
        let mut points = Points { visit, before: None, birth: self.birth.as_ref() };
        match &self.shape {
            Shape::Scalar(measure) => {
                self.walk(times, |tier, block, end| {
                    if tier < Tier::Minutes {
                        points.samples(measure.word(), tier, block, end, times);
                    } else {
                        points.rollups(*measure, tier, block, end, times);
                    }
                });
            }
            Shape::Histogram(_) if self.part == Part::Sum => self.sums(times, points.visit),
            Shape::Histogram(_) => self.rows(times, |stamp, row| {
                points.sample(stamp.time, Word::Integer, observations(row), stamp.step);
            }),
        }
    }

    /// The rows of a histogram, in order of time.
    pub(super) fn rows(&self, times: &Times, mut visit: impl FnMut(Stamp, &[u64])) {
        let Shape::Histogram(buckets) = &self.shape else { return };
        self.walk(times, |tier, block, end| {
            let step = times.step(tier);
            let Some(mut rows) = Rows::new(block, buckets.len() + 1) else { return };
            while let Some((position, row)) = rows.next() {
                if let Some(time) = times.time(tier, position).filter(|time| *time <= end) {
                    visit(Stamp { time, step }, row);
                }
            }
        });
    }

    /// The sums of a histogram's rows. They may shrink where observations are negative, so it is
    /// the count that tells of a new beginning.
    fn sums(&self, times: &Times, mut visit: impl FnMut(Point)) {
        let cell = |row: &[u64]| f64::from_bits(row.first().copied().unwrap_or(0));
        let mut before: Option<(f64, u64)> = None;
        self.rows(times, |stamp, row| {
            let (sum, count) = (cell(row), observations(row));
            let born = || self.birth.as_ref().filter(|birth| birth.is_at(stamp.time, stamp.step));
            let base = before.replace((sum, count)).or_else(|| {
                let cells = born()?.cells.as_deref().unwrap_or_default();
                Some((cell(cells), observations(cells)))
            });
            let growth = match base {
                Some((_, counted)) if counted > count => sum,
                Some((before, _)) => sum - before,
                None => 0.0,
            };
            let (low, high, mean, last) = (sum, sum, sum, sum);
            visit(Point { time: stamp.time, low, high, mean, last, count: 1, growth });
        });
    }

    /// By how much each bucket of a histogram grew from row to row, in order of time.
    pub(super) fn increases(&self, times: &Times, mut visit: impl FnMut(u64, &[u64])) {
        let mut before: Option<Vec<u64>> = None;
        let birth = self.birth.as_ref();
        self.rows(times, |stamp, row| {
            let counts = row.get(1..).unwrap_or_default();
            let born = birth.filter(|birth| birth.is_at(stamp.time, stamp.step));
            let base = match (&before, born.map(|birth| &birth.cells)) {
                (Some(before), _) => Some(&before[..]),
                (None, Some(cells)) => cells.as_ref().and_then(|cells| cells.get(1..)),
                (None, None) => Some(counts),
            };
            let grown: Vec<u64> = match base {
                Some(base) if base.iter().zip(counts).all(|(before, now)| before <= now) => {
                    base.iter().zip(counts).map(|(before, now)| now - before).collect()
                }
                // It began from nothing, or began anew.
                _ => counts.to_vec(),
            };
            before = Some(counts.to_vec());
            visit(stamp.time, &grown);
        });
    }

    /// The first and last moment it knows of.
    pub(super) fn extent(&self, times: &Times) -> Option<(u64, u64)> {
        let known = Tier::ALL.into_iter().flat_map(|tier| {
            let blocks = self.blocks[tier as usize].iter();
            blocks.flat_map(move |block| {
                [block.first, block.end() - 1]
                    .into_iter()
                    .filter_map(move |at| times.time(tier, at))
            })
        });
        known.fold(None, |extent, time| match extent {
            None => Some((time, time)),
            Some((first, last)) => Some((time.min(first), time.max(last))),
        })
    }

    /// The buckets of a histogram, if that is what is asked for.
    pub(super) fn buckets(&self) -> Option<&Buckets> {
        match &self.shape {
            Shape::Histogram(buckets) if self.part == Part::Whole => Some(buckets),
            _ => None,
        }
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// The end of the time that a row stands for, and how long that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) time: u64,
    step: u64,
}

struct Points<'a, F> {
    visit: F,
    /// The sample or rollup before.
    before: Option<(Word, u64)>,
    birth: Option<&'a Birth>,
}

/// How many observations a row of a histogram counts.
fn observations(row: &[u64]) -> u64 {
    row.iter().skip(1).fold(0, |sum, count| sum.wrapping_add(*count))
}

impl<F: FnMut(Point)> Points<'_, F> {
    fn samples(&mut self, word: Word, tier: Tier, block: &Block, end: u64, times: &Times) {
        let Some([words]) = block.columns([word]) else { return };
        let step = times.step(tier);
        times.each(tier, block, end, |index, time| {
            if let Some(sample) = words.get(index) {
                self.sample(time, word, *sample, step);
            }
        });
    }

    fn rollups(&mut self, measure: Measure, tier: Tier, block: &Block, end: u64, times: &Times) {
        let Some(columns) = block.columns(KINDS) else { return };
        times.each(tier, block, end, |index, time| {
            let words = columns.each_ref().map(|column| column.get(index).copied().unwrap_or(0));
            self.rollup(time, measure, &Rolling::from_words(0, words));
        });
    }

    #[inline]
    fn sample(&mut self, time: u64, word: Word, sample: u64, step: u64) {
        let value = word.to_f64(sample);
        let growth = match self.before.replace((word, sample)) {
            Some((kind, before)) if kind == word => growth(word, before, sample),
            Some((kind, before)) => {
                let before = kind.to_f64(before).to_bits();
                growth(Word::Float, before, value.to_bits())
            }
            None => {
                let birth = self.birth.filter(|birth| birth.is_at(time, step));
                let base = birth.map(|birth| birth.number());
                base.map_or(0.0, |base| growth(word, base, sample))
            }
        };
        let (low, high, mean, last) = (value, value, value, value);
        (self.visit)(Point { time, low, high, mean, last, count: 1, growth });
    }

    fn rollup(&mut self, time: u64, measure: Measure, rolled: &Rolling) {
        self.before = Some((Word::Float, rolled.last.to_bits()));
        // The total of a counter is its growth, which tells nothing of its mean.
        let mean = match measure.is_counter() {
            true => rolled.low / 2.0 + rolled.high / 2.0,
            false => rolled.total / rolled.count as f64,
        };
        let Rolling { low, high, last, count, total: growth, .. } = *rolled;
        (self.visit)(Point { time, low, high, mean, last, count, growth });
    }
}
