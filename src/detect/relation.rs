//! How the series of a group follow from one another.
//!
//! Fading means and covariances. What one series should be, given all the others, then follows from
//! the inverse Ω of the correlations: it lies `(Ωz)ᵢ / Ωᵢᵢ` off, where the usual deviation is
//! `1/√Ωᵢᵢ` (J. Whittaker, "Graphical Models in Applied Multivariate Statistics", 1990, chapter 5).
//! It judges nothing: the forest says that a sample is odd, and this says which series makes it so.
//! A range of its own would not do: where only the combination is odd, every value lies in it.

use super::{LARGEST, Tape};

/// The most series of a group.
pub(crate) const MOST: usize = 64;
/// Deviations from what the others let expect that are still as usual.
const USUAL: f64 = 2.5;
/// Added to each series' own variance, so that one that only repeats another can be divided by.
const RIDGE: f64 = 1e-4;
/// The inverse's own entry of a series that follows from no other; all are at least that.
const LEAST: f64 = 1.0 / (1.0 + RIDGE);

/// Means and covariances of a group; empty for a single series.
#[derive(Clone, Debug, Default)]
pub(super) struct Relation {
    means: Vec<f64>,
    /// A row per series.
    covariances: Vec<f64>,
    /// What series are divided by, and the inverse of their correlations then: worked out anew
    /// after as many samples as there are series, so that a sample costs the square of these.
    scales: Vec<f64>,
    inverse: Vec<f64>,
    learned: u64,
}

impl Relation {
    pub(super) fn of(series: usize) -> Self {
        let size = if series > 1 { series } else { 0 };
        let (row, square) = (vec![0.0; size], vec![0.0; size * size]);
        Self {
            means: row.clone(),
            covariances: square.clone(),
            scales: row,
            inverse: square,
            learned: 0,
        }
    }

    /// Takes in a sample of each series, finite ones, which counts for so much.
    pub(super) fn learn(&mut self, values: impl Iterator<Item = f64>, weight: f64) {
        let size = self.means.len();
        let mut off = [0.0; MOST];
        for ((off, mean), value) in off.iter_mut().zip(&mut self.means).zip(values) {
            *off = value - *mean;
            *mean += weight * *off;
        }
        for (row, own) in self.covariances.chunks_exact_mut(size.max(1)).zip(&off) {
            for (covariance, other) in row.iter_mut().zip(&off) {
                *covariance = (1.0 - weight) * (*covariance + weight * own * other);
            }
        }
        self.learned = self.learned.saturating_add(1);
        if size > 0 && self.learned % size as u64 == 0 {
            self.invert();
        }
    }

    /// How far each series lies from what the others let expect. Nothing for a single series.
    pub(super) fn departures(&self, values: impl Iterator<Item = f64>) -> [f64; MOST] {
        let mut places = [0.0; MOST];
        let means = self.means.iter().zip(&self.scales);
        for ((place, value), (mean, scale)) in places.iter_mut().zip(values).zip(means) {
            *place = ((value - mean) / scale.max(f64::MIN_POSITIVE)).clamp(-1e9, 1e9);
        }
        let mut departures = [0.0; MOST];
        let rows = self.rows(&self.inverse).zip(&self.scales).enumerate();
        for (departure, (index, (row, scale))) in departures.iter_mut().zip(rows) {
            let off: f64 = row.iter().zip(&places).map(|(a, b)| a * b).sum();
            *departure = (scale * off / at(row, index).max(LEAST)).clamp(-LARGEST, LARGEST);
        }
        departures
    }

    /// The series that departs most for what it usually does, and what the others let expect of
    /// it, if it lies outside.
    pub(super) fn origin(&self, values: impl Iterator<Item = f64> + Clone) -> Origin {
        let departures = self.departures(values.clone());
        let rows = self.rows(&self.inverse).zip(&self.scales).enumerate();
        let mut origin = (0, None);
        let mut furthest = 0.0;
        for ((value, departure), (index, (row, scale))) in values.zip(departures).zip(rows) {
            let usual = USUAL * scale / at(row, index).max(LEAST).sqrt();
            let distance = departure.abs() / usual.max(f64::MIN_POSITIVE);
            if distance > furthest {
                furthest = distance;
                let middle = value - departure;
                origin = (index, (distance > 1.0).then_some((middle - usual, middle + usual)));
            }
        }
        origin
    }

    /// By Gauss and Jordan: with the ridge, no pivot is zero.
    fn invert(&mut self) {
        let size = self.means.len();
        let diagonal = self.rows(&self.covariances).enumerate().map(|(i, row)| at(row, i));
        let least = |mean: &f64| (1e-4 * mean.abs()).max(f64::MIN_POSITIVE);
        let scales = diagonal.zip(&self.means);
        self.scales = scales.map(|(own, mean)| own.max(0.0).sqrt().max(least(mean))).collect();
        let correlations = |(i, (row, scale)): (usize, (&[f64], &f64))| -> Vec<f64> {
            let others = row.iter().zip(&self.scales);
            let own = others.map(|(covariance, other)| covariance / scale / other);
            let ridged = own.enumerate().map(|(j, c)| if i == j { 1.0 + RIDGE } else { c });
            let unit = (0..size).map(|j| if i == j { 1.0 } else { 0.0 });
            ridged.chain(unit).collect()
        };
        let rows = self.rows(&self.covariances).zip(&self.scales).enumerate();
        let mut rows: Vec<Vec<f64>> = rows.map(correlations).collect();
        for pivot in 0..size {
            let Some(row) = rows.get_mut(pivot) else { continue };
            let scale = at(row, pivot);
            row.iter_mut().for_each(|cell| *cell /= scale);
            let taken = row.clone();
            for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != pivot) {
                let factor = at(row, pivot);
                row.iter_mut().zip(&taken).for_each(|(cell, other)| *cell -= factor * other);
            }
        }
        self.inverse = rows.iter().flat_map(|row| row.iter().skip(size)).copied().collect();
    }

    fn rows<'a>(&self, matrix: &'a [f64]) -> impl Iterator<Item = &'a [f64]> + use<'a> {
        matrix.chunks_exact(self.means.len().max(1))
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        for numbers in [&mut self.means, &mut self.covariances, &mut self.scales, &mut self.inverse]
        {
            tape.numbers(numbers);
        }
        if !self.means.is_empty() {
            tape.integer(&mut self.learned);
        }
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let numbers = self.means.capacity()
            + self.covariances.capacity()
            + self.scales.capacity()
            + self.inverse.capacity();
        numbers * size_of::<f64>()
    }
}

/// A place in the group, and the range expected there.
pub(super) type Origin = (usize, Option<(f64, f64)>);

fn at(numbers: &[f64], index: usize) -> f64 {
    numbers.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn learned(samples: &[[f64; 3]]) -> Relation {
        let mut relation = Relation::of(3);
        for (index, sample) in samples.iter().enumerate() {
            relation.learn(sample.iter().copied(), 1.0 / (index + 1) as f64);
        }
        relation
    }

    /// Least squares on the two others, by their normal equations, with the same ridge.
    fn naive(samples: &[[f64; 3]], sample: [f64; 3], of: usize) -> f64 {
        let count = samples.len() as f64;
        let mean = |i: usize| samples.iter().map(|s| s[i]).sum::<f64>() / count;
        let covariance = |i: usize, j: usize| {
            samples.iter().map(|s| (s[i] - mean(i)) * (s[j] - mean(j))).sum::<f64>() / count
        };
        let deviation = |i: usize| covariance(i, i).sqrt();
        let correlation = |i: usize, j: usize| covariance(i, j) / deviation(i) / deviation(j);
        let place = |i: usize| (sample[i] - mean(i)) / deviation(i);
        let (a, b) = ((of + 1) % 3, (of + 2) % 3);
        let (own, both) = (1.0 + RIDGE, correlation(a, b));
        let determinant = own * own - both * both;
        let weight = |one: usize, other: usize| {
            (own * correlation(of, one) - both * correlation(of, other)) / determinant
        };
        deviation(of) * (place(of) - weight(a, b) * place(a) - weight(b, a) * place(b))
    }

    proptest! {
        #[test]
        fn departures_are_what_least_squares_leave(
            mut samples in prop::collection::vec(prop::array::uniform3(-10.0..10.0f64), 4..20),
            slope in -3.0..3.0f64,
            sample in prop::array::uniform3(-20.0..20.0f64),
        ) {
            // One follows another, more or less; and the inverse is of the last sample.
            samples.truncate(samples.len() / 3 * 3);
            samples.iter_mut().for_each(|s| s[2] = slope * s[0] + 0.1 * s[2]);
            let departures = learned(&samples).departures(sample.into_iter());
            for (of, departure) in departures.iter().take(3).enumerate() {
                let expected = naive(&samples, sample, of);
                let scale = expected.abs().max(1.0);
                prop_assert!((departure - expected).abs() < 1e-6 * scale, "{departure} {expected}");
            }
        }

        #[test]
        fn nothing_is_too_large_or_too_alike(
            samples in prop::collection::vec(
                prop::array::uniform3(prop_oneof![
                    -LARGEST..LARGEST, Just(0.0), Just(1.0), Just(LARGEST), -1e-300..1e-300,
                ]),
                1..30,
            ),
        ) {
            let relation = learned(&samples);
            let last = samples[samples.len() - 1];
            let departures = relation.departures(last.into_iter());
            prop_assert!(departures.iter().all(|departure| departure.is_finite()));
            let (origin, expected) = relation.origin(last.into_iter());
            prop_assert!(origin < 3 && expected.is_none_or(|(low, high)| low <= high));
        }
    }
}
