//! User names and labels become one canonical text.
//!
//! The labels of a series are kept as the text format writes them, sorted by name:
//! `method="GET",path="/"`. That one string is the series' identity (escaping is injective, so
//! equal text means equal labels), its sort key, and, in the usual case, what a scrape copies out.
//! Storing labels and rendered text apart would double the memory of a series.

use std::borrow::Cow;

use crate::notice::Notice;

/// Names longer than this are refused: no dashboard can show them, and a bug can make them.
pub(crate) const NAME_BYTES: usize = 1024;

/// The text that stands for the labels of the series which takes what a limit refused.
pub(crate) const OVERFLOW_LABELS: &str = "nissa_overflow=\"true\"";

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`: a metric name that every Prometheus version accepts.
pub(crate) const fn is_legal_name(name: &str) -> bool {
    is_legal(name, b':')
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`: a label name that every Prometheus version accepts.
pub(crate) const fn is_legal_label(name: &str) -> bool {
    is_legal(name, b'_')
}

/// Letters, underscores and one more character, and behind the first also digits.
const fn is_legal(name: &str, also: u8) -> bool {
    let name = name.as_bytes();
    let mut at = 0;
    while at < name.len() {
        let letter = name[at].is_ascii_alphabetic() || name[at] == b'_' || name[at] == also;
        if !(letter || at > 0 && name[at].is_ascii_digit()) {
            return false;
        }
        at += 1;
    }
    !name.is_empty()
}

/// Sorts labels by name; equal names keep their order. Labels are few and often sorted already,
/// which an insertion sort notices.
pub(crate) fn sort(labels: &mut [(&str, &str)]) {
    for end in 1..labels.len() {
        let mut at = end;
        while at > 0 && labels[at - 1].0 > labels[at].0 {
            labels.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// What becomes of labels on their way into a registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    /// Longest label value, in bytes.
    pub(crate) value_bytes: usize,
    /// A label name this kind of metric needs for itself (`le`, `quantile`).
    pub(crate) reserved: &'static [&'static str],
    /// Label names to leave out.
    pub(crate) dropped: &'a [String],
}

/// The canonical labels of a series.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Labels {
    pub(crate) text: String,
    pub(crate) count: usize,
    /// No label needed escaping, so that comparing bytes with unescaped labels is exact.
    pub(crate) plain: bool,
    /// No label has a name that must be quoted.
    pub(crate) legal_names: bool,
}

impl Labels {
    /// Canonical text of any labels: empty values left out (Prometheus holds `{a=""}` and `{}` to
    /// be one series), the last of two equal names kept, reserved names renamed, long values cut.
    pub(crate) fn new(labels: &[(&str, &str)], rules: Rules<'_>, note: impl Fn(Notice)) -> Self {
        let mut kept: Vec<(Cow<'_, str>, &str)> = Vec::with_capacity(labels.len());
        for &(name, value) in labels {
            if name.is_empty() || name.len() > NAME_BYTES {
                note(Notice::InvalidLabel);
            } else if !rules.dropped.iter().any(|dropped| dropped == name) {
                kept.push((rules.rename(name, &note), value));
            }
        }
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        let mut canonical = Self { plain: true, legal_names: true, ..Self::default() };
        for (index, (name, value)) in kept.iter().enumerate() {
            if kept.get(index + 1).is_some_and(|next| next.0 == *name) {
                note(Notice::DuplicateLabel);
            } else if !value.is_empty() {
                canonical.push(name, &rules.cut(value, &note));
            }
        }
        canonical
    }

    /// The one label of a series that takes what a limit refused.
    pub(crate) fn overflow() -> Self {
        Self { text: OVERFLOW_LABELS.to_owned(), count: 1, plain: true, legal_names: true }
    }

    fn push(&mut self, name: &str, value: &str) {
        if self.count > 0 {
            self.text.push(',');
        }
        self.count += 1;
        if is_legal_label(name) {
            self.text.push_str(name);
        } else {
            self.legal_names = false;
            self.text.push('"');
            let start = self.text.len();
            escape_into(&mut self.text, name);
            self.plain &= self.text.len() - start == name.len();
            self.text.push('"');
        }
        self.text.push_str("=\"");
        let start = self.text.len();
        escape_into(&mut self.text, value);
        self.plain &= self.text.len() - start == value.len();
        self.text.push('"');
    }
}

impl Rules<'_> {
    fn rename<'a>(&self, name: &'a str, note: impl Fn(Notice)) -> Cow<'a, str> {
        if name.starts_with("__") || self.reserved.contains(&name) {
            note(Notice::ReservedLabel);
            return Cow::Owned(format!("exported_{}", name.trim_start_matches('_')));
        }
        Cow::Borrowed(name)
    }

    /// Whether all names stay as they are, so that labels that were never seen make a series that
    /// was never seen. Values are another matter.
    pub(crate) fn keep(&self, sorted: &[(&str, &str)]) -> bool {
        let stays = |(name, _): &(&str, &str)| {
            !name.is_empty()
                && name.len() <= NAME_BYTES
                && matches!(self.rename(name, |_| ()), Cow::Borrowed(_))
                && !self.dropped.iter().any(|dropped| dropped == name)
        };
        sorted.iter().all(stays) && sorted.windows(2).all(|two| two[0].0 != two[1].0)
    }

    fn cut<'a>(&self, value: &'a str, note: impl Fn(Notice)) -> Cow<'a, str> {
        if value.len() <= self.value_bytes {
            return Cow::Borrowed(value);
        }
        note(Notice::LongValue);
        const MARK: &str = "…";
        let mut end = self.value_bytes.saturating_sub(MARK.len());
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        Cow::Owned(format!("{}{MARK}", &value[..end]))
    }
}

/// Escapes as the text formats do inside quotes: backslash, quote and newline.
pub(crate) fn escape_into(text: &mut String, value: &str) {
    for part in value.split_inclusive(['\\', '"', '\n']) {
        let (plain, last) = match part.as_bytes().last() {
            Some(b'\\') => (&part[..part.len() - 1], "\\\\"),
            Some(b'"') => (&part[..part.len() - 1], "\\\""),
            Some(b'\n') => (&part[..part.len() - 1], "\\n"),
            _ => (part, ""),
        };
        text.push_str(plain);
        text.push_str(last);
    }
}

/// Whether plain canonical text is exactly these labels, given sorted by name. A label with an
/// empty value counts as absent.
///
/// Comparing bytes is exact: the text has no escapes, and it has as many labels as are compared,
/// so no value can swallow a neighbour.
#[inline]
pub(crate) fn matches(text: &[u8], count: usize, labels: &[(&str, &str)]) -> bool {
    let mut rest = text;
    let mut seen = 0;
    for (name, value) in labels {
        if value.is_empty() {
            continue;
        }
        let tail = (|| {
            let tail = if seen == 0 { rest } else { rest.strip_prefix(b",")? };
            let tail = match tail.strip_prefix(b"\"") {
                Some(quoted) => quoted.strip_prefix(name.as_bytes())?.strip_prefix(b"\"")?,
                None => tail.strip_prefix(name.as_bytes())?,
            };
            let tail = tail.strip_prefix(b"=\"")?;
            tail.strip_prefix(value.as_bytes())?.strip_prefix(b"\"")
        })();
        let Some(tail) = tail else { return false };
        rest = tail;
        seen += 1;
    }
    seen == count && rest.is_empty()
}

/// Whether plain canonical text with as many labels has exactly these values, none of them empty,
/// each given with the length of its label's name, quotes included. Exact for the same reason as [`matches`].
#[inline]
pub(crate) fn values_match<'v>(
    text: &[u8],
    values: impl Iterator<Item = (usize, &'v str)>,
) -> bool {
    // As if a comma stood before the first label: `,name="value"`.
    let mut at = 0usize.wrapping_sub(1);
    for (name, value) in values {
        if value.is_empty() {
            return false;
        }
        let start = at.wrapping_add(name + ",=\"".len());
        let end = start + value.len();
        let Some(stored) = text.get(start..end) else { return false };
        if text.get(end) != Some(&b'"') || !is_equal(stored, value.as_bytes()) {
            return false;
        }
        at = end + 1;
    }
    at == text.len()
}

/// Whether two texts of equal length are equal. Most label values are short enough to be compared
/// as two integers, without a call of `memcmp`.
#[inline(always)]
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    match (a.first_chunk::<8>(), b.first_chunk::<8>(), a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(a0), Some(b0), Some(a1), Some(b1)) if a.len() <= 16 => a0 == b0 && a1 == b1,
        _ => a == b,
    }
}

/// The labels of canonical text, in order.
pub(crate) fn parse(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let name = if rest.starts_with('"') {
            quoted(&mut rest)
        } else {
            let end = rest.find('=')?;
            let name = &rest[..end];
            rest = &rest[end..];
            Cow::Borrowed(name)
        };
        rest = rest.strip_prefix('=')?;
        let value = quoted(&mut rest);
        rest = rest.strip_prefix(',').unwrap_or(rest);
        Some((name, value))
    })
}

/// Takes a quoted string off the front.
fn quoted<'a>(rest: &mut &'a str) -> Cow<'a, str> {
    let body = &rest[1..];
    let mut escaped = false;
    let end = body.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let end = end.unwrap_or(body.len());
    *rest = body.get(end + 1..).unwrap_or("");
    unescape(&body[..end])
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;

    const RULES: Rules<'static> = Rules { value_bytes: 16, reserved: &["le"], dropped: &[] };

    fn canonical(labels: &[(&str, &str)]) -> (String, Vec<Notice>) {
        let notices = RefCell::new(Vec::new());
        let labels = Labels::new(labels, RULES, |notice| notices.borrow_mut().push(notice));
        (labels.text, notices.into_inner())
    }

    #[test]
    fn labels_are_sorted_and_escaped() {
        let (text, notices) = canonical(&[("path", "a\"b\\c\nd"), ("method", "GET")]);
        assert_eq!(text, r#"method="GET",path="a\"b\\c\nd""#);
        assert_eq!(notices, []);
    }

    #[test]
    fn odd_labels_are_adjusted_and_noted() {
        let odd = |labels| canonical(labels);
        assert_eq!(
            odd(&[("a", "1"), ("a", "2")]),
            (r#"a="2""#.into(), vec![Notice::DuplicateLabel])
        );
        assert_eq!(odd(&[("a", "")]), (String::new(), vec![]));
        assert_eq!(odd(&[("", "x")]), (String::new(), vec![Notice::InvalidLabel]));
        assert_eq!(odd(&[("le", "x")]), (r#"exported_le="x""#.into(), vec![Notice::ReservedLabel]));
        assert_eq!(odd(&[("__x", "y")]), (r#"exported_x="y""#.into(), vec![Notice::ReservedLabel]));
        assert_eq!(odd(&[("a.b", "x")]), (r#""a.b"="x""#.into(), vec![]));
        let long = "éééééééééé";
        assert_eq!(odd(&[("a", long)]), (r#"a="éééééé…""#.into(), vec![Notice::LongValue]));
    }

    #[test]
    fn no_value_passes_for_two_labels() {
        let two = canonical(&[("a", "x"), ("b", "y")]).0;
        assert!(matches(two.as_bytes(), 2, &[("a", "x"), ("b", "y")]));
        assert!(!matches(two.as_bytes(), 2, &[("a", "x\",b=\"y")]));
        assert!(!matches(two.as_bytes(), 2, &[("a", "x")]));
    }

    fn labels() -> impl Strategy<Value = Vec<(String, String)>> {
        let text = prop_oneof!["[ab\"\\\\\n,=]{0,4}", "[a-c]{1,2}"];
        prop::collection::vec(("[a-d_.\"\\\\]{1,2}", text), 0..4)
    }

    fn borrow(labels: &[(String, String)]) -> Vec<(&str, &str)> {
        labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    proptest! {
        /// Parsing gives back what was put in: sorted, last of equals, without empty values.
        #[test]
        fn text_round_trips(labels in labels()) {
            let mut expected = std::collections::BTreeMap::new();
            let rename = |name: &str| match name.starts_with("__") {
                true => format!("exported_{}", name.trim_start_matches('_')),
                false => name.to_owned(),
            };
            for (name, value) in &labels {
                expected.insert(rename(name), value.clone());
            }
            expected.retain(|_, value| !value.is_empty());
            let (text, _) = canonical(&borrow(&labels));
            let parsed: Vec<(String, String)> =
                parse(&text).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
            prop_assert_eq!(parsed, expected.into_iter().collect::<Vec<_>>());
        }

        /// A plain match is a match of the canonical text, never of anything else.
        #[test]
        fn matching_is_exact(stored in labels(), asked in labels()) {
            let stored = Labels::new(&borrow(&stored), RULES, |_| ());
            let canonical = Labels::new(&borrow(&asked), RULES, |_| ());
            let mut sorted = borrow(&asked);
            sort(&mut sorted);
            let hit = matches(stored.text.as_bytes(), stored.count, &sorted);
            if stored.plain && hit {
                prop_assert_eq!(&stored.text, &canonical.text);
            }
        }

        /// With the names known, comparing the values alone comes to the same.
        #[test]
        fn values_are_enough(
            stored in prop::collection::vec("[ab\"=,]{1,3}|[ab]{4,16}", 3),
            asked in prop::collection::vec("[ab\"=,]{1,3}|[ab]{4,16}", 3),
            same in prop::collection::vec(any::<bool>(), 3),
        ) {
            let pick = |(same, (stored, asked)): (&bool, (&String, &String))| {
                if *same { stored.clone() } else { asked.clone() }
            };
            let asked: Vec<String> =
                same.iter().zip(stored.iter().zip(&asked)).map(pick).collect();
            let label = |values: &[String]| -> Vec<(String, String)> {
                ["a", "b.b", "c"].map(str::to_owned).into_iter().zip(values.to_vec()).collect()
            };
            let stored = Labels::new(&borrow(&label(&stored)), RULES, |_| ());
            let same = Labels::new(&borrow(&label(&asked)), RULES, |_| ()).text == stored.text;
            let values = [1, 5, 1].into_iter().zip(asked.iter().map(String::as_str));
            if stored.plain {
                prop_assert_eq!(values_match(stored.text.as_bytes(), values), same);
            }
        }
    }
}
