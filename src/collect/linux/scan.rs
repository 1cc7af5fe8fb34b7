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
            let len = Some(skip_line(&mut self.0)).filter(|len| *len > 0)?;
            let line = rest.get(..len)?;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if !line.is_empty() {
                return Some(line);
            }
        }
    }
}

/// Leaves out the rest of the line, and tells its length.
fn skip_line(text: &mut &[u8]) -> usize {
    // The C library's search, which goes through many bytes at once: a line of `/proc/stat` has
    // thousands that nobody wants.
    text.skip_until(b'\n').unwrap_or_default()
}

/// What stands between blanks.
pub(crate) fn fields(line: &[u8]) -> Fields<'_> {
    Fields(line)
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub(crate) struct Fields<'t>(&'t [u8]);

impl<'t> Fields<'t> {
    /// What has not been asked for yet.
    pub(crate) fn rest(&self) -> &'t [u8] {
        self.0
    }
}

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

/// Fills these places with the numbers of a line, as far as it goes. How many there were and what
/// follows them; `None` if a field that has a place is no number.
///
/// One function for all files: who collects once a second finds its code gone from the caches, and
/// pays for each line of it.
#[inline(never)]
pub(crate) fn numbers<'t>(mut text: &'t [u8], places: &mut [u64]) -> Option<(usize, &'t [u8])> {
    let mut count = 0;
    for place in places {
        while let [b' ' | b'\t', rest @ ..] = text {
            text = rest;
        }
        if let [] | [b'\n', ..] = text {
            break;
        }
        let mut sum = 0_u64;
        let field = text;
        while let [digit @ b'0'..=b'9', rest @ ..] = text {
            sum = sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            text = rest;
        }
        let ends = matches!(text, [] | [b' ' | b'\t' | b'\n', ..]);
        if !ends || text.len() == field.len() {
            return None;
        }
        *place = sum;
        count += 1;
    }
    Some((count, text))
}

/// The one number of a text, or the first.
pub(crate) fn only(text: &[u8]) -> Option<u64> {
    let mut value = [0];
    numbers(text, &mut value).filter(|(count, _)| *count == 1).map(|_| value[0])
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

/// How a file writes its lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// "key 1"
    Plain,
    /// "key: 1"
    Colon,
    /// "key: 1 kB", told in bytes. One in something else is not understood.
    Kib,
}

/// The number beside each of these keys, if it is there and a number. A repeated key counts once,
/// the first time.
pub(crate) fn values<const N: usize>(
    text: &[u8],
    form: Form,
    keys: &[&str; N],
) -> [Option<u64>; N] {
    let mut found = [None; N];
    look_up(text, form, keys, &mut found);
    found
}

/// One pass, and no further than the last key. One function for all files, as [`numbers`] is.
#[inline(never)]
fn look_up(mut text: &[u8], form: Form, keys: &[&str], found: &mut [Option<u64>]) {
    // Most lines are nobody's, and are told by their first letter.
    let letter = |text: &[u8]| text.first().map_or(0, |letter| 1_u64 << (letter & 63));
    let letters = keys.iter().fold(0, |letters, key| letters | letter(key.as_bytes()));
    // The key after the last one found is the likely one.
    let mut next = 0;
    let mut left = keys.len();
    while left > 0 && !text.is_empty() {
        let tries = if letters & letter(text) == 0 { 0 } else { keys.len() };
        for _ in 0..tries {
            let place = next;
            next = if next + 1 < keys.len() { next + 1 } else { 0 };
            let Some(rest) = keys.get(place).and_then(|key| beside(text, form, key)) else {
                continue;
            };
            if let Some(value @ None) = found.get_mut(place) {
                *value = parse(rest, form);
                left -= usize::from(value.is_some());
            }
            break;
        }
        skip_line(&mut text);
    }
}

/// What follows this key, if the text begins with it.
fn beside<'t>(text: &'t [u8], form: Form, key: &str) -> Option<&'t [u8]> {
    let end = if form == Form::Plain { b' ' } else { b':' };
    // Most lines are told apart by where their key ends, without a call.
    if text.get(key.len()) != Some(&end) {
        return None;
    }
    text.strip_prefix(key.as_bytes())?.get(1..)
}

fn parse(rest: &[u8], form: Form) -> Option<u64> {
    let mut value = [0];
    let (count, rest) = numbers(rest, &mut value)?;
    let value = (count == 1).then_some(value[0])?;
    match form {
        Form::Kib if matches!(rest.strip_prefix(b" kB"), Some([] | [b'\n', ..])) => {
            value.checked_mul(1024)
        }
        Form::Kib => None,
        Form::Plain | Form::Colon => Some(value),
    }
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
        let plain = b"a 1\nbb 9 \nc\nbbb 4\nd x\n\ne 3";
        let found = values(plain, Form::Plain, &["e", "bb", "c", "d", "f"]);
        assert_eq!(found, [Some(3), Some(9), None, None, None]);
        assert_eq!(values(b"a 1\na: 2 kB\n", Form::Colon, &["a"]), [Some(2)]);
        let kib = b"a: 1\na: 2 MB\na:3 kB kB\na: 18446744073709551615 kB\n";
        assert_eq!(values(kib, Form::Kib, &["a"]), [None]);
        assert_eq!(values(b"b:1 kB\na: 3 kB", Form::Kib, &["a", "b"]), [Some(3072), Some(1024)]);
    }

    #[test]
    fn numbers_end_with_their_line() {
        let mut places = [7; 3];
        assert_eq!(numbers(b" 1\t22 \n3", &mut places), Some((2, &b"\n3"[..])));
        assert_eq!(places, [1, 22, 7]);
        assert_eq!(numbers(b"1 2 3 x", &mut places), Some((3, &b" x"[..])));
        assert_eq!(numbers(b"1 2x 3", &mut places), None);
        assert_eq!(only(b"\n"), None);
        assert_eq!(only(b"12\n"), Some(12));
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
        fn numbers_are_those_of_the_fields(line in "([0-9]{1,21}|x|[ \t]){0,9}") {
            let fields: Vec<Option<u64>> = fields(line.as_bytes()).take(3).map(number).collect();
            let expected = fields.iter().copied().collect::<Option<Vec<u64>>>();
            let mut places = [0; 3];
            let count = numbers(line.as_bytes(), &mut places).map(|(count, _)| count);
            prop_assert_eq!(count.map(|count| places[..count].to_vec()), expected);
        }

        #[test]
        fn values_are_those_of_the_lines(text in "((a|b|ab|x)(:| )[0-9 ]{0,4}(x|\n)){0,9}") {
            const KEYS: [&str; 3] = ["ab", "b", "a"];
            for (form, end) in [(Form::Plain, " "), (Form::Colon, ":")] {
                let first = |key: &str| text.lines().find_map(|line| {
                    let rest = line.strip_prefix(key)?.strip_prefix(end)?;
                    number(rest.split(' ').find(|field| !field.is_empty())?.as_bytes())
                });
                prop_assert_eq!(values(text.as_bytes(), form, &KEYS), KEYS.map(first));
            }
        }

        #[test]
        fn any_bytes_will_do(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            for form in [Form::Plain, Form::Colon, Form::Kib] {
                let _ = values(&text, form, &["a", "b"]);
            }
            let _ = numbers(&text, &mut [0; 5]);
            for line in lines(&text) {
                let _ = split_once(line, b':');
                fields(line).for_each(|field| { let _ = (number(field), decimal(field)); });
            }
        }
    }
}
