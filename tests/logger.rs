//! A logger that uses metrics, called because nissa itself has something to say.

#![cfg(feature = "log")]

mod host;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nissa::{Matcher, Registry, counter, gauge, histogram};

const LIMIT: Duration = Duration::from_secs(20);

/// Runs whatever the test wants on each warning of nissa's.
struct Nosy;

type Job = Box<dyn Fn(&str) + Send>;

static JOB: Mutex<Option<Job>> = Mutex::new(None);
static SAID: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

impl log::Log for Nosy {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "nissa"
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) || LOGGING.replace(true) {
            return;
        }
        SAID.fetch_add(1, Relaxed);
        let job = JOB.lock().unwrap_or_else(PoisonError::into_inner).take();
        let result = catch_unwind(AssertUnwindSafe(|| {
            job.iter().for_each(|job| job(&record.args().to_string()));
        }));
        *JOB.lock().unwrap_or_else(PoisonError::into_inner) = job;
        LOGGING.set(false);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }

    fn flush(&self) {}
}

/// Plays `body` in a child whose logger does `job`.
fn in_child(test: &str, job: impl Fn(&str) + Send + 'static, body: impl FnOnce()) {
    if host::scenario().is_none() {
        return host::play(test, test, LIMIT);
    }
    *JOB.lock().unwrap() = Some(Box::new(job));
    log::set_logger(&Nosy).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    body();
}

/// What a warning says, and a registry that says it.
type Complaint = (&'static str, fn() -> Registry);

/// Everything that makes a registry complain once, each in a registry of its own.
fn complaints() -> Vec<Complaint> {
    fn with(registry: Registry, labels: &[&[(&str, &str)]]) -> Registry {
        labels.iter().for_each(|labels| registry.counter("c_total", labels).increment(1));
        registry
    }
    vec![
        ("as two kinds", || {
            let registry = with(Registry::new(), &[&[]]);
            registry.gauge("c_total", &[]).set(1);
            registry
        }),
        ("empty or too long", || {
            let registry = Registry::new();
            registry.counter("", &[]).increment(1);
            registry
        }),
        ("described twice", || {
            let registry = Registry::new();
            registry.describe_counter("c_total", None, "One.");
            registry.describe_counter("c_total", None, "Two.");
            registry
        }),
        ("filtered out", || with(Registry::builder().deny(Matcher::name("*")).build(), &[&[]])),
        ("too many series", || {
            let registry = Registry::builder().series_per_family(1).build();
            with(registry, &[&[("user", "ann")], &[("user", "bob")]])
        }),
        ("too many series", || {
            let registry = Registry::builder().series(1).build();
            with(registry, &[&[("user", "ann")], &[("user", "bob")]])
        }),
        ("registry full", || {
            let registry = with(Registry::builder().series(1).build(), &[&[]]);
            registry.gauge("g", &[]).set(1);
            registry
        }),
        ("given twice", || with(Registry::new(), &[&[("a", "1"), ("a", "2")]])),
        ("reserved", || with(Registry::new(), &[&[("__a", "1")]])),
        ("empty name", || with(Registry::new(), &[&[("", "1")]])),
        ("too long", || {
            with(
                Registry::builder().label_value_bytes(16).build(),
                &[&[("a", "longer than sixteen")]],
            )
        }),
    ]
}

#[test]
fn each_complaint_is_logged_once() {
    static SENTENCES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let job = |said: &str| SENTENCES.lock().unwrap().push(said.to_owned());
    in_child("each_complaint_is_logged_once", job, || {
        for (sentence, complain) in complaints() {
            let registry = complain();
            let said = std::mem::take(&mut *SENTENCES.lock().unwrap());
            assert_eq!(said.len(), 1, "{sentence}: {said:?}");
            assert!(said[0].contains(sentence), "{said:?} says {sentence}");
            registry.gauge("c_total", &[]).set(1);
            for _ in 0..100 {
                registry.gauge("c_total", &[("user", "new")]).set(1);
            }
            let more = std::mem::take(&mut *SENTENCES.lock().unwrap());
            assert!(more.len() <= 1, "{sentence}: a flood of {more:?}");
        }
        for _ in 0..3 {
            histogram!("h_seconds").record(f64::NAN);
        }
        assert_eq!(SENTENCES.lock().unwrap().len(), 1);
    });
}

/// What is new within nissa's own work is refused and counted; what is known counts.
#[test]
fn a_logger_may_use_metrics() {
    let job = |_: &str| {
        counter!("warnings_total").increment(1);
        counter!("warnings_total", "runtime" => String::from("label")).increment(1);
        gauge!("new_each_time", "number" => SAID.load(Relaxed).to_string()).set(1);
        Registry::global().describe_gauge("new_each_time", None, "Described by the logger.");
        let text = nissa::expose::text(&Registry::global().snapshot());
        assert!(text.is_empty() || text.contains("# TYPE"));
        drop(Registry::global().families());
    };
    in_child("a_logger_may_use_metrics", job, || {
        // Known beforehand, so that nothing of it can be refused.
        counter!("known_total").increment(1);
        let complaints = complaints();
        for (_, complain) in &complaints {
            complain().snapshot();
        }
        histogram!("h_seconds").record(f64::NAN);
        assert_eq!(SAID.load(Relaxed), complaints.len() + 1);
        let snapshot = Registry::global().snapshot();
        let counted = snapshot.value("warnings_total").unwrap_or(0.0);
        let refused = [("reason", "recursion")];
        let refused = snapshot.get("nissa_dropped_total", &refused).unwrap().as_f64().unwrap();
        assert!(counted + refused >= 2.0 * (complaints.len() + 1) as f64, "{counted}, {refused}");
    });
}

/// No lock is held while a logger runs: another thread may do anything in the meantime.
#[test]
fn a_logger_may_wait_for_another_thread_that_uses_metrics() {
    let job = |_: &str| {
        let work = || {
            let number = SAID.load(Relaxed).to_string();
            counter!("warnings_total", "number" => number).increment(1);
            counter!("warnings_total").increment(1);
            Registry::global().describe_gauge("g", None, "Described elsewhere.");
            assert!(Registry::global().snapshot().value("warnings_total") >= Some(2.0));
            assert!(Registry::global().cardinality().series > 0);
        };
        std::thread::spawn(work).join().unwrap();
    };
    in_child("a_logger_may_wait_for_another_thread_that_uses_metrics", job, || {
        let complaints = complaints();
        for (_, complain) in &complaints {
            complain();
        }
        // Of the global registry, which the other thread uses too.
        gauge!("mixed").set(1);
        counter!("mixed").increment(1);
        histogram!("h_seconds").record(f64::NAN);
        let said = 2.0 * SAID.load(Relaxed) as f64;
        assert_eq!(SAID.load(Relaxed), complaints.len() + 2);
        assert_eq!(Registry::global().snapshot().value("warnings_total"), Some(said));
    });
}

#[test]
fn a_logger_that_panics_leaves_nothing_locked() {
    in_child(
        "a_logger_that_panics_leaves_nothing_locked",
        |_| panic!("on purpose"),
        || {
            std::panic::set_hook(Box::new(|_| ()));
            for (sentence, complain) in complaints() {
                assert!(catch_unwind(complain).is_err(), "{sentence}");
            }
            gauge!("mixed").set(1);
            assert!(catch_unwind(|| counter!("mixed").increment(1)).is_err());
            counter!("c_total").increment(1);
            counter!("c_total", "runtime" => String::from("label")).increment(1);
            gauge!("mixed").set(2);
            let snapshot = Registry::global().snapshot();
            assert_eq!(snapshot.value("c_total"), Some(2.0));
            assert_eq!(snapshot.value("mixed"), Some(2.0));
        },
    );
}
