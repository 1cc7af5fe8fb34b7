//! Health: what components, checks and sources make of the overall status, over HTTP's routes and
//! as metrics; and that no check can hurt or hold up who asks.
#![cfg(all(feature = "monitor", feature = "test-util"))]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nissa::health::{Check, Health, Status, Verdict};
use nissa::route::{Request, Response};
use nissa::{ManualClock, Registry};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

fn ask(health: &Health, path: &str) -> Response {
    let routes = health.routes();
    let route = routes.iter().find(|route| route.path() == path).unwrap();
    route.handle(&Request::new(path, ""))
}

fn document(health: &Health) -> Value {
    serde_json::from_slice(ask(health, "/health").body()).unwrap()
}

fn status_of(health: &Health) -> (u16, u16, u16) {
    let status = |path| ask(health, path).status();
    (status("/health"), status("/ready"), status("/live"))
}

/// A check that hangs until its sender is dropped, and counts how often it was started.
fn hanging(name: &str) -> (Check, Sender<()>, Arc<AtomicUsize>) {
    let (release, held) = channel::<()>();
    let (held, starts) = (Mutex::new(held), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&starts);
    let check = Check::new(name, move || {
        counted.fetch_add(1, Ordering::SeqCst);
        _ = held.lock().unwrap().recv();
        true
    });
    (check, release, starts)
}

#[test]
fn the_document_has_the_shape_it_is_documented_with() {
    let clock = ManualClock::new();
    clock.set_unix(Duration::from_millis(1_795_167_667_250));
    let health = Health::with_clock(clock.clone());
    clock.advance(Duration::from_millis(1_500));
    health.version("1.4.0");
    health.component("database", || Verdict::degraded("9 of 10 replicas"));
    health.set("cache", Status::Healthy, "");
    health.source(|report| {
        report.resource("memory", 0.95);
        report.resource("disk", 0.25);
        report.resource("unread", f64::NAN);
        report.anomaly("training_loss", Status::Degraded, "z-score 6.1");
        report.recommend("halve the learning rate");
    });
    health.report();

    assert_eq!(
        document(&health),
        json!({
            "overall_status": "degraded",
            "timestamp": "2026-11-20T09:41:08.750Z",
            "uptime_seconds": 1.5,
            "version": "1.4.0",
            "resources": {
                "disk": {"status": "healthy", "used_ratio": 0.25, "threshold": 0.9},
                "memory": {"status": "degraded", "used_ratio": 0.95, "threshold": 0.9},
            },
            "components": {
                "cache": {"status": "healthy", "details": ""},
                "database": {"status": "degraded", "details": "9 of 10 replicas"},
            },
            "anomalies": [
                {"name": "training_loss", "status": "degraded", "details": "z-score 6.1"},
            ],
            "recommendations": ["halve the learning rate"],
        })
    );
    let response = ask(&health, "/health");
    assert_eq!((response.status(), response.content_type()), (200, "application/json"));
    assert_eq!(ask(&health, "/health/system").body(), response.body());
    clock.set_unix(Duration::ZERO);
    assert_eq!(document(&health)["uptime_seconds"], 1.5, "the wall clock is not asked for it");
}

#[test]
fn hostile_names_make_valid_json() {
    let hostile = ["\"", "\\", "\n\r\t\0\u{1b}", "\"},\"a\":{", "🦀\u{2028}", "", "</script>"];
    let health = Health::new();
    health.source(move |report| {
        for name in hostile {
            report.component(name, Status::Degraded, name);
            report.resource(name, 0.5);
            report.anomaly(name, Status::Healthy, name);
            report.recommend(name);
        }
        report.resource("far", 1e300);
    });
    let document = document(&health);
    for (index, name) in hostile.iter().enumerate() {
        assert_eq!(document["components"][name]["details"], *name);
        assert_eq!(document["resources"][name]["used_ratio"], 0.5);
        assert_eq!(document["anomalies"][index]["name"], *name);
        assert_eq!(document["recommendations"][index], *name);
    }
    assert_eq!(document["resources"]["far"]["used_ratio"], 1e300);
    let long = "é".repeat(10_000);
    health.set(&long, Status::Healthy, &long);
    let cut = health.report();
    let (name, verdict) = cut.components().find(|(name, _)| name.starts_with('é')).unwrap();
    assert_eq!((name.len(), verdict.details().len()), (256, 1_024));
}

#[test]
fn the_worst_decides_and_critical_is_503() {
    let health = Health::new();
    assert_eq!(status_of(&health), (200, 200, 200));
    health.set("a", Status::Degraded, "slow");
    assert_eq!(status_of(&health), (200, 200, 200));
    health.set("b", Status::Critical, "gone\nfor good");
    assert_eq!(status_of(&health), (503, 503, 200));
    assert_eq!(ask(&health, "/ready").body(), b"not ready: b: gone for good\n");
    health.remove("b");
    assert_eq!(status_of(&health), (200, 200, 200));
    health.ready(false);
    assert_eq!(status_of(&health), (200, 503, 200));
    health.live(false);
    assert_eq!(status_of(&health), (200, 503, 503));
    health.live(true);
    health.ready(true);

    health.critical_threshold("disk", 0.99);
    health.source(|report| report.resource("disk", 0.995));
    assert_eq!(status_of(&health), (503, 503, 200));
    health.critical_threshold("disk", f64::NAN);
    health.critical_threshold("disk", 1.0);
    assert_eq!(status_of(&health), (200, 200, 200));
    health.default_threshold(0.999);
    health.remove("a");
    assert_eq!(health.report().overall(), Status::Healthy);
    health.source(|report| report.anomaly("loss", Status::Critical, "not a number"));
    assert_eq!(status_of(&health), (503, 503, 200));
}

#[test]
fn a_hanging_check_times_out_and_holds_up_nobody() {
    let clock = ManualClock::new();
    let health = Health::with_clock(clock.clone());
    let (check, release, starts) = hanging("database");
    health.check(check.limit(SECOND).every(5 * SECOND));
    health.component("cache", || true);

    // Nobody waits here: with this clock the limit has not passed, and the check hangs.
    assert_eq!(health.latest().find("database"), Some(&Verdict::degraded("not checked yet")));
    assert_eq!(status_of(&health), (200, 503, 200));
    while health.latest().find("cache") != Some(&Verdict::healthy())
        || starts.load(Ordering::SeqCst) == 0
    {
        std::thread::yield_now();
    }
    clock.advance(2 * SECOND);
    assert_eq!(status_of(&health), (503, 503, 200));
    assert_eq!(ask(&health, "/ready").body(), b"not ready: database: check timed out\n");
    for _ in 0..20 {
        clock.advance(5 * SECOND);
        health.latest();
    }
    assert_eq!(health.latest().find("database"), Some(&Verdict::critical("check timed out")));
    assert_eq!(starts.load(Ordering::SeqCst), 1, "it was started again while it hung");

    // It ends at last, too late; the next run is in time.
    drop(release);
    while health.report().overall() != Status::Healthy {
        clock.advance(5 * SECOND);
    }
    assert_eq!(status_of(&health), (200, 200, 200));
}

#[test]
fn who_waits_waits_for_the_limit_and_no_longer() {
    let health = Health::new();
    let (check, _release, starts) = hanging("database");
    health.check(check.limit(Duration::from_millis(20)));
    let report = health.report();
    assert_eq!(report.find("database"), Some(&Verdict::critical("check timed out")));
    assert_eq!(health.report().find("database"), Some(&Verdict::critical("check timed out")));
    assert_eq!(starts.load(Ordering::SeqCst), 1);
    // Taking its place is not held up by the one that hangs.
    health.check(Check::new("database", || true).limit(60 * SECOND));
    assert_eq!(health.report().find("database"), Some(&Verdict::healthy()));
}

#[test]
fn a_check_that_panics_is_critical_and_run_again() {
    let clock = ManualClock::new();
    let health = Health::with_clock(clock.clone());
    let runs = AtomicUsize::new(0);
    health.component("queue", move || {
        assert!(runs.fetch_add(1, Ordering::SeqCst) > 0, "as the test wants it");
    });
    assert_eq!(health.report().find("queue"), Some(&Verdict::critical("check panicked")));
    clock.advance(5 * SECOND);
    assert_eq!(health.report().find("queue"), Some(&Verdict::healthy()));
}

#[test]
fn a_source_that_panics_is_left_out() {
    let health = Health::new();
    health.source(|_| panic!("as the test wants it"));
    health.source(|report| report.recommend("go on"));
    assert_eq!(health.report().recommendations(), ["go on"]);
}

#[test]
fn results_are_kept_for_a_while_and_checked_elsewhere() {
    let clock = ManualClock::new();
    let health = Health::with_clock(clock.clone());
    let (runs, here) = (Arc::new(AtomicUsize::new(0)), std::thread::current().id());
    let counted = Arc::clone(&runs);
    health.check(
        Check::new("database", move || {
            assert_ne!(std::thread::current().id(), here);
            counted.fetch_add(1, Ordering::SeqCst);
            true
        })
        .limit(60 * SECOND)
        .every(3 * SECOND),
    );
    for expected in [1, 1, 1, 2, 2, 2, 3] {
        assert_eq!(health.report().overall(), Status::Healthy);
        assert_eq!(runs.load(Ordering::SeqCst), expected);
        clock.advance(SECOND);
    }
}

#[test]
fn checks_and_sources_may_use_the_health_they_belong_to() {
    let health = Health::new();
    let inner = health.clone();
    health.component("outer", move || {
        inner.set("inner", Status::Degraded, "set by a check");
        inner.latest().overall() == Status::Degraded
    });
    let inner = health.clone();
    health.source(move |report| {
        inner.set("from a source", Status::Healthy, "");
        inner.remove("nothing");
        report.recommend("done");
    });
    let report = health.report();
    assert_eq!(report.find("outer"), Some(&Verdict::healthy()));
    assert_eq!(report.recommendations(), ["done"]);
}

#[test]
fn everything_is_bounded() {
    let dropped = || {
        let labels = [("reason", "health_full")];
        let snapshot = Registry::global().snapshot();
        let family = snapshot.family("nissa_dropped_total").unwrap();
        family.series().find(|s| s.labels().eq(labels.map(|(n, v)| (n.into(), v.into())))).map(
            |series| match series.value() {
                nissa::snapshot::Value::Counter(count) => count,
                other => panic!("{other:?}"),
            },
        )
    };
    let before = dropped().unwrap();
    let health = Health::new();
    for number in 0..100 {
        health.component(format!("check {number}"), || true);
    }
    for number in 0..1_000 {
        health.set(&format!("component {number}"), Status::Healthy, "");
    }
    health.source(|report| {
        for number in 0..2_000 {
            report.component(&format!("more {number}"), Status::Healthy, "");
            report.resource(&format!("resource {number}"), 0.5);
            report.anomaly("x", Status::Healthy, "");
            report.recommend("x");
        }
    });
    let report = health.report();
    assert_eq!(report.components().count(), 256);
    assert_eq!(report.components().filter(|(name, _)| name.starts_with("check")).count(), 64);
    assert_eq!(report.resources().count(), 256);
    assert_eq!((report.anomalies().len(), report.recommendations().len()), (1_000, 100));
    assert!(dropped().unwrap() > before);
}

#[test]
fn the_monitor_shows_health_as_metrics_without_being_asked() {
    let (registry, health, clock) = (Registry::new(), Health::new(), ManualClock::new());
    health.set("cache", Status::Degraded, "cold");
    health.set("queue", Status::Healthy, "");
    health.source(|report| report.resource("disk", 0.5));
    let builder = nissa::builder().registry(registry.clone()).health(health.clone());
    let monitor = builder.clock(clock).build().unwrap();
    let shown = |component: &str| -> Vec<String> {
        let text = nissa::expose::text(&registry.snapshot());
        let start = format!("nissa_health_status{{component=\"{component}\",status=\"");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&start));
        lines.filter_map(|rest| rest.strip_suffix("\"} 1")).map(str::to_owned).collect()
    };

    monitor.tick();
    assert_eq!(shown("cache"), ["degraded"]);
    assert_eq!(shown("queue"), ["healthy"]);
    assert_eq!(shown("disk"), ["healthy"]);
    assert_eq!(shown("overall"), ["degraded"]);
    assert_eq!((shown("ready"), shown("live")), (vec!["healthy".into()], vec!["healthy".into()]));

    health.set("cache", Status::Critical, "gone");
    health.live(false);
    health.remove("queue");
    monitor.tick();
    assert_eq!(shown("cache"), ["critical"]);
    assert_eq!(shown("overall"), ["critical"]);
    assert_eq!(shown("ready"), ["critical"]);
    assert_eq!(shown("live"), ["critical"]);
    let text = nissa::expose::text(&registry.snapshot());
    assert!(!text.contains("queue"), "{text}");
    assert_eq!(text.matches("nissa_health_status{component=\"cache\"").count(), 3);
}

#[test]
fn the_monitor_runs_checks_without_being_asked() {
    let (registry, clock) = (Registry::new(), ManualClock::new());
    let health = Health::with_clock(clock.clone());
    let works = Arc::new(AtomicUsize::new(0));
    let answer = Arc::clone(&works);
    health.component("database", move || answer.load(Ordering::SeqCst) == 1);
    let builder = nissa::builder().registry(registry.clone()).health(health);
    let monitor = builder.clock(clock.clone()).build().unwrap();
    for (works_now, status) in [(0, "critical"), (1, "healthy"), (0, "critical")] {
        works.store(works_now, Ordering::SeqCst);
        clock.advance(5 * SECOND);
        let line = format!("{{component=\"database\",status=\"{status}\"}} 1");
        // A result arrives a moment after it was asked for.
        while !nissa::expose::text(&registry.snapshot()).contains(&line) {
            monitor.tick();
            std::thread::yield_now();
        }
    }
}
