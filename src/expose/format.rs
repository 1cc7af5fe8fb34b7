//! The formats there are, and their names in HTTP.

use super::{accept, openmetrics, openmetrics2, protobuf, text};
use crate::escape::Escaping;
use crate::snapshot::Snapshot;

/// A format that a snapshot can be written in, and what becomes of names it cannot carry.
///
/// ```
/// use nissa::expose::Format;
///
/// let registry = nissa::Registry::new();
/// registry.counter("jobs_total", &[("queue", "mail")]).increment(3);
/// let format = Format::negotiate("application/openmetrics-text; version=1.0.0");
/// assert_eq!(format, Format::OPENMETRICS_1);
/// assert_eq!(
///     format.encode(&registry.snapshot()),
///     b"# TYPE jobs counter\njobs_total{queue=\"mail\"} 3\n# EOF\n",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    pub(super) wire: Wire,
    escaping: Escaping,
}

/// What the bytes look like, names aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wire {
    Text0,
    Text1,
    OpenMetrics0,
    OpenMetrics1,
    OpenMetrics2,
    Protobuf,
}

impl Wire {
    /// Whether the reader understands other escaping schemes than underscores.
    const fn negotiates_escaping(self) -> bool {
        !matches!(self, Self::Text0 | Self::OpenMetrics0)
    }
}

/// The content types of a wire format, by escaping scheme.
macro_rules! content_types {
    ($format:expr, $(($wire:ident, $media:literal)),+ $(,)?) => {
        match ($format.wire, $format.escaping) {
            $(
                (Wire::$wire, Escaping::AllowUtf8) => concat!($media, "; escaping=allow-utf-8"),
                (Wire::$wire, Escaping::Underscores) => concat!($media, "; escaping=underscores"),
                (Wire::$wire, Escaping::Dots) => concat!($media, "; escaping=dots"),
                (Wire::$wire, Escaping::Values) => concat!($media, "; escaping=values"),
            )+
            (Wire::Text0, _) => "text/plain; version=0.0.4; charset=utf-8",
            (Wire::OpenMetrics0, _) => "application/openmetrics-text; version=0.0.1; charset=utf-8",
        }
    };
}

impl Format {
    /// Prometheus text 0.0.4: the default, which everything reads. Names with underscores.
    pub const TEXT: Self = Self::of(Wire::Text0);
    /// Prometheus text 1.0.0: the same, with a choice of escaping.
    pub const TEXT_1: Self = Self::of(Wire::Text1);
    /// OpenMetrics as Prometheus first asked for it; the bytes of [`OPENMETRICS_1`](Self::OPENMETRICS_1).
    pub const OPENMETRICS_0: Self = Self::of(Wire::OpenMetrics0);
    /// OpenMetrics 1.0: units and exemplars.
    pub const OPENMETRICS_1: Self = Self::of(Wire::OpenMetrics1);
    /// OpenMetrics 2.0 as release candidate 0 has it, for who asks for that version: native
    /// histograms and start times in text. May change with the candidate.
    pub const OPENMETRICS_2: Self = Self::of(Wire::OpenMetrics2);
    /// Prometheus's protobuf, `MetricFamily` messages each behind its length: units, exemplars,
    /// start times, native histograms.
    pub const PROTOBUF: Self = Self::of(Wire::Protobuf);

    pub(super) const fn of(wire: Wire) -> Self {
        Self { wire, escaping: Escaping::Underscores }
    }

    /// The format an `Accept` header asks for: the one with the highest weight that there is, the
    /// first of equals. [`TEXT`](Self::TEXT) if there is none, whatever the header holds, because
    /// that is what Prometheus expects. Allocates nothing, and takes time in proportion to the
    /// header.
    ///
    /// ```
    /// use nissa::expose::{Escaping, Format};
    ///
    /// let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    /// assert_eq!(Format::negotiate(browser), Format::TEXT);
    /// let utf8 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1";
    /// assert_eq!(Format::negotiate(utf8), Format::OPENMETRICS_1.escaping(Escaping::AllowUtf8));
    /// ```
    pub fn negotiate(accept: &str) -> Self {
        accept::best(accept).unwrap_or(Self::TEXT)
    }

    /// The same format with names escaped so. Formats older than escaping keep to underscores.
    #[must_use]
    pub const fn escaping(self, escaping: Escaping) -> Self {
        if self.wire.negotiates_escaping() { Self { escaping, ..self } } else { self }
    }

    /// What to write into `Content-Type`.
    ///
    /// ```
    /// use nissa::expose::Format;
    /// assert_eq!(Format::TEXT.content_type(), "text/plain; version=0.0.4; charset=utf-8");
    /// ```
    pub const fn content_type(self) -> &'static str {
        content_types!(
            self,
            (Text1, "text/plain; version=1.0.0; charset=utf-8"),
            (OpenMetrics1, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
            (OpenMetrics2, "application/openmetrics-text; version=2.0.0; charset=utf-8"),
            (
                Protobuf,
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            ),
        )
    }

    /// A snapshot in this format.
    pub fn encode(self, snapshot: &Snapshot) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(snapshot, &mut out);
        out
    }

    /// Appends what [`encode`](Self::encode) gives to a buffer, which a scraper's next call can
    /// use again.
    pub fn encode_into(self, snapshot: &Snapshot, out: &mut Vec<u8>) {
        match self.wire {
            Wire::Text0 | Wire::Text1 => text::write(snapshot, self.escaping, out),
            Wire::OpenMetrics0 | Wire::OpenMetrics1 => {
                openmetrics::write(snapshot, self.escaping, out);
            }
            Wire::OpenMetrics2 => openmetrics2::write(snapshot, self.escaping, out),
            Wire::Protobuf => protobuf::write(snapshot, self.escaping, out),
        }
    }
}

impl Default for Format {
    fn default() -> Self {
        Self::TEXT
    }
}

/// A snapshot as an `Accept` header asks for it: the content type and the bytes. What a handler
/// in any server needs.
///
/// ```
/// let registry = nissa::Registry::new();
/// registry.gauge("workers", &[]).set(4);
/// let (content_type, body) = nissa::expose::negotiate("*/*", &registry.snapshot());
/// assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
/// assert_eq!(body, b"# TYPE workers gauge\nworkers 4\n");
/// ```
pub fn negotiate(accept: &str, snapshot: &Snapshot) -> (&'static str, Vec<u8>) {
    let format = Format::negotiate(accept);
    (format.content_type(), format.encode(snapshot))
}
