//! What an `Accept` header asks for.
//!
//! The header comes from outside, so nothing in it is an error: a range that makes no sense asks
//! for nothing.

use super::format::{Format, Wire};
use crate::escape::Escaping;

/// The formats by media type and what further distinguishes them. The first of a media type
/// answers a request that names no version.
const TABLE: &[(&str, Needs, Wire)] = &[
    ("text/plain", Needs::Version("0.0.4"), Wire::Text0),
    ("text/plain", Needs::Version("1.0.0"), Wire::Text1),
    ("application/openmetrics-text", Needs::Version("1.0.0"), Wire::OpenMetrics1),
    ("application/openmetrics-text", Needs::Version("0.0.1"), Wire::OpenMetrics0),
    ("application/openmetrics-text", Needs::Version("2.0.0"), Wire::OpenMetrics2),
    (
        "application/vnd.google.protobuf",
        Needs::Message { proto: "io.prometheus.client.MetricFamily", encoding: "delimited" },
        Wire::Protobuf,
    ),
];

/// Parameters that a range must have to mean a format.
enum Needs {
    /// This version, or none at all.
    Version(&'static str),
    /// Both of these.
    Message { proto: &'static str, encoding: &'static str },
}

/// What the default answers.
const WILDCARDS: [&str; 2] = ["*/*", "text/*"];

/// The format of the range with the highest weight. Among equals one that is named beats a
/// wildcard, and the first the others.
pub(super) fn best(accept: &str) -> Option<Format> {
    let mut best = None;
    for range in split(accept, ',') {
        let Some((format, rank)) = read(range) else { continue };
        if best.is_none_or(|(_, highest)| rank > highest) {
            best = Some((format, rank));
        }
    }
    best.map(|(format, _)| format)
}

/// Weight in thousandths, and whether it is no wildcard.
type Rank = (u16, bool);

/// One range: `type/subtype; name=value; …`.
fn read(range: &str) -> Option<(Format, Rank)> {
    let mut parts = split(range, ';');
    let media = parts.next()?;
    let mut asked = Asked { weight: 1000, ..Asked::default() };
    for part in parts {
        asked.parameter(part)?;
    }
    if asked.weight == 0 {
        return None;
    }
    if WILDCARDS.iter().any(|wildcard| wildcard.eq_ignore_ascii_case(media)) {
        return Some((Format::TEXT, (asked.weight, false)));
    }
    let format = asked.format(media)?;
    Some((format, (asked.weight, true)))
}

/// The parameters of a range.
#[derive(Default)]
struct Asked<'a> {
    weight: u16,
    version: Option<&'a str>,
    proto: Option<&'a str>,
    encoding: Option<&'a str>,
    escaping: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// Takes in `name=value`; `None` if the weight is none.
    fn parameter(&mut self, part: &'a str) -> Option<()> {
        let Some((name, value)) = part.split_once('=') else { return Some(()) };
        let (name, value) = (name.trim(), unquoted(value.trim()));
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        if is("q") {
            self.weight = weight(value)?;
        } else if is("version") {
            self.version = Some(value);
        } else if is("proto") {
            self.proto = Some(value);
        } else if is("encoding") {
            self.encoding = Some(value);
        } else if is("escaping") {
            self.escaping = Some(value);
        }
        Some(())
    }

    fn format(&self, media: &str) -> Option<Format> {
        let fits = |(known, needs, _): &&(&str, Needs, Wire)| {
            known.eq_ignore_ascii_case(media) && self.has(needs)
        };
        let (_, _, wire) = TABLE.iter().find(fits)?;
        let format = Format::of(*wire);
        // Prometheus's default, for a scheme that is not known too.
        Some(format.escaping(self.escaping.and_then(scheme).unwrap_or(Escaping::Underscores)))
    }
}

impl Asked<'_> {
    fn has(&self, needs: &Needs) -> bool {
        match needs {
            Needs::Version(version) => self.version.is_none_or(|asked| asked == *version),
            Needs::Message { proto, encoding } => {
                self.proto == Some(proto) && self.encoding == Some(encoding)
            }
        }
    }
}

fn scheme(word: &str) -> Option<Escaping> {
    const ALL: [Escaping; 4] =
        [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];
    // The documentation of the negotiation spells the first in two ways.
    let word = if word.eq_ignore_ascii_case("allow-utf8") { "allow-utf-8" } else { word };
    ALL.into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(word))
}

/// The `q` of an `Accept` or `Accept-Encoding` in thousandths: `0`, `1` or a fraction between them.
pub(crate) fn weight(value: &str) -> Option<u16> {
    // `f64` reads words, signs and exponents too, which are no weights.
    if !value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let weight: f64 = value.parse().ok()?;
    // A weight too small to tell from zero is not zero, which would refuse the range.
    let thousandths = if weight > 0.0 { (weight * 1000.0).max(1.0) } else { 0.0 };
    (weight <= 1.0).then_some(thousandths as u16)
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// The parts between separators outside quotes, trimmed.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |char| {
        let ends = char == separator && !quoted;
        if char == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && char == '\\' && !escaped;
        ends
    })
    .map(str::trim)
}
