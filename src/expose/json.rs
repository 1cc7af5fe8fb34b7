//! A snapshot as JSON, for programs and pages that read no exposition format.

use std::borrow::Cow;
use std::time::Duration;

use super::names::Labels;
use super::number::{self, LONGEST};
use crate::escape::Escaping;
use crate::snapshot::{Distribution, Exemplar, Family, Series, Snapshot, Value};

/// A snapshot as JSON: one object, whose `metrics` are sorted by name, each with its `series`
/// sorted by labels.
///
/// Names and labels are as they were recorded, global labels among them. Numbers that JSON lacks
/// are the strings `"NaN"`, `"+Inf"` and `"-Inf"`. What a reader may rely on is written down in
/// `docs/FORMATS.md`.
///
/// ```
/// let registry = nissa::Registry::new();
/// registry.describe_gauge("load", None, "Jobs that wait.");
/// registry.gauge("load", &[("queue", "mail")]).set(0.5);
/// assert_eq!(
///     String::from_utf8(nissa::expose::json(&registry.snapshot())).unwrap(),
///     r#"{"metrics":[{"name":"load","kind":"gauge","help":"Jobs that wait.","#.to_owned()
///         + r#""series":[{"labels":{"queue":"mail"},"value":0.5}]}]}"#,
/// );
/// ```
pub fn json(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::new();
    json_into(snapshot, &mut out);
    out
}

/// Appends what [`json`] gives to a buffer.
pub fn json_into(snapshot: &Snapshot, out: &mut Vec<u8>) {
    let labels = Labels::new(snapshot, Escaping::AllowUtf8);
    let mut json = Json(out);
    json.raw("{\"metrics\":");
    json.list(snapshot.families(), |json, family| json.family(family, &labels));
    json.raw("}");
}

/// JSON that is being written.
struct Json<'a>(&'a mut Vec<u8>);

impl Json<'_> {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn list<T>(&mut self, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.raw("[");
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.raw(",");
            }
            write(self, item);
        }
        self.raw("]");
    }

    fn family(&mut self, family: &Family, labels: &Labels<'_>) {
        self.raw("{\"name\":");
        self.string(family.name());
        self.raw(",\"kind\":");
        self.string(family.kind().as_str());
        if let Some(unit) = family.unit() {
            self.raw(",\"unit\":");
            self.string(unit.as_str());
        }
        if let Some(help) = family.help().filter(|help| !help.is_empty()) {
            self.raw(",\"help\":");
            self.string(help);
        }
        self.raw(",\"series\":");
        self.list(family.series(), |json, series| json.series(&series, labels));
        self.raw("}");
    }

    fn series(&mut self, series: &Series<'_>, labels: &Labels<'_>) {
        self.raw("{\"labels\":");
        self.labels(&labels.pairs(series));
        match series.value() {
            Value::Counter(count) => {
                self.raw(",\"value\":");
                self.integer(count);
            }
            Value::FloatCounter(value) | Value::Gauge(value) => {
                self.raw(",\"value\":");
                self.number(value);
            }
            Value::Distribution(distribution) => self.distribution(distribution),
        }
        if let Some(start) = series.start() {
            self.raw(",\"start\":");
            self.seconds(start);
        }
        if series.exemplars().len() > 0 {
            self.raw(",\"exemplars\":");
            self.list(series.exemplars(), Self::exemplar);
        }
        self.raw("}");
    }

    fn distribution(&mut self, distribution: Distribution<'_>) {
        self.raw(",\"count\":");
        self.integer(distribution.count());
        self.raw(",\"sum\":");
        self.number(distribution.sum());
        let scheme = distribution.scheme();
        if let Some(quantiles) = scheme.quantiles() {
            self.raw(",\"quantiles\":");
            self.list(quantiles.iter(), |json, q| {
                json.pair(*q, |json| json.number(distribution.quantile(*q).unwrap_or(f64::NAN)));
            });
            return;
        }
        // As the text formats show them: cumulative, and of exponential ones those in use.
        let mut below = 0u64;
        let cumulative = distribution.buckets().filter_map(|(bound, count)| {
            below = below.wrapping_add(count);
            let shown = count > 0 || bound == f64::INFINITY || !scheme.is_exponential();
            shown.then_some((bound, below))
        });
        self.raw(",\"buckets\":");
        self.list(cumulative, |json, (bound, below)| json.pair(bound, |json| json.integer(below)));
    }

    fn exemplar(&mut self, exemplar: Exemplar<'_>) {
        self.raw("{\"labels\":");
        self.labels(&exemplar.labels().collect::<Vec<_>>());
        self.raw(",\"value\":");
        self.number(exemplar.value());
        self.raw(",\"time\":");
        self.seconds(exemplar.unix());
        self.raw("}");
    }

    fn labels(&mut self, labels: &[(Cow<'_, str>, Cow<'_, str>)]) {
        self.raw("{");
        for (index, (name, value)) in labels.iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            self.string(name);
            self.raw(":");
            self.string(value);
        }
        self.raw("}");
    }

    /// `[number, …]`
    fn pair(&mut self, first: f64, second: impl FnOnce(&mut Self)) {
        self.raw("[");
        self.number(first);
        self.raw(",");
        second(self);
        self.raw("]");
    }

    fn integer(&mut self, value: u64) {
        let mut room = [0; LONGEST];
        let length = number::write_u64(&mut room, value);
        self.0.extend_from_slice(&room[..length]);
    }

    fn number(&mut self, value: f64) {
        let mut room = [0; LONGEST];
        let length = number::write_f64(&mut room, value);
        let quote = if value.is_finite() { "" } else { "\"" };
        self.raw(quote);
        self.0.extend_from_slice(&room[..length]);
        self.raw(quote);
    }

    fn seconds(&mut self, unix: Duration) {
        self.raw(&number::seconds(unix));
    }

    fn string(&mut self, text: &str) {
        self.raw("\"");
        let mut rest = text;
        while let Some(at) = rest.find(|char: char| char < ' ' || char == '"' || char == '\\') {
            let (plain, special) = rest.split_at(at);
            self.raw(plain);
            let mut chars = special.chars();
            match chars.next() {
                Some('\n') => self.raw("\\n"),
                Some('"') => self.raw("\\\""),
                Some('\\') => self.raw("\\\\"),
                Some(control) => self.raw(&format!("\\u{:04x}", u32::from(control))),
                None => {}
            }
            rest = chars.as_str();
        }
        self.raw(rest);
        self.raw("\"");
    }
}
