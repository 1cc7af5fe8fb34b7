//! Prometheus text, and the lines that OpenMetrics shares with it.
//!
//! A line is the family's name, the series' canonical labels and a number.

use super::line::{Line, Name, Output, Piece};
use super::names::{self, Labels};
use super::number::to_string;
use crate::entry::Kind;
use crate::escape::Escaping;
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
    write(snapshot, Escaping::Underscores, out);
}

pub(super) fn write(snapshot: &Snapshot, escaping: Escaping, out: &mut Vec<u8>) {
    let labels = Labels::new(snapshot, escaping);
    let mut page = Output::new(out);
    let names = names::of_families(snapshot, escaping, false);
    for (family, name) in snapshot.families().zip(names) {
        header(family, &name, &mut page);
        Lines {
            family,
            name: &name,
            labels: &labels,
            bound: to_string,
            exemplars: false,
            only: None,
        }
        .write(&mut page);
    }
}

/// `# HELP` and `# TYPE`.
fn header(family: &Family, name: &str, page: &mut Output<'_>) {
    let name = names::quoted(name);
    let mut text = String::new();
    if let Some(help) = family.help().filter(|help| !help.is_empty()) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        text = format!("# HELP {name} {help}\n");
    }
    text.push_str(&format!("# TYPE {name} {}\n", family.kind().as_str()));
    page.put(text.as_bytes());
}

/// What the lines of a family are made of.
pub(super) struct Lines<'a> {
    pub(super) family: &'a Family,
    pub(super) name: &'a str,
    pub(super) labels: &'a Labels<'a>,
    /// How `le` and `quantile` write a number.
    pub(super) bound: fn(f64) -> String,
    /// Whether exemplars are shown.
    pub(super) exemplars: bool,
    /// Lines of a distribution whose names end so, and no others.
    pub(super) only: Option<&'static str>,
}

impl Lines<'_> {
    pub(super) fn write(&self, page: &mut Output<'_>) {
        match self.family.kind() {
            Kind::Counter | Kind::Gauge => self.numbers(page),
            Kind::Histogram => self.histograms(page),
            Kind::Summary => self.summaries(page),
        }
    }

    /// The name of a distribution's line, if such lines are wanted.
    fn part(&self, suffix: &str) -> Option<Name> {
        self.only.is_none_or(|only| only == suffix).then(|| Name::new(self.name, suffix))
    }

    #[inline]
    fn exemplars(&self, series: &Series<'_>) -> Exemplars {
        if !self.exemplars || !self.family.has_exemplars() {
            return Exemplars::default();
        }
        let text = |exemplar| Some((exemplar, self.labels.exemplar(exemplar)?));
        let texts = series.exemplars().filter_map(text);
        let texts: Vec<_> = texts.map(|(exemplar, text)| (exemplar.bucket(), text)).collect();
        Exemplars { room: texts.iter().map(|(_, text)| text.len()).sum(), texts }
    }

    /// Counters and gauges: one line a series.
    fn numbers(&self, page: &mut Output<'_>) {
        let name = Name::new(self.name, "");
        for series in self.family.series() {
            let labels = self.labels.text(&series);
            let exemplars = self.exemplars(&series);
            let mut line = page.lines(1, &name, &labels, exemplars.room);
            line.start(&name, &labels, &Piece::NONE);
            match series.value() {
                Value::Counter(count) => line.end_u64(count),
                Value::FloatCounter(value) | Value::Gauge(value) => line.end_f64(value),
                Value::Distribution(_) => {}
            }
            exemplars.append(0, &mut line);
            page.len = line.at;
        }
    }

    /// Histograms: a cumulative line a bucket, then sum and count.
    fn histograms(&self, page: &mut Output<'_>) {
        let Some(scheme) = self.family.buckets() else { return };
        let bound = |at| Piece::new(&format!("le=\"{}\"", (self.bound)(scheme.upper_bound(at))));
        let bounds: Vec<Piece> = (0..scheme.len()).map(bound).collect();
        let longest = Name::new(self.name, "_bucket");
        let [buckets, sum, count] = ["_bucket", "_sum", "_count"].map(|part| self.part(part));
        for series in self.family.series() {
            let Value::Distribution(distribution) = series.value() else { continue };
            let labels = self.labels.text(&series);
            let exemplars = self.exemplars(&series);
            let mut line = page.lines(scheme.len() + 2, &longest, &labels, exemplars.room);
            if let Some(buckets) = &buckets {
                let mut below = 0u64;
                for (index, count) in distribution.counts().iter().enumerate() {
                    below = below.wrapping_add(*count);
                    // Hundreds of exponential buckets are mostly empty. A bucket that was ever
                    // shown stays: counts do not go back.
                    if *count > 0 || index + 1 == scheme.len() || !scheme.is_exponential() {
                        line.start(buckets, &labels, &bounds[index]);
                        line.end_u64(below);
                        exemplars.append(index, &mut line);
                    }
                }
            }
            line.sum_and_count((&sum, &count), &labels, distribution);
            page.len = line.at;
        }
    }

    /// Summaries: a line a quantile, then sum and count.
    fn summaries(&self, page: &mut Output<'_>) {
        let quantiles = self.family.buckets().and_then(|buckets| buckets.quantiles());
        let label = |q: &f64| (*q, Piece::new(&format!("quantile=\"{}\"", (self.bound)(*q))));
        let quantiles: Vec<(f64, Piece)> = quantiles.unwrap_or(&[]).iter().map(label).collect();
        let longest = Name::new(self.name, "_count");
        let [plain, sum, count] = ["", "_sum", "_count"].map(|part| self.part(part));
        for series in self.family.series() {
            let Value::Distribution(distribution) = series.value() else { continue };
            let labels = self.labels.text(&series);
            let mut line = page.lines(quantiles.len() + 2, &longest, &labels, 0);
            if let Some(plain) = &plain {
                for (q, label) in &quantiles {
                    line.start(plain, &labels, label);
                    line.end_f64(distribution.quantile(*q).unwrap_or(f64::NAN));
                }
            }
            line.sum_and_count((&sum, &count), &labels, distribution);
            page.len = line.at;
        }
    }
}

/// The exemplars of a series as text, by bucket.
#[derive(Default)]
struct Exemplars {
    texts: Vec<(usize, String)>,
    /// Bytes of all of them.
    room: usize,
}

impl Exemplars {
    /// Adds a bucket's exemplar to its line.
    #[inline]
    fn append(&self, bucket: usize, line: &mut Line<'_>) {
        if self.room > 0 {
            if let Some((_, text)) = self.texts.iter().find(|(of, _)| *of == bucket) {
                line.append(text);
            }
        }
    }
}
