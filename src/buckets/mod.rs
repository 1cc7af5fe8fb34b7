//! How a histogram cuts the number line: pure arithmetic, no storage.
//!
//! A scheme maps a finite value to a bucket index and back to the bucket's upper bound. Explicit
//! bounds are what Prometheus calls classic buckets; exponential ones follow the base-2 scale that
//! Prometheus native histograms and OpenTelemetry share. A summary is exponential buckets that are
//! *shown* as quantiles: unlike a sampled or windowed sketch it loses nothing between two reads,
//! and its error is known beforehand.

mod explicit;
mod exponential;

use std::sync::Arc;

use crate::error::Error;
use explicit::Explicit;
use exponential::Exponential;

/// The upper bounds most Prometheus clients start with, in seconds.
const PROMETHEUS_DEFAULT: [f64; 11] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A histogram's row of cells must fit one page of cells, the sum included.
const MOST_BUCKETS: usize = 1000;

/// The buckets of a histogram, and whether they are shown as buckets or as quantiles.
///
/// ```
/// use nissa::Buckets;
///
/// let latency = Buckets::explicit(&[0.1, 0.01, 1.0])?; // sorted for you
/// assert_eq!(latency.bounds(), [0.01, 0.1, 1.0]);
///
/// let native = Buckets::exponential(0.05)?; // no quantile is off by more than 5 %
/// assert!(native.relative_error().unwrap() <= 0.05);
/// # Ok::<(), nissa::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    scheme: Scheme,
    quantiles: Option<Arc<[f64]>>,
}

#[allow(clippy::large_enum_variant, reason = "there are a few a program, read at every recording")]
#[derive(Clone, Debug, PartialEq)]
enum Scheme {
    Explicit(Explicit),
    Exponential(Exponential),
}

impl Buckets {
    /// Buckets with these upper bounds (inclusive, as Prometheus's `le`), and one more for all
    /// that is larger. Bounds are sorted and duplicates dropped; an infinite bound is implied and
    /// may be given or left out.
    ///
    /// # Errors
    ///
    /// No finite bound, a NaN or minus infinity, or more than 999 bounds.
    pub fn explicit(bounds: &[f64]) -> Result<Self, Error> {
        Ok(Self { scheme: Scheme::Explicit(Explicit::new(bounds)?), quantiles: None })
    }

    /// Exponential buckets, fine enough that the middle of a bucket is never further than
    /// `relative_error` from any value in it (0.05 gives 8 buckets per power of two, 4.3 %).
    ///
    /// They cover 2⁻³⁰ to 2³⁰ (a nanosecond to 34 years, in seconds): see [`range`](Self::range).
    /// What lies below, negatives included, is counted in the lowest bucket, what lies above in
    /// the highest. Constant memory: 8 bytes a bucket for each recording thread, 3.9 KB at 0.05.
    ///
    /// # Errors
    ///
    /// `relative_error` below 0.022 (that needs a narrower range: see
    /// [`exponential_in`](Self::exponential_in)).
    pub fn exponential(relative_error: f64) -> Result<Self, Error> {
        let range = (2f64.powi(-30), 2f64.powi(30));
        Self::exponential_in(relative_error, range.0, range.1)
    }

    /// Exponential buckets between `least` and `most`.
    ///
    /// ```
    /// # use nissa::Buckets;
    /// // Request sizes from 1 byte to 1 TiB, within 2.5 %.
    /// let sizes = Buckets::exponential_in(0.025, 1.0, 2f64.powi(40))?;
    /// assert_eq!(sizes.range(), (1.0, 2f64.powi(40)));
    /// # Ok::<(), nissa::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An error or a range that is not positive, finite and ordered, or that together need more
    /// than 1,000 buckets.
    pub fn exponential_in(relative_error: f64, least: f64, most: f64) -> Result<Self, Error> {
        let scheme = Exponential::new(relative_error, least, most)?;
        Ok(Self { scheme: Scheme::Exponential(scheme), quantiles: None })
    }

    /// A summary: exponential buckets within 5 %, shown as these quantiles (each in 0..=1).
    ///
    /// Quantiles are over everything recorded since the series began, and are off by at most
    /// 4.3 % of the value. Summaries cannot be added up across processes; buckets can.
    ///
    /// # Errors
    ///
    /// No quantile, or one outside 0..=1.
    pub fn summary(quantiles: &[f64]) -> Result<Self, Error> {
        if quantiles.is_empty() || quantiles.iter().any(|q| !(0.0..=1.0).contains(q)) {
            return Err(Error::buckets("a summary needs quantiles between 0 and 1"));
        }
        let mut sorted = quantiles.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        Ok(Self { quantiles: Some(sorted.into()), ..Self::exponential(0.05)? })
    }

    /// The finite upper bounds, lowest first.
    pub fn bounds(&self) -> Vec<f64> {
        (0..self.len() - 1).map(|index| self.upper_bound(index)).collect()
    }

    /// Where exact counting begins and ends: the lowest and the highest finite bound.
    pub fn range(&self) -> (f64, f64) {
        (self.upper_bound(0), self.upper_bound(self.len() - 2))
    }

    /// How far a quantile may be from the truth, as a share of it; `None` for explicit buckets,
    /// whose error depends on the bounds chosen.
    pub fn relative_error(&self) -> Option<f64> {
        match &self.scheme {
            Scheme::Explicit(_) => None,
            Scheme::Exponential(scheme) => Some(scheme.relative_error()),
        }
    }

    /// The quantiles to show, when these buckets are shown as a summary.
    pub fn quantiles(&self) -> Option<&[f64]> {
        self.quantiles.as_deref()
    }

    /// Whether the buckets are exponential (native).
    pub fn is_exponential(&self) -> bool {
        matches!(self.scheme, Scheme::Exponential(_))
    }

    /// How many buckets, the one above every bound included.
    pub(crate) fn len(&self) -> usize {
        match &self.scheme {
            Scheme::Explicit(scheme) => scheme.len(),
            Scheme::Exponential(scheme) => scheme.len(),
        }
    }

    /// The bucket of a value. NaN must have been refused before; infinities have a bucket.
    #[inline]
    pub(crate) fn index(&self, value: f64) -> usize {
        match &self.scheme {
            Scheme::Explicit(scheme) => scheme.index(value),
            Scheme::Exponential(scheme) => scheme.index(value),
        }
    }

    /// The inclusive upper bound of a bucket; infinite for the last.
    pub(crate) fn upper_bound(&self, index: usize) -> f64 {
        match &self.scheme {
            Scheme::Explicit(scheme) => scheme.upper_bound(index),
            Scheme::Exponential(scheme) => scheme.upper_bound(index),
        }
    }

    /// Of exponential buckets the schema, log2 of how many there are to a power of two, and the
    /// number of the lowest on the endless scale where bucket 0 ends at 1.
    #[cfg(not(nissa_loom))]
    pub(crate) fn native(&self) -> Option<(u32, i64)> {
        match &self.scheme {
            Scheme::Explicit(_) => None,
            Scheme::Exponential(scheme) => Some(scheme.native()),
        }
    }

    /// The value at quantile `q` of these bucket counts; `None` when nothing was counted.
    ///
    /// Explicit buckets interpolate linearly, as PromQL's `histogram_quantile` does; exponential
    /// ones answer with the middle of the bucket, whose error is bounded.
    pub(crate) fn quantile(&self, q: f64, counts: &[u64]) -> Option<f64> {
        // Two buckets may hold more than one integer can.
        let total: u128 = counts.iter().copied().map(u128::from).sum();
        if total == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = q * total as f64;
        let mut below = 0u128;
        let reached = |&(_, &count): &(usize, &u64)| {
            below += u128::from(count);
            count > 0 && below as f64 >= rank
        };
        let (index, &count) = counts.iter().enumerate().find(reached)?;
        Some(match &self.scheme {
            Scheme::Explicit(scheme) => {
                let before = below - u128::from(count);
                scheme.interpolate(index, (rank - before as f64) / count as f64)
            }
            Scheme::Exponential(scheme) => scheme.middle(index),
        })
    }
}

impl Default for Buckets {
    /// Prometheus's eleven: 5 ms to 10 s.
    fn default() -> Self {
        Self {
            scheme: Scheme::Explicit(Explicit::from_sorted(&PROMETHEUS_DEFAULT)),
            quantiles: None,
        }
    }
}

#[cfg(all(test, not(nissa_loom)))]
mod tests {
    use super::*;

    #[test]
    fn default_is_prometheus() {
        assert_eq!(Buckets::default().bounds(), PROMETHEUS_DEFAULT);
        assert_eq!(Buckets::default().len(), 12);
    }

    #[test]
    fn quantile_interpolates_like_promql() {
        let buckets = Buckets::explicit(&[1.0, 2.0, 4.0]).unwrap();
        // histogram_quantile(0.5, …) over le=1:2, le=2:4, le=4:4, +Inf:4
        assert_eq!(buckets.quantile(0.5, &[2, 2, 0, 0]), Some(1.0));
        assert_eq!(buckets.quantile(0.75, &[2, 2, 0, 0]), Some(1.5));
        assert_eq!(buckets.quantile(1.0, &[0, 0, 0, 3]), Some(4.0), "the highest finite bound");
        assert_eq!(buckets.quantile(0.5, &[0, 0, 0, 0]), None);
    }

    #[test]
    fn summary_keeps_its_quantiles_sorted() {
        let summary = Buckets::summary(&[0.99, 0.5, 0.5]).unwrap();
        assert_eq!(summary.quantiles(), Some(&[0.5, 0.99][..]));
        assert!(Buckets::summary(&[]).is_err());
        assert!(Buckets::summary(&[1.5]).is_err());
    }
}
