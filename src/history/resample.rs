//! As many points as a screen has room for, and every peak among them.

use super::query::moment;
use super::range::Reading;
use super::view::Point;

/// The samples themselves if there are no more than `most`; else, of each of `most / 2` equal
/// times between `from` and `to`, the least and the greatest.
pub(super) fn resample(points: &[Point], from: u64, to: u64, most: usize) -> Vec<Reading> {
    let reading = |time, value| Reading { time: moment(time), value };
    let plain = |point: &Point| point.low == point.high || point.low.is_nan();
    if points.len() <= most && points.iter().all(plain) {
        return points.iter().map(|point| reading(point.time, point.last)).collect();
    }
    let cells = (most / 2).max(1) as u64;
    let cell = |point: &Point| {
        let since = u128::from(point.time.saturating_sub(from)) * u128::from(cells);
        since / u128::from((to - from).max(1))
    };
    let mut readings = Vec::with_capacity(most.min(2 * points.len()));
    for run in points.chunk_by(|a, b| cell(a) == cell(b)) {
        // NaNs are less than all else here, and greater than nothing.
        let known = || run.iter().filter(|point| !point.low.is_nan());
        let least = known().min_by(|a, b| a.low.total_cmp(&b.low));
        let greatest = known().max_by(|a, b| a.high.total_cmp(&b.high));
        let (Some(least), Some(greatest)) = (least, greatest) else {
            readings.extend(run.first().map(|point| reading(point.time, f64::NAN)));
            continue;
        };
        let mut pair = [reading(least.time, least.low), reading(greatest.time, greatest.high)];
        pair.sort_by_key(|reading| reading.time);
        let same = pair[0] == pair[1];
        readings.extend(pair.into_iter().take(if same { 1 } else { 2 }));
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(values: &[f64]) -> Vec<Point> {
        let point = |(index, value): (usize, &f64)| {
            let (low, high, mean, last) = (*value, *value, *value, *value);
            Point { time: 10 + index as u64, low, high, mean, last, count: 1, growth: 0.0 }
        };
        values.iter().enumerate().map(point).collect()
    }

    proptest! {
        #[test]
        fn peaks_stay(values in prop::collection::vec(-1e9f64..1e9, 1..500), most in 2usize..100) {
            let points = points(&values);
            let readings = resample(&points, 9, 9 + points.len() as u64, most);
            // The last moment of the range is a cell of its own.
            prop_assert!(readings.len() <= most + 2, "{}", readings.len());
            prop_assert!(readings.windows(2).all(|two| two[0].time <= two[1].time));
            let peak = |of: fn(f64, f64) -> f64, all: &[f64]| all.iter().copied().reduce(of).unwrap();
            let shown: Vec<f64> = readings.iter().map(|reading| reading.value).collect();
            prop_assert_eq!(peak(f64::min, &shown), peak(f64::min, &values));
            prop_assert_eq!(peak(f64::max, &shown), peak(f64::max, &values));
            let there = |reading: &Reading| {
                let index = reading.time.as_millis() as usize - 10;
                values[index] == reading.value
            };
            prop_assert!(readings.iter().all(there));
            if values.len() <= most {
                prop_assert_eq!(shown, values);
            }
        }
    }
}
