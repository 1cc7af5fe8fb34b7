//! A signal handler that records. Only what needs no memory is safe there: a call site or handle
//! whose series this thread has used before. See docs for what is not.

#![cfg(unix)]
#![allow(unsafe_code, reason = "signal handlers have no safe wrapper in std")]

mod host;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use nissa::{Counter, Registry, counter, histogram};

const LIMIT: Duration = Duration::from_secs(30);
const SIGNALS: u64 = 300;

static HANDLED: AtomicU64 = AtomicU64::new(0);

fn ticks() -> Counter {
    counter!("ticks_total")
}

extern "C" fn handler(_: libc::c_int) {
    ticks().increment(1);
    histogram!("tick_seconds").record(0.5);
    HANDLED.fetch_add(1, Relaxed);
}

/// Interrupts a thread again and again, wherever it is.
fn interrupt(thread: libc::pthread_t) {
    while HANDLED.load(Relaxed) < SIGNALS {
        let before = HANDLED.load(Relaxed);
        // SAFETY: the thread waits for this one to end, so it is alive.
        assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0);
        while HANDLED.load(Relaxed) == before {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_handler_records_between_any_two_instructions() {
    const TEST: &str = "a_handler_records_between_any_two_instructions";
    if host::scenario().is_none() {
        return host::play(TEST, TEST, LIMIT);
    }
    // Finds the series of the handler, and makes this thread's pages for them.
    handler(0);
    // SAFETY: the handler only does what this test is about.
    unsafe { libc::signal(libc::SIGUSR1, handler as extern "C" fn(libc::c_int) as usize) };
    // SAFETY: always allowed.
    let this = unsafe { libc::pthread_self() };
    let others = AtomicU64::new(0);
    let mut here = 0;
    std::thread::scope(|threads| {
        let busy = || {
            while HANDLED.load(Relaxed) < SIGNALS {
                let number = others.fetch_add(1, Relaxed);
                counter!("others_total", "number" => (number % 500).to_string()).increment(1);
                drop(Registry::global().snapshot());
            }
        };
        threads.spawn(busy);
        // Not before the other thread records, or all may be over before it starts.
        let started = || others.load(Relaxed) > 0;
        threads.spawn(move || {
            while !started() {
                std::thread::yield_now();
            }
            interrupt(this);
        });
        while HANDLED.load(Relaxed) < SIGNALS {
            here += 1;
            counter!("here_total").increment(1);
            counter!("here_total", "number" => (here % 3000).to_string()).increment(1);
            histogram!("here_seconds").record(0.5);
            drop(Registry::new().counter("short_total", &[]));
        }
    });
    let snapshot = Registry::global().snapshot();
    let handled = HANDLED.load(Relaxed) as f64;
    assert_eq!(snapshot.value("ticks_total"), Some(handled), "what only the handler records");
    assert_eq!(snapshot.distribution("tick_seconds").unwrap().count() as f64, handled);
    let here_total = snapshot.value("here_total");
    assert!(here_total <= Some(2.0 * f64::from(here)), "{here_total:?} of twice {here}");
    assert_eq!(snapshot.value("others_total"), Some(others.load(Relaxed) as f64));
}
