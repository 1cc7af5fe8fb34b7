//! What a histogram recorded.

use crate::buckets::Buckets;

/// The buckets of one series at one moment.
///
/// ```
/// let registry = nissa::Registry::new();
/// let latency = registry.histogram("latency_seconds", &[]);
/// [0.02, 0.03, 0.2, 7.0].map(|seconds| latency.record(seconds));
///
/// let snapshot = registry.snapshot();
/// let latency = snapshot.distribution("latency_seconds").unwrap();
/// assert_eq!((latency.count(), latency.sum()), (4, 7.25));
/// assert_eq!(latency.quantile(0.5), Some(0.05)); // the upper bound of the bucket reached
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution<'a> {
    buckets: &'a Buckets,
    /// The sum, then a count per bucket.
    cells: &'a [u64],
}

impl<'a> Distribution<'a> {
    pub(super) fn new(buckets: &'a Buckets, cells: &'a [u64]) -> Self {
        Self { buckets, cells }
    }

    /// How many values were recorded: the sum of the buckets.
    pub fn count(&self) -> u64 {
        self.counts().iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// The sum of the finite values that were recorded.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.cells[0])
    }

    /// The mean of what was recorded, if anything was.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum() / count as f64)
    }

    /// The value at quantile `q` (in 0..=1): interpolated within an explicit bucket as PromQL's
    /// `histogram_quantile` does, or the middle of an exponential one, off by at most
    /// [`Buckets::relative_error`]. `None` when nothing was recorded.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.buckets.quantile(q, self.counts())
    }

    /// How the values are cut into buckets.
    pub fn scheme(&self) -> &'a Buckets {
        self.buckets
    }

    /// Each bucket's inclusive upper bound and its own count, lowest first; the last bound is
    /// infinite.
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = (f64, u64)> + 'a {
        let scheme = self.buckets;
        self.counts().iter().enumerate().map(|(i, count)| (scheme.upper_bound(i), *count))
    }

    pub(crate) fn counts(&self) -> &'a [u64] {
        &self.cells[1..]
    }
}
