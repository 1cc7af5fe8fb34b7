//! Numbers as text: the shortest that reads back as the same number.

use std::fmt::Write;
use std::time::Duration;

/// Doubles up to here that are whole are written as integers; all of them are exact.
const WHOLE: f64 = 1e15;

/// Room that any number fits in.
pub(super) const LONGEST: usize = 24;

/// `00` to `99`.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut at = 0;
    while at < 100 {
        pairs[at] = [b'0' + at as u8 / 10, b'0' + at as u8 % 10];
        at += 1;
    }
    pairs
};

/// Writes an integer; returns how many bytes. Counts of up to eight digits, which nearly all are,
/// go straight to their place.
#[inline]
pub(super) fn write_u64(out: &mut [u8; LONGEST], value: u64) -> usize {
    if value < 10_000 {
        let (digits, len) = without_zeroes(value as u32);
        out[..4].copy_from_slice(&digits);
        len
    } else if value < 100_000_000 {
        let (high, low) = (value as u32 / 10_000, value as u32 % 10_000);
        let (digits, len) = without_zeroes(high);
        out[..4].copy_from_slice(&digits);
        out[len..len + 4].copy_from_slice(&four(low));
        len + 4
    } else {
        put(out, itoa::Buffer::new().format(value).as_bytes())
    }
}

/// Up to four digits from the left, and how many.
#[inline]
fn without_zeroes(value: u32) -> ([u8; 4], usize) {
    // Sums rather than branches: digit counts of neighbouring series cannot be predicted.
    let skip = u32::from(value < 10) + u32::from(value < 100) + u32::from(value < 1000);
    let digits = u32::from_le_bytes(four(value)) >> (8 * skip);
    (digits.to_le_bytes(), 4 - skip as usize)
}

#[inline]
fn four(value: u32) -> [u8; 4] {
    let pair = |value: u32| PAIRS[value as usize % 100];
    let ([a, b], [c, d]) = (pair(value / 100), pair(value));
    [a, b, c, d]
}

/// Writes a double as Prometheus reads it.
#[inline]
pub(super) fn write_f64(out: &mut [u8; LONGEST], value: f64) -> usize {
    if value.trunc() == value && value.abs() < WHOLE {
        if value == 0.0 && value.is_sign_negative() {
            return put(out, b"-0");
        }
        return put(out, itoa::Buffer::new().format(value as i64).as_bytes());
    }
    if value.is_finite() {
        return put(out, zmij::Buffer::new().format_finite(value).as_bytes());
    }
    put(
        out,
        if value.is_nan() {
            b"NaN"
        } else if value > 0.0 {
            b"+Inf"
        } else {
            b"-Inf"
        },
    )
}

#[inline]
fn put(out: &mut [u8; LONGEST], digits: &[u8]) -> usize {
    out[..digits.len()].copy_from_slice(digits);
    digits.len()
}

/// A double as a string, for what is written once.
pub(super) fn to_string(value: f64) -> String {
    let mut out = [0; LONGEST];
    let len = write_f64(&mut out, value);
    String::from_utf8_lossy(&out[..len]).into_owned()
}

/// Seconds since 1970 to the millisecond, which a double could not tell for certain.
pub(super) fn seconds(unix: Duration) -> String {
    let mut text = String::new();
    push_seconds(&mut text, unix);
    text
}

pub(super) fn push_seconds(text: &mut String, unix: Duration) {
    // Writing into a string cannot fail.
    let _ = write!(text, "{}.{:03}", unix.as_secs(), unix.subsec_millis());
}

/// A double as OpenMetrics wants it in `le` and `quantile`, so that all exposers write a bound the
/// same way: with a point or an exponent always, as Go's `%g` prints it (`1.0`, `0.25`, `1e+06`).
pub(super) fn canonical(value: f64) -> String {
    if !value.is_finite() {
        return to_string(value);
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Where Go begins to use an exponent for the shortest digits.
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_prometheus_reads() {
        let written = [0.0, -0.0, 1.0, 0.5, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let text: Vec<String> = written.into_iter().map(to_string).collect();
        assert_eq!(text, ["0", "-0", "1", "0.5", "1e+300", "NaN", "+Inf", "-Inf"]);
    }

    /// The bounds that the specification lists as examples, and what lies beside them.
    #[test]
    fn canonical_bounds() {
        let bounds = [0.0, 1e-10, 1e-5, 0.0001, 0.1, 1.0, 10.0, 123.456, 100_000.0, 1e6, 1.1e23];
        let text: Vec<String> = bounds.into_iter().map(canonical).collect();
        let expected = [
            "0.0", "1e-10", "1e-05", "0.0001", "0.1", "1.0", "10.0", "123.456", "100000.0",
            "1e+06", "1.1e+23",
        ];
        assert_eq!(text, expected);
        let ends = [f64::INFINITY, f64::NEG_INFINITY, -2.5, -1.0, 1_234_567.0, 5e-324];
        let text: Vec<String> = ends.into_iter().map(canonical).collect();
        assert_eq!(text, ["+Inf", "-Inf", "-2.5", "-1.0", "1.234567e+06", "5e-324"]);
    }

    proptest! {
        #[test]
        fn every_canonical_double_reads_back(value in prop::num::f64::ANY) {
            let back: f64 = canonical(value).replace("Inf", "inf").parse().unwrap();
            prop_assert!(back.to_bits() == value.to_bits() || back.is_nan() && value.is_nan());
        }

        #[test]
        fn every_integer_reads_back(value in any::<u64>(), shift in 0u32..64) {
            let mut out = [0; LONGEST];
            let len = write_u64(&mut out, value >> shift);
            prop_assert_eq!(std::str::from_utf8(&out[..len]), Ok(&*(value >> shift).to_string()));
        }

        #[test]
        fn every_double_reads_back(value in prop::num::f64::ANY) {
            let text = to_string(value);
            let back: f64 = text.replace("Inf", "inf").parse().unwrap();
            prop_assert!(back.to_bits() == value.to_bits() || back.is_nan() && value.is_nan());
        }
    }
}
