//! Which differences of a column are worth packing: its numbers, how much they grow, or how much
//! that changes; and by which number integers can be divided.
//!
//! `pco` finds that out by packing a part of the column in every way, which takes longer than the
//! packing. Here it is estimated from a few runs of numbers: how often each magnitude occurs tells
//! what naming it costs, and behind it come that many bits.

/// Numbers of a run, and runs of a column.
const RUN: usize = 32;
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

/// The greatest number that divides the steps of some integers: of what is counted in pages, or
/// shown in whole seconds but kept in milliseconds.
pub(super) fn divisor(count: usize, integer: impl Fn(usize) -> i64) -> u64 {
    let mut divisor = 0;
    for index in (1..count).step_by((count / (RUN * RUNS)).max(1)) {
        let (mut a, mut b) =
            (divisor, integer(index).wrapping_sub(integer(index - 1)).unsigned_abs());
        while a != 0 {
            (a, b) = (b % a, a);
        }
        divisor = b;
        if divisor == 1 {
            break;
        }
    }
    divisor
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
        let noise = |n: u32| {
            let mixed = u64::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            ((mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 52) as f64
        };
        let numbers = |of: fn(f64, f64) -> f64| -> Vec<f64> {
            (0..1024).map(|n| of(f64::from(n), noise(n))).collect()
        };
        assert_eq!(order_of(&numbers(|_, noise| noise)), 0);
        assert_eq!(order_of(&numbers(|n, noise| n * 5_000.0 + noise)), 1);
        assert_eq!(order_of(&numbers(|n, noise| n * n * 5_000.0 + noise)), 2);
        assert_eq!(order_of(&numbers(|n, _| n * 25.0)), 1, "it grows evenly");
        assert_eq!(order_of(&[1.0; 1024]), 0);
    }

    #[test]
    fn divisors_are_found() {
        let of = |integers: &[i64]| divisor(integers.len(), |index| integers[index]);
        assert_eq!(of(&[5, 4101, 12293, 5]), 4096);
        assert_eq!(of(&[i64::MIN, i64::MAX]), 1);
        assert_eq!((of(&[]), of(&[7; 9]), of(&[1, 2, 4])), (0, 0, 1));
    }

    proptest! {
        #[test]
        fn any_numbers_have_one(numbers in prop::collection::vec(any::<f64>(), 0..300)) {
            prop_assert!(order_of(&numbers) < 3);
        }
    }
}
