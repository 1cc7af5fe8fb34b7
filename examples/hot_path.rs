//! What each way of recording costs, measured here and now.
//!
//! ```text
//! cargo run --release --example hot_path
//! ```
//!
//! Each line is the best of many short runs, so that a busy machine disturbs it little. Compare
//! lines with each other and with the first two rather than with another machine.

use std::cell::Cell;
use std::hint::black_box;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use nissa::{Registry, counter, gauge, histogram};

const ROUNDS: usize = 200;
const OPS: u32 = 10_000;

thread_local! {
    static LOCAL: Cell<u64> = const { Cell::new(0) };
}
static ATOMIC: AtomicU64 = AtomicU64::new(0);

/// Nanoseconds a call: the best round.
fn cost(mut op: impl FnMut(u32)) -> f64 {
    let round = |_| {
        let start = Instant::now();
        (0..OPS).for_each(|i| {
            op(i);
            // What was recorded may be read by another thread, so no two calls may become one.
            std::sync::atomic::compiler_fence(Ordering::SeqCst);
        });
        start.elapsed().as_secs_f64() * 1e9 / f64::from(OPS)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn main() -> io::Result<()> {
    let users: Vec<String> = (0..1000).map(|user| format!("user-{user}")).collect();
    let user = |i: u32| users[i as usize * 7919 % users.len()].as_str();
    let latency = |i: u32| black_box(f64::from(i % 1000) * 0.01);
    let held = Registry::global().counter("held_total", &[]);

    let lines = [
        ("a thread-local add", cost(|_| LOCAL.with(|c| c.set(black_box(c.get() + 1))))),
        ("an uncontended atomic fetch_add", cost(|_| _ = ATOMIC.fetch_add(1, Ordering::Relaxed))),
        ("counter!(\"name\").increment(1)", cost(|_| counter!("plain_total").increment(1))),
        (
            "counter!(\"name\", \"k\" => \"v\").increment(1)",
            cost(|_| counter!("labelled_total", "k" => "v").increment(1)),
        ),
        ("a held Counter", cost(|_| held.increment(1))),
        ("gauge!(\"name\").set(x)", cost(|i| gauge!("level").set(i))),
        ("gauge!(\"name\").increment(x)", cost(|_| gauge!("sum").increment(1.0))),
        ("histogram!(\"name\").record(x)", cost(|i| histogram!("wait_seconds").record(latency(i)))),
        (
            "counter!(\"name\", \"k\" => runtime).increment(1)",
            cost(|i| counter!("logins_total", "user" => user(i)).increment(1)),
        ),
        (
            "histogram!(\"name\").time(|| ..)",
            cost(|_| histogram!("work_seconds").time(|| black_box(()))),
        ),
    ];

    let mut out = io::stdout().lock();
    writeln!(out, "{:>8}  call", "ns")?;
    for (call, nanoseconds) in lines {
        writeln!(out, "{nanoseconds:>8.2}  {call}")?;
    }
    let snapshot = Registry::global().snapshot();
    let counted = snapshot.value("logins_total").unwrap_or_default();
    writeln!(out, "recorded {counted} logins of {} users", users.len())
}
