//! Prometheus's protobuf: a `MetricFamily` message for each metric, its length before it.
//!
//! Written by hand, field by field as `io/prometheus/client/metrics.proto` numbers them: a general
//! encoder would first have to be given the snapshot as structures of its own. Exponential buckets
//! are native histograms, and classic ones beside that, so that a reader of either finds its own.

use std::time::Duration;

use super::line::Output;
use super::names::{self, Labels};
use super::native::{Native, Span};
use super::proto::{LONGEST, Message, Open, bytes, double, double_field, find, integer};
use crate::buckets::Buckets;
use crate::entry::Kind;
use crate::escape::Escaping;
use crate::snapshot::{Distribution, Exemplar, Family, Series, Snapshot, Value};

pub(super) fn write(snapshot: &Snapshot, escaping: Escaping, out: &mut Vec<u8>) {
    let labels = Labels::new(snapshot, escaping);
    let names = names::of_families(snapshot, escaping, false);
    let mut page = Output::new(out);
    for (family, name) in snapshot.families().zip(names) {
        let mut writer = Writer {
            family,
            labels: &labels,
            buckets: family.buckets().map(Scheme::new),
            start: Stamp::default(),
        };
        writer.write(&name, &mut page);
    }
}

/// Room that a message takes beside what its parts do: keys, lengths, a stamp.
const FRAME: usize = 128;
/// Room for a bucket: classic (count, bound) and native (span, delta).
const BUCKET: usize = 64;

/// Writes one family.
struct Writer<'a> {
    family: &'a Family,
    labels: &'a Labels<'a>,
    buckets: Option<Scheme<'a>>,
    start: Stamp,
}

/// What the series of a histogram or summary have in common.
struct Scheme<'a> {
    buckets: &'a Buckets,
    native: Option<Native>,
    /// `Bucket.upper_bound` of each.
    bounds: Vec<[u8; 9]>,
    /// Room for one series' spans, used again for the next.
    spans: Vec<Span>,
}

impl<'a> Scheme<'a> {
    fn new(buckets: &'a Buckets) -> Self {
        const UPPER_BOUND: u8 = double(2);
        let bound = |index| double_field(UPPER_BOUND, buckets.upper_bound(index));
        let bounds = (0..buckets.len()).map(bound).collect();
        Self { buckets, native: Native::of(buckets), bounds, spans: Vec::new() }
    }
}

impl Writer<'_> {
    /// `MetricFamily`.
    fn write(&mut self, name: &str, page: &mut Output<'_>) {
        const NAME: u8 = bytes(1);
        const HELP: u8 = bytes(2);
        const TYPE: u8 = integer(3);
        const UNIT: u8 = bytes(5);
        let help = self.family.help().unwrap_or_default();
        let mut message = Message::on(page, FRAME + name.len() + help.len());
        let open = message.open_bare(self.guess());
        message.text(NAME, name.as_bytes());
        if !help.is_empty() {
            message.text(HELP, help.as_bytes());
        }
        let kind = self.family.kind();
        message.integer(TYPE, type_number(kind));
        let stem = name.strip_suffix("_total").filter(|_| kind == Kind::Counter);
        if let Some(unit) = names::unit(self.family, stem.unwrap_or(name)) {
            message.text(UNIT, unit.as_bytes());
        }
        page.len = message.at;
        for series in self.family.series() {
            self.metric(&series, page);
        }
        let mut message = Message::on(page, FRAME);
        message.close(open);
        page.len = message.at;
    }

    /// About how many bytes the family takes, so that it need not be moved when that is known.
    fn guess(&self) -> usize {
        let first = self.family.series().next().map_or(0, |series| series.entry.text().len());
        let buckets = self.buckets.as_ref().map_or(0, |scheme| 15 * scheme.bounds.len());
        self.family.len() * (first + buckets + 32)
    }

    /// `Metric`.
    #[inline]
    fn metric(&mut self, series: &Series<'_>, page: &mut Output<'_>) {
        const METRIC: u8 = bytes(4);
        let exemplars =
            if self.family.has_exemplars() { self.exemplars(series) } else { Vec::new() };
        let text = series.entry.text();
        let buckets = self.buckets.as_ref().map_or(0, |scheme| scheme.bounds.len());
        let exemplar_room: usize = exemplars.iter().map(|(_, body)| 2 * (body.len() + 16)).sum();
        let most = FRAME + 16 * text.len() + BUCKET * buckets + exemplar_room;
        if self.labels.stay(series) && series.entry.is_plain() {
            let mut message = Message::on(page, most);
            let open = message.open(METRIC, text.len() + 32 + 15 * buckets);
            labels(&mut message, text);
            self.value(series, &exemplars, &mut message);
            message.close(open);
            page.len = message.at;
        } else {
            self.metric_rewritten(series, &exemplars, most, page);
        }
    }

    #[cold]
    fn metric_rewritten(
        &mut self,
        series: &Series<'_>,
        exemplars: &[(usize, Vec<u8>)],
        most: usize,
        page: &mut Output<'_>,
    ) {
        const METRIC: u8 = bytes(4);
        let pairs = self.labels.pairs(series);
        let room: usize =
            pairs.iter().map(|(name, value)| name.len() + value.len() + 4 * LONGEST).sum();
        let mut message = Message::on(page, most + room);
        let open = message.open(METRIC, room);
        for (name, value) in &pairs {
            message.label(name.as_bytes(), value.as_bytes());
        }
        self.value(series, exemplars, &mut message);
        message.close(open);
        page.len = message.at;
    }

    #[inline]
    fn value(
        &mut self,
        series: &Series<'_>,
        exemplars: &[(usize, Vec<u8>)],
        message: &mut Message<'_>,
    ) {
        const GAUGE: u8 = bytes(2);
        const SUMMARY: u8 = bytes(4);
        const HISTOGRAM: u8 = bytes(7);
        const VALUE: u8 = double(1);
        match series.value() {
            Value::Counter(count) => self.counter(series, count as f64, exemplars, message),
            Value::FloatCounter(value) => self.counter(series, value, exemplars, message),
            Value::Gauge(value) => {
                message.put([GAUGE, 9]);
                message.double(VALUE, value);
            }
            Value::Distribution(distribution) => {
                let Some(scheme) = &mut self.buckets else { return };
                let open = if scheme.buckets.quantiles().is_some() {
                    let open = message.open(SUMMARY, 128);
                    summary(scheme, distribution, message);
                    let start = self.start.of(bytes(4), series);
                    message.first(start.bytes, start.length);
                    open
                } else {
                    let open = message.open(HISTOGRAM, 15 * scheme.bounds.len());
                    histogram(scheme, distribution, exemplars, message);
                    let start = self.start.of(bytes(15), series);
                    message.first(start.bytes, start.length);
                    open
                };
                message.close(open);
            }
        }
    }

    /// `Counter`.
    #[inline]
    fn counter(
        &mut self,
        series: &Series<'_>,
        value: f64,
        exemplars: &[(usize, Vec<u8>)],
        message: &mut Message<'_>,
    ) {
        const COUNTER: u8 = bytes(3);
        const VALUE: u8 = double(1);
        const EXEMPLAR: u8 = bytes(2);
        let start = self.start.of(bytes(3), series);
        let Some((_, exemplar)) = exemplars.first() else {
            message.put([COUNTER, 9 + start.length as u8]);
            message.double(VALUE, value);
            return message.first(start.bytes, start.length);
        };
        let open = message.open(COUNTER, 128);
        message.double(VALUE, value);
        message.text(EXEMPLAR, exemplar);
        message.first(start.bytes, start.length);
        message.close(open);
    }

    /// Each exemplar's bucket and `Exemplar`.
    #[cold]
    fn exemplars(&self, series: &Series<'_>) -> Vec<(usize, Vec<u8>)> {
        let body = |exemplar| Some((exemplar, self.exemplar(exemplar)?));
        let bodies = series.exemplars().filter_map(body);
        bodies.map(|(exemplar, body)| (exemplar.bucket(), body)).collect()
    }

    fn exemplar(&self, exemplar: Exemplar<'_>) -> Option<Vec<u8>> {
        const VALUE: u8 = double(2);
        const TIMESTAMP: u8 = bytes(3);
        let pairs = self.labels.exemplar_pairs(exemplar)?;
        let room: usize =
            pairs.iter().map(|(name, value)| name.len() + value.len() + 4 * LONGEST).sum();
        let mut body = Vec::new();
        let mut page = Output::new(&mut body);
        let mut message = Message::on(&mut page, FRAME + room);
        for (name, value) in &pairs {
            message.label(name.as_bytes(), value.as_bytes());
        }
        message.double(VALUE, exemplar.value());
        timestamp(TIMESTAMP, exemplar.unix(), &mut message);
        page.len = message.at;
        drop(page);
        Some(body)
    }
}

fn type_number(kind: Kind) -> u64 {
    match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Summary => 2,
        Kind::Histogram => 4,
    }
}

/// Labels in plain canonical text: `name="value",…` without an escape.
#[inline]
fn labels(message: &mut Message<'_>, text: &[u8]) {
    let mut rest = text;
    while let Some(equals) = find(rest, b'=') {
        let Some(value) = rest.get(equals + 2..) else { return };
        let Some(length) = find(value, b'"') else { return };
        let (label, more) = rest.split_at(equals + 2 + length);
        message.label_of_text(label, equals);
        // Past the quote and the comma.
        rest = more.get(2..).unwrap_or(&[]);
    }
}

/// `Summary`.
fn summary(scheme: &Scheme<'_>, distribution: Distribution<'_>, message: &mut Message<'_>) {
    const COUNT: u8 = integer(1);
    const SUM: u8 = double(2);
    const QUANTILE: u8 = bytes(3);
    message.integer(COUNT, distribution.count());
    message.double(SUM, distribution.sum());
    for q in scheme.buckets.quantiles().unwrap_or(&[]) {
        let open = message.open(QUANTILE, 18);
        message.double(double(1), *q);
        message.double(double(2), distribution.quantile(*q).unwrap_or(f64::NAN));
        message.close(open);
    }
}

/// `Histogram`.
fn histogram(
    scheme: &mut Scheme<'_>,
    distribution: Distribution<'_>,
    exemplars: &[(usize, Vec<u8>)],
    message: &mut Message<'_>,
) {
    const COUNT: u8 = integer(1);
    const SUM: u8 = double(2);
    const BUCKET: u8 = bytes(3);
    const CUMULATIVE: u8 = integer(1);
    const EXEMPLAR: u8 = bytes(3);
    let counts = distribution.counts();
    let mut exemplars_left = exemplars;
    let mut below = 0u64;
    for ((index, count), bound) in counts.iter().enumerate().zip(&scheme.bounds) {
        below = below.wrapping_add(*count);
        // As in text: of hundreds of exponential buckets those that hold something.
        if *count == 0 && scheme.native.is_some() && index + 1 < counts.len() {
            continue;
        }
        let open = message.open(BUCKET, 12);
        message.integer(CUMULATIVE, below);
        message.put(*bound);
        while let Some(((bucket, exemplar), rest)) = exemplars_left.split_first() {
            if *bucket > index {
                break;
            }
            if *bucket == index {
                message.text(EXEMPLAR, exemplar);
            }
            exemplars_left = rest;
        }
        message.close(open);
    }
    message.integer(COUNT, below);
    message.double(SUM, distribution.sum());
    if let Some(native) = scheme.native {
        self::native((native, &mut scheme.spans), counts, exemplars, message);
    }
}

/// The fields of a `Histogram` that make it a native one.
fn native(
    (native, spans): (Native, &mut Vec<Span>),
    counts: &[u64],
    exemplars: &[(usize, Vec<u8>)],
    message: &mut Message<'_>,
) {
    const SCHEMA: u8 = integer(5);
    const ZERO_THRESHOLD: u8 = double(6);
    const ZERO_COUNT: u8 = integer(7);
    const SPAN: u8 = bytes(12);
    const DELTA: u8 = integer(13);
    /// Field 16, which takes a key of two bytes.
    const EXEMPLARS: [u8; 2] = [0x82, 0x01];
    message.signed(SCHEMA, i64::from(native.schema));
    message.double(ZERO_THRESHOLD, native.zero_threshold);
    message.integer(ZERO_COUNT, counts.first().copied().unwrap_or(0));
    native.spans(counts, spans);
    for span in &*spans {
        let open = message.open(SPAN, 4);
        message.signed(integer(1), span.offset);
        message.integer(integer(2), span.buckets.len() as u64);
        message.close(open);
    }
    let mut before = 0u64;
    for count in spans.iter().filter_map(|span| counts.get(span.buckets.clone())).flatten() {
        message.signed(DELTA, count.wrapping_sub(before) as i64);
        before = *count;
    }
    for (_, exemplar) in exemplars {
        message.raw(&EXEMPLARS[..1]);
        message.text(EXEMPLARS[1], exemplar);
    }
}

/// When a series began, encoded: mostly the same as that of the series before. Of no bytes if
/// nobody knows.
#[derive(Clone, Copy, Default)]
struct Stamp {
    born: Option<u32>,
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl Stamp {
    /// Key and length; key and seconds; key and nanoseconds.
    const LONGEST: usize = 2 + 1 + LONGEST + 1 + 5;

    #[inline]
    fn of(&mut self, key: u8, series: &Series<'_>) -> &Self {
        let born = series.born();
        if born != self.born {
            self.encode(key, born, series);
        }
        self
    }

    #[cold]
    fn encode(&mut self, key: u8, born: Option<u32>, series: &Series<'_>) {
        *self = Self { born, ..Self::default() };
        if let Some(unix) = series.start() {
            let mut message = Message::alone(&mut self.bytes);
            timestamp(key, unix, &mut message);
            self.length = message.at;
        }
    }
}

/// `google.protobuf.Timestamp`.
fn timestamp(key: u8, unix: Duration, message: &mut Message<'_>) {
    let open: Open = message.open(key, 12);
    message.integer(integer(1), unix.as_secs());
    message.integer(integer(2), u64::from(unix.subsec_nanos()));
    message.close(open);
}
