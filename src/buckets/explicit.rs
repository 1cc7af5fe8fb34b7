//! Buckets at bounds the user names.

use std::sync::Arc;

use super::MOST_BUCKETS;
use crate::error::Error;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Explicit {
    guide: Option<Guide>,
    /// Sorted and finite, then an infinity that nothing exceeds.
    bounds: Arc<[f64]>,
}

/// Cells of a [`Guide`].
const CELLS: usize = 64;

/// Where to look for a value, by the top bits of its representation.
///
/// The representations of positive doubles are ordered as the doubles are, so cutting them off
/// cuts the number line into cells, as wide as an octave or a fraction of one. If no two bounds
/// fall into one cell, a table and one comparison find the bucket, with no branch to mispredict.
/// The usual bounds are spread so: Prometheus's eleven need half octaves.
#[derive(Clone, Debug, PartialEq)]
struct Guide {
    /// How many bits to cut off.
    shift: u32,
    /// The cut representation of the lowest bound.
    first: i64,
    /// For each cell, how many bounds lie wholly below it.
    below: [u8; CELLS],
    /// The bounds, then infinities: in place, since every recording reads one.
    bounds: [f64; CELLS],
}

impl Explicit {
    pub(super) fn new(bounds: &[f64]) -> Result<Self, Error> {
        if bounds.iter().any(|bound| bound.is_nan() || *bound == f64::NEG_INFINITY) {
            return Err(Error::buckets("a bucket bound is NaN or minus infinity"));
        }
        let mut sorted: Vec<f64> = bounds.iter().copied().filter(|b| b.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        if sorted.is_empty() {
            return Err(Error::buckets("a histogram needs at least one finite bucket bound"));
        }
        if sorted.len() >= MOST_BUCKETS {
            return Err(Error::buckets("more than 999 bucket bounds"));
        }
        Ok(Self::from_sorted(&sorted))
    }

    pub(super) fn from_sorted(sorted: &[f64]) -> Self {
        let bounds = sorted.iter().copied().chain([f64::INFINITY]).collect();
        Self { guide: Guide::new(sorted), bounds }
    }

    pub(super) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// How many bounds the value exceeds.
    #[inline]
    pub(super) fn index(&self, value: f64) -> usize {
        match &self.guide {
            Some(guide) => guide.index(value),
            None => self.bounds.partition_point(|bound| *bound < value),
        }
    }

    pub(super) fn upper_bound(&self, index: usize) -> f64 {
        self.bounds.get(index).copied().unwrap_or(f64::INFINITY)
    }

    /// The value a share of the way into a bucket. The first bucket starts at 0 when its bound is
    /// positive, and the last has no end, so both answer as PromQL does.
    pub(super) fn interpolate(&self, index: usize, share: f64) -> f64 {
        let upper = self.bounds[index];
        if upper == f64::INFINITY {
            return self.bounds[index - 1];
        }
        let lower = match index {
            0 if upper > 0.0 => 0.0,
            0 => return upper,
            _ => self.bounds[index - 1],
        };
        lower + (upper - lower) * share
    }
}

impl Guide {
    /// The widest cells that hold one bound each; none if bounds are negative, crowded or many.
    fn new(sorted: &[f64]) -> Option<Self> {
        let fits = |shift: &u32| {
            let cell = |bound: &f64| bound.to_bits() >> shift;
            let span = cell(&sorted[sorted.len() - 1]) - cell(&sorted[0]);
            span < CELLS as u64 - 1 && sorted.windows(2).all(|two| cell(&two[0]) < cell(&two[1]))
        };
        if sorted[0] <= 0.0 {
            return None;
        }
        let shift = (40..=52).rev().find(fits)?;
        let first = (sorted[0].to_bits() >> shift) as i64;
        let mut guide = Self { shift, first, below: [0; CELLS], bounds: [f64::INFINITY; CELLS] };
        guide.bounds[..sorted.len()].copy_from_slice(sorted);
        let below = |cell| sorted.iter().filter(|bound| guide.cell(**bound) < cell).count() as u8;
        guide.below = std::array::from_fn(below);
        Some(guide)
    }

    #[inline]
    fn index(&self, value: f64) -> usize {
        let below = usize::from(self.below[self.cell(value)]);
        below + usize::from(value > self.bounds[below % CELLS])
    }

    /// The cell of any double. Read as integers, negative ones are below every positive one, so
    /// they fall into the first cell, whose bound they do not exceed.
    #[inline]
    fn cell(&self, value: f64) -> usize {
        let cell = (value.to_bits() as i64 >> self.shift) - self.first;
        cell.clamp(0, CELLS as i64 - 1) as usize
    }
}

#[cfg(all(test, not(nissa_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_are_sorted_deduplicated_and_checked() {
        let buckets = Explicit::new(&[1.0, f64::INFINITY, 0.5, 1.0]).unwrap();
        assert_eq!((buckets.upper_bound(0), buckets.upper_bound(1)), (0.5, 1.0));
        assert_eq!(buckets.upper_bound(2), f64::INFINITY);
        assert!(Explicit::new(&[]).is_err());
        assert!(Explicit::new(&[f64::INFINITY]).is_err());
        assert!(Explicit::new(&[f64::NAN]).is_err());
        assert!(Explicit::new(&vec![1.0; 10_000]).is_ok(), "one bound after deduplication");
        let many: Vec<f64> = (0..10_000).map(f64::from).collect();
        assert!(Explicit::new(&many).is_err());
    }

    #[test]
    fn usual_bounds_are_guided() {
        let guided = |bounds: &[f64]| Explicit::new(bounds).unwrap().guide.is_some();
        assert!(guided(&super::super::PROMETHEUS_DEFAULT));
        assert!(guided(&[1.0, 2.0, 3.0, 4.0, 5.0]));
        assert!(!guided(&[1.0, 1.0f64.next_up()]) && !guided(&[-1.0, 1.0]));
    }

    proptest! {
        /// Both searches agree with counting the bounds below the value.
        #[test]
        fn index_agrees_with_a_count(
            bounds in prop::collection::vec(-1e6f64..1e6, 1..40),
            value in prop::num::f64::ANY.prop_filter("no NaN", |v| !v.is_nan()),
            pick in any::<prop::sample::Index>(),
            positive in any::<bool>(),
        ) {
            let sign = |bound: &f64| if positive { bound.abs() } else { *bound };
            let bounds: Vec<f64> = bounds.iter().map(sign).collect();
            let buckets = Explicit::new(&bounds).unwrap();
            for value in [value, *pick.get(&bounds)] {
                let below = buckets.bounds.iter().filter(|bound| **bound < value).count();
                prop_assert_eq!(buckets.index(value), below);
            }
        }
    }
}
