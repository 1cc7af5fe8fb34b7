//! How easily a sample is told apart from all before it.
//!
//! Half-space trees (S. C. Tan, K. M. Ting, T. F. Liu, "Fast Anomaly Detection for Streaming
//! Data", IJCAI 2011): the splits are drawn once, before any sample, and each sample adds to the
//! mass of the cells it falls into. So there is nothing to refit, and memory is fixed. Two things
//! differ. Masses fade with every sample instead of being swapped once a window: there is no moment
//! at which the forest has just forgotten. And the mass is read along the whole path, as the mean
//! logarithm of its share, so that a sample in a thin neighbourhood counts as thin even
//! if its very cell is not empty.
//!
//! A group is not one forest over all of its dimensions: trees that split along one of many at
//! random seldom split the one that matters twice, and found 9 of 60 broken correlations of three
//! series. Each series has trees of its own, over its value and over how far it lies from what the
//! others let expect ([`Relation`]), and the rarest of them counts: 60 of 60.
//!
//! Random cut and online isolation forests keep and move their points: 0.4 to 1.35 MB for a score
//! that is no better (docs/DETECTION.md has the figures).

use std::time::Duration;

use super::once::Newest;
use super::relation::{MOST, Relation};
use super::variance::Variance;
use super::{Detector, Reason, Score, THRESHOLD, Tape, WARM_UP, finite, score_of_deviations};

const TREES: usize = 16;
const DEPTH: usize = 7;
/// Cells of a tree, as a heap with the root at 1; the first half are inner ones.
const CELLS: usize = 2 << DEPTH;
/// Samples after which a mass has faded to `1/e`.
const MEMORY: f64 = 3000.0;
/// Samples over which each dimension's mean and deviation are averaged.
const SCALE: f64 = 4000.0;
/// Distance from the mean, in deviations, that lies half way to the end of a dimension.
const HALF: f64 = 2.0;
/// The least share that counts; below it there is nothing.
const EMPTY: f64 = 1e-4;
/// Minus the mean logarithm of the share that scores one half.
const RARE: f64 = 4.8;

/// A streaming isolation forest over a series, or over a group of series together.
///
/// Of one series it sees the sample and the step from the one before: a shingle of two, turned so
/// that a jump stands out in one dimension. Of a group, each series' sample, and how far it lies
/// from what the others let expect; the score's [`origin`](Score::origin) is the series that departs
/// most, and its expected range is what the others say. One alert per event: a score passes if it
/// is higher than those of the last hundred samples. Seeded: the same samples give the same scores.
/// Costs about 0.4 µs and 33 KB, and as much again and 16 KB for each further series.
///
/// ```
/// use std::time::Duration;
/// use nissa::detect::{Detector, Forest};
///
/// // Neither load nor latency ever leaves its range; only together they are odd.
/// let mut forest = Forest::group(2);
/// let mut at = Duration::ZERO;
/// for step in 0..3000 {
///     at += Duration::from_secs(1);
///     let load = 50.0 + 40.0 * (step as f64 * 0.01).sin();
///     let latency = load / 10.0 + (step as f64 * 0.7).sin() / 4.0;
///     let _ = forest.observe_group(&[load, latency], at);
/// }
/// let score = forest.observe_group(&[12.0, 9.0], at);
/// assert!(score.is_anomalous());
/// assert_eq!(score.origin, 1);
/// let (low, high) = score.expected.unwrap();
/// assert!(0.5 < low && high < 2.0, "at that load: {low} to {high}");
/// ```
#[derive(Clone)]
pub struct Forest {
    dimensions: Vec<Dimension>,
    relation: Relation,
    splits: Vec<Split>,
    masses: Vec<f32>,
    /// What a sample adds; it grows instead of the masses shrinking.
    weight: f64,
    total: f64,
    seen: u64,
    newest: Newest,
}

/// A series' last value, and mean and deviation of its samples and of what is beside them: its
/// steps, or its departures from what the others of a group let expect.
#[derive(Clone, Copy, Debug, Default)]
struct Dimension {
    last: f64,
    mean: [f64; 2],
    variance: [Variance; 2],
}

#[derive(Clone, Copy, Debug)]
struct Split {
    dimension: u32,
    at: f32,
}

impl Default for Forest {
    fn default() -> Self {
        Self::group(1)
    }
}

impl std::fmt::Debug for Forest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (series, seen) = (self.dimensions.len(), self.seen);
        f.debug_struct("Forest")
            .field("series", &series)
            .field("seen", &seen)
            .finish_non_exhaustive()
    }
}

impl Forest {
    /// Over so many series that are seen together; at least one, at most 64.
    pub fn group(series: usize) -> Self {
        let series = series.clamp(1, MOST);
        Self {
            dimensions: vec![Dimension::default(); series],
            relation: Relation::of(series),
            splits: splits(2),
            masses: vec![0.0; series * TREES * CELLS],
            weight: 1.0,
            total: 0.0,
            seen: 0,
            newest: Newest::default(),
        }
    }

    /// The weight of a sample in the means and deviations.
    fn share(&self) -> f64 {
        (1.0 / self.seen.max(1) as f64).max(2.0 / (SCALE + 1.0))
    }

    /// How empty it is around the sample, by the series where it is emptiest; then learns it.
    fn emptiness(&mut self, values: &[f64]) -> f64 {
        let mut steps = [0.0; MOST];
        for (index, (dimension, step)) in self.dimensions.iter_mut().zip(&mut steps).enumerate() {
            let value = values.get(index).copied().and_then(finite).unwrap_or(dimension.last);
            *step = if self.seen <= 1 { 0.0 } else { value - dimension.last };
            dimension.last = value;
        }
        let alone = self.dimensions.len() == 1;
        let last = self.dimensions.iter().map(|dimension| dimension.last);
        let beside = if alone { steps } else { self.relation.departures(last) };
        let share = self.share();
        let mut most = 0.0_f64;
        for (series, beside) in beside.into_iter().enumerate() {
            let Some(dimension) = self.dimensions.get_mut(series) else { break };
            let point = dimension.place([dimension.last, beside], share);
            most = most.max(self.fall(series, point));
        }
        // How series follow from one another is not known from a few samples.
        let known = self.seen as f64 / (self.seen as f64 + f64::from(WARM_UP));
        if alone { most } else { most * known }
    }

    /// Minus the mean logarithm of the share of samples around a series' point, which is then
    /// learned.
    fn fall(&mut self, series: usize, point: [f32; 2]) -> f64 {
        let (total, weight) = (self.total.max(f64::MIN_POSITIVE), self.weight as f32);
        let mut logarithms = 0.0;
        let masses = self.masses.chunks_exact_mut(CELLS).skip(series * TREES);
        for (splits, masses) in self.splits.chunks_exact(CELLS / 2).zip(masses) {
            let (mut cell, mut product) = (1, 1.0);
            for depth in 0..=DEPTH {
                if let Some(mass) = masses.get_mut(cell) {
                    if depth > 0 {
                        product *= f64::from(*mass) / total + EMPTY;
                    }
                    *mass += weight;
                }
                let Some(split) = splits.get(cell) else { break };
                let place = point.get(split.dimension as usize).copied().unwrap_or_default();
                cell = 2 * cell + usize::from(place > split.at);
            }
            logarithms += product.ln();
        }
        -logarithms / (TREES * DEPTH) as f64
    }

    fn fade(&mut self) {
        self.total += self.weight;
        self.weight *= 1.0 + 1.0 / MEMORY;
        if self.weight > 1e6 {
            let shrink = 1.0 / self.weight;
            self.masses.iter_mut().for_each(|mass| *mass *= shrink as f32);
            self.total *= shrink;
            self.weight = 1.0;
        }
    }
}

impl Detector for Forest {
    fn name(&self) -> &'static str {
        "forest"
    }

    fn observe(&mut self, value: f64, at: Duration) -> Score {
        self.observe_group(&[value], at)
    }

    fn series(&self) -> usize {
        self.dimensions.len()
    }

    /// Missing series count as unchanged, surplus ones are left out; if one is not finite, none is
    /// learned.
    fn observe_group(&mut self, values: &[f64], _at: Duration) -> Score {
        let ready = self.seen >= u64::from(WARM_UP);
        if let Some(origin) = values.iter().position(|value| !value.is_finite()) {
            return Score { origin, ..Score::not_finite(ready) };
        }
        if self.seen > 0 {
            // One sample late, so that an odd one does not widen what it is compared with.
            let share = self.share();
            let last = self.dimensions.iter().map(|dimension| dimension.last);
            self.relation.learn(last, share);
        }
        self.seen = self.seen.saturating_add(1);
        let emptiness = self.emptiness(values);
        self.fade();
        if !ready {
            return Score::warming_up();
        }
        let score = self.newest.pass(score_of_deviations(2.5 * emptiness / RARE));
        if score < THRESHOLD {
            return Score::new(score, Reason::Usual);
        }
        let last = self.dimensions.iter().map(|dimension| dimension.last);
        let (origin, expected) = self.relation.origin(last);
        Score { origin, expected, ..Score::new(score, Reason::Isolated) }
    }

    fn carry(&mut self, tape: &mut Tape) {
        for dimension in &mut self.dimensions {
            tape.number(&mut dimension.last);
            tape.numbers(&mut dimension.mean);
            dimension.variance.iter_mut().for_each(|variance| variance.carry(tape));
        }
        self.relation.carry(tape);
        tape.singles(&mut self.masses);
        tape.number(&mut self.weight);
        tape.number(&mut self.total);
        tape.integer(&mut self.seen);
        self.newest.carry(tape);
    }

    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }

    fn state_bytes(&self) -> usize {
        size_of::<Self>()
            + self.dimensions.capacity() * size_of::<Dimension>()
            + self.relation.bytes()
            + self.splits.capacity() * size_of::<Split>()
            + self.masses.capacity() * size_of::<f32>()
    }
}

impl Dimension {
    /// Where both signals lie, each between -1 and 1; then learns them.
    fn place(&mut self, signals: [f64; 2], weight: f64) -> [f32; 2] {
        let least = (1e-4 * self.mean[0].abs()).max(f64::MIN_POSITIVE);
        let mut place = [0.0; 2];
        let moments = self.mean.iter_mut().zip(&mut self.variance);
        for ((place, (mean, variance)), signal) in place.iter_mut().zip(moments).zip(signals) {
            let off = signal - *mean;
            let deviations = off / variance.deviation().max(least);
            *mean += weight * off;
            variance.learn(off, weight);
            // Infinitely many deviations lie at the end too.
            let size = deviations.abs().min(1e9);
            *place = (size / (size + HALF)).copysign(deviations) as f32;
        }
        place
    }
}

/// The splits of all trees: each cuts its cell in a random dimension, somewhere in the middle.
fn splits(dimensions: usize) -> Vec<Split> {
    let mut seed = 42;
    let mut all = Vec::with_capacity(TREES * CELLS / 2);
    for _ in 0..TREES {
        let mut boxes = vec![vec![(-1.0_f32, 1.0_f32); dimensions]; CELLS];
        // There is no cell 0.
        all.push(Split { dimension: 0, at: 0.0 });
        for cell in 1..CELLS / 2 {
            let dimension = (draw(&mut seed) * dimensions as f64) as usize;
            let share = (0.3 + 0.4 * draw(&mut seed)) as f32;
            let Some(parent) = boxes.get(cell).cloned() else { continue };
            let Some(&(low, high)) = parent.get(dimension) else { continue };
            let at = low + share * (high - low);
            all.push(Split { dimension: dimension as u32, at });
            for (child, part) in [(2 * cell, (low, at)), (2 * cell + 1, (at, high))] {
                let mut inner = parent.clone();
                if let (Some(place), Some(range)) = (boxes.get_mut(child), inner.get_mut(dimension))
                {
                    *range = part;
                    *place = inner;
                }
            }
        }
    }
    all
}

/// The next of a splitmix64 sequence, from 0 to below 1.
fn draw(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
