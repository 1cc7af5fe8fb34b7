//! Names as the formats can carry them, by the schemes that Prometheus defines.

use std::borrow::Cow;

/// What becomes of metric and label names that older readers do not accept: those with characters
/// outside `[a-zA-Z0-9_:]`.
///
/// ```
/// use nissa::expose::{Escaping, Format};
///
/// let asked = Format::negotiate("text/plain; version=1.0.0; escaping=dots");
/// assert_eq!(asked, Format::TEXT_1.escaping(Escaping::Dots));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Escaping {
    /// They stay as they are, in quotes where they need them.
    AllowUtf8,
    /// Every such character becomes `_`.
    Underscores,
    /// `.` becomes `_dot_`, `_` becomes `__`, every other such character `_`.
    Dots,
    /// `U__`, then `_` doubled and every such character as its code point: `U__a_2e_b`.
    Values,
}

impl Escaping {
    /// The word that `Accept` and `Content-Type` use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// A name by this scheme; borrowed when it stays as it is.
    pub(crate) fn apply(self, name: &str, is_legal: fn(&str) -> bool) -> Cow<'_, str> {
        match self {
            Self::AllowUtf8 => Cow::Borrowed(name),
            Self::Underscores => underscores(name, is_legal),
            Self::Dots => dots(name, is_legal),
            Self::Values if is_legal(name) => Cow::Borrowed(name),
            Self::Values => Cow::Owned(values(name, is_legal)),
        }
    }
}

/// Illegal characters as underscores; borrowed when there are none.
pub(crate) fn underscores(name: &str, is_legal: fn(&str) -> bool) -> Cow<'_, str> {
    if is_legal(name) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(rewrite(name, is_legal, |_, written| written.push('_')))
}

fn dots(name: &str, is_legal: fn(&str) -> bool) -> Cow<'_, str> {
    if is_legal(name) && !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let is_legal_rest = |rest: &str| rest != "_" && is_legal(rest);
    Cow::Owned(rewrite(name, is_legal_rest, |char, written| {
        written.push_str(match char {
            '.' => "_dot_",
            '_' => "__",
            _ => "_",
        });
    }))
}

/// Prometheus's `values` escaping: `U__`, then `_` doubled and every other character that is not
/// legal as its code point in hexadecimal between underscores. No two names share one.
pub(crate) fn values(name: &str, is_legal: fn(&str) -> bool) -> String {
    let is_legal_rest = |rest: &str| rest != "_" && is_legal(rest);
    let rest = rewrite(name, is_legal_rest, |char, written| match char {
        '_' => written.push_str("__"),
        other => written.push_str(&format!("_{:x}_", u32::from(other))),
    });
    format!("U__{rest}")
}

/// Every character that is not legal in its place, as `replace` writes it.
fn rewrite(
    name: &str,
    is_legal: impl Fn(&str) -> bool,
    replace: impl Fn(char, &mut String),
) -> String {
    let mut written = String::with_capacity(name.len());
    for (index, char) in name.chars().enumerate() {
        let mut bytes = [0; 4];
        let text: &str = char.encode_utf8(&mut bytes);
        // A digit may not come first, and is legal anywhere else.
        if is_legal(text) || (index > 0 && char.is_ascii_digit()) {
            written.push(char);
        } else {
            replace(char, &mut written);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{is_legal_label, is_legal_name};

    #[test]
    fn the_schemes_as_prometheus_documents_them() {
        let name = |scheme: Escaping, name| scheme.apply(name, is_legal_name).into_owned();
        assert_eq!(name(Escaping::AllowUtf8, "a.b"), "a.b");
        assert_eq!(name(Escaping::Underscores, "metric.name/with/é"), "metric_name_with__");
        assert_eq!(name(Escaping::Dots, "metric.name_x/1"), "metric_dot_name__x_1");
        assert_eq!(name(Escaping::Values, "metric.name_é"), "U__metric_2e_name___e9_");
        assert_eq!(name(Escaping::Values, "1st:b"), "U___31_st:b");
        assert_eq!(name(Escaping::Values, "legal_name"), "legal_name");
    }

    #[test]
    fn a_colon_is_legal_in_names_of_metrics_alone() {
        assert_eq!(Escaping::Underscores.apply("a:b", is_legal_name), "a:b");
        assert_eq!(Escaping::Underscores.apply("a:b", is_legal_label), "a_b");
        assert_eq!(Escaping::Values.apply("a:b", is_legal_label), "U__a_3a_b");
    }
}
