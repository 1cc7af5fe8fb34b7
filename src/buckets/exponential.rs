//! Base-2 exponential buckets: bucket `i` holds the values in (2^((i-1)/n), 2^(i/n)] with `n` a
//! power of two, the scale of Prometheus native histograms (there `n` is 2^schema).
//!
//! A double already carries its logarithm: the exponent names the octave, and the top bits of the
//! mantissa narrow the place within it to one of two buckets, decided by one comparison. No
//! logarithm is computed.

use std::sync::Arc;

use super::MOST_BUCKETS;
use crate::error::Error;

const MANTISSA_BITS: u32 = 52;
/// The finest schema: 256 buckets per octave, as in Prometheus.
const FINEST: u32 = 8;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exponential {
    /// log2 of the buckets per octave.
    schema: u32,
    /// Global index of bucket 0 (everything at or below `least`).
    first: i64,
    /// Buckets in all: the lowest, those between, and the one above `most`.
    buckets: usize,
    /// Where in the octave each part begins; shared by all clones.
    octave: Arc<Octave>,
}

/// One octave, cut into twice as many equal cells as it has buckets. Bounds lie further apart
/// than a cell is wide (2^(1/n) - 1 > 1/2n), so at most one falls into a cell.
#[derive(Debug, PartialEq)]
struct Octave {
    /// For each cell, how many bounds lie wholly below it.
    below: [u16; 2 << FINEST],
    /// Mantissa bits of the bounds 2^(k/n), then sentinels that nothing exceeds.
    bounds: [u64; (1 << FINEST) + 1],
}

impl Exponential {
    pub(super) fn new(relative_error: f64, least: f64, most: f64) -> Result<Self, Error> {
        let error_of = |schema: u32| {
            let growth = 2f64.powf(1.0 / f64::from(1u32 << schema));
            (growth - 1.0) / (growth + 1.0)
        };
        let Some(schema) = (0..=FINEST).find(|schema| error_of(*schema) <= relative_error) else {
            return Err(Error::buckets("the relative error must be a number of at least 0.0014"));
        };
        if !(least.is_normal() && most.is_finite() && 0.0 < least && least < most) {
            return Err(Error::buckets("an exponential range must be positive and finite"));
        }
        let mut scheme =
            Self { schema, first: 0, buckets: 0, octave: Arc::new(Octave::new(schema)) };
        scheme.first = scheme.global_index(least);
        // The bucket holding `most`, plus one for all above it.
        let buckets = scheme.global_index(most) - scheme.first + 2;
        if buckets as usize > MOST_BUCKETS {
            return Err(Error::buckets("more than 1,000 buckets: narrow the range or the error"));
        }
        scheme.buckets = buckets as usize;
        if !scheme.upper_bound(scheme.buckets - 2).is_finite() {
            return Err(Error::buckets("the range ends where doubles do"));
        }
        Ok(scheme)
    }

    pub(super) fn len(&self) -> usize {
        self.buckets
    }

    #[cfg(not(nissa_loom))]
    pub(super) fn native(&self) -> (u32, i64) {
        (self.schema, self.first)
    }

    pub(super) fn relative_error(&self) -> f64 {
        let growth = self.bound(1);
        (growth - 1.0) / (growth + 1.0)
    }

    #[inline]
    pub(super) fn index(&self, value: f64) -> usize {
        // Negative numbers, zero and subnormals.
        if value < f64::MIN_POSITIVE {
            return 0;
        }
        let index = self.global_index(value) - self.first;
        index.clamp(0, self.buckets as i64 - 1) as usize
    }

    pub(super) fn upper_bound(&self, index: usize) -> f64 {
        if index + 1 >= self.buckets {
            f64::INFINITY
        } else {
            self.bound(self.first + index as i64)
        }
    }

    /// The point of a bucket that is relatively closest to both of its ends (their harmonic mean);
    /// the lowest and the highest answer with the one bound they have.
    pub(super) fn middle(&self, index: usize) -> f64 {
        if index == 0 || index + 1 >= self.buckets {
            return self.bound(self.first + index.min(self.buckets - 2) as i64);
        }
        let upper = self.upper_bound(index);
        let lower = self.upper_bound(index - 1);
        2.0 * upper * lower / (upper + lower)
    }

    /// The index of a positive normal number (or infinity) on the endless scale.
    #[inline]
    fn global_index(&self, value: f64) -> i64 {
        let bits = value.to_bits();
        let exponent = (bits >> MANTISSA_BITS) as i64 - 1023;
        let mantissa = bits & MANTISSA;
        let cell = (mantissa >> (MANTISSA_BITS - 1 - self.schema)) as usize;
        let below = self.octave.below[cell];
        let past = u16::from(mantissa > self.octave.bounds[below as usize]);
        (exponent << self.schema) + i64::from(below + past)
    }

    /// 2^(global/n).
    fn bound(&self, global: i64) -> f64 {
        let per_octave = 1i64 << self.schema;
        let fraction = self.octave.bounds[global.rem_euclid(per_octave) as usize];
        let exponent = (global.div_euclid(per_octave) + 1023) as u64;
        f64::from_bits((exponent << MANTISSA_BITS) | fraction)
    }
}

impl Octave {
    fn new(schema: u32) -> Self {
        let buckets = 1usize << schema;
        let bound = |k: usize| 2f64.powf(k as f64 / buckets as f64).to_bits() & MANTISSA;
        let bounds = std::array::from_fn(|k| if k < buckets { bound(k) } else { u64::MAX });
        let edge = |cell: usize| (cell as u64) << (MANTISSA_BITS - 1 - schema);
        let below = |cell| bounds.iter().filter(|bound| **bound < edge(cell)).count() as u16;
        Self {
            below: std::array::from_fn(|cell| if cell < 2 * buckets { below(cell) } else { 0 }),
            bounds,
        }
    }
}

#[cfg(all(test, not(nissa_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scheme() -> Exponential {
        Exponential::new(0.05, 2f64.powi(-30), 2f64.powi(30)).unwrap()
    }

    #[test]
    fn powers_of_two_are_their_buckets_upper_bound() {
        let scheme = scheme();
        for exponent in -29..30 {
            let bound = 2f64.powi(exponent);
            assert_eq!(scheme.upper_bound(scheme.index(bound)), bound);
            assert!(scheme.upper_bound(scheme.index(bound.next_up())) > bound);
        }
    }

    #[test]
    fn the_ends_take_what_lies_outside() {
        let scheme = scheme();
        for low in [-1.0, f64::NEG_INFINITY, 0.0, -0.0, f64::MIN_POSITIVE / 2.0, 2f64.powi(-30)] {
            assert_eq!(scheme.index(low), 0, "{low}");
        }
        for high in [2f64.powi(31), f64::MAX, f64::INFINITY] {
            assert_eq!(scheme.index(high), scheme.len() - 1, "{high}");
        }
        assert_eq!(scheme.upper_bound(scheme.len() - 1), f64::INFINITY);
    }

    #[test]
    fn bad_ranges_are_refused() {
        assert!(Exponential::new(f64::NAN, 1.0, 2.0).is_err());
        assert!(Exponential::new(0.0, 1.0, 2.0).is_err());
        assert!(Exponential::new(0.05, 0.0, 2.0).is_err());
        assert!(Exponential::new(0.05, 2.0, 1.0).is_err());
        assert!(Exponential::new(0.3, 1e300, f64::MAX).is_err());
        assert!(Exponential::new(0.002, 1e-9, 1e9).is_err(), "too many buckets");
    }

    proptest! {
        /// Every value lies in its bucket and within the stated error of the bucket's middle.
        #[test]
        fn values_lie_in_their_bucket(exponent in -29.9f64..29.9, error in 0.022f64..0.4) {
            let scheme = Exponential::new(error, 2f64.powi(-30), 2f64.powi(30)).unwrap();
            let value = 2f64.powf(exponent);
            let index = scheme.index(value);
            prop_assert!(value <= scheme.upper_bound(index));
            prop_assert!(index == 0 || value > scheme.upper_bound(index - 1));
            prop_assert!(scheme.relative_error() <= error);
            let off = (scheme.middle(index) - value).abs() / value;
            prop_assert!(off <= scheme.relative_error() * (1.0 + 1e-9), "{off}");
        }
    }
}
