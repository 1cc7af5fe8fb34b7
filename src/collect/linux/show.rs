//! Series are shown by the row.
//!
//! Not inlined where a source does it: who collects once a second finds its code gone from the
//! caches, and pays for each line of it.

use crate::registry::Observed;

/// Their series, made when there is first something to show. Making them is kept out of the way.
pub(crate) fn made<S>(series: &mut Option<S>, make: impl FnOnce() -> S) -> &mut S {
    #[cold]
    #[inline(never)]
    fn fill<S>(series: &mut Option<S>, make: impl FnOnce() -> S) -> &mut S {
        series.insert(make())
    }
    match series {
        Some(series) => series,
        none => fill(none, make),
    }
}

/// Shows the counts that are known, and takes the others out.
#[inline(never)]
pub(crate) fn show_counts(series: &[Observed<u64>], counts: &[Option<u64>]) {
    for (series, count) in series.iter().zip(counts) {
        series.set_or_clear(*count);
    }
}

/// Shows the numbers that are known, each so many to one of our units, and takes the others out.
#[inline(never)]
pub(crate) fn show_numbers(series: &[Observed<f64>], numbers: &[Option<u64>], per: f64) {
    for (series, number) in series.iter().zip(numbers) {
        series.set_or_clear(number.map(|number| number as f64 / per));
    }
}
