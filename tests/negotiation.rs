//! Which format an `Accept` header gets: what real clients send, and what nobody should.

use nissa::Registry;
use nissa::expose::{Escaping, Format, negotiate};
use proptest::prelude::*;

/// As sent by Prometheus 3.5.3 without native histograms.
const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,\
    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// As sent by Prometheus 3.5.3 with native histograms.
const PROMETHEUS_3_NATIVE: &str = "application/vnd.google.protobuf;\
    proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
    application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,\
    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// As sent by Prometheus 2.42 without native histograms.
const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// The same with native histograms.
const PROMETHEUS_2_NATIVE: &str = "application/vnd.google.protobuf;\
    proto=io.prometheus.client.MetricFamily;encoding=delimited,\
    application/openmetrics-text;version=1.0.0;q=0.8,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

const VICTORIA_METRICS: &str = "text/plain;version=0.0.4;q=1,*/*;q=0.1";

const FIREFOX: &str =
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

fn openmetrics(escaping: Escaping) -> Format {
    Format::OPENMETRICS_1.escaping(escaping)
}

#[test]
fn what_clients_send() {
    let cases = [
        (PROMETHEUS_3, openmetrics(Escaping::AllowUtf8)),
        (PROMETHEUS_3_NATIVE, Format::PROTOBUF),
        (PROMETHEUS_2, Format::OPENMETRICS_1),
        (PROMETHEUS_2_NATIVE, Format::PROTOBUF),
        (VICTORIA_METRICS, Format::TEXT),
        (FIREFOX, Format::TEXT),
        ("*/*", Format::TEXT),
        ("", Format::TEXT),
        ("text/plain", Format::TEXT),
        ("text/*", Format::TEXT),
        ("text/plain;version=1.0.0", Format::TEXT_1),
        ("text/plain;version=1.0.0;escaping=values", Format::TEXT_1.escaping(Escaping::Values)),
        ("application/openmetrics-text", Format::OPENMETRICS_1),
        ("application/openmetrics-text;version=0.0.1", Format::OPENMETRICS_0),
        (
            "application/openmetrics-text;version=2.0.0;escaping=allow-utf-8",
            Format::OPENMETRICS_2.escaping(Escaping::AllowUtf8),
        ),
    ];
    for (accept, expected) in cases {
        assert_eq!(Format::negotiate(accept), expected, "{accept:?}");
    }
}

#[test]
fn weights_decide_and_then_the_order() {
    const TEXT: &str = "text/plain;version=0.0.4";
    const OPEN: &str = "application/openmetrics-text;version=1.0.0";
    let cases = [
        (format!("{TEXT},{OPEN}"), Format::TEXT),
        (format!("{OPEN},{TEXT}"), Format::OPENMETRICS_1),
        (format!("{TEXT};q=0.5,{OPEN};q=0.6"), Format::OPENMETRICS_1),
        (format!("{TEXT};q=0.501,{OPEN};q=0.500"), Format::TEXT),
        (format!("{OPEN};q=0,{TEXT};q=0.001"), Format::TEXT),
        (format!("{OPEN};q=0.0,*/*"), Format::TEXT),
        // A name says more than a star.
        (format!("*/*,{OPEN}"), Format::OPENMETRICS_1),
        (format!("*/*;q=0.9,{OPEN};q=0.8"), Format::TEXT),
    ];
    for (accept, expected) in cases {
        assert_eq!(Format::negotiate(&accept), expected, "{accept:?}");
    }
}

#[test]
fn spelling_is_read_as_http_has_it() {
    let cases = [
        ("APPLICATION/OpenMetrics-Text ; Version=1.0.0", Format::OPENMETRICS_1),
        ("application/openmetrics-text; version=\"1.0.0\"", Format::OPENMETRICS_1),
        ("application/openmetrics-text;version=1.0.0;charset=utf-8", Format::OPENMETRICS_1),
        ("text/html;x=\"a,b;c\\\",d\",application/openmetrics-text", Format::OPENMETRICS_1),
        ("text/plain;version=1.0.0;Escaping=DOTS", Format::TEXT_1.escaping(Escaping::Dots)),
        (
            "text/plain;version=1.0.0;escaping=allow-utf8",
            Format::TEXT_1.escaping(Escaping::AllowUtf8),
        ),
        ("text/plain;version=1.0.0;escaping=runes", Format::TEXT_1),
        // Older than escaping.
        ("text/plain;version=0.0.4;escaping=allow-utf-8", Format::TEXT),
        ("application/openmetrics-text;version=0.0.1;escaping=dots", Format::OPENMETRICS_0),
    ];
    for (accept, expected) in cases {
        assert_eq!(Format::negotiate(accept), expected, "{accept:?}");
    }
}

#[test]
fn what_is_not_known_or_makes_no_sense_gets_the_default() {
    let headers = [
        "application/openmetrics-text;version=3.0.0",
        "text/plain;version=9",
        "application/json",
        "application/vnd.google.protobuf",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
        "application/vnd.google.protobuf;proto=other;encoding=delimited",
        "application/openmetrics-text;q=x",
        "application/openmetrics-text;q=1.1",
        "application/openmetrics-text;q=-1",
        "application/openmetrics-text;q=NaN",
        "application/openmetrics-text;q=1e0",
        "application/openmetrics-text;q=",
        "application/openmetrics-text;q=0",
        ";;;,,,===",
        "\"",
        "a/b;c=\"\\",
        "🦀/🦀;q=🦀",
        "\0\r\n",
    ];
    for header in headers {
        assert_eq!(Format::negotiate(header), Format::TEXT, "{header:?}");
    }
}

#[test]
fn content_types_name_version_and_escaping() {
    let cases = [
        (Format::TEXT, "text/plain; version=0.0.4; charset=utf-8"),
        (Format::TEXT_1, "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
        (
            openmetrics(Escaping::AllowUtf8),
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
        ),
        (
            Format::PROTOBUF,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                encoding=delimited; escaping=underscores",
        ),
        (Format::OPENMETRICS_0, "application/openmetrics-text; version=0.0.1; charset=utf-8"),
        (
            Format::OPENMETRICS_2,
            "application/openmetrics-text; version=2.0.0; charset=utf-8; escaping=underscores",
        ),
    ];
    for (format, content_type) in cases {
        assert_eq!(format.content_type(), content_type);
        assert_eq!(Format::negotiate(content_type), format, "its own content type asks for it");
    }
    assert_eq!(Format::default(), Format::TEXT);
    // What is older than escaping cannot be told to escape otherwise.
    assert_eq!(Format::TEXT.escaping(Escaping::AllowUtf8), Format::TEXT);
}

/// Ranges that are nearly right, so that chance finds its way into the table.
fn accept() -> impl Strategy<Value = String> {
    let media = prop_oneof![
        Just("text/plain"),
        Just("*/*"),
        Just("application/openmetrics-text"),
        Just("application/vnd.google.protobuf"),
        Just("text/html"),
    ];
    let parameter = prop_oneof![
        "version=[0-2]\\.0\\.[0-4]",
        "q=[0-1](\\.[0-9]{0,4})?",
        "escaping=(allow-utf-8|underscores|dots|values)",
        "proto=io.prometheus.client.MetricFamily;encoding=(delimited|text)",
        "[a-z\"\\\\;,= ]{0,8}",
        "\\PC{0,6}",
    ];
    let range = (media, prop::collection::vec(parameter, 0..4))
        .prop_map(|(media, parameters)| format!("{media};{}", parameters.join(";")));
    prop_oneof![
        prop::collection::vec(range, 0..5).prop_map(|ranges| ranges.join(",")),
        "\\PC{0,64}",
        any::<String>(),
    ]
}

proptest! {
    /// No header makes anything but a format whose content type asks for that format.
    #[test]
    fn any_header_gets_a_format(accept in accept()) {
        let format = Format::negotiate(&accept);
        prop_assert_eq!(Format::negotiate(format.content_type()), format);
        let (content_type, body) = negotiate(&accept, &Registry::new().snapshot());
        prop_assert_eq!(content_type, format.content_type());
        prop_assert_eq!(body, format.encode(&Registry::new().snapshot()));
    }
}
