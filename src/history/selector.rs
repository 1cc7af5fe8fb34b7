//! Which series a question is about.

use std::borrow::Cow;
use std::str::FromStr;

use regex_lite::Regex;

use crate::error::Error;

/// Longest pattern and longest selector, in bytes.
const MOST_BYTES: usize = 4096;
/// Most conditions of one selector.
const MOST_CONDITIONS: usize = 64;
/// What conditions call the metric's name, as in PromQL.
const NAME: &str = "__name__";

/// Chooses series by name and labels, as PromQL's selectors do.
///
/// A label that a series does not have is empty. Patterns are regular expressions that the whole
/// value must fit; the time they take is linear in the text, whatever the pattern.
///
/// ```
/// use nissa::history::Selector;
///
/// let built = Selector::name("http_requests_total").equal("method", "GET").like("path", "/api/.*")?;
/// let written: Selector = r#"http_requests_total{method="GET", path=~"/api/.*"}"#.parse()?;
/// let labels = [("method", "GET"), ("path", "/api/users")];
/// assert!(built.matches("http_requests_total", &labels));
/// assert!(written.matches("http_requests_total", &labels));
///
/// let wrong = "http_requests_total{method=GET}".parse::<Selector>().unwrap_err();
/// assert_eq!(wrong.to_string(), "bad setting: selector: at byte 27: a quoted value is missing");
/// # Ok::<(), nissa::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Selector {
    name: Option<String>,
    conditions: Vec<(String, Condition)>,
}

#[derive(Clone, Debug)]
enum Condition {
    Equal(String),
    NotEqual(String),
    Like(Regex),
    Unlike(Regex),
}

impl Selector {
    /// Every series.
    pub fn all() -> Self {
        Self::default()
    }

    /// Series of this metric.
    pub fn name(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), conditions: Vec::new() }
    }

    /// Of those, only series whose label is this.
    pub fn equal(self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.and(label, Condition::Equal(value.into()))
    }

    /// Of those, only series whose label is not this.
    pub fn not_equal(self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.and(label, Condition::NotEqual(value.into()))
    }

    /// Of those, only series whose label fits the pattern.
    ///
    /// # Errors
    ///
    /// The pattern is no regular expression, or longer than 4,096 bytes.
    pub fn like(self, label: impl Into<String>, pattern: &str) -> Result<Self, Error> {
        Ok(self.and(label, Condition::Like(regex(pattern)?)))
    }

    /// Of those, only series whose label does not fit the pattern.
    ///
    /// # Errors
    ///
    /// As [`like`](Self::like).
    pub fn unlike(self, label: impl Into<String>, pattern: &str) -> Result<Self, Error> {
        Ok(self.and(label, Condition::Unlike(regex(pattern)?)))
    }

    fn and(mut self, label: impl Into<String>, condition: Condition) -> Self {
        self.conditions.push((label.into(), condition));
        self
    }

    /// Whether it chooses the series of this name and these labels.
    pub fn matches(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.takes_name(name) && self.takes_labels(labels)
    }

    /// Whether it may choose a series of this metric.
    pub(super) fn takes_name(&self, name: &str) -> bool {
        let of_name = self.conditions.iter().filter(|(label, _)| label == NAME);
        self.name.as_ref().is_none_or(|wanted| wanted == name)
            && of_name.into_iter().all(|(_, condition)| condition.takes(name))
    }

    /// The one name it asks for, if it asks for one.
    pub(super) fn only_name(&self) -> Option<&str> {
        let conditions = self.conditions.iter().filter(|(label, _)| label == NAME);
        let equal = conditions.filter_map(|(_, condition)| match condition {
            Condition::Equal(name) => Some(name),
            _ => None,
        });
        self.name.iter().chain(equal).next().map(String::as_str)
    }

    /// Whether it chooses a series with these labels of a metric whose name it takes.
    pub(super) fn takes_labels<L: AsRef<str>, V: AsRef<str>>(&self, labels: &[(L, V)]) -> bool {
        let value = |wanted: &str| {
            let label = labels.iter().find(|(label, _)| label.as_ref() == wanted);
            label.map_or("", |(_, value)| value.as_ref())
        };
        let of_labels = self.conditions.iter().filter(|(label, _)| label != NAME);
        of_labels.into_iter().all(|(label, condition)| condition.takes(value(label)))
    }
}

impl Condition {
    fn takes(&self, value: &str) -> bool {
        match self {
            Self::Equal(wanted) => wanted == value,
            Self::NotEqual(unwanted) => unwanted != value,
            Self::Like(pattern) => pattern.is_match(value),
            Self::Unlike(pattern) => !pattern.is_match(value),
        }
    }
}

fn regex(pattern: &str) -> Result<Regex, Error> {
    /// Memory of a compiled pattern; its square bounds nothing, for matching is linear in it.
    const SIZE: usize = 256 << 10;
    if pattern.len() > MOST_BYTES {
        return Err(Error::setting("selector: a pattern is longer than 4,096 bytes"));
    }
    let whole = format!("^(?s:{pattern})$");
    // Parentheses that do not match could otherwise end the group around them.
    let alone = regex_lite::RegexBuilder::new(pattern).size_limit(SIZE).build();
    let built = alone.and_then(|_| regex_lite::RegexBuilder::new(&whole).size_limit(SIZE).build());
    built.map_err(|error| Error::setting(format!("selector: the pattern {pattern:?}: {error}")))
}

/// `name{label="value",label!="value",label=~"pattern",label!~"pattern"}`, with the name or the
/// braces left out, or the name quoted within the braces.
impl FromStr for Selector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parser = Parser { text, at: 0 };
        let parsed =
            if text.len() > MOST_BYTES { Err("too long".into()) } else { parser.selector() };
        parsed.map_err(|reason: Cow<'static, str>| {
            Error::setting(format!("selector: at byte {}: {reason}", parser.at))
        })
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

type Parsed<T> = Result<T, Cow<'static, str>>;

impl Parser<'_> {
    fn selector(&mut self) -> Parsed<Selector> {
        let mut selector = Selector::default();
        self.skip_spaces();
        let name = self.word();
        if !name.is_empty() {
            selector.name = Some(name);
        }
        self.skip_spaces();
        if self.take('{') {
            self.conditions(&mut selector)?;
        }
        self.skip_spaces();
        match (self.rest().is_empty(), &selector.name, selector.conditions.is_empty()) {
            (false, ..) => Err("nothing may follow".into()),
            (true, None, true) if !self.text.contains('{') => Err("it is empty".into()),
            _ => Ok(selector),
        }
    }

    fn conditions(&mut self, selector: &mut Selector) -> Parsed<()> {
        loop {
            self.skip_spaces();
            if self.take('}') {
                return Ok(());
            }
            if selector.conditions.len() >= MOST_CONDITIONS {
                return Err("more than 64 conditions".into());
            }
            let label = if self.rest().starts_with(['"', '\'', '`']) {
                self.quoted()?
            } else {
                self.word()
            };
            self.skip_spaces();
            let operator = ["=~", "!~", "!=", "="].into_iter().find(|o| self.rest().starts_with(o));
            match operator {
                None if label.is_empty() => return Err("a label is missing".into()),
                None if selector.name.is_none() && self.rest().starts_with([',', '}']) => {
                    selector.name = Some(label);
                }
                None => return Err("=, !=, =~ or !~ is missing".into()),
                Some(operator) => {
                    self.at += operator.len();
                    self.skip_spaces();
                    let value = self.quoted()?;
                    selector.conditions.push((label, condition(operator, value)?));
                }
            }
            self.skip_spaces();
            if !self.take(',') && !self.rest().starts_with('}') {
                return Err(", or } is missing".into());
            }
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.rest().starts_with(wanted);
        self.at += if there { wanted.len_utf8() } else { 0 };
        there
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Letters, digits, and what else names may hold unquoted.
    fn word(&mut self) -> String {
        let ends = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '-' | '/'));
        let word = self.rest().split(ends).next().unwrap_or_default().to_owned();
        self.at += word.len();
        word
    }

    fn quoted(&mut self) -> Parsed<String> {
        let missing = || Err("a quoted value is missing".into());
        let Some(quote) = self.rest().chars().next() else { return missing() };
        if !matches!(quote, '"' | '\'' | '`') {
            return missing();
        }
        self.at += 1;
        let mut value = String::new();
        loop {
            let Some(next) = self.rest().chars().next() else {
                return Err("the quote does not end".into());
            };
            self.at += next.len_utf8();
            match next {
                _ if next == quote => return Ok(value),
                '\\' if quote != '`' => {
                    let escaped = self.rest().chars().next();
                    self.at += escaped.map_or(0, char::len_utf8);
                    value.push(match escaped {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some(same @ ('\\' | '"' | '\'')) => same,
                        _ => return Err("after \\ comes n, t, \\ or a quote".into()),
                    });
                }
                _ => value.push(next),
            }
        }
    }
}

fn condition(operator: &str, value: String) -> Parsed<Condition> {
    let pattern = |value: &str| regex(value).map_err(|error| Cow::Owned(error.to_string()));
    Ok(match operator {
        "=" => Condition::Equal(value),
        "!=" => Condition::NotEqual(value),
        "=~" => Condition::Like(pattern(&value)?),
        _ => Condition::Unlike(pattern(&value)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn takes(selector: &str, name: &str, labels: &[(&str, &str)]) -> bool {
        selector.parse::<Selector>().unwrap().matches(name, labels)
    }

    #[test]
    fn selectors_mean_what_promql_means() {
        let labels = [("a", "x"), ("b", "say \"y\"\n")];
        for selector in [
            "up",
            "up{}",
            " up { a = \"x\" , } ",
            "{a=~'x|z'}",
            "{}",
            "up{c=\"\"}",
            "up{c!=\"x\"}",
            "{__name__=~\"u.\",a!~\"\"}",
            r#"up{b="say \"y\"\n"}"#,
            "{\"up\",a='x'}",
            "up{b=~\"say.*\"}",
            r"up{a=~`\w`}",
        ] {
            assert!(takes(selector, "up", &labels), "{selector}");
        }
        for selector in [
            "down",
            "up{a!=\"x\"}",
            "{a=~\"xy?z\"}",
            "up{c=~\".+\"}",
            "up{a!~\".*\"}",
            "{__name__!~\"u.\"}",
        ] {
            assert!(!takes(selector, "up", &labels), "{selector}");
        }
        assert!(!takes("{a=~\"x\"}", "up", &[("a", "xx")]), "the whole value must fit");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (selector, reason) in [
            ("", "it is empty"),
            ("up{", "a label is missing"),
            ("up{a}", "=, !=, =~ or !~"),
            ("up{a=\"x\" b=\"y\"}", ", or }"),
            ("up{a=\"x\"} 1", "nothing may follow"),
            ("up{a=\"x}", "the quote does not end"),
            ("up{a=\"\\x\"}", "after \\"),
            ("up{a=~\"(\"}", "the pattern \"(\""),
            ("up{a=~\")|(\"}", "the pattern"),
        ] {
            let error = selector.parse::<Selector>().unwrap_err().to_string();
            assert!(error.contains(reason), "{selector}: {error}");
        }
        let huge = format!("{{a=~\"{}\"}}", "(x{9}){9}".repeat(300));
        assert!(huge.parse::<Selector>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*", inner in "[{}=~!\"'a,\\\\ ]*") {
            let _ = text.parse::<Selector>();
            let _ = inner.parse::<Selector>();
        }

        /// Against the naive twin: an equality, spelt out.
        #[test]
        fn equality_is_equality(value in ".*", other in ".*") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            for (text, is) in [(&value, true), (&other, value == other)] {
                prop_assert_eq!(takes(&format!("{{a=\"{escaped}\"}}"), "n", &[("a", text)]), is);
                prop_assert_eq!(takes(&format!("{{a!=\"{escaped}\"}}"), "n", &[("a", text)]), !is);
            }
        }
    }
}
