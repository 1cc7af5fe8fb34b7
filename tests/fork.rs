//! A child made by `fork` inherits every lock as it was, held by threads it does not have. It must
//! go on all the same: record, register and read without waiting for anybody.

#![cfg(unix)]
#![allow(unsafe_code, reason = "fork has no safe wrapper")]

mod host;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nissa::{Counter, Registry, counter, describe_counter, gauge, histogram};

/// A child takes milliseconds; the goal is a second, and the rest is for a busy machine. One that
/// hangs would do so for ever.
const DEADLINE: Duration = Duration::from_secs(5);
const CHILDREN: usize = 30;

/// What happens in one test would be forked into the children of another.
static ALONE: Mutex<()> = Mutex::new(());

/// How a child ended.
const WELL: i32 = 0;
/// It went on with the series it had, and could not read.
const ABANDONED: i32 = 1;
const BADLY: i32 = 2;

/// Runs `work` in a child, which ends with what it returns; `None` if it had to be killed.
fn forked(work: impl FnOnce() -> i32) -> Option<i32> {
    // SAFETY: the child runs `work` and ends without returning to the test harness. The C library
    // makes its own locks usable in the child; that nissa does is what is tested.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(BADLY);
        // SAFETY: always allowed.
        unsafe { libc::_exit(ended) };
    }
    let start = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: `status` is a place for the answer about a child that is ours.
        match unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } {
            0 if start.elapsed() < DEADLINE => std::thread::sleep(Duration::from_micros(200)),
            0 => {
                // SAFETY: the child is ours and has not been waited for.
                unsafe {
                    libc::kill(child, libc::SIGKILL);
                    libc::waitpid(child, &mut status, 0);
                }
                return None;
            }
            _ if libc::WIFEXITED(status) => return Some(libc::WEXITSTATUS(status)),
            _ => return Some(BADLY),
        }
    }
}

/// What a program does after a fork: goes on with what it has, and begins new things.
fn go_on(held: &Counter) -> i32 {
    held.increment(1);
    held.absolute(5);
    counter!("known_total").increment(1);
    gauge!("known").set(2);
    histogram!("known_seconds").record(0.5);
    counter!("new_total", "pid" => std::process::id().to_string()).increment(1);
    counter!("new_literal_total").increment(1);
    describe_counter!("new_total", "Begun in the child.");
    let own = Registry::new();
    own.counter("own_total", &[]).increment(1);
    let read = own.snapshot().value("own_total");
    drop(own);
    let global = Registry::global();
    let text = nissa::expose::text(&global.snapshot());
    let reports = (global.families().len(), global.cardinality().series);
    match (read, text.contains("\nnew_literal_total "), reports) {
        (Some(1.0), true, (1.., 1..)) => WELL,
        (None, false, _) => ABANDONED,
        _ => BADLY,
    }
}

/// Forks children while threads run `jobs` in loops; gives back how many were abandoned.
fn fork_amid(jobs: &[&(dyn Fn(u64) + Sync)]) -> usize {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let held = Registry::global().counter("held_total", &[]);
    counter!("known_total").increment(1);
    let done = AtomicBool::new(false);
    let rounds: Vec<AtomicU64> = jobs.iter().map(|_| AtomicU64::new(0)).collect();
    let mut ends = Vec::new();
    std::thread::scope(|threads| {
        for (job, rounds) in jobs.iter().zip(&rounds) {
            let done = &done;
            threads.spawn(move || {
                while !done.load(Relaxed) {
                    job(rounds.fetch_add(1, Relaxed));
                }
            });
        }
        for _ in 0..CHILDREN {
            let before: u64 = rounds.iter().map(|rounds| rounds.load(Relaxed)).sum();
            ends.push(forked(|| go_on(&held)));
            // Somewhere else in their work the next time.
            while rounds.iter().map(|rounds| rounds.load(Relaxed)).sum::<u64>() == before {
                std::thread::yield_now();
            }
        }
        done.store(true, Relaxed);
    });
    let hung = ends.iter().filter(|end| end.is_none()).count();
    assert_eq!(hung, 0, "children of {CHILDREN} that hung");
    assert!(ends.iter().all(|end| matches!(end, Some(WELL | ABANDONED))), "{ends:?}");
    ends.iter().filter(|end| **end == Some(ABANDONED)).count()
}

/// Quiet means that no thread is at work here, not even one that is ending: so in a process of its
/// own.
#[test]
fn a_child_of_a_quiet_process_works_fully() {
    const TEST: &str = "a_child_of_a_quiet_process_works_fully";
    if host::scenario().is_none() {
        return host::play(TEST, TEST, 10 * DEADLINE);
    }
    let held = Registry::global().counter("held_total", &[]);
    counter!("known_total").increment(1);
    held.increment(1);
    for _ in 0..5 {
        let ended = forked(|| {
            // Not where threads are at work: the standard library's own locks would be stuck too.
            let thread = std::thread::spawn(|| counter!("known_total").increment(1));
            if go_on(&held) != WELL || thread.join().is_err() {
                return BADLY;
            }
            let value = |name: &str| Registry::global().snapshot().value(name);
            let values = ["held_total", "known_total", "new_total"].map(value);
            // A child may have children.
            match forked(|| go_on(&held)) {
                Some(WELL) if values == [Some(5.0), Some(3.0), Some(1.0)] => WELL,
                _ => BADLY,
            }
        });
        assert_eq!(ended, Some(WELL));
    }
    let after = Registry::global().snapshot().value("held_total");
    assert_eq!(after, Some(1.0), "what a child counts is its own");
}

#[test]
fn children_forked_amid_registering_recording_and_reading_go_on() {
    let register = |round: u64| {
        let registry = Registry::new();
        for number in 0..200 {
            let label = (round * 200 + number).to_string();
            registry.counter("busy_total", &[("number", &label)]).increment(1);
            registry.histogram("busy_seconds", &[("number", &label)]).record(1);
        }
    };
    let record = |round: u64| {
        counter!("busy_total").increment(1);
        counter!("busy_total", "round" => (round % 100).to_string()).increment(1);
        std::thread::spawn(|| histogram!("busy_seconds").record(1)).join().unwrap();
    };
    let read = |_| drop(nissa::expose::text(&Registry::global().snapshot()));
    fork_amid(&[&register, &record, &read]);
}

#[test]
fn children_forked_amid_reports_go_on() {
    const SERIES: usize = 100_000;
    let registry = Registry::builder().series_per_family(SERIES).build();
    let register = |number: u64| {
        let number = number.to_string();
        registry.counter("busy_total", &[("number", &number)]).increment(1);
    };
    (0..SERIES as u64 / 2).for_each(register);
    let report = |_| assert!(!registry.families().is_empty());
    fork_amid(&[&report, &report, &|round| register(SERIES as u64 / 2 + round)]);
}
