//! Callbacks that panic, block, re-enter or come too late: detection goes on, and what is lost is
//! counted.
#![cfg(all(feature = "detect", feature = "test-util"))]

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nissa::alert::{Alert, Rule, State};
use nissa::monitor::Monitor;
use nissa::{ManualClock, Registry};

const SOON: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    registry: Registry,
    clock: ManualClock,
    monitor: Monitor,
}

impl Bench {
    fn new(build: impl FnOnce(nissa::monitor::Builder) -> nissa::monitor::Builder) -> Self {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
        let builder = builder.health(nissa::health::Health::new());
        let builder = builder.alert(Rule::new("x").above(0.5).cooldown(Duration::ZERO));
        Self { registry, clock, monitor: build(builder).build().unwrap() }
    }

    /// Fires and resolves the alert so many times: two calls of each callback every time.
    fn fire(&self, times: usize) {
        for _ in 0..times {
            for value in [1.0, 0.0, 0.0, 0.0] {
                self.registry.gauge("x", &[]).set(value);
                self.clock.advance(SECOND);
                self.monitor.tick();
            }
        }
    }

    fn outcome(&self, outcome: &str) -> f64 {
        let labels = [("outcome", outcome)];
        let snapshot = self.registry.snapshot();
        snapshot.get("nissa_callbacks_total", &labels).unwrap().as_f64().unwrap()
    }
}

/// A callback that sends on what it gets.
fn tell() -> (impl Fn(&Alert) + Send + Sync + 'static, Receiver<Alert>) {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    (move |alert: &Alert| sender.lock().unwrap().send(alert.clone()).unwrap(), receiver)
}

#[test]
fn firing_and_resolved_are_told_in_order() {
    let (callback, alerts) = tell();
    let bench = Bench::new(|builder| builder.on_alert(callback));
    bench.fire(1);
    let states =
        [alerts.recv_timeout(SOON).unwrap().state(), alerts.recv_timeout(SOON).unwrap().state()];
    assert_eq!(states, [State::Firing, State::Resolved]);
}

#[test]
fn what_comes_back_within_the_cooldown_is_the_same_alert_and_is_told() {
    let (callback, alerts) = tell();
    let lasting = Rule::new("y").above(0.5).cooldown(SECOND * 60).on_alert(callback);
    let bench = Bench::new(|builder| builder.alert(lasting));
    for value in [1.0, 0.0, 0.0, 0.0, 1.0] {
        bench.registry.gauge("y", &[]).set(value);
        bench.clock.advance(SECOND);
        bench.monitor.tick();
    }
    let told: Vec<Alert> = (0..3).map(|_| alerts.recv_timeout(SOON).unwrap()).collect();
    assert_eq!(
        [State::Firing, State::Resolved, State::Firing],
        [0, 1, 2].map(|at| told[at].state())
    );
    assert!(told.iter().all(|alert| alert.id() == told[0].id()));
    assert_eq!(bench.registry.snapshot().value("nissa_anomalies_total"), Some(1.0));
}

#[test]
fn a_rule_may_have_a_callback_of_its_own() {
    let (callback, alerts) = tell();
    let bench = Bench::new(|builder| builder.alert(Rule::new("y").above(0.5).on_alert(callback)));
    bench.fire(1);
    bench.registry.gauge("y", &[]).set(1);
    bench.monitor.tick();
    assert_eq!(alerts.recv_timeout(SOON).unwrap().rule(), "y");
}

#[test]
fn rules_of_one_name_have_each_its_own_callback() {
    let ((high, highs), (low, lows)) = (tell(), tell());
    let bench = Bench::new(|builder| {
        let above = Rule::new("y").above(0.5).on_alert(high);
        builder.alert(above).alert(Rule::new("y").below(-0.5).on_alert(low))
    });
    for value in [1.0, -1.0] {
        bench.registry.gauge("y", &[]).set(value);
        bench.monitor.tick();
    }
    assert_eq!(lows.recv_timeout(SOON).unwrap().value(), -1.0);
    drop(bench);
    assert!(highs.iter().all(|alert| alert.value() == 1.0));
}

#[test]
fn panics_are_counted_and_end_the_callback_after_ten() {
    let (callback, alerts) = tell();
    let bench = Bench::new(|builder| {
        builder.on_alert(|_| panic!("as the test wants it")).on_alert(callback)
    });
    bench.fire(20);
    // The other callback gets all of them.
    (0..40).for_each(|_| drop(alerts.recv_timeout(SOON).unwrap()));
    let registry = bench.registry.clone();
    drop(bench);
    let snapshot = registry.snapshot();
    let count =
        |outcome| snapshot.get("nissa_callbacks_total", &[("outcome", outcome)]).unwrap().as_f64();
    assert_eq!(count("panicked"), Some(10.0));
    assert_eq!(count("dropped"), Some(30.0));
    assert_eq!(count("done"), Some(40.0));
}

#[test]
fn one_that_blocks_for_ever_holds_up_nobody() {
    let (release, held) = mpsc::channel::<()>();
    let (held, entered) = (Mutex::new(held), tell());
    let (callback, alerts) = tell();
    let bench = Bench::new(|builder| {
        builder
            .shutdown_timeout(Duration::from_millis(50))
            .on_alert(move |alert| {
                entered.0(alert);
                let _ = held.lock().unwrap().recv();
            })
            .on_alert(callback)
    });
    bench.fire(1);
    entered.1.recv_timeout(SOON).unwrap();
    bench.fire(200);
    (0..402).for_each(|_| drop(alerts.recv_timeout(SOON).unwrap()));
    // The blocked one holds one and has 256 waiting; the rest was dropped and counted.
    assert_eq!(bench.outcome("dropped"), 402.0 - 1.0 - 256.0);
    let registry = bench.registry.clone();
    drop(bench); // within the limit, though it never returns
    let snapshot = registry.snapshot();
    let dropped = snapshot.get("nissa_callbacks_total", &[("outcome", "dropped")]).unwrap();
    assert_eq!(dropped.as_f64(), Some(402.0 - 1.0));
    drop(release);
}

#[test]
fn callbacks_may_use_all_of_the_library() {
    let (callback, alerts) = tell();
    let registry = Registry::new();
    let inner = registry.clone();
    let bench = Bench::new(|builder| {
        builder.on_alert(move |alert| {
            inner.counter("seen_total", &[("rule", alert.rule())]).increment(1);
            let _ = inner.snapshot();
            let _ = nissa::health::health().report();
            let monitor = nissa::builder().registry(inner.clone()).build().unwrap();
            monitor.tick();
            drop(monitor);
            callback(alert);
        })
    });
    bench.fire(1);
    (0..2).for_each(|_| drop(alerts.recv_timeout(SOON).unwrap()));
    assert_eq!(registry.snapshot().value("seen_total"), Some(2.0));
}

#[test]
fn what_is_queued_is_delivered_at_the_end() {
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let bench = Bench::new(|builder| builder.on_alert(move |_| *counted.lock().unwrap() += 1));
    bench.fire(100);
    drop(bench);
    assert_eq!(*count.lock().unwrap(), 200);
}
