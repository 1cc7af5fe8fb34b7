//! The monitor and its stages: who is called when, what happens when one fails, hangs or panics.

#![cfg(all(feature = "monitor", feature = "test-util"))]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nissa::monitor::{Context, Stage, Tick, Wants};
use nissa::route::{Request, Response, Route};
use nissa::{Error, ManualClock, Registry, Snapshot};

/// A hang fails the test; nothing else waits this long.
const LIMIT: Duration = Duration::from_secs(30);

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down what it is asked to do.
struct Scribe {
    name: &'static str,
    wants: Wants,
    log: Log,
}

impl Scribe {
    fn note(&self, what: impl std::fmt::Display) {
        self.log.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

impl Stage for Scribe {
    fn name(&self) -> &'static str {
        self.name
    }

    fn wants(&self) -> Wants {
        self.wants
    }

    fn routes(&self) -> Vec<Route> {
        vec![Route::get("/scribe", |_| Response::text(200, "written"))]
    }

    fn start(&mut self, context: &Context) -> Result<(), Error> {
        let route = context.routes().iter().find(|route| route.path() == "/scribe").unwrap();
        let answer = route.handle(&Request::new("/scribe", ""));
        self.note(format_args!("start {}", answer.status()));
        Ok(())
    }

    fn before(&mut self, registry: &Registry, tick: Tick) {
        registry.gauge("seconds", &[]).set(tick.at.as_secs_f64());
        let gap = if tick.after_gap { " gap" } else { "" };
        self.note(format_args!("before {:?} {:?}{gap}", tick.at, tick.unix));
    }

    fn after(&mut self, snapshot: &Snapshot, _: Tick) {
        self.note(format_args!("after {}", snapshot.value("seconds").unwrap()));
    }

    fn stop(&mut self, _: Duration) {
        self.note("stop");
    }
}

fn scribes(wants: [Wants; 2]) -> (Log, Scribe, Scribe) {
    let log = Log::default();
    let [first, second] = wants;
    let scribe = |name, wants| Scribe { name, wants, log: Arc::clone(&log) };
    (Arc::clone(&log), scribe("first", first), scribe("second", second))
}

fn written(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[test]
fn all_stages_see_one_snapshot_with_what_was_set_before_it() {
    let (log, first, second) = scribes([Wants::Ticks, Wants::Snapshots]);
    let clock = ManualClock::new();
    let builder = nissa::builder().registry(Registry::new()).clock(clock.clone());
    let monitor = builder.stage(first).stage(second).build().unwrap();
    assert_eq!(written(&log), ["first start 200", "second start 200"]);

    clock.advance(Duration::from_secs(1));
    monitor.tick();
    assert_eq!(written(&log), ["first before 1s 1s", "second before 1s 1s", "second after 1"]);

    clock.set_unix(Duration::from_secs(500));
    clock.advance(Duration::from_secs(1));
    monitor.tick();
    assert_eq!(written(&log)[0], "first before 2s 501s", "the wall clock jumped, time did not");

    clock.advance(Duration::from_secs(5));
    monitor.tick();
    assert_eq!(written(&log)[0], "first before 7s 506s gap");
    drop(monitor);
    assert_eq!(written(&log), ["second stop", "first stop"]);
}

#[test]
fn nothing_is_done_that_nobody_asks_for() {
    let (log, first, second) = scribes([Wants::Nothing, Wants::Nothing]);
    let guard = nissa::builder().registry(Registry::new()).stage(first).stage(second);
    drop(guard.start().unwrap());
    assert_eq!(written(&log), ["first start 200", "second start 200", "second stop", "first stop"]);
}

#[test]
fn a_guard_ticks_at_once_and_a_last_time() {
    let (log, first, _) = scribes([Wants::Snapshots, Wants::Nothing]);
    let registry = Registry::new();
    let builder = nissa::builder().registry(registry.clone()).interval(Duration::from_secs(3600));
    let guard = builder.stage(first).start().unwrap();
    assert!(guard.shutdown());
    let log = written(&log);
    let ticks = log.iter().filter(|line| line.starts_with("first after")).count();
    assert_eq!(ticks, 2, "{log:?}");
    assert_eq!(log.last().unwrap(), "first stop");
    assert_eq!(registry.snapshot().value("nissa_ticks_total"), Some(2.0));
}

/// Does what it is told to.
struct Trouble(fn(&str) -> Result<(), Error>);

impl Stage for Trouble {
    fn name(&self) -> &'static str {
        "trouble"
    }

    fn wants(&self) -> Wants {
        Wants::Snapshots
    }

    fn start(&mut self, _: &Context) -> Result<(), Error> {
        (self.0)("start")
    }

    fn before(&mut self, _: &Registry, _: Tick) {
        let _ = (self.0)("before");
    }

    fn after(&mut self, _: &Snapshot, _: Tick) {
        let _ = (self.0)("after");
    }

    fn stop(&mut self, _: Duration) {
        let _ = (self.0)("stop");
    }
}

#[test]
fn a_panic_in_a_hook_stays_in_it() {
    let (log, first, second) = scribes([Wants::Snapshots, Wants::Snapshots]);
    let trouble = Trouble(|hook| if hook == "start" { Ok(()) } else { panic!("in {hook}") });
    let builder = nissa::builder().registry(Registry::new()).clock(ManualClock::new());
    let monitor = builder.stage(first).stage(trouble).stage(second).build().unwrap();
    let failures = || {
        let snapshot = Registry::global().snapshot();
        let labels = [("reason", "stage_panicked")];
        snapshot.get("nissa_failures_total", &labels).unwrap().as_f64().unwrap()
    };
    let before = failures();
    monitor.tick();
    monitor.tick();
    drop(monitor);
    assert!(failures() >= before + 5.0, "two hooks in two ticks, and stop");
    let second: Vec<_> = written(&log).into_iter().filter(|l| l.starts_with("second")).collect();
    assert_eq!(second.len(), 6, "{second:?}");
}

#[test]
fn a_stage_that_cannot_start_undoes_those_before_it() {
    let refuse: fn(&str) -> Result<(), Error> =
        |_| Err(nissa::Buckets::explicit(&[f64::NAN]).unwrap_err());
    for cannot in [refuse, |_| panic!("as the test wants it")] {
        let (log, first, second) = scribes([Wants::Ticks, Wants::Ticks]);
        let builder = nissa::builder().registry(Registry::new());
        let error = builder.stage(first).stage(Trouble(cannot)).stage(second).start().unwrap_err();
        assert!(error.is_buckets() || error.to_string().contains("trouble panicked"), "{error}");
        assert_eq!(written(&log), ["first start 200", "first stop"]);
    }
}

/// Hangs in its first tick until let go.
struct Stuck {
    entered: Sender<()>,
    release: Receiver<()>,
}

impl Stage for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }

    fn wants(&self) -> Wants {
        Wants::Ticks
    }

    fn before(&mut self, _: &Registry, _: Tick) {
        self.entered.send(()).unwrap();
        let _ = self.release.recv();
    }
}

#[test]
fn a_stage_that_hangs_keeps_no_other_from_being_stopped() {
    let (log, first, _) = scribes([Wants::Nothing, Wants::Nothing]);
    let (entered, inside) = channel();
    let (release, held) = channel();
    let builder = nissa::builder()
        .registry(Registry::new())
        .shutdown_timeout(Duration::from_millis(50))
        .stage(first)
        .stage(Stuck { entered, release: held });
    let guard = builder.start().unwrap();
    inside.recv_timeout(LIMIT).unwrap();
    assert!(!guard.shutdown(), "it says that something was left behind");
    assert_eq!(written(&log), ["first start 200", "first stop"]);
    drop(release);
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let never = nissa::builder().registry(Registry::new()).interval(Duration::ZERO);
    assert!(never.start().unwrap_err().to_string().contains("interval"));
    let both = nissa::builder().registry(Registry::new()).configure(|registry| registry.series(1));
    let error = both.start().unwrap_err();
    assert!(error.is_setting() && error.to_string().contains("configure"), "{error}");
}

/// Longer than a clock can tell is for ever.
#[test]
fn spans_without_end_are_no_fault() {
    let builder = || {
        let registry = nissa::builder().registry(Registry::new());
        registry.interval(Duration::MAX).shutdown_timeout(Duration::MAX)
    };
    let (log, first, _) = scribes([Wants::Ticks, Wants::Nothing]);
    let guard = builder().stage(first).start().unwrap();
    assert!(guard.shutdown());
    assert_eq!(written(&log).last().map(String::as_str), Some("first stop"));
    let monitor = builder().build().unwrap();
    monitor.tick();
    monitor.tick();
    drop(monitor);
}

#[test]
fn a_guard_may_be_dropped_by_its_own_callback() {
    struct Suicide(Arc<Mutex<Option<nissa::monitor::Guard>>>, Arc<AtomicBool>);
    impl Stage for Suicide {
        fn name(&self) -> &'static str {
            "suicide"
        }

        fn wants(&self) -> Wants {
            Wants::Ticks
        }

        fn before(&mut self, _: &Registry, _: Tick) {
            if let Some(guard) = self.0.lock().unwrap().take() {
                drop(guard);
                self.1.store(true, Relaxed);
            }
        }
    }
    let (slot, done) = (Arc::default(), Arc::new(AtomicBool::new(false)));
    let guard = nissa::builder()
        .registry(Registry::new())
        .interval(Duration::from_millis(1))
        .shutdown_timeout(Duration::from_millis(50))
        .stage(Suicide(Arc::clone(&slot), Arc::clone(&done)))
        .start()
        .unwrap();
    *slot.lock().unwrap() = Some(guard);
    let start = std::time::Instant::now();
    while !done.load(Relaxed) {
        assert!(start.elapsed() < LIMIT, "it waits for itself");
        std::thread::yield_now();
    }
}
