//! Rules judged tick by tick: what fires, when, once, and what it says. Time is moved by hand.
#![cfg(all(feature = "detect", feature = "test-util"))]

use std::time::Duration;

use nissa::alert::{Rule, Severity};
use nissa::monitor::{Builder, Monitor};
use nissa::route::Request;
use nissa::{ManualClock, Registry};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    registry: Registry,
    clock: ManualClock,
    monitor: Monitor,
}

impl Bench {
    fn new(build: impl FnOnce(Builder) -> Builder) -> Self {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
        let builder = builder.health(nissa::health::Health::new());
        let monitor = build(builder).build().unwrap();
        Self { registry, clock, monitor }
    }

    fn of(rule: Rule) -> Self {
        Self::new(|builder| builder.alert(rule))
    }

    fn tick(&self) {
        self.clock.advance(SECOND);
        self.monitor.tick();
    }

    /// One tick per value of a gauge; the state after each, a letter.
    fn states(&self, gauge: &str, values: &[f64]) -> String {
        let gauge = self.registry.gauge(gauge, &[]);
        values
            .iter()
            .map(|value| {
                gauge.set(*value);
                self.tick();
                self.state()
            })
            .collect()
    }

    /// Of the newest alert: pending, firing, resolved or none.
    fn state(&self) -> char {
        let json = self.anomalies("");
        let state =
            |word: &str| json.split("\"state\":\"").nth(1).is_some_and(|s| s.starts_with(word));
        match () {
            () if state("pending") => 'p',
            () if state("firing") => 'f',
            () if state("resolved") => 'r',
            () => '.',
        }
    }

    fn anomalies(&self, query: &str) -> String {
        let routes = self.monitor.routes();
        let route = routes.iter().find(|route| route.path() == "/anomalies").unwrap();
        let response = route.handle(&Request::new("/anomalies", query));
        String::from_utf8(response.body().to_vec()).unwrap()
    }

    fn fired(&self) -> f64 {
        self.registry.snapshot().value("nissa_anomalies_total").unwrap_or(0.0)
    }
}

#[test]
fn limits() {
    let above = Bench::of(Rule::new("x").above(10.0));
    assert_eq!(above.states("x", &[1.0, 10.0, 11.0, 12.0, 1.0, 1.0, 1.0]), "..ffffr");
    assert!(above.anomalies("").contains("\"expected\":[\"-Inf\",10]"));
    let below = Bench::of(Rule::new("x").below(10.0));
    assert_eq!(below.states("x", &[11.0, 9.0]), ".f");
    let outside = Bench::of(Rule::new("x").outside(0.0, 1.0));
    assert_eq!(outside.states("x", &[0.5, -0.1]), ".f");
}

#[test]
fn holding_and_m_of_n() {
    let held = Bench::of(Rule::new("x").above(0.5).hold(3));
    assert_eq!(held.states("x", &[1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]), "pppppff");
    let most = Bench::of(Rule::new("x").above(0.5).at_least(2, 4));
    assert_eq!(most.states("x", &[1.0, 0.0, 1.0]), "ppf");
    let lapsed = Bench::of(Rule::new("x").above(0.5).hold(2));
    assert_eq!(lapsed.states("x", &[1.0, 0.0, 0.0]), "pp.");
    assert_eq!(lapsed.fired(), 0.0);
}

#[test]
fn a_shift_is_one_alert_and_cooldown_joins_what_comes_back() {
    let bench = Bench::of(Rule::new("x").above(0.5).cooldown(Duration::from_secs(20)));
    bench.states("x", &[1.0; 30]);
    assert_eq!(bench.fired(), 1.0);
    assert_eq!(bench.states("x", &[0.0, 0.0, 0.0, 1.0]), "ffrf");
    assert_eq!(bench.fired(), 1.0);
    bench.states("x", &[0.0; 40]);
    assert_eq!(bench.states("x", &[1.0]), "f");
    assert_eq!(bench.fired(), 2.0);
}

#[test]
fn not_finite_and_stuck_and_changes() {
    let bench = Bench::of(Rule::new("x").not_finite());
    assert_eq!(bench.states("x", &[1.0, f64::NAN, f64::INFINITY]), ".ff");
    assert!(bench.anomalies("").contains("\"value\":\"+Inf\""));
    let bench = Bench::of(Rule::new("x").stuck(3));
    assert_eq!(bench.states("x", &[1.0, 2.0, 2.0, 2.0]), "...f");
    let bench = Bench::of(Rule::new("x").changes(5.0));
    assert_eq!(bench.states("x", &[1.0, 5.0, 11.0]), "..f");
}

#[test]
fn absence_is_of_what_fits_the_rule() {
    let bench = Bench::of(Rule::new("beat").label("host", "a*").absent().hold(2));
    bench.registry.gauge("beat", &[("host", "b")]).set(1);
    bench.tick();
    assert_eq!(bench.state(), 'p');
    bench.tick();
    assert_eq!(bench.state(), 'f');
    bench.registry.gauge("beat", &[("host", "a1")]).set(1);
    (0..3).for_each(|_| bench.tick());
    assert_eq!(bench.state(), 'r');
}

#[test]
fn counters_are_rates_and_a_restart_is_no_alert() {
    let bench = Bench::of(Rule::new("errors_total").above(5.0));
    let errors = bench.registry.counter("errors_total", &[]);
    errors.increment(1_000_000);
    bench.tick();
    errors.increment(5);
    bench.tick();
    assert_eq!(bench.state(), '.');
    errors.increment(6);
    bench.tick();
    assert_eq!(bench.state(), 'f');
    assert!(bench.anomalies("").contains("\"value\":6,"));
}

#[test]
fn a_ratio_goes_by_labels() {
    let bench = Bench::of(Rule::new("errors_total").ratio("requests_total", 0.1));
    let count = |name, path| bench.registry.counter(name, &[("path", path)]);
    for (path, errors) in [("/a", 5), ("/b", 50)] {
        count("errors_total", path).increment(0);
        count("requests_total", path).increment(0);
        bench.tick();
        count("errors_total", path).increment(errors);
        count("requests_total", path).increment(100);
        bench.tick();
    }
    assert_eq!(bench.fired(), 1.0);
    let json = bench.anomalies("");
    assert!(json.contains("\"labels\":{\"path\":\"/b\"}"), "{json}");
    assert!(json.contains("0.5000 times requests_total, over 0.1000"), "{json}");
}

#[test]
fn histograms_are_quantiles_of_what_is_new() {
    let bench = Bench::of(Rule::new("latency").quantile(0.5).above(0.3));
    let latency = bench.registry.histogram("latency", &[]);
    latency.record_many(0.01, 1_000_000);
    bench.tick();
    latency.record_many(0.4, 100);
    bench.tick();
    assert_eq!(bench.state(), 'f');
}

#[test]
fn closures_see_the_snapshot_and_may_panic() {
    let build = |builder: Builder| {
        builder
            .add_rule("high", |m| m.value("x") > Some(10.0), Severity::Critical, "stop_training")
            .add_rule("broken", |_| panic!("as the test wants it"), Severity::Info, "")
    };
    let bench = Bench::new(build);
    assert_eq!(bench.states("x", &[1.0, 11.0]), ".f");
    assert!(bench.anomalies("").contains("\"action\":\"stop_training\""));
    (0..20).for_each(|_| bench.tick());
    assert_eq!(bench.registry.snapshot().value("nissa_alert_panics_total"), Some(10.0));
}

#[test]
fn what_fits_is_known_of_metrics_and_series_that_come_later() {
    let bench = Bench::of(Rule::new("m*").label("host", "a").above(0.5));
    let set = |name, host, value| bench.registry.gauge(name, &[("host", host)]).set(value);
    set("m2", "a", 0.0);
    set("m2", "b", 1.0);
    bench.tick();
    // Before the one that is known, with the same number of series and others that fit.
    set("m1", "b", 1.0);
    set("m1", "c", 1.0);
    bench.tick();
    assert_eq!(bench.fired(), 0.0);
    set("m1", "a", 1.0);
    bench.tick();
    set("m2", "a", 1.0);
    bench.tick();
    assert_eq!(bench.fired(), 2.0);
}

#[test]
fn patterns_take_many_series_and_leave_our_own_alone() {
    let bench = Bench::of(Rule::new("*").above(0.5));
    for host in ["a", "b", "c"] {
        bench.registry.gauge("load", &[("host", host)]).set(1);
    }
    bench.registry.gauge("other", &[]).set(1);
    bench.tick();
    assert_eq!(bench.fired(), 4.0);
    (0..5).for_each(|_| bench.tick());
    assert_eq!(bench.fired(), 4.0);
    // One event: one group, with one origin.
    let json = bench.anomalies("");
    assert_eq!(json.matches("\"origin\":true").count(), 1, "{json}");
    assert_eq!(json.matches("\"group\":1,").count(), 4, "{json}");
}

#[test]
fn a_row_of_alerts_is_not_one_event_for_ever() {
    let bench = Bench::of(Rule::new("load").above(0.5));
    // One more every other tick, each near the one before.
    for host in 0..40 {
        bench.registry.gauge("load", &[("host", &host.to_string())]).set(1);
        bench.tick();
        bench.tick();
    }
    let json: serde_json::Value = serde_json::from_str(&bench.anomalies("")).unwrap();
    let of = |alert: &serde_json::Value| {
        let host: u32 = alert["labels"]["host"].as_str().unwrap().parse().unwrap();
        (host, alert["group"].as_u64().unwrap(), alert["origin"] == true)
    };
    let mut alerts: Vec<_> = json["anomalies"].as_array().unwrap().iter().map(of).collect();
    alerts.sort_unstable();
    // Thirty ticks, which is fifteen of them.
    for (host, group, origin) in alerts {
        assert_eq!((group, origin), (u64::from(host / 15) * 15 + 1, host % 15 == 0), "{host}");
    }
}

#[test]
fn series_that_come_and_go_keep_their_own_state() {
    let bench = Bench::of(Rule::new("load").above(0.5).hold(2));
    let set = |host: &str, value: f64| bench.registry.gauge("load", &[("host", host)]).set(value);
    set("b", 1.0);
    bench.tick();
    // One that sorts before it must not take its place.
    set("a", 0.0);
    bench.tick();
    let firing = bench.anomalies("state=firing");
    assert!(firing.contains("\"host\":\"b\"") && !firing.contains("\"host\":\"a\""), "{firing}");
}

#[test]
fn the_zscore_learns_fires_and_tells_what_it_expected() {
    let bench = Bench::of(Rule::new("x").zscore(4.0).severity(Severity::Critical));
    let calm: Vec<f64> = (0..100).map(|step| 10.0 + f64::from(step % 3)).collect();
    assert!(bench.states("x", &calm).chars().all(|state| state == '.'));
    let snapshot = bench.registry.snapshot();
    let ready = snapshot.get("nissa_alert_ready", &[("rule", "x")]);
    assert_eq!(ready.and_then(|ready| ready.as_f64()), Some(1.0));
    assert_eq!(bench.states("x", &[60.0]), "f");
    let json = bench.anomalies("");
    assert!(
        json.contains("\"detector\":\"zscore\"") && json.contains("far from its mean"),
        "{json}"
    );
}

#[test]
fn a_side_can_be_chosen() {
    let wave = |step: u32| 10.0 + f64::from(step % 3);
    for (rule, high, low) in [
        (Rule::new("x").zscore(4.0).too_high(), 'f', '.'),
        (Rule::new("x").zscore(4.0).too_low(), '.', 'f'),
    ] {
        for (value, state) in [(60.0, high), (-40.0, low)] {
            let bench = Bench::of(rule.clone());
            bench.states("x", &(0..100).map(wave).collect::<Vec<_>>());
            assert_eq!(bench.states("x", &[value]), state.to_string(), "{value}");
        }
    }
}

#[test]
fn the_default_is_the_ensemble_and_a_level_shift_is_one_incident() {
    let bench = Bench::of(Rule::new("x").cooldown(Duration::from_secs(300)));
    let wave = |step: u32| 10.0 + (f64::from(step) * 0.7).sin() + f64::from(step % 7) * 0.1;
    let calm: Vec<f64> = (0..300).map(wave).collect();
    bench.states("x", &calm);
    assert_eq!(bench.fired(), 0.0);
    let shifted: Vec<f64> = (300..500).map(|step| 40.0 + wave(step)).collect();
    bench.states("x", &shifted);
    assert_eq!(bench.fired(), 1.0);
}

/// Eight ticks of which a detector learns nothing are no gap to it.
#[test]
fn a_long_hold_is_held() {
    let wave = |step: u32| 10.0 + (f64::from(step) * 0.7).sin() + f64::from(step % 7) * 0.1;
    let bench = Bench::of(Rule::new("x").hold(30));
    bench.states("x", &(0..300).map(wave).collect::<Vec<_>>());
    let shifted: Vec<f64> = (300..331).map(|step| 40.0 + wave(step)).collect();
    let states = bench.states("x", &shifted);
    assert_eq!(states, format!("{}ff", "p".repeat(29)));
}

/// As docs/ALERTS.md says, with what to use instead.
#[test]
fn a_level_that_stays_is_learned_unless_the_rule_says_otherwise() {
    let wave = |step: u32| 10.0 + (f64::from(step) * 0.7).sin() + f64::from(step % 7) * 0.1;
    for (rule, after) in [
        (Rule::new("x").anomalous(), 'r'),
        (Rule::new("x").anomalous().learn_anomalies(false), 'f'),
        (Rule::new("x").above(30.0), 'f'),
    ] {
        let bench = Bench::of(rule);
        bench.states("x", &(0..300).map(wave).collect::<Vec<_>>());
        let shifted: Vec<f64> = (300..400).map(|step| 40.0 + wave(step)).collect();
        let states = bench.states("x", &shifted);
        assert!(states.starts_with('f') || states.starts_with(".f"), "{states}");
        assert_eq!((bench.state(), bench.fired()), (after, 1.0), "{states}");
        bench.states("x", &(400..410).map(wave).collect::<Vec<_>>());
        assert_eq!(bench.state(), 'r');
    }
}

#[test]
fn anomalies_can_be_asked_for() {
    let bench = Bench::new(|builder| {
        builder
            .alert(Rule::new("a").above(0.5).severity(Severity::Critical))
            .alert(Rule::new("b").above(0.5).severity(Severity::Info))
    });
    bench.states("a", &[1.0]);
    bench.states("b", &[1.0]);
    let count = |query: &str| bench.anomalies(query).matches("\"id\":").count();
    assert_eq!(count(""), 2);
    assert_eq!(count("severity=critical"), 1);
    assert_eq!(count("metric=b"), 1);
    assert_eq!(count("metric=*&state=firing"), 2);
    assert_eq!(count("state=resolved"), 0);
    // The manual clock's wall clock begins at the epoch.
    assert_eq!(count("start_time=2020-01-01T00:00:00Z"), 0);
    assert_eq!(count("end_time=4000000000"), 2);
    let newest = bench.anomalies("");
    assert!(newest.find("\"metric\":\"b\"") < newest.find("\"metric\":\"a\""), "{newest}");
    for bad in ["severity=bad", "start_time=yesterday", "state=", "wrong=1", "end_time=-5"] {
        let name = bad.split('=').next().unwrap();
        assert_eq!(bench.anomalies(bad), format!("bad parameter: {name}\n"));
    }
}

#[test]
fn what_is_firing_is_in_health() {
    let health = nissa::health::Health::new();
    let bench = Bench::new(|builder| {
        builder.health(health.clone()).alert(Rule::new("x").above(0.5).action("add workers"))
    });
    assert!(health.report().anomalies().is_empty());
    bench.states("x", &[1.0]);
    let report = health.report();
    let anomaly = report.anomalies().first().unwrap();
    assert_eq!(anomaly.name, "x");
    assert_eq!(anomaly.details, "warning, firing: x is 1: above 0.5000; add workers");
    assert_eq!(report.recommendations(), ["x: add workers"]);
    bench.states("x", &[0.0; 3]);
    assert!(health.report().anomalies().is_empty());
}

#[test]
fn the_wall_clock_may_jump_and_a_gap_is_one_sample() {
    let bench = Bench::of(Rule::new("requests_total").zscore(6.0));
    let requests = bench.registry.counter("requests_total", &[]);
    for _ in 0..200 {
        requests.increment(100);
        bench.tick();
    }
    // Suspended for a minute, during which work went on elsewhere: one rate, not a burst.
    requests.increment(6_000);
    bench.clock.advance(Duration::from_secs(59));
    bench.tick();
    for day in [2, 1, 0] {
        bench.clock.set_unix(Duration::from_secs(day * 86_400));
        for _ in 0..50 {
            requests.increment(100);
            bench.tick();
        }
    }
    assert_eq!(bench.fired(), 0.0);
}

#[test]
fn holding_goes_with_detectors_too() {
    let wave = |step: u32| 10.0 + (f64::from(step) * 0.7).sin() + f64::from(step % 7) * 0.1;
    for rule in [Rule::new("x").hold(3), Rule::new("x").at_least(3, 5)] {
        let bench = Bench::of(rule);
        bench.states("x", &(0..300).map(wave).collect::<Vec<_>>());
        // One strange sample is not enough.
        assert_eq!(bench.states("x", &[90.0]), "p");
        bench.states("x", &(301..320).map(wave).collect::<Vec<_>>());
        assert_eq!(bench.fired(), 0.0);
        let shifted: Vec<f64> = (320..323).map(|step| 40.0 + wave(step)).collect();
        assert_eq!(bench.states("x", &shifted), "ppf");
        // From then on it learns, and so it ends.
        bench.states("x", &(323..500).map(|step| 40.0 + wave(step)).collect::<Vec<_>>());
        assert_eq!((bench.state(), bench.fired()), ('r', 1.0));
    }
}

#[test]
fn a_held_alert_that_comes_back_within_the_cooldown_is_the_same() {
    let bench = Bench::of(Rule::new("x").above(0.5).hold(2).cooldown(SECOND * 30));
    assert_eq!(bench.states("x", &[1.0, 1.0, 0.0, 0.0, 0.0]), "pfffr");
    // A sign that lapses leaves it as it was, and does not make a new one.
    assert_eq!(bench.states("x", &[1.0, 0.0, 1.0, 1.0]), "rrrf");
    let json = bench.anomalies("");
    assert_eq!(json.matches("\"id\":").count(), 1, "{json}");
    assert!(json.contains("\"id\":1,") && json.contains("\"group\":1,"), "{json}");
    assert_eq!(bench.fired(), 1.0);
    bench.states("x", &[0.0; 40]);
    assert_eq!(bench.states("x", &[1.0, 1.0]), "pf");
    assert_eq!(bench.fired(), 2.0);
}

#[derive(Clone, Debug)]
struct Panics;

impl nissa::detect::Detector for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }
    fn observe(&mut self, _: f64, _: Duration) -> nissa::detect::Score {
        panic!("as the test wants it")
    }
    fn carry(&mut self, _: &mut nissa::detect::Tape) {}
    fn boxed_clone(&self) -> Box<dyn nissa::detect::Detector> {
        Box::new(Self)
    }
    fn state_bytes(&self) -> usize {
        0
    }
}

#[test]
fn a_detector_that_panics_holds_up_no_other_rule() {
    let bad = Rule::new("x").named("bad").detector(|| Box::new(Panics), 2.5);
    let bench = Bench::new(|builder| builder.alert(bad).alert(Rule::new("x").above(0.5)));
    assert_eq!(bench.states("x", &[0.0, 1.0]), ".f");
    assert_eq!(bench.registry.snapshot().value("nissa_alert_panics_total"), Some(1.0));
}

#[test]
fn what_is_gone_is_forgotten_even_while_another_fires() {
    let registry = Registry::builder().idle_timeout(SECOND * 5);
    let clock = ManualClock::new();
    let registry = registry.clock(clock.clone()).build();
    let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
    let builder = builder.health(nissa::health::Health::new());
    let monitor = builder.alert(Rule::new("x").above(0.5).min_samples(9)).build().unwrap();
    let bench = Bench { registry, clock, monitor };
    let set = |host: &str| bench.registry.gauge("x", &[("host", host)]).set(1.0);
    let ready = || bench.registry.snapshot().value("nissa_alert_ready").unwrap();
    set("gone");
    for _ in 0..20 {
        set("stays");
        bench.tick();
    }
    // The one that is gone never had its ten samples.
    assert_eq!(ready(), 0.5);
    for _ in 0..620 {
        set("stays");
        bench.tick();
    }
    assert_eq!((bench.state(), ready()), ('f', 1.0));
}
