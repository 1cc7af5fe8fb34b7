//! Numbers as text: the shortest that reads back as the same number.

/// Doubles up to here that are whole are written as integers; all of them are exact.
const WHOLE: f64 = 1e15;

/// Room that any number fits in.
pub(super) const LONGEST: usize = 24;

/// Writes an integer; returns how many bytes.
#[inline]
pub(super) fn write_u64(out: &mut [u8], value: u64) -> usize {
    put(out, itoa::Buffer::new().format(value).as_bytes())
}

/// Writes a double as Prometheus reads it.
#[inline]
pub(super) fn write_f64(out: &mut [u8], value: f64) -> usize {
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
fn put(out: &mut [u8], digits: &[u8]) -> usize {
    out[..digits.len()].copy_from_slice(digits);
    digits.len()
}

/// A double as a string, for what is written once.
pub(super) fn to_string(value: f64) -> String {
    let mut out = [0; LONGEST];
    let len = write_f64(&mut out, value);
    String::from_utf8_lossy(&out[..len]).into_owned()
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

    proptest! {
        #[test]
        fn every_double_reads_back(value in prop::num::f64::ANY) {
            let text = to_string(value);
            let back: f64 = text.replace("Inf", "inf").parse().unwrap();
            prop_assert!(back.to_bits() == value.to_bits() || back.is_nan() && value.is_nan());
        }
    }
}
