//! Metrics recorded where little is allowed: in a panic, in the destructors of a thread that ends,
//! after `main`; and by user code that panics while it is asked for a label.

#![allow(unsafe_code, reason = "atexit has no safe wrapper in std")]

mod host;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nissa::{Counter, Registry, counter, gauge, histogram};

const LIMIT: Duration = Duration::from_secs(20);

fn value(registry: &Registry, name: &str) -> Option<f64> {
    registry.snapshot().value(name)
}

/// A label whose text cannot be had.
struct Trap;

impl AsRef<str> for Trap {
    fn as_ref(&self) -> &str {
        panic!("no text for you")
    }
}

/// A label that panics when it is dropped.
struct Mine(&'static str);

impl AsRef<str> for Mine {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("not yet")
    }
}

#[test]
fn a_label_that_panics_poisons_nothing() {
    let registry = Registry::new();
    let record = |user: &str| {
        counter!("c_total", "user" => user).increment(1);
        gauge!("g", "user" => user).set(1);
        histogram!("h_seconds", "user" => user).record(1);
        registry.counter("direct_total", &[("user", user)]).increment(1);
    };
    registry.in_scope(|| {
        for round in 0..3 {
            let traps: [fn(); 6] = [
                || counter!("c_total", "user" => Trap).increment(1),
                || gauge!("g", "user" => "ann", "other" => Trap).set(1),
                || histogram!("h_seconds", "user" => Trap).record(1),
                || counter!(Trap).increment(1),
                || counter!("dropped_total", "user" => Mine("ann")).increment(1),
                || histogram!("timed_seconds").time(|| panic!("in the middle")),
            ];
            for trap in traps {
                assert!(catch_unwind(trap).is_err());
            }
            record("ann");
            record(&format!("round {round}"));
        }
    });
    let snapshot = registry.snapshot();
    for name in ["c_total", "direct_total"] {
        assert_eq!(snapshot.value(name), Some(6.0), "{name}");
    }
    assert_eq!(snapshot.family("g").unwrap().len(), 4);
    let timed = snapshot.distribution("timed_seconds").unwrap();
    assert_eq!(timed.count(), 3, "a panic ends a timer");
}

#[test]
fn a_panic_leaves_its_scope() {
    let (outer, inner) = (Registry::new(), Registry::new());
    let _scope = outer.enter();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        inner.in_scope(|| {
            counter!("c_total").increment(1);
            panic!("out of here");
        })
    }));
    assert!(panicked.is_err());
    counter!("c_total").increment(5);
    assert_eq!((value(&inner, "c_total"), value(&outer, "c_total")), (Some(1.0), Some(5.0)));
}

#[test]
fn a_panic_hook_may_record() {
    const PANICS: usize = 50;
    if host::scenario().is_none() {
        return host::play("a_panic_hook_may_record", "panic hook", LIMIT);
    }
    std::panic::set_hook(Box::new(|panic| {
        let line = panic.location().map_or_else(String::new, |place| place.line().to_string());
        counter!("panics_total").increment(1);
        counter!("panics_by_line_total", "line" => line).increment(1);
        gauge!("last_panic_page_bytes").set(page().len() as f64);
    }));
    let threads: Vec<_> = (0..PANICS)
        .map(|number| {
            std::thread::spawn(move || match number % 2 {
                0 => panic!("of a thread that has recorded nothing"),
                _ => {
                    counter!("work_total", "number" => number.to_string()).increment(1);
                    histogram!("work_seconds").time(|| panic!("at work"));
                }
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().is_err()));
    let _ = std::panic::take_hook();
    let snapshot = Registry::global().snapshot();
    assert_eq!(snapshot.value("panics_total"), Some(PANICS as f64));
    assert_eq!(snapshot.value("panics_by_line_total"), Some(PANICS as f64));
    assert_eq!(snapshot.family("panics_by_line_total").unwrap().len(), 2);
    assert_eq!(snapshot.distribution("work_seconds").unwrap().count(), (PANICS / 2) as u64);
}

fn page() -> String {
    nissa::expose::text(&Registry::global().snapshot())
}

thread_local! {
    static EARLY: RefCell<Option<Farewell>> = const { RefCell::new(None) };
    static LATE: RefCell<Option<Farewell>> = const { RefCell::new(None) };
}

/// Records when its thread ends.
struct Farewell {
    held: Counter,
    registry: Registry,
    name: &'static str,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.held.increment(1);
        counter!("farewells_total").increment(1);
        counter!("farewells_by_name_total", "name" => self.name.to_owned()).increment(1);
        histogram!("farewell_seconds", "name" => self.name.to_owned()).record(1);
        gauge!("farewell", "name" => self.name.to_owned()).increment(1);
        metrics::with_local_recorder(&nissa::Recorder::new(&self.registry), || {
            metrics::counter!("facade_farewells_total").increment(1);
        });
        self.registry.in_scope(|| counter!("scoped_farewells_total").increment(1));
        assert!(self.registry.snapshot().families().len() > 0);
    }
}

/// Thread-locals are destroyed in an order nobody can rely on: before nissa's own and after.
#[test]
fn destructors_of_thread_locals_may_record() {
    const THREADS: usize = 100;
    let registry = Registry::new();
    let held = registry.counter("held_total", &[]);
    let farewell = |name| Some(Farewell { held: held.clone(), registry: registry.clone(), name });
    for number in 0..THREADS {
        let live = || {
            EARLY.set(farewell("early"));
            if number % 2 == 0 {
                counter!("alive_total").increment(1);
                counter!("alive_total", "runtime" => String::from("label")).increment(1);
            }
            LATE.set(farewell("late"));
        };
        std::thread::scope(|threads| threads.spawn(live).join()).unwrap();
    }
    let (twice, global) = (Some(2.0 * THREADS as f64), Registry::global());
    assert_eq!(value(&registry, "held_total"), twice);
    assert_eq!(value(&registry, "facade_farewells_total"), twice);
    assert_eq!(value(global, "farewells_total"), twice);
    assert_eq!(value(global, "farewells_by_name_total"), twice);
    // A thread whose list of scopes is gone can enter none: the global registry takes the rest.
    let scoped =
        [value(&registry, "scoped_farewells_total"), value(global, "scoped_farewells_total")];
    assert_eq!(scoped.map(Option::unwrap_or_default).iter().sum::<f64>(), 2.0 * THREADS as f64);
    let snapshot = global.snapshot();
    for name in ["early", "late"] {
        let labels = [("name", name)];
        let gauge = snapshot.get("farewell", &labels).unwrap();
        assert_eq!(gauge.as_f64(), Some(THREADS as f64), "{name}");
    }
    let lost = [("reason", "update_lost")];
    assert_eq!(snapshot.get("nissa_dropped_total", &lost).unwrap().as_f64(), Some(0.0));
}

/// A thread's memory goes to the next one while its destructors still record: they must keep off.
#[test]
fn a_thread_that_gave_its_memory_away_writes_there_no_more() {
    const LAST_WORDS: u64 = 5_000;
    const GENERATIONS: u64 = 100;
    struct Talker(Counter);
    impl Drop for Talker {
        fn drop(&mut self) {
            (0..LAST_WORDS).for_each(|_| self.0.increment(1));
        }
    }
    thread_local! {
        static TALKER: RefCell<Option<Talker>> = const { RefCell::new(None) };
    }
    let registry = Registry::new();
    let words = registry.counter("words_total", &[]);
    let live = || {
        // Before nissa's own, so that it is destroyed after them.
        TALKER.set(Some(Talker(words.clone())));
        (0..LAST_WORDS).for_each(|_| words.increment(1));
    };
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..GENERATIONS {
                    std::thread::scope(|threads| threads.spawn(live).join()).unwrap();
                }
            });
        }
    });
    let total = 4 * GENERATIONS * 2 * LAST_WORDS;
    assert_eq!(value(&registry, "words_total"), Some(total as f64));
}

/// A scope kept in a thread-local ends with its thread, at whatever time.
#[test]
fn a_scope_may_end_with_its_thread() {
    thread_local! {
        static SCOPE: RefCell<Option<nissa::Scope>> = const { RefCell::new(None) };
    }
    let registry = Registry::new();
    std::thread::scope(|threads| {
        for _ in 0..20 {
            threads.spawn(|| {
                SCOPE.set(None);
                SCOPE.set(Some(registry.enter()));
                counter!("c_total").increment(1);
            });
        }
    });
    assert_eq!(value(&registry, "c_total"), Some(20.0));
}

/// After `main`, with the thread's memory gone.
extern "C" fn at_exit() {
    let record = || {
        counter!("exits_total").increment(1);
        counter!("exits_total", "late" => String::from("label")).increment(1);
        histogram!("exit_seconds").record(1);
        page().contains("\nexits_total 2\n") && page().contains("exits_total{late=\"label\"} 1\n")
    };
    if !catch_unwind(record).unwrap_or(false) {
        // SAFETY: ends the process at once; nothing is left to be cleaned up.
        unsafe { libc::_exit(9) };
    }
}

#[test]
fn what_runs_after_main_may_record() {
    if host::scenario().is_none() {
        return host::play("what_runs_after_main_may_record", "at exit", LIMIT);
    }
    counter!("exits_total").increment(1);
    // SAFETY: the function lives as long as the process.
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
    // Threads that still record when the process ends must not trouble it.
    for _ in 0..2 {
        std::thread::spawn(|| {
            loop {
                counter!("still_running_total", "runtime" => String::from("label")).increment(1);
            }
        });
    }
}
