//! Lines, fields and numbers of the kernel's text files. Nothing here panics, whatever the bytes.

use std::io::BufRead;

/// Lines without their ends.
pub(crate) fn lines(text: &[u8]) -> Lines<'_> {
    Lines(text)
}

/// See [`lines`].
#[derive(Clone, Debug)]
pub(crate) struct Lines<'t>(&'t [u8]);

impl<'t> Iterator for Lines<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        loop {
            let rest = self.0;
            // The C library's search, which goes through many bytes at once: a line of `/proc/stat`
            // has thousands that nobody wants.
            let len = self.0.skip_until(b'\n').ok().filter(|len| *len > 0)?;
            let line = rest.get(..len)?;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if !line.is_empty() {
                return Some(line);
            }
        }
    }
}

/// What stands between blanks.
pub(crate) fn fields(line: &[u8]) -> Fields<'_> {
    Fields(line)
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub(crate) struct Fields<'t>(&'t [u8]);

impl<'t> Iterator for Fields<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let start = self.0.iter().position(|byte| !is_blank(byte))?;
        let rest = self.0.get(start..)?;
        let end = rest.iter().position(is_blank).unwrap_or(rest.len());
        self.0 = rest.get(end..).unwrap_or_default();
        rest.get(..end)
    }
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
/// infinities. Up to 15 digits, and as exact as can be.
pub(crate) fn decimal(field: &[u8]) -> Option<f64> {
    /// More could not be told apart in a double.
    const DIGITS: usize = 15;
    let (whole, part) = split_once(field, b'.').unwrap_or((field, b""));
    let (units, parts) = (number(whole)?, if part.is_empty() { 0 } else { number(part)? });
    if whole.len() + part.len() > DIGITS {
        return None;
    }
    let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    // One division of two exact numbers is rounded once, as reading the text would be.
    Some(units.checked_mul(scale)?.checked_add(parts)? as f64 / scale as f64)
}

/// `keys` in the lines "key value" of a text: the value of each, if it is there and a number. One
/// pass; a repeated key counts once, the last time.
pub(crate) fn values<const N: usize>(text: &[u8], keys: [&str; N]) -> [Option<u64>; N] {
    let mut values = [None; N];
    for line in lines(text) {
        let line = line.trim_ascii_start();
        let begins = |key: &&str| {
            // Most lines are told apart by their first letter, without a call.
            let may = !key.is_empty() && line.first() == key.as_bytes().first();
            let rest = if may { line.strip_prefix(key.as_bytes()) } else { None };
            rest.and_then(<[u8]>::first).is_some_and(|next| matches!(next, b' ' | b':' | b'\t'))
        };
        let known = keys.iter().position(begins);
        if let Some(place) = known.and_then(|known| values.get_mut(known)) {
            *place = fields(line).nth(1).and_then(number);
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
        fn lines_are_what_lies_between_their_ends(text in "[a-b\n]{0,40}") {
            let expected: Vec<&str> = text.split('\n').filter(|line| !line.is_empty()).collect();
            let found: Vec<&str> =
                lines(text.as_bytes()).map(|line| std::str::from_utf8(line).unwrap()).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn a_number_is_what_std_makes_of_it(field in "[0-9]{0,22}|[ -~]{0,6}") {
            let plain = field.bytes().all(|byte| byte.is_ascii_digit());
            let expected = field.parse::<u64>().ok().filter(|_| plain);
            prop_assert_eq!(number(field.as_bytes()), expected);
        }

        #[test]
        fn a_decimal_is_what_std_makes_of_it(whole in 0_u32..1_000_000, part in "[0-9]{0,6}") {
            let field = format!("{whole}.{part}");
            prop_assert_eq!(decimal(field.as_bytes()), field.parse().ok());
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
