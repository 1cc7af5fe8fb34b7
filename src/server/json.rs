//! A snapshot as JSON, for programs that would rather not parse a text format.
//!
//! ```text
//! {"global_labels": {"job": "train"},
//!  "metrics": [
//!   {"name": "jobs_total", "kind": "counter", "unit": null, "help": "Jobs done.",
//!    "series": [{"labels": {"queue": "mail"}, "value": 3}]},
//!   {"name": "wait_seconds", "kind": "histogram", "unit": "seconds", "help": null,
//!    "series": [{"labels": {}, "count": 2, "sum": 0.3,
//!                "buckets": [{"le": 0.1, "count": 1}, {"le": "+Inf", "count": 2}]}]}]}
//! ```
//!
//! Counts of buckets are cumulative, as in the text format, and buckets that add nothing are left
//! out, but for the last. A summary has `quantiles` instead. What JSON has no number for is a
//! string: `"NaN"`, `"+Inf"`, `"-Inf"`. Integers are exact however large.

use std::borrow::Cow;

use crate::entry::Kind;
use crate::snapshot::{Distribution, Family, Snapshot, Value};

/// Appends the snapshot to `out`.
pub(super) fn write(snapshot: &Snapshot, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"global_labels\":");
    let global = snapshot.global_labels().iter();
    labels(global.map(|(name, value)| (Cow::Borrowed(&**name), Cow::Borrowed(&**value))), out);
    out.extend_from_slice(b",\"metrics\":");
    list(snapshot.families(), out, family);
    out.extend_from_slice(b"}\n");
}

fn family(family: &Family, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"name\":");
    string(family.name(), out);
    out.extend_from_slice(b",\"kind\":");
    string(family.kind().as_str(), out);
    out.extend_from_slice(b",\"unit\":");
    optional(family.unit().map(|unit| unit.as_str()), out);
    out.extend_from_slice(b",\"help\":");
    optional(family.help(), out);
    out.extend_from_slice(b",\"series\":");
    list(family.series(), out, |series, out| {
        out.extend_from_slice(b"{\"labels\":");
        labels(series.labels(), out);
        match series.value() {
            Value::Counter(count) => {
                out.extend_from_slice(b",\"value\":");
                integer(count, out);
            }
            Value::FloatCounter(value) | Value::Gauge(value) => {
                out.extend_from_slice(b",\"value\":");
                number(value, out);
            }
            Value::Distribution(counts) => distribution(family.kind(), &counts, out),
        }
        out.push(b'}');
    });
    out.push(b'}');
}

fn distribution(kind: Kind, counts: &Distribution<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"count\":");
    integer(counts.count(), out);
    out.extend_from_slice(b",\"sum\":");
    number(counts.sum(), out);
    if kind == Kind::Summary {
        out.extend_from_slice(b",\"quantiles\":");
        let quantiles = counts.scheme().quantiles().unwrap_or_default();
        return list(quantiles.iter(), out, |quantile, out| {
            out.extend_from_slice(b"{\"quantile\":");
            number(*quantile, out);
            out.extend_from_slice(b",\"value\":");
            number(counts.quantile(*quantile).unwrap_or(f64::NAN), out);
            out.push(b'}');
        });
    }
    out.extend_from_slice(b",\"buckets\":");
    let mut below = 0u64;
    let shown = counts.buckets().filter_map(|(bound, count)| {
        below = below.wrapping_add(count);
        (count > 0 || bound == f64::INFINITY).then_some((bound, below))
    });
    list(shown, out, |(bound, below), out| {
        out.extend_from_slice(b"{\"le\":");
        number(bound, out);
        out.extend_from_slice(b",\"count\":");
        integer(below, out);
        out.push(b'}');
    });
}

fn labels<'a>(labels: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (name, value)) in labels.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(&name, out);
        out.push(b':');
        string(&value, out);
    }
    out.push(b'}');
}

fn list<T>(
    items: impl Iterator<Item = T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn optional(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => string(text, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    // Writing a string into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

fn integer(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn number(value: f64, out: &mut Vec<u8>) {
    let name = match value {
        _ if value.is_finite() => {
            let _ = serde_json::to_writer(out, &value);
            return;
        }
        _ if value.is_nan() => "NaN",
        _ if value > 0.0 => "+Inf",
        _ => "-Inf",
    };
    string(name, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buckets::Buckets;
    use crate::registry::Registry;

    fn read(registry: &Registry) -> serde_json::Value {
        let mut out = Vec::new();
        write(&registry.snapshot(), &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    fn metric<'a>(page: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
        page["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == name).unwrap()
    }

    #[test]
    fn every_kind_is_readable() {
        let registry = Registry::builder()
            .global_label("job", "t")
            .buckets(crate::Matcher::name("s"), Buckets::summary(&[0.5]).unwrap())
            .build();
        registry.describe_counter("c", Some(metrics::Unit::Bytes), "Of \"things\".");
        registry.counter("c", &[("a", "\u{1}\"")]).increment(u64::MAX);
        registry.gauge("g", &[]).set(f64::NEG_INFINITY);
        registry.describe_buckets("h", Buckets::explicit(&[1.0, 2.0]).unwrap());
        registry.histogram("h", &[]).record(1.5);
        registry.histogram("s", &[]).record(1.0);
        let page = read(&registry);
        assert_eq!(page["global_labels"]["job"], "t");
        let counter = metric(&page, "c");
        assert_eq!(
            (&counter["unit"], &counter["help"]),
            (&"bytes".into(), &"Of \"things\".".into())
        );
        assert_eq!(counter["series"][0]["labels"]["a"], "\u{1}\"");
        assert_eq!(counter["series"][0]["value"], u64::MAX);
        assert_eq!(metric(&page, "g")["series"][0]["value"], "-Inf");
        let histogram = &metric(&page, "h")["series"][0];
        assert_eq!((&histogram["count"], &histogram["sum"]), (&1.into(), &1.5.into()));
        let buckets = serde_json::json!([{"le": 2.0, "count": 1}, {"le": "+Inf", "count": 1}]);
        assert_eq!(histogram["buckets"], buckets);
        assert_eq!(metric(&page, "s")["series"][0]["quantiles"][0]["quantile"], 0.5);
    }

    #[test]
    fn nothing_is_a_page_too() {
        assert_eq!(read(&Registry::new())["metrics"], serde_json::json!([]));
    }
}
