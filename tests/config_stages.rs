//! Collectors, history and alerts from a file.
#![cfg(all(feature = "config", feature = "full"))]

use nissa::{Config, Registry};

#[test]
fn stages_are_as_the_file_says() {
    let config = Config::from_toml(
        r#"
        [host]
        enabled = true
        machine = false
        container = false
        filesystems = []

        [history]
        enabled = true
        only = "queue_*"

        [alerts]
        rules = [
            { metric = "queue_depth", above = 1000, severity = "critical", action = "shed load" },
            { metric = "queue_depth", named = "low", below = 1 },
            { named = "service", group = ["queue_depth", { metric = "latency", label = { route = "/*" }, quantile = 0.9 }] },
        ]
        "#,
    );
    let registry = Registry::new();
    let builder = config.unwrap().builder().unwrap().registry(registry.clone());
    let monitor = builder.build().unwrap();
    registry.gauge("queue_depth", &[]).set(1200);
    monitor.tick();
    // Judged together, and not before both are there.
    let snapshot = registry.snapshot();
    let ready = snapshot.get("nissa_alert_ready", &[("rule", "service")]);
    assert_eq!(ready.and_then(|ready| ready.as_f64()), Some(0.0));
    let value = |name: &str, labels: &[(&str, &str)]| {
        registry.snapshot().get(name, labels).and_then(|value| value.as_f64())
    };
    let alerts = [("rule", "queue_depth"), ("severity", "critical")];
    assert_eq!(value("nissa_anomalies_total", &alerts), Some(1.0));
    while value("process_start_time_seconds", &[]).is_none() {
        std::thread::yield_now();
    }
    assert_eq!(value("node_load1", &[]), None);
    assert!(value("nissa_history_series", &[]).is_some());
}

#[test]
fn senders_show_no_secret() {
    let text = r#"
        [alertmanager]
        url = "http://localhost:9093"
        header = { authorization = "Bearer s3cret" }
        [webhook]
        url = "https://hooks.example.com/s3cret"
        secret = "s3cret"
    "#;
    let config = Config::from_toml(text).unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("authorization") && !shown.contains("s3cret"), "{shown}");
    assert!(config.builder().is_ok());
}

#[test]
fn what_makes_no_sense_is_said() {
    let said = |text: &str| match Config::from_toml(text).and_then(Config::builder) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    for (text, expected) in [
        ("[host]\nper_core = true", "bad setting: host.enabled: is missing"),
        ("[host]\nenabled = false\nper_core = true", ""),
        ("[history]\nmemory = 1000000", "bad setting: history.enabled: is missing"),
        (
            "[alertmanager]\nurl = \"localhost:9093\"",
            "bad setting: alertmanager.url: is no http or https URL",
        ),
        ("[webhook]\ntimeout = 1", "bad setting: webhook.url: is missing"),
        (
            "[webhook]\nurl = \"http://x\"\nroot_certificates = \"no/such/file\"",
            "bad setting: webhook.root_certificates: no/such/file cannot be read",
        ),
        ("[webhook]\nurl = 5", "bad setting: webhook.url: allowed: an http or https URL"),
        (
            "[alerts]\nrules = [{ metric = \"x\", above = 1, below = 0 }]",
            "bad setting: alerts.rules: \"x\" has 2 conditions, not one; allowed: a list of \
             tables, each a `metric` pattern with one condition, or a `group`",
        ),
        (
            "[alerts]\nrules = [{ metric = \"x\", severity = \"bad\" }]",
            "bad setting: alerts.rules: `severity` is info, warning or critical, not \"bad\"; \
             allowed: a list of tables, each a `metric` pattern with one condition, or a `group`",
        ),
        (
            "[alerts]\nrules = [{ metric = \"x\", group = [\"a\", \"b\"], named = \"y\" }]",
            "bad setting: alerts.rules: a rule is about a `metric` or a `group`, and not both; \
             allowed: a list of tables, each a `metric` pattern with one condition, or a `group`",
        ),
        (
            "[alerts]\nrules = [{ group = [\"a\", \"b\"] }]",
            "bad setting: alerts.rules: a group needs a name: `named` is missing; \
             allowed: a list of tables, each a `metric` pattern with one condition, or a `group`",
        ),
    ] {
        assert_eq!(said(text), expected, "{text}");
    }
}
