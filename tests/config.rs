//! Settings from a file and variables: what they do, who wins, and what errors say.
#![cfg(all(feature = "config", feature = "test-util"))]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nissa::{Config, counter, gauge, histogram};
use proptest::prelude::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn written(name: &str, text: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("config");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// The one test here that installs: settings of the global registry are set once.
#[test]
fn settings_arrive() {
    let path = written(
        "arrive.toml",
        r#"
        interval = "1h"
        [registry]
        global_labels = { job = "train" }
        deny = ["tower_*", { name = "http_*", labels = { path = "/health*" } }]
        drop_labels = ["request"]
        series_per_family = 2
        label_value_bytes = 16
        default_buckets = [1, 2]
        buckets = [
            { name = "size_*", bounds = [8, 32] },
            { name = "*_ratio", quantiles = [0.5] },
            { name = "near_*", relative_error = 0.05, least = 1, most = 1024 },
        ]
        [health]
        version = "1.4.0"
        default_threshold = 0.5
        thresholds = { disk = 0.8 }
        critical_thresholds = { gpu = 0.6 }
        "#,
    );
    let guard = Config::from_file(path).unwrap().builder().unwrap().install().unwrap();
    counter!("tower_calls_total").increment(1);
    counter!("http_requests_total", "path" => "/healthz").increment(1);
    for request in ["a", "b", "c"] {
        counter!("http_requests_total", "path" => "/", "request" => request).increment(1);
    }
    for name in ["first", "second", "third", "fourth"] {
        gauge!("jobs", "queue" => name).set(1);
    }
    counter!("long_total", "value" => "x".repeat(100)).increment(1);
    histogram!("usual_seconds").record(1.5);
    histogram!("size_bytes").record(10);
    histogram!("used_ratio").record(0.5);
    histogram!("near_bytes").record(100);

    let snapshot = guard.registry().snapshot();
    let text = nissa::expose::text(&snapshot);
    assert!(!text.contains("tower_calls_total"));
    assert!(text.contains("http_requests_total{job=\"train\",path=\"/\"} 3\n"), "{text}");
    assert!(!text.contains("/healthz"));
    assert!(text.contains("jobs{job=\"train\",nissa_overflow=\"true\"} 1\n"), "{text}");
    assert!(text.contains("value=\"xxxxxxxxxxxxx…\""), "{text}");
    let bounds = |name| snapshot.distribution(name).unwrap().scheme().bounds();
    assert_eq!(bounds("usual_seconds"), [1.0, 2.0]);
    assert_eq!(bounds("size_bytes"), [8.0, 32.0]);
    assert!(text.contains("used_ratio{job=\"train\",quantile=\"0.5\"}"), "{text}");
    assert_eq!(snapshot.distribution("near_bytes").unwrap().scheme().range(), (1.0, 1024.0));

    nissa::health().source(|report| {
        report.resource("disk", 0.7);
        report.resource("memory", 0.7);
        report.resource("gpu", 0.7);
    });
    let report = nissa::health().report();
    let resources: Vec<String> = report
        .resources()
        .map(|resource| format!("{} {} {}", resource.name, resource.threshold, resource.status))
        .collect();
    assert_eq!(resources, ["disk 0.8 healthy", "gpu 0.5 critical", "memory 0.5 degraded"]);
}

/// Says what it loads, in a process whose environment the next test sets.
#[test]
fn child() {
    if let Some(path) = std::env::var_os("CONFIG_CHILD") {
        match Config::load(path) {
            Ok(config) => println!("loaded {config:?}"),
            Err(error) => println!("{error}"),
        }
    }
}

#[test]
fn variables_win_over_the_file() {
    let path = written("over.toml", "interval = \"2s\"\nshutdown_timeout = 7\n");
    let load = |name: &str, value: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture"]);
        command.env_clear().env("CONFIG_CHILD", &path);
        let output = command.env(name, value).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let both = load("NISSA_INTERVAL", "3s");
    assert!(both.contains("interval: Some(Span(3s)), shutdown_timeout: Some(Span(7s))"), "{both}");
    let file = load("OTHER", "3s");
    assert!(file.contains("interval: Some(Span(2s)), shutdown_timeout: Some(Span(7s))"), "{file}");
    let wrong = load("NISSA_INTERVALL", "3s");
    assert!(wrong.contains("NISSA_INTERVALL: unknown; did you mean NISSA_INTERVAL?"), "{wrong}");
}

#[test]
fn variables_are_written_as_people_write_them() {
    let shown =
        |pairs: &[(&str, &str)]| format!("{:?}", Config::from_variables(variables(pairs)).unwrap());
    let lists = shown(&[("NISSA_REGISTRY_DROP_LABELS", "a, b")]);
    assert_eq!(lists, shown(&[("NISSA_REGISTRY_DROP_LABELS", "[\"a\", \"b\"]")]));
    assert!(lists.contains("drop_labels: List([\"a\", \"b\"])"), "{lists}");
    let tables = shown(&[("NISSA_REGISTRY_GLOBAL_LABELS", "job=train,zone=a")]);
    assert_eq!(
        tables,
        shown(&[("NISSA_REGISTRY_GLOBAL_LABELS", "{ job = \"train\", zone = 'a' }")])
    );
    // A string that looks like a number is one where a string is allowed.
    assert!(shown(&[("NISSA_HEALTH_VERSION", "14")]).contains("version: Some(\"14\")"));
    assert!(shown(&[("NISSA_HEALTH_VERSION", "\"14\"")]).contains("version: Some(\"14\")"));
    assert!(shown(&[("NISSA_INTERVAL", "0.25")]).contains("interval: Some(Span(250ms))"));
    assert!(shown(&[("NISSA_REGISTRY_SERIES", "1_000")]).contains("series: Some(1000)"));
    let foreign = [
        ("NISSA_SERVICE_HOST", "10.0.0.1"),
        ("NISSA_PORT_9090_TCP", "tcp://10.0.0.1:9090"),
        ("PATH", "/bin"),
    ];
    assert_eq!(shown(&foreign), format!("{:?}", Config::default()));
}

#[test]
fn errors_name_the_key_and_what_is_allowed() {
    let said = |text: &str| Config::from_toml(text).unwrap_err().to_string();
    for (text, expected) in [
        ("intervall = 1", "bad setting: intervall: unknown; did you mean interval?"),
        (
            "[registry]\nserie = 1",
            "bad setting: registry.serie: unknown; did you mean registry.series?",
        ),
        ("colour = 1", "bad setting: colour: unknown; docs/CONFIG.md lists what there is"),
        ("registry = 1", "bad setting: registry: is a table"),
        (
            "interval = -1",
            "bad setting: interval: is below zero; allowed: a duration, at least 1ms",
        ),
        (
            "interval = true",
            "bad setting: interval: invalid type: boolean `true`, expected a duration such as \
             \"250ms\" or a number of seconds; allowed: a duration, at least 1ms",
        ),
        (
            "[registry]\nseries = -5",
            "bad setting: registry.series: invalid value: integer `-5`, expected usize; allowed: a \
             whole number",
        ),
        (
            "[registry]\nbuckets = [{ bounds = [1] }]",
            "bad setting: registry.buckets: bad buckets: `name` is missing; allowed: a list of \
             tables, each a `name` pattern with its buckets",
        ),
        (
            "[health]\nthresholds = { disk = inf }",
            "bad setting: health.thresholds: not a share of the whole; allowed: a table of \
             resources and used shares, 0 to 1",
        ),
        ("interval = 1\ninterval = 2", "bad setting: line 2: duplicate key"),
        ("[registry", "bad setting: line 1: unclosed table, expected `]`"),
    ] {
        assert_eq!(said(text), expected, "{text}");
    }
    assert!(Config::from_toml("x = 1").unwrap_err().is_setting());
    for (name, value, expected) in [
        (
            "NISSA_REGISTRY_SERIES",
            "many",
            "bad setting: NISSA_REGISTRY_SERIES: invalid type: string \"many\", expected usize; \
             allowed: a whole number",
        ),
        (
            "NISSA_REGISTRY_SERIE",
            "1",
            "bad setting: NISSA_REGISTRY_SERIE: unknown; did you mean NISSA_REGISTRY_SERIES?",
        ),
    ] {
        let error = Config::from_variables(variables(&[(name, value)])).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = Config::from_file("no/such/file.toml").unwrap_err();
    assert_eq!(missing.to_string(), "bad setting: no/such/file.toml: cannot be read");
    assert!(std::error::Error::source(&missing).is_some());
    let large = written("large.toml", &"#".repeat((1 << 20) + 1));
    let said = Config::from_file(&large).unwrap_err().to_string();
    assert!(said.ends_with("large.toml: is larger than a mebibyte"), "{said}");
    let wrong = written("wrong.toml", "interval = 1\nshutdown = 2\n");
    let said = Config::from_file(&wrong).unwrap_err().to_string();
    assert!(said.contains("wrong.toml: shutdown: unknown"), "{said}");
}

#[test]
fn what_makes_no_sense_to_the_builder_is_its_error() {
    let builder = Config::from_toml("interval = 0").unwrap().builder().unwrap();
    let error = builder.registry(nissa::Registry::new()).build().unwrap_err();
    assert_eq!(error.to_string(), "bad setting: interval: at least a millisecond");
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "[a-z_.\\[\\]{}=\"0-9, \n-]{0,80}", any in any::<String>()) {
        let _ = Config::from_toml(&text);
        let _ = Config::from_toml(&any);
        let _ = Config::from_variables(variables(&[
            ("NISSA_REGISTRY_BUCKETS", &text),
            ("NISSA_REGISTRY_GLOBAL_LABELS", &any),
        ]));
        let _ = Config::from_variables(variables(&[(&format!("NISSA_{any}"), &text)]));
    }
}
