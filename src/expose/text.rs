//! Prometheus text format 0.0.4.
//!
//! A line is the family's name, the series' canonical labels and a number.

use std::borrow::Cow;

use super::line::{Name, Output, Piece};
use super::names;
use super::number::to_string;
use crate::entry::Kind;
use crate::snapshot::{Family, Series, Snapshot, Value};

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
    let mut page = Output::new(out);
    for (family, name) in snapshot.families().zip(names::of_families(snapshot)) {
        header(family, &name, &mut page);
        match family.kind() {
            Kind::Counter | Kind::Gauge => numbers(family, &name, &global, &mut page),
            Kind::Histogram => histograms(family, &name, &global, &mut page),
            Kind::Summary => summaries(family, &name, &global, &mut page),
        }
    }
}

/// `# HELP` and `# TYPE`.
fn header(family: &Family, name: &str, page: &mut Output<'_>) {
    let mut text = String::new();
    if let Some(help) = family.help().filter(|help| !help.is_empty()) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        text = format!("# HELP {name} {help}\n");
    }
    text.push_str(&format!("# TYPE {name} {}\n", family.kind().as_str()));
    page.put(text.as_bytes());
}

/// Counters and gauges: one line a series.
fn numbers(family: &Family, name: &str, global: &GlobalLabels<'_>, page: &mut Output<'_>) {
    let name = Name::new(name, "");
    for series in family.series() {
        let labels = global.with(&series);
        let mut line = page.lines(1, &name, &labels);
        line.start(&name, &labels, &Piece::NONE);
        match series.value() {
            Value::Counter(count) => line.end_u64(count),
            Value::FloatCounter(value) | Value::Gauge(value) => line.end_f64(value),
            Value::Distribution(_) => {}
        }
        page.len = line.at;
    }
}

/// Histograms: a cumulative line a bucket, then sum and count.
fn histograms(family: &Family, name: &str, global: &GlobalLabels<'_>, page: &mut Output<'_>) {
    let Some(scheme) = family.buckets() else { return };
    let bound = |index| Piece::new(&format!("le=\"{}\"", to_string(scheme.upper_bound(index))));
    let bounds: Vec<Piece> = (0..scheme.len()).map(bound).collect();
    let (buckets, sum, count) =
        (Name::new(name, "_bucket"), Name::new(name, "_sum"), Name::new(name, "_count"));
    for series in family.series() {
        let Value::Distribution(distribution) = series.value() else { continue };
        let labels = global.with(&series);
        let mut line = page.lines(scheme.len() + 2, &buckets, &labels);
        let mut below = 0u64;
        for (index, count) in distribution.counts().iter().enumerate() {
            below = below.wrapping_add(*count);
            // Hundreds of exponential buckets are mostly empty. A bucket that was ever shown
            // stays: counts do not go back.
            if *count > 0 || index + 1 == scheme.len() || !scheme.is_exponential() {
                line.start(&buckets, &labels, &bounds[index]);
                line.end_u64(below);
            }
        }
        line.sum_and_count((&sum, &count), &labels, distribution.sum(), below);
        page.len = line.at;
    }
}

/// Summaries: a line a quantile, then sum and count.
fn summaries(family: &Family, name: &str, global: &GlobalLabels<'_>, page: &mut Output<'_>) {
    let quantiles = family.buckets().and_then(|buckets| buckets.quantiles()).unwrap_or(&[]);
    let label = |q: &f64| (*q, Piece::new(&format!("quantile=\"{}\"", to_string(*q))));
    let quantiles: Vec<(f64, Piece)> = quantiles.iter().map(label).collect();
    let (plain, sum, count) =
        (Name::new(name, ""), Name::new(name, "_sum"), Name::new(name, "_count"));
    for series in family.series() {
        let Value::Distribution(distribution) = series.value() else { continue };
        let labels = global.with(&series);
        let mut line = page.lines(quantiles.len() + 2, &count, &labels);
        for (q, label) in &quantiles {
            line.start(&plain, &labels, label);
            line.end_f64(distribution.quantile(*q).unwrap_or(f64::NAN));
        }
        line.sum_and_count((&sum, &count), &labels, distribution.sum(), distribution.count());
        page.len = line.at;
    }
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
