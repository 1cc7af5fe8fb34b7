//! Prometheus text format 0.0.4.
//!
//! A line is the family's name, the series' canonical labels and a number: three copies into room
//! that was made beforehand, since the longest a family can get is known.

use std::borrow::Cow;

use super::names;
use super::number::{self, LONGEST};
use crate::entry::Kind;
use crate::snapshot::{Distribution, Family, Series, Snapshot, Value};

/// A snapshot in Prometheus's text format, version 0.0.4.
///
/// Names the format cannot carry are written with underscores; two names that would become one
/// are kept apart (`U__a_2e_b`). Exponential histograms show the buckets that hold something.
///
/// ```
/// let registry = nissa::Registry::new();
/// registry.describe_counter("jobs_total", None, "Jobs done.");
/// registry.counter("jobs_total", &[("queue", "mail")]).increment(3);
/// assert_eq!(
///     nissa::expose::text(&registry.snapshot()),
///     "# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total{queue=\"mail\"} 3\n",
/// );
/// ```
pub fn text(snapshot: &Snapshot) -> String {
    let mut out = Vec::new();
    text_into(snapshot, &mut out);
    // Only strings and ASCII went in.
    String::from_utf8(out).unwrap_or_default()
}

/// Appends what [`text`] gives to a buffer, which a scraper's next call can use again.
pub fn text_into(snapshot: &Snapshot, out: &mut Vec<u8>) {
    let global = GlobalLabels(snapshot.global_labels());
    let mut lines = Lines::new(out);
    for (family, name) in snapshot.families().zip(names::of_families(snapshot)) {
        header(family, &name, &mut lines);
        match family.kind() {
            Kind::Counter | Kind::Gauge => numbers(family, &name, &global, &mut lines),
            Kind::Histogram => histograms(family, &name, &global, &mut lines),
            Kind::Summary => summaries(family, &name, &global, &mut lines),
        }
    }
}

/// `# HELP` and `# TYPE`.
fn header(family: &Family, name: &str, lines: &mut Lines<'_>) {
    let mut text = String::new();
    if let Some(help) = family.help().filter(|help| !help.is_empty()) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        text = format!("# HELP {name} {help}\n");
    }
    text.push_str(&format!("# TYPE {name} {}\n", family.kind().as_str()));
    lines.reserve(1, text.len());
    lines.put(text.as_bytes());
}

/// Counters and gauges: one line a series.
fn numbers(family: &Family, name: &str, global: &GlobalLabels<'_>, lines: &mut Lines<'_>) {
    for series in family.series() {
        let labels = global.with(&series);
        lines.reserve(1, name.len() + labels.len());
        lines.name_and_labels(name.as_bytes(), &labels, b"");
        match series.value() {
            Value::Count(count) => lines.end_u64(count),
            Value::Total(value) | Value::Gauge(value) => lines.end_f64(value),
            Value::Distribution(_) => lines.end_u64(0),
        }
    }
}

/// Histograms: a cumulative line a bucket, then sum and count.
fn histograms(family: &Family, name: &str, global: &GlobalLabels<'_>, lines: &mut Lines<'_>) {
    let Some(scheme) = family.buckets() else { return };
    let bound = |index| format!("le=\"{}\"", number::to_string(scheme.upper_bound(index)));
    let bounds: Vec<String> = (0..scheme.len()).map(bound).collect();
    let bucket_name = format!("{name}_bucket");
    for series in family.series() {
        let Value::Distribution(distribution) = series.value() else { continue };
        let labels = global.with(&series);
        // A bound is as long as a number, and `le=""` around it.
        lines.reserve(scheme.len(), bucket_name.len() + labels.len() + LONGEST + 8);
        let mut below = 0u64;
        for (index, count) in distribution.counts().iter().enumerate() {
            below = below.wrapping_add(*count);
            // Hundreds of exponential buckets are mostly empty. A bucket that was ever shown
            // stays: counts do not go back.
            if *count > 0 || index + 1 == scheme.len() || !scheme.is_exponential() {
                lines.name_and_labels(bucket_name.as_bytes(), &labels, bounds[index].as_bytes());
                lines.end_u64(below);
            }
        }
        sum_and_count(lines, name, &labels, &distribution, below);
    }
}

/// Summaries: a line a quantile, then sum and count.
fn summaries(family: &Family, name: &str, global: &GlobalLabels<'_>, lines: &mut Lines<'_>) {
    let quantiles = family.buckets().and_then(|buckets| buckets.quantiles()).unwrap_or(&[]);
    let label = |q: &f64| (*q, format!("quantile=\"{}\"", number::to_string(*q)));
    let quantiles: Vec<(f64, String)> = quantiles.iter().map(label).collect();
    for series in family.series() {
        let Value::Distribution(distribution) = series.value() else { continue };
        let labels = global.with(&series);
        lines.reserve(quantiles.len(), name.len() + labels.len() + LONGEST + 16);
        for (q, label) in &quantiles {
            lines.name_and_labels(name.as_bytes(), &labels, label.as_bytes());
            lines.end_f64(distribution.quantile(*q).unwrap_or(f64::NAN));
        }
        sum_and_count(lines, name, &labels, &distribution, distribution.count());
    }
}

fn sum_and_count(
    lines: &mut Lines<'_>,
    name: &str,
    labels: &[u8],
    distribution: &Distribution<'_>,
    count: u64,
) {
    lines.reserve(2, name.len() + labels.len() + "_count".len());
    lines.put(name.as_bytes());
    lines.name_and_labels(b"_sum", labels, b"");
    lines.end_f64(distribution.sum());
    lines.put(name.as_bytes());
    lines.name_and_labels(b"_count", labels, b"");
    lines.end_u64(count);
}

/// Labels that every series shows.
struct GlobalLabels<'a>(&'a [(String, String)]);

impl GlobalLabels<'_> {
    /// The labels of a series as text: its own canonical text, in the usual case as it is.
    #[inline]
    fn with<'s>(&self, series: &Series<'s>) -> Cow<'s, [u8]> {
        if self.0.is_empty() && series.entry.has_legal_names() {
            return Cow::Borrowed(series.entry.text());
        }
        self.rewritten(series)
    }

    #[cold]
    fn rewritten<'s>(&self, series: &Series<'s>) -> Cow<'s, [u8]> {
        let own: Vec<_> = series.labels().collect();
        let global = self.0.iter().filter(|(name, _)| !own.iter().any(|(own, _)| own == name));
        let global =
            global.map(|(name, value)| (Cow::Owned(name.clone()), Cow::Owned(value.clone())));
        let all: Vec<_> = global.chain(own.iter().cloned()).collect();
        Cow::Owned(names::of_labels(all.into_iter()).into_bytes())
    }
}

/// Writes lines into room made beforehand, and leaves the buffer as long as what was written.
struct Lines<'a> {
    out: &'a mut Vec<u8>,
    len: usize,
}

impl<'a> Lines<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        let len = out.len();
        Self { out, len }
    }

    /// Makes room for `lines` lines whose name and labels take at most `bytes`.
    #[inline]
    fn reserve(&mut self, lines: usize, bytes: usize) {
        let most = lines * (bytes + LONGEST + "{,} \n".len());
        if self.out.len() - self.len < most {
            self.grow(most);
        }
    }

    #[cold]
    fn grow(&mut self, most: usize) {
        // Room is made by zeroing, since only unsafe code may write into what is not initialised.
        // In small steps the zeroes are overwritten while still in the first-level cache; zeroing
        // all capacity of a large buffer at once would cost as much as writing the page.
        const STEP: usize = 16 << 10;
        self.out.resize(self.len + most.max(STEP), 0);
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.out[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// `name{labels,more}`, or `name` without any.
    #[inline]
    fn name_and_labels(&mut self, name: &[u8], labels: &[u8], more: &[u8]) {
        self.put(name);
        if labels.is_empty() && more.is_empty() {
            return self.put(b" ");
        }
        self.put(b"{");
        self.put(labels);
        if !more.is_empty() {
            if !labels.is_empty() {
                self.put(b",");
            }
            self.put(more);
        }
        self.put(b"} ");
    }

    #[inline]
    fn end_u64(&mut self, value: u64) {
        self.len += number::write_u64(&mut self.out[self.len..], value);
        self.put(b"\n");
    }

    #[inline]
    fn end_f64(&mut self, value: f64) {
        self.len += number::write_f64(&mut self.out[self.len..], value);
        self.put(b"\n");
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.len);
    }
}
