//! OpenMetrics 2.0 as its release candidate 0 has it: a distribution is one line, native
//! histograms are text, and a start time stands behind the number.
//!
//! Not final, so nobody gets it who does not ask for `version=2.0.0`, and all that belongs to it is
//! in this file. A family has the name of its lines here, so counters need no `_total`; only a summary
//! whose sum is negative, which the rules forbid, is shown as `unknown`. Exponential buckets are native ones alone: the format wants of
//! classic buckets that all are there, and these are hundreds.

use super::line::{Name, Output, Piece};
use super::names::{self, Labels};
use super::native::{Native, Span};
use super::number::{self, LONGEST, canonical};
use super::openmetrics::{UNKNOWN, has_negative_sum, header};
use crate::buckets::Buckets;
use crate::entry::Kind;
use crate::escape::Escaping;
use crate::snapshot::{Distribution, Family, Series, Snapshot, Value};

pub(super) fn write(snapshot: &Snapshot, escaping: Escaping, out: &mut Vec<u8>) {
    let labels = Labels::new(snapshot, escaping);
    let names = names::of_families(snapshot, escaping, false);
    let mut page = Output::new(out);
    for (family, name) in snapshot.families().zip(&names) {
        let kind = family.kind();
        let stem = name.strip_suffix("_total").filter(|_| kind == Kind::Counter);
        let unit = names::unit(family, stem.unwrap_or(name));
        let forbidden = kind == Kind::Summary && has_negative_sum(family);
        let kind = if forbidden { UNKNOWN } else { kind.as_str() };
        header(family, name, kind, unit, &mut page);
        lines(family, &Name::new(name, ""), &labels, &mut page);
    }
    page.put(b"# EOF\n");
}

/// One line a series.
fn lines(family: &Family, name: &Name, labels: &Labels<'_>, page: &mut Output<'_>) {
    let mut composite = family.buckets().map(Composite::new);
    let mut value = Text::default();
    let mut tail = Tail::default();
    for series in family.series() {
        let text = labels.text(&series);
        tail.write(&series, labels);
        value.0.clear();
        if let (Some(composite), Value::Distribution(distribution)) =
            (&mut composite, series.value())
        {
            composite.write(distribution, &mut value);
        }
        let room = tail.text.len() + value.0.len();
        let mut line = page.lines(1, name, &text, room);
        line.start(name, &text, &Piece::NONE);
        match series.value() {
            Value::Counter(count) => line.end_u64(count),
            Value::FloatCounter(value) | Value::Gauge(value) => line.end_f64(value),
            Value::Distribution(_) => line.end_text(&value.0),
        }
        if !tail.text.is_empty() {
            line.append(&tail.text);
        }
        page.len = line.at;
    }
}

/// What stands behind the number: the start time, then exemplars.
#[derive(Default)]
struct Tail {
    text: String,
    /// The start time in `text`; most series share theirs with the one before.
    born: Option<u32>,
    /// How much of `text` is the start time.
    length: usize,
}

impl Tail {
    fn write(&mut self, series: &Series<'_>, labels: &Labels<'_>) {
        self.text.truncate(self.length);
        if series.born() != self.born {
            self.born = series.born();
            self.text.clear();
            if let Some(start) = series.start() {
                self.text.push_str(" st@");
                number::push_seconds(&mut self.text, start);
            }
            self.length = self.text.len();
        }
        for exemplar in series.exemplars().filter_map(|exemplar| labels.exemplar(exemplar)) {
            self.text.push_str(&exemplar);
        }
    }
}

/// How the distributions of a family are written.
struct Composite<'a> {
    buckets: &'a Buckets,
    native: Option<Native>,
    /// Each classic bucket's bound, or each quantile, with its colon.
    keys: Vec<String>,
    /// Room for one series' spans, used again for the next.
    spans: Vec<Span>,
}

impl<'a> Composite<'a> {
    fn new(buckets: &'a Buckets) -> Self {
        let native = Native::of(buckets).filter(|_| buckets.quantiles().is_none());
        let key = |value| format!("{}:", canonical(value));
        let keys = match buckets.quantiles() {
            Some(quantiles) => quantiles.iter().copied().map(key).collect(),
            None if native.is_some() => Vec::new(),
            None => (0..buckets.len()).map(|index| key(buckets.upper_bound(index))).collect(),
        };
        Self { buckets, native, keys, spans: Vec::new() }
    }

    /// `{count:…,sum:…,…}`
    fn write(&mut self, distribution: Distribution<'_>, out: &mut Text) {
        out.raw("{count:");
        out.integer(distribution.count());
        out.raw(",sum:");
        out.number(distribution.sum());
        match (self.native, self.buckets.quantiles()) {
            (Some(native), _) => {
                native.spans(distribution.counts(), &mut self.spans);
                native_buckets(native, &self.spans, distribution.counts(), out);
            }
            (None, Some(quantiles)) => {
                let value = |q: &f64| distribution.quantile(*q).unwrap_or(f64::NAN);
                out.raw(",quantile:[");
                out.list(self.keys.iter().zip(quantiles), |out, (key, q)| {
                    out.raw(key);
                    out.number(value(q));
                });
                out.raw("]");
            }
            (None, None) => {
                let mut below = 0u64;
                out.raw(",bucket:[");
                out.list(self.keys.iter().zip(distribution.counts()), |out, (key, count)| {
                    below = below.wrapping_add(*count);
                    out.raw(key);
                    out.integer(below);
                });
                out.raw("]");
            }
        }
        out.raw("}");
    }
}

fn native_buckets(native: Native, spans: &[Span], counts: &[u64], out: &mut Text) {
    out.raw(",schema:");
    out.integer(u64::from(native.schema));
    out.raw(",zero_threshold:");
    out.number(native.zero_threshold);
    out.raw(",zero_count:");
    out.integer(counts.first().copied().unwrap_or(0));
    if spans.is_empty() {
        return;
    }
    out.raw(",positive_spans:[");
    out.list(spans.iter(), |out, span| {
        out.raw(&span.offset.to_string());
        out.raw(":");
        out.integer(span.buckets.len() as u64);
    });
    out.raw("],positive_buckets:[");
    let runs = spans.iter().filter_map(|span| counts.get(span.buckets.clone()));
    out.list(runs.flatten(), |out, count| out.integer(*count));
    out.raw("]");
}

/// A value that is being written.
#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn integer(&mut self, value: u64) {
        let mut room = [0; LONGEST];
        let length = number::write_u64(&mut room, value);
        self.0.extend_from_slice(&room[..length]);
    }

    fn number(&mut self, value: f64) {
        let mut room = [0; LONGEST];
        let length = number::write_f64(&mut room, value);
        self.0.extend_from_slice(&room[..length]);
    }

    /// Items with commas between them.
    fn list<T>(&mut self, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.raw(",");
            }
            write(self, item);
        }
    }
}
