//! Which differences of a column are worth packing: its numbers, how much they grow, or how much
//! that changes.
//!
//! `pco` finds that out by packing a part of the column in every way, which takes longer than the
//! packing. Here it is estimated from a few runs of numbers: how often each magnitude occurs tells
//! what naming it costs, and behind it come that many bits.

/// Numbers of a run, and runs of a column.
const RUN: usize = 64;
const RUNS: usize = 4;

/// Powers of two that are told apart, of either sign.
const CLASSES: usize = 64;

/// The order of the differences that are likely to be the smallest: 0, 1 or 2.
pub(super) fn order(count: usize, number: impl Fn(usize) -> f64) -> usize {
    let run = (count / RUNS).min(RUN);
    if run < 3 {
        return 0;
    }
    let starts = (0..RUNS).map(|index| index * (count - run) / (RUNS - 1));
    let sample: Vec<f64> = starts.flat_map(|start| start..start + run).map(number).collect();
    let mut sorted = sample.clone();
    let (_, median, _) = sorted.select_nth_unstable_by(sample.len() / 2, f64::total_cmp);
    let threes = || sample.chunks_exact(run).flat_map(|run| run.windows(3)).filter_map(three);
    // The grain: a column of cents has steps of cents.
    let steps = threes().map(|[_, b, c]| (c - b).abs()).filter(|step| *step > 0.0);
    let grain = steps.fold(f64::INFINITY, f64::min);
    if grain == f64::INFINITY {
        return 0;
    }
    let costs = [
        cost(threes().map(|[_, _, c]| c - *median), grain),
        cost(threes().map(|[_, b, c]| c - b), grain),
        cost(threes().map(|[a, b, c]| (c - b) - (b - a)), grain),
    ];
    let mut best = 0;
    for (order, cost) in costs.iter().enumerate() {
        // Each order keeps one number more as it is, and decodes more slowly.
        let better = |best: usize| costs.get(best).is_some_and(|least| *cost < least * 0.98);
        if better(best) {
            best = order;
        }
    }
    best
}

fn three(window: &[f64]) -> Option<[f64; 3]> {
    window.try_into().ok()
}

/// Bits that differences take, about, each as a class and a place within it.
fn cost(differences: impl Iterator<Item = f64>, grain: f64) -> f64 {
    let (mut classes, mut within, mut count) = ([0u32; 2 * CLASSES], 0.0, 0.0);
    for difference in differences {
        let size = difference.abs();
        let bits =
            if size < grain / 2.0 { 0 } else { 1 + power(size).saturating_sub(power(grain)) };
        let bits = bits.min(CLASSES - 1);
        within += bits.saturating_sub(1) as f64;
        count += 1.0;
        let class = 2 * bits + usize::from(difference < 0.0 && bits > 0);
        if let Some(times) = classes.get_mut(class) {
            *times += 1;
        }
    }
    let named = classes.iter().filter(|times| **times > 0).map(|times| f64::from(*times));
    within + named.map(|times| times * f64::log2(count / times)).sum::<f64>()
}

/// The power of two below a number.
fn power(number: f64) -> usize {
    (number.to_bits() >> 52) as usize & 0x7ff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order_of(numbers: &[f64]) -> usize {
        order(numbers.len(), |index| numbers[index])
    }

    #[test]
    fn trends_are_seen() {
        let noise = |n: u32| f64::from((n * n).wrapping_mul(2_654_435_761) >> 20);
        let numbers = |of: fn(f64, f64) -> f64| -> Vec<f64> {
            (0..1024).map(|n| of(f64::from(n), noise(n))).collect()
        };
        assert_eq!(order_of(&numbers(|_, noise| noise)), 0);
        assert_eq!(order_of(&numbers(|n, noise| n * 5_000.0 + noise)), 1);
        assert_eq!(order_of(&numbers(|n, noise| n * n * 5_000.0 + noise)), 2);
        assert_eq!(order_of(&numbers(|n, _| n * 25.0)), 2, "it grows evenly");
        assert_eq!(order_of(&[1.0; 1024]), 0);
    }

    proptest! {
        #[test]
        fn any_numbers_have_one(numbers in prop::collection::vec(any::<f64>(), 0..300)) {
            prop_assert!(order_of(&numbers) < 3);
        }
    }
}
