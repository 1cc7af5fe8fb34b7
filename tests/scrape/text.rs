//! The text formats: Prometheus 0.0.4 and 1.0.0, OpenMetrics 1.0.

use std::collections::BTreeMap;

use super::{Exemplar, Page, bound};

/// What is left of a line.
pub(crate) struct Rest<'a>(pub(crate) &'a str);

impl<'a> Rest<'a> {
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        assert!(self.take(text), "no {text:?} before {:?}", self.0);
    }

    pub(crate) fn take(&mut self, text: &str) -> bool {
        match self.0.strip_prefix(text) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Up to one of these characters.
    pub(crate) fn until(&mut self, ends: &[char]) -> &'a str {
        let end = self.0.find(ends).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    /// `"escaped"`.
    fn quoted(&mut self) -> String {
        self.expect("\"");
        let mut text = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return text;
                }
                '\\' => text.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, escaped @ ('\\' | '"'))) => escaped,
                    other => panic!("an escape of {other:?}"),
                }),
                char => text.push(char),
            }
        }
        panic!("no quote ends {:?}", self.0)
    }

    /// A name, in quotes if it needs them and only then.
    fn name(&mut self, ends: &[char], colon: bool) -> String {
        if self.0.starts_with('"') {
            let name = self.quoted();
            assert!(!is_legal(&name, colon), "quotes round {name}");
            return name;
        }
        let name = self.until(ends);
        assert!(is_legal(name, colon), "no quotes round {name:?}");
        name.to_owned()
    }

    /// The labels after an opening brace, up to the closing one.
    pub(crate) fn labels(&mut self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        while !self.take("}") {
            let name = self.name(&['='], false);
            self.expect("=");
            let value = self.quoted();
            assert!(labels.insert(name.clone(), value).is_none(), "label {name} twice");
            assert!(self.0.starts_with('}') || self.take(","), "{:?}", self.0);
        }
        labels
    }

    /// The name and labels of a series.
    pub(crate) fn series(&mut self) -> (String, BTreeMap<String, String>) {
        if !self.take("{") {
            let name = self.name(&['{', ' '], true);
            let labels = if self.take("{") { self.labels() } else { BTreeMap::new() };
            return (name, labels);
        }
        let name = self.quoted();
        assert!(!is_legal(&name, true), "quotes round {name}");
        assert!(self.0.starts_with('}') || self.take(","), "{:?}", self.0);
        (name, self.labels())
    }

    pub(crate) fn number(&mut self, ends: &[char]) -> f64 {
        number(self.until(ends))
    }

    /// `# {labels} value time`.
    pub(crate) fn exemplar(&mut self) -> Exemplar {
        self.expect("# {");
        let labels = self.labels();
        self.expect(" ");
        let value = self.number(&[' ']);
        self.expect(" ");
        Exemplar { labels, value, seconds: self.number(&[' ']) }
    }
}

pub(crate) fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        text => {
            assert!(!text.is_empty() && !text.contains(|c: char| c.is_alphabetic() && c != 'e'));
            text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
        }
    }
}

fn is_legal(name: &str, colon: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || (colon && c == ':');
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// `# TYPE`, `# UNIT` or `# HELP`.
pub(crate) fn comment(line: &str, page: &mut Page) {
    let mut rest = Rest(line);
    rest.expect("# ");
    let word = rest.until(&[' ']).to_owned();
    rest.expect(" ");
    let name = rest.name(&[' '], true);
    rest.expect(" ");
    let known = match &*word {
        "TYPE" => &mut page.types,
        "UNIT" => &mut page.units,
        "HELP" => &mut page.helps,
        other => panic!("{other:?} in {line:?}"),
    };
    let before = known.insert(name, rest.0.to_owned());
    assert!(before.is_none(), "twice: {line}");
}

/// A line of the classic formats.
fn sample(line: &str, page: &mut Page) {
    let mut rest = Rest(line);
    let (name, mut labels) = rest.series();
    // The same number in different digits is the same bound. What is no number is a label like
    // any other.
    for numeric in ["le", "quantile"] {
        if let Some(value) = labels.get_mut(numeric) {
            let parsed = value.replace("Inf", "inf").parse();
            *value = parsed.map_or(value.clone(), bound);
        }
    }
    rest.expect(" ");
    let value = rest.number(&[' ']);
    if rest.take(" ") {
        page.exemplars.insert((name.clone(), labels.clone()), rest.exemplar());
    }
    assert_eq!(rest.0, "", "{line}");
    page.sample(&name, &labels, value);
}

pub(crate) fn read(bytes: &[u8]) -> Page {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let mut page = Page::default();
    for line in text.split_terminator('\n') {
        if line.starts_with('#') { comment(line, &mut page) } else { sample(line, &mut page) }
    }
    page
}

/// OpenMetrics 1.0, which ends with a mark.
pub(crate) fn read_openmetrics(bytes: &[u8]) -> Page {
    read(bytes.strip_suffix(b"# EOF\n").expect("no end"))
}
