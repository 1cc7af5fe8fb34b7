//! Exponential buckets as Prometheus native histograms have them: a schema, a zero bucket, and
//! runs of buckets by their number on an endless scale.

use crate::buckets::Buckets;

/// What all series of a metric have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Native {
    pub(super) schema: u32,
    /// The number of the bucket at index 0, which is the zero bucket here.
    first: i64,
    /// What the zero bucket holds lies within this of zero.
    pub(super) zero_threshold: f64,
}

/// Buckets side by side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// How many are left out before it; of the first the number of its first bucket.
    pub(super) offset: i64,
    /// Indices of its buckets.
    pub(super) buckets: std::ops::Range<usize>,
}

impl Native {
    /// `None` of buckets that are not exponential.
    pub(super) fn of(buckets: &Buckets) -> Option<Self> {
        let (schema, first) = buckets.native()?;
        Some(Self { schema, first, zero_threshold: buckets.upper_bound(0) })
    }

    /// The runs of buckets that hold something. A gap of one or two empty buckets does not end a
    /// run: they take less room than a new one.
    ///
    /// What lies above the range counts in the bucket behind the last.
    pub(super) fn spans(self, counts: &[u64], spans: &mut Vec<Span>) {
        const GAP: usize = 2;
        spans.clear();
        for (index, _) in counts.iter().enumerate().skip(1).filter(|(_, count)| **count > 0) {
            match spans.last_mut() {
                Some(last) if index - last.buckets.end <= GAP => last.buckets.end = index + 1,
                last => {
                    let offset = match last {
                        Some(last) => (index - last.buckets.end) as i64,
                        None => self.first + index as i64,
                    };
                    spans.push(Span { offset, buckets: index..index + 1 });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_begin_where_three_or_more_are_empty() {
        let native = Native { schema: 3, first: -240, zero_threshold: 1e-9 };
        let spans = |counts: &[u64]| -> Vec<(i64, std::ops::Range<usize>)> {
            let mut spans = Vec::new();
            native.spans(counts, &mut spans);
            spans.into_iter().map(|span| (span.offset, span.buckets)).collect()
        };
        assert_eq!(spans(&[7, 0, 0]), [], "the lowest is the zero bucket");
        assert_eq!(spans(&[0, 5, 0, 0, 2]), [(-239, 1..5)]);
        assert_eq!(spans(&[0, 0, 5, 1, 0, 0, 0, 2, 0]), [(-238, 2..4), (3, 7..8)]);
    }

    #[test]
    fn numbers_are_those_of_the_bounds() {
        let buckets = Buckets::exponential_in(0.05, 0.25, 8.0).unwrap();
        let native = Native::of(&buckets).unwrap();
        assert_eq!((native.schema, native.zero_threshold), (3, 0.25));
        // Bucket 0 on the endless scale ends at 1.
        let mut counts = vec![0; buckets.len()];
        counts[buckets.index(1.0)] = 1;
        let mut spans = Vec::new();
        native.spans(&counts, &mut spans);
        assert_eq!(spans[0].offset, 0);
        assert!(Native::of(&Buckets::default()).is_none());
    }
}
