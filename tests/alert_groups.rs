//! Rules over several figures together: what fires, whose fault it is said to be, and what happens
//! while one of them is not there. Time is moved by hand.
#![cfg(all(feature = "detect", feature = "test-util"))]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nissa::alert::{Alert, Member, Rule};
use nissa::detect::{Detector, Forest, Reason, Score, Tape};
use nissa::monitor::{Builder, Monitor};
use nissa::{ManualClock, Registry};

struct Service {
    registry: Registry,
    clock: ManualClock,
    monitor: Monitor,
    alerts: Arc<Mutex<Vec<Alert>>>,
    seed: u64,
}

impl Service {
    fn new(build: impl FnOnce(Builder) -> Builder) -> Self {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        let alerts = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&alerts);
        let builder = nissa::builder()
            .registry(registry.clone())
            .clock(clock.clone())
            .health(nissa::health::Health::new())
            // Until all callbacks are done and all is saved, however busy the machine.
            .shutdown_timeout(Duration::from_secs(600))
            .on_alert(move |alert| told.lock().unwrap().push(alert.clone()));
        let monitor = build(builder).build().unwrap();
        Self { registry, clock, monitor, alerts, seed: 1 }
    }

    fn tick(&self) {
        self.clock.advance(Duration::from_secs(1));
        self.monitor.tick();
    }

    /// From -1 to 1.
    fn noise(&mut self) -> f64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.seed >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    }

    /// A second under a load of 0 to 1; with latency and errors as a load of `latency` and
    /// `errors` would make them.
    fn second(&mut self, load: f64, latency: f64, errors: f64) {
        let cpu = load + 0.02 * self.noise();
        self.registry.gauge("cpu_used_ratio", &[]).set(cpu);
        let seconds = 0.02 + 0.2 * latency * latency + 0.004 * self.noise();
        self.registry.gauge("latency_seconds", &[("route", "/")]).set(seconds);
        let failed = (200.0 * errors + 8.0 * self.noise()).max(0.0);
        self.registry.counter("errors_total", &[]).increment(failed as u64);
        self.tick();
    }

    fn healthy(&mut self, seconds: std::ops::Range<u32>) {
        for second in seconds {
            let load = wave(second);
            self.second(load, load, load);
        }
    }

    fn fired(&self, rule: &str) -> f64 {
        let labels = [("rule", rule), ("severity", "warning")];
        let snapshot = self.registry.snapshot();
        snapshot.get("nissa_anomalies_total", &labels).map_or(0.0, |count| count.as_f64().unwrap())
    }

    fn ready(&self) -> f64 {
        self.registry.snapshot().value("nissa_alert_ready").unwrap()
    }

    fn set(&self, name: &str, value: f64) {
        self.registry.gauge(name, &[]).set(value);
    }

    /// Ticks in each of which this was recorded in a histogram `h`.
    fn recorded(&self, values: &[f64]) {
        for value in values {
            self.registry.histogram("h", &[]).record(*value);
            self.tick();
        }
    }

    fn firing(&self) -> Option<f64> {
        self.registry.snapshot().get("nissa_alerts", &[("state", "firing")])?.as_f64()
    }

    /// Once all callbacks are done.
    fn told(self) -> Vec<Alert> {
        drop(self.monitor);
        std::mem::take(&mut self.alerts.lock().unwrap())
    }
}

fn wave(second: u32) -> f64 {
    0.5 + 0.4 * (f64::from(second) * 0.02).sin()
}

/// A quiet second, after some cycles.
const QUIET: u32 = 2_121;

fn members() -> [Member; 3] {
    [
        "cpu_used_ratio".into(),
        Member::new("latency_seconds").label("route", "/*"),
        "errors_total".into(),
    ]
}

/// Every series alone stays within what it showed before.
fn alone() -> [Rule; 3] {
    [
        Rule::new("cpu_used_ratio").outside(0.08, 0.92),
        Rule::new("latency_seconds").outside(0.015, 0.19),
        Rule::new("errors_total").outside(0.0, 190.0),
    ]
}

#[test]
fn a_combination_fires_though_every_series_is_in_its_range() {
    for broken in 0..3 {
        let build = |builder: Builder| {
            alone()
                .into_iter()
                .fold(builder, Builder::alert)
                .alert(Rule::group("service", members()))
        };
        let mut service = Service::new(build);
        service.healthy(0..QUIET);
        let before = service.fired("service");
        assert_eq!(before, 0.0);
        assert!(wave(QUIET) < 0.11, "{}", wave(QUIET));
        let of = |member: usize| if member == broken { 0.8 } else { wave(QUIET) };
        service.second(of(0), of(1), of(2));
        assert_eq!(service.fired("service"), 1.0, "{broken}");
        for rule in alone() {
            assert_eq!(service.fired(rule.name()), 0.0, "{} is in its own range", rule.name());
        }
        let alerts = service.told();
        let alert = alerts.first().unwrap();
        let (metric, value) =
            [("cpu_used_ratio", 0.8), ("latency_seconds", 0.148), ("errors_total", 160.0)][broken];
        assert_eq!((alert.rule(), alert.metric()), ("service", metric));
        assert!((alert.value() / value - 1.0).abs() < 0.2, "{alert}");
        let (low, high) = alert.expected().unwrap();
        assert!(low < high && (alert.value() < low || alert.value() > high), "{alert}");
        // As far off as it would be under the load that the others show.
        assert!(high < 0.7 * value, "{alert}");
        assert!(alert.reason().contains("in group service, beside "), "{alert}");
        let route = [("route".to_owned(), "/".to_owned())];
        assert_eq!(alert.labels(), if broken == 1 { &route[..] } else { &[] });
    }
}

#[test]
fn a_member_that_is_not_there_is_waited_for() {
    let mut service = Service::new(|builder| builder.alert(Rule::group("service", members())));
    // Without errors there is nothing to compare with, and nothing is learned.
    for second in 0..300 {
        service.registry.gauge("cpu_used_ratio", &[]).set(wave(second));
        service.registry.gauge("latency_seconds", &[("route", "/")]).set(wave(second));
        service.tick();
    }
    assert_eq!((service.ready(), service.fired("service")), (0.0, 0.0));
    service.healthy(300..QUIET);
    assert_eq!(service.ready(), 1.0);
    // What does not fit the labels is no part of it.
    service.registry.gauge("latency_seconds", &[("route", "other")]).set(9.0);
    service.healthy(QUIET..QUIET + 10);
    assert_eq!((service.ready(), service.fired("service")), (1.0, 0.0));
}

#[test]
fn a_member_that_goes_blinds_the_group_until_it_comes_back() {
    let clock = ManualClock::new();
    let idle = Registry::builder().idle_timeout(Duration::from_secs(5)).clock(clock.clone());
    let registry = idle.build();
    let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
    let builder = builder.health(nissa::health::Health::new());
    let monitor = builder.alert(Rule::group("pair", ["a", "b"])).build().unwrap();
    let ready = || registry.snapshot().value("nissa_alert_ready").unwrap();
    let tick = |both: bool, second: u32| {
        registry.gauge("a", &[]).set(wave(second));
        if both {
            registry.gauge("b", &[]).set(1.0 - wave(second));
        }
        clock.advance(Duration::from_secs(1));
        monitor.tick();
    };
    (0..1000).for_each(|second| tick(true, second));
    assert_eq!(ready(), 1.0);
    (1000..1020).for_each(|second| tick(false, second));
    assert_eq!(ready(), 0.0);
    (1020..1030).for_each(|second| tick(true, second));
    assert_eq!(ready(), 1.0);
    assert_eq!(registry.snapshot().value("nissa_anomalies_total"), None);
}

/// Notes what it is given.
#[derive(Clone, Debug)]
struct Notes(Arc<Mutex<Vec<Vec<f64>>>>, usize);

impl Detector for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }
    fn observe(&mut self, value: f64, at: Duration) -> Score {
        self.observe_group(&[value], at)
    }
    fn series(&self) -> usize {
        self.1
    }
    fn observe_group(&mut self, values: &[f64], at: Duration) -> Score {
        self.0.lock().unwrap().push(values.to_vec());
        Forest::default().observe(0.0, at)
    }
    fn carry(&mut self, _: &mut Tape) {}
    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }
    fn state_bytes(&self) -> usize {
        0
    }
}

#[test]
fn several_series_of_a_member_are_one_figure() {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&notes);
    let latency = || Member::new("latency").label("route", "/a*");
    let group = Rule::group(
        "all",
        [
            Member::new("jobs_total"),
            Member::new("load").label("cpu", "*"),
            latency().quantile(0.5),
            latency().rate(),
        ],
    );
    let rule = group.detector(move || Box::new(Notes(Arc::clone(&to), 4)), 2.5);
    let service = Service::new(|builder| builder.alert(rule));
    let registry = &service.registry;
    let jobs = |queue| registry.counter("jobs_total", &[("queue", queue)]);
    let latency = |route| registry.histogram("latency", &[("route", route)]);
    for cpu in ["0", "1"] {
        registry.gauge("load", &[("cpu", cpu)]).set(if cpu == "0" { 0.2 } else { 0.6 });
    }
    // Counted long before anybody looked.
    jobs("b").increment(1_000);
    for route in ["/a1", "/a2", "/other"] {
        latency(route).record_many(0.01, 1_000);
    }
    service.tick();
    assert!(notes.lock().unwrap().is_empty(), "a rate needs two ticks");
    jobs("b").increment(5);
    latency("/a1").record_many(0.02, 10);
    latency("/a2").record_many(0.4, 90);
    latency("/other").record_many(7.0, 500);
    service.tick();
    // One that begins in between, and sorts before the others, counts from its second tick on.
    jobs("a").increment(700);
    jobs("b").increment(3);
    latency("/a1").record(0.02);
    service.tick();
    jobs("a").increment(7);
    latency("/a1").record(0.02);
    service.tick();
    // Nothing was recorded: no quantile, so there is nothing to judge.
    service.tick();
    let notes = notes.lock().unwrap();
    let jobs: Vec<f64> = notes.iter().map(|values| values[0]).collect();
    assert_eq!(jobs, [5.0, 3.0, 7.0], "{notes:?}");
    assert_eq!((notes[0][1], notes[0][3]), (0.4, 100.0));
    assert!(notes[0][2] > 0.25 && notes[0][2] <= 0.5, "the middle of both: {notes:?}");
}

#[test]
fn what_was_learned_survives_a_restart_but_not_a_change_of_members() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alert_groups_restart");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let start = |members: [Member; 3]| {
        let rule = Rule::group("service", members);
        Service::new(|builder| builder.alert(rule).detector_state(folder.join("detectors")))
    };
    let mut first = start(members());
    first.healthy(0..QUIET);
    drop(first);
    let mut second = start(members());
    // The first tick has no rate.
    second.healthy(QUIET - 1..QUIET + 1);
    assert_eq!(second.ready(), 1.0);
    second.second(wave(QUIET), 0.8, wave(QUIET));
    assert_eq!(second.fired("service"), 1.0);
    drop(second);
    let [cpu, latency, errors] = members();
    let mut other = start([latency, cpu, errors]);
    other.healthy(QUIET - 1..QUIET + 1);
    assert_eq!(other.ready(), 0.0, "what was learned is of other series");
}

#[test]
fn a_value_that_is_no_number_names_its_member() {
    let mut service = Service::new(|builder| builder.alert(Rule::group("service", members())));
    service.healthy(0..100);
    service.registry.gauge("latency_seconds", &[("route", "/")]).set(f64::NAN);
    service.tick();
    let alerts = service.told();
    let alert = alerts.first().unwrap();
    assert_eq!(alert.metric(), "latency_seconds");
    assert!(alert.reason().starts_with("not a finite number in group service"), "{alert}");
}

#[test]
fn an_alert_that_goes_on_keeps_its_origin() {
    let rule = Rule::group("service", members()).learn_anomalies(false);
    let mut service = Service::new(|builder| builder.alert(rule));
    service.healthy(0..QUIET);
    let quiet = wave(QUIET);
    service.second(quiet, 0.8, quiet);
    // Now another is further off.
    service.second(0.9, quiet, quiet);
    (0..3).for_each(|_| service.second(quiet, quiet, quiet));
    let alerts = service.told();
    let metrics: Vec<&str> = alerts.iter().map(Alert::metric).collect();
    assert_eq!(metrics, ["latency_seconds"; 2], "fires and is resolved: {alerts:?}");
    assert_eq!(alerts[0].value(), alerts[1].value());
    assert!(alerts[1].last_seen() > alerts[0].last_seen());
}

/// Finds what is above one, and the largest of it.
#[derive(Clone, Debug)]
struct Loud(usize);

impl Detector for Loud {
    fn name(&self) -> &'static str {
        "loud"
    }
    fn observe(&mut self, value: f64, at: Duration) -> Score {
        self.observe_group(&[value], at)
    }
    fn series(&self) -> usize {
        self.0
    }
    fn observe_group(&mut self, values: &[f64], _: Duration) -> Score {
        let largest = values.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let (origin, largest) = largest.unwrap();
        let (value, reason) =
            if *largest > 1.0 { (0.99, Reason::Range) } else { (0.0, Reason::Usual) };
        Score { value, ready: true, reason, expected: None, origin }
    }
    fn carry(&mut self, _: &mut Tape) {}
    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }
    fn state_bytes(&self) -> usize {
        0
    }
}

fn loud<const N: usize>(members: [Member; N]) -> Rule {
    Rule::group("loud", members).detector(|| Box::new(Loud(N)), 2.5)
}

#[test]
fn ticks_without_values_are_neither_for_nor_against_an_alert() {
    let rule = loud(["a".into(), Member::new("h").quantile(0.5)]).hold(3).cooldown(Duration::ZERO);
    let service = Service::new(|builder| builder.alert(rule));
    let nothing = |ticks: u32| (0..ticks).for_each(|_| service.tick());
    service.set("a", 0.0);
    service.recorded(&[0.1, 0.1, 9.0, 9.0]);
    nothing(1);
    assert_eq!(service.firing(), Some(0.0));
    service.recorded(&[9.0]);
    assert_eq!(service.firing(), Some(1.0), "the hold goes on where it was");
    // Far more than would resolve it, if it were known that all is well.
    nothing(20);
    service.recorded(&[0.1, 0.1]);
    nothing(20);
    assert_eq!(service.firing(), Some(1.0));
    service.recorded(&[0.1]);
    assert_eq!(service.firing(), Some(0.0));
    // What never comes back does not fire for ever.
    service.recorded(&[9.0, 9.0, 9.0]);
    nothing(599);
    assert_eq!(service.firing(), Some(1.0));
    nothing(3);
    assert_eq!(service.firing(), Some(0.0));
    assert_eq!(service.told().len(), 4);
}

#[test]
fn an_alert_that_fires_again_tells_the_origin_of_now() {
    let service = Service::new(|builder| builder.alert(loud(["a".into(), "b".into()])));
    for (a, b) in [(9.0, 0.0), (0.0, 20.0)] {
        service.set("a", a);
        service.set("b", b);
        service.tick();
        service.set("a", 0.0);
        service.set("b", 0.0);
        (0..3).for_each(|_| service.tick());
    }
    let alerts = service.told();
    let told: Vec<_> = alerts.iter().map(|alert| (alert.metric(), alert.value())).collect();
    assert_eq!(told, [("a", 9.0), ("a", 9.0), ("b", 20.0), ("b", 20.0)]);
    assert!(alerts.iter().all(|alert| alert.id() == alerts[0].id()));
    assert!(alerts[3].reason().ends_with("in group loud, beside a 0"), "{}", alerts[3]);
}

#[test]
fn a_second_series_of_the_origin_does_not_stop_its_figures() {
    let service = Service::new(|builder| builder.alert(loud(["a".into(), "b".into()])));
    let host = |host, value| service.registry.gauge("a", &[("host", host)]).set(value);
    service.set("b", 0.0);
    host("1", 10.0);
    service.tick();
    host("2", 30.0);
    service.tick();
    host("1", 0.0);
    host("2", 0.0);
    (0..3).for_each(|_| service.tick());
    let alerts = service.told();
    let values: Vec<f64> = alerts.iter().map(Alert::value).collect();
    assert_eq!(values, [10.0, 20.0], "the mean of both");
    assert!(alerts.iter().all(|alert| alert.label("host") == Some("1")), "{alerts:?}");
}

#[test]
fn groups_that_make_no_sense_are_refused_with_their_name() {
    let many: Vec<String> = (0..65).map(|member| format!("m{member}")).collect();
    let wrong = [
        Rule::group("none", Vec::<Member>::new()),
        Rule::group("alone", ["a"]),
        Rule::group("many", many),
        Rule::group("pattern", ["a", "b*"]),
        Rule::group("limit", ["a", "b"]).above(1.0),
        Rule::group("single", ["a", "b"]).zscore(4.0),
        Rule::group("absent", ["a", "b"]).absent(),
        Rule::group("labels", ["a", "b"]).label("host", "x"),
        Rule::group("reading", ["a", "b"]).rate(),
        Rule::new("forest").detector(|| Box::new(Forest::group(3)), 2.5),
    ];
    for rule in wrong {
        let name = rule.name().to_owned();
        let error = nissa::builder().registry(Registry::new()).alert(rule).build().unwrap_err();
        assert!(error.is_setting() && error.to_string().contains(&name), "{error}");
    }
    let deviations = Rule::group("fine", ["a", "b"]).detector(|| Box::new(Forest::group(2)), 5.0);
    assert!(nissa::builder().registry(Registry::new()).alert(deviations).build().is_ok());
}
