//! Doubles that are something smaller: integers, or what a decimal number with few places is read
//! as. Most of what programs show is; and integers take less room, and less time to pack.

/// Places that are tried.
const POWERS: [f64; 13] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];

/// The integers which, divided by this power of ten, are exactly these doubles.
pub(super) fn integers(words: &[u64]) -> Option<(u8, Vec<i64>)> {
    let mut places = 0;
    for word in words {
        let mut more = POWERS.iter().skip(places);
        places += more.position(|power| integer(*word, *power).is_some())?;
    }
    let power = *POWERS.get(places)?;
    let integers: Option<Vec<i64>> = words.iter().map(|word| integer(*word, power)).collect();
    Some((places as u8, integers?))
}

#[inline]
fn integer(word: u64, power: f64) -> Option<i64> {
    const EXACT: u64 = 1 << 53;
    let value = f64::from_bits(word);
    let integer = (value * power + 0.5f64.copysign(value)) as i64;
    // Minus zero is none, nor what is no number.
    let same = (integer as f64 / power).to_bits() == word;
    (same && integer.unsigned_abs() <= EXACT).then_some(integer)
}

/// The doubles again.
pub(super) fn doubles(places: u8, integers: &[i64]) -> Option<Vec<u64>> {
    let power = *POWERS.get(usize::from(places))?;
    Some(integers.iter().map(|integer| (*integer as f64 / power).to_bits()).collect())
}

/// The doubles as singles, if nothing is lost.
pub(super) fn singles(words: &[u64]) -> Option<Vec<f32>> {
    let single = |word: &u64| {
        let single = f64::from_bits(*word) as f32;
        (f64::from(single).to_bits() == *word).then_some(single)
    };
    words.iter().map(single).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn decimals_are_seen() {
        assert_eq!(integers(&words(&[3.0, -7.0])), Some((0, vec![3, -7])));
        assert_eq!(integers(&words(&[0.1, 2.0, -0.25])), Some((2, vec![10, 200, -25])));
        assert_eq!(
            integers(&words(&[1.0, 73.96732207])),
            Some((8, vec![100_000_000, 7_396_732_207]))
        );
        for other in [-0.0, f64::NAN, f64::INFINITY, 1e300, 1.0 / 3.0, 13.665999999999999] {
            assert_eq!(integers(&words(&[1.0, other])), None, "{other}");
        }
        assert!(singles(&words(&[f64::from(0.1f32), f64::INFINITY])).is_some());
        assert!(singles(&words(&[0.1])).is_none());
    }

    proptest! {
        /// Against the naive twin, which reads the decimals as text.
        #[test]
        fn any_doubles_come_back(
            digits in prop::collection::vec(-1_000_000_000i64..1_000_000_000, 1..50),
            places in 0usize..10,
            others in prop::collection::vec(any::<f64>(), 0..3),
        ) {
            let text = |digits: &i64| format!("{digits}e-{places}").parse::<f64>().unwrap();
            let decimals: Vec<u64> = digits.iter().map(|digits| text(digits).to_bits()).collect();
            let (found, packed) = integers(&decimals).unwrap();
            prop_assert!(usize::from(found) <= places);
            prop_assert_eq!(doubles(found, &packed), Some(decimals.clone()));
            let mixed: Vec<u64> = decimals.into_iter().chain(words(&others)).collect();
            if let Some((places, packed)) = integers(&mixed) {
                prop_assert_eq!(doubles(places, &packed), Some(mixed.clone()));
            }
            if let Some(singles) = singles(&mixed) {
                let back: Vec<u64> = singles.iter().map(|single| f64::from(*single).to_bits()).collect();
                prop_assert_eq!(back, mixed);
            }
        }
    }
}
