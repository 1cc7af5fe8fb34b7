//! Runs one operation on several threads at once, for the benches that ask what sharing costs.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// The numbers of threads every such bench is run with.
pub(crate) const THREADS: [usize; 4] = [1, 2, 4, 8];

/// Wall time from a common start until each of `threads` has done `operation` so many times.
///
/// More threads than processors take turns, so their time grows even where nothing is shared.
pub(crate) fn on_threads(
    threads: usize,
    iterations: u64,
    operation: impl Fn(u64) + Sync,
) -> Duration {
    let start = Barrier::new(threads);
    let run = || {
        start.wait();
        let started = Instant::now();
        for i in 0..iterations {
            operation(i);
            black_box(());
        }
        (started, Instant::now())
    };
    let runs: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let crowd: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        crowd.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let first = runs.iter().map(|run| run.0).min();
    let last = runs.iter().map(|run| run.1).max();
    first.zip(last).map(|(first, last)| last - first).unwrap_or_default()
}
