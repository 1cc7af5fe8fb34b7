//! Lines, fields and numbers of the kernel's text files. Nothing here panics, whatever the bytes.

/// Lines without their ends.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// What stands between blanks.
pub(crate) fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty())
}

/// The text before and after the first of these bytes.
pub(crate) fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == at)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Digits only, of at most 64 bits.
pub(crate) fn number(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    field.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        let next = sum.checked_mul(10)?.checked_add(u64::from(digit))?;
        (digit < 10).then_some(next)
    })
}

/// Digits with a point, as the kernel writes averages: neither signs nor exponents, NaN nor
/// infinities.
pub(crate) fn decimal(field: &[u8]) -> Option<f64> {
    let plain = field.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    std::str::from_utf8(field).ok().filter(|_| plain)?.parse().ok()
}

/// `keys` in the lines "key value" of a text: the value of each, if it is there and a number. One
/// pass; a repeated key counts once, the last time.
pub(crate) fn values<const N: usize>(text: &[u8], keys: [&str; N]) -> [Option<u64>; N] {
    let mut values = [None; N];
    for line in lines(text) {
        let mut fields = fields(line);
        let (Some(key), Some(value)) = (fields.next(), fields.next()) else { continue };
        let key = key.strip_suffix(b":").unwrap_or(key);
        let known = keys.iter().position(|known| known.as_bytes() == key);
        if let Some(place) = known.and_then(|known| values.get_mut(known)) {
            *place = number(value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_digits() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for odd in ["", "18446744073709551616", "-1", "+1", "1.5", "0x10", "1 ", "\u{663}"] {
            assert_eq!(number(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn decimals_have_no_sign() {
        assert_eq!(decimal(b"1.09"), Some(1.09));
        for odd in ["", ".", "nan", "inf", "1e3", "-1", "1.2.3"] {
            assert_eq!(decimal(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn values_are_found_by_key() {
        let text = b"a 1\nbb: 2 kB\n c 3\nd x\nbb 9 \n";
        assert_eq!(values(text, ["bb", "c", "d", "e"]), [Some(9), Some(3), None, None]);
    }

    proptest! {
        #[test]
        fn a_number_is_what_std_makes_of_it(field in "[0-9]{0,22}|[ -~]{0,6}") {
            let plain = field.bytes().all(|byte| byte.is_ascii_digit());
            let expected = field.parse::<u64>().ok().filter(|_| plain);
            prop_assert_eq!(number(field.as_bytes()), expected);
        }

        #[test]
        fn any_bytes_will_do(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = values(&text, ["a", "b"]);
            for line in lines(&text) {
                let _ = split_once(line, b':');
                fields(line).for_each(|field| { let _ = (number(field), decimal(field)); });
            }
        }
    }
}
