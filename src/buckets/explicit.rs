//! Buckets at bounds the user names.

use std::sync::Arc;

use super::MOST_BUCKETS;
use crate::error::Error;

/// Up to this many bounds, comparing with every one beats a search: without branches, in vector
/// registers, and with nothing to predict.
const FEW: usize = 16;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Explicit {
    /// The lowest bounds, then infinities. In place rather than behind a pointer, because every
    /// recording reads them.
    few: [f64; FEW],
    /// Sorted and finite.
    bounds: Arc<[f64]>,
}

impl Explicit {
    pub(super) fn new(bounds: &[f64]) -> Result<Self, Error> {
        if bounds.iter().any(|bound| bound.is_nan() || *bound == f64::NEG_INFINITY) {
            return Err(Error::buckets("a bucket bound is not a number"));
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
        let mut few = [f64::INFINITY; FEW];
        few.iter_mut().zip(sorted).for_each(|(place, bound)| *place = *bound);
        Self { few, bounds: sorted.into() }
    }

    pub(super) fn len(&self) -> usize {
        self.bounds.len() + 1
    }

    /// How many bounds the value exceeds.
    #[inline]
    pub(super) fn index(&self, value: f64) -> usize {
        if self.bounds.len() > FEW {
            return self.bounds.partition_point(|bound| *bound < value);
        }
        self.few.iter().map(|bound| u64::from(value > *bound)).sum::<u64>() as usize
    }

    pub(super) fn upper_bound(&self, index: usize) -> f64 {
        self.bounds.get(index).copied().unwrap_or(f64::INFINITY)
    }

    /// The value a share of the way into a bucket. The first bucket starts at 0 when its bound is
    /// positive, and the last has no end, so both answer as PromQL does.
    pub(super) fn interpolate(&self, index: usize, share: f64) -> f64 {
        let Some(&upper) = self.bounds.get(index) else {
            return self.bounds[self.bounds.len() - 1];
        };
        let lower = match index {
            0 if upper > 0.0 => 0.0,
            0 => return upper,
            _ => self.bounds[index - 1],
        };
        lower + (upper - lower) * share
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

    proptest! {
        /// Both searches agree with counting the bounds below the value.
        #[test]
        fn index_agrees_with_a_count(
            bounds in prop::collection::vec(-1e6f64..1e6, 1..100),
            value in prop::num::f64::ANY.prop_filter("no NaN", |v| !v.is_nan()),
            pick in any::<prop::sample::Index>(),
        ) {
            let buckets = Explicit::new(&bounds).unwrap();
            for value in [value, *pick.get(&bounds)] {
                let below = buckets.bounds.iter().filter(|bound| **bound < value).count();
                prop_assert_eq!(buckets.index(value), below);
            }
        }
    }
}
