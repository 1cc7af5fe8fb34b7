//! Timing of two threads that run the same batch at once.

use std::hint;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Batch, Effort, Figure, scaled};
use crate::os;

/// Wall time per operation per thread while two threads run the batch at once.
///
/// A sample counts only if neither thread was pushed off its processor and their windows overlap
/// by four fifths; `None` where no sample did.
pub fn two_threads(batches: &[Batch], effort: Effort) -> Vec<Option<Figure>> {
    let processors = os::processors();
    let [first, .., second] = processors[..] else {
        return vec![None; batches.len()];
    };
    let pair = Pair::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            os::run_on(&[second]);
            while let Some(order) = pair.next_order() {
                let window = pair.sample(&batches[order.batch], 1, order.iterations);
                *lock(&pair.other) = Some(window);
                pair.meeting.wait();
            }
        });
        os::run_on(&[first]);
        let figures = pair.measure(batches, effort);
        os::run_on(&processors);
        figures
    })
}

/// Nanoseconds for a cache line to get from one processor to the other, by passing it to and fro.
///
/// It tells how far apart the two are, which on a virtual machine may change between runs. The
/// two-thread figures of whatever is contended vary by up to four times from run to run, and this
/// one does not tell in advance which way.
pub fn handover(effort: Effort) -> Option<Figure> {
    const PASSES: u64 = 2_000;
    let processors = os::processors();
    let [first, .., second] = processors[..] else { return None };
    let turn = AtomicU64::new(0);
    let play = |cpu: usize, mine: u64| {
        os::run_on(&[cpu]);
        let mut start = None;
        for pass in (mine..PASSES).step_by(2) {
            while turn.load(Ordering::Acquire) != pass {
                hint::spin_loop();
            }
            if pass > 1 {
                // The other thread has come and passed once.
                start.get_or_insert_with(Instant::now);
            }
            turn.store(pass + 1, Ordering::Release);
        }
        start.map(|start| start.elapsed()).unwrap_or_default()
    };
    let sample = |_| {
        turn.store(0, Ordering::Relaxed);
        let took = thread::scope(|scope| {
            scope.spawn(|| play(second, 1));
            play(first, 0)
        });
        os::run_on(&processors);
        took.as_nanos() as f64 / (PASSES - 2) as f64
    };
    Figure::new((0..effort.rounds).map(sample).collect())
}

/// What two threads share: the next order, a place to meet, and the second thread's answer.
struct Pair {
    order: Mutex<Option<Order>>,
    other: Mutex<Option<Window>>,
    meeting: Barrier,
    /// Arrivals at the start line, ever. A spin, since waking from a sleep takes longer than a
    /// sample may be late.
    started: AtomicUsize,
}

impl Default for Pair {
    fn default() -> Self {
        Self {
            order: Mutex::default(),
            other: Mutex::default(),
            meeting: Barrier::new(2),
            started: AtomicUsize::new(0),
        }
    }
}

#[derive(Clone, Copy)]
struct Order {
    batch: usize,
    iterations: u64,
}

#[derive(Clone, Copy)]
struct Window {
    start: Instant,
    end: Instant,
    preempted: bool,
}

impl Pair {
    fn measure(&self, batches: &[Batch], effort: Effort) -> Vec<Option<Figure>> {
        let window = effort.pair_window;
        // Contended operations take longer than what one thread is calibrated to.
        let mut iterations: Vec<u64> = batches.iter().map(|b| b.calibrate(window / 4)).collect();
        let mut samples = vec![Vec::new(); batches.len()];
        for _ in 0..effort.attempts {
            for (i, batch) in batches.iter().enumerate() {
                if samples[i].len() >= effort.pairs {
                    continue;
                }
                let windows = self.attempt(batches, Order { batch: i, iterations: iterations[i] });
                let took = mean(windows.map(|window| window.end - window.start));
                if windows.iter().any(|window| window.preempted) {
                    continue;
                }
                // Short windows would favour those that have not yet come to fight.
                if took > window * 4 || took * 4 < window {
                    iterations[i] = scaled(iterations[i], took, window);
                } else if overlap(windows) {
                    samples[i].push(batch.nanos_each(took, iterations[i]));
                }
            }
        }
        *lock(&self.order) = None;
        self.meeting.wait();
        samples.into_iter().map(Figure::new).collect()
    }

    /// One sample of both threads.
    fn attempt(&self, batches: &[Batch], order: Order) -> [Window; 2] {
        let batch = &batches[order.batch];
        *lock(&self.order) = Some(order);
        self.meeting.wait();
        let mine = self.sample(batch, 0, order.iterations);
        self.meeting.wait();
        batch.run_upkeep();
        let other = lock(&self.other).take();
        [mine, other.unwrap_or(mine)]
    }

    fn next_order(&self) -> Option<Order> {
        self.meeting.wait();
        *lock(&self.order)
    }

    fn sample(&self, batch: &Batch, lane: usize, iterations: u64) -> Window {
        let arrived = self.started.fetch_add(1, Ordering::AcqRel);
        let both = (arrived | 1) + 1;
        while self.started.load(Ordering::Acquire) < both {
            hint::spin_loop();
        }
        let before = os::preemptions();
        let start = Instant::now();
        batch.run(lane, iterations);
        let end = Instant::now();
        Window { start, end, preempted: os::preemptions() != before }
    }
}

/// Whether the threads ran together for four fifths of the time.
fn overlap([one, other]: [Window; 2]) -> bool {
    let together = one.end.min(other.end).saturating_duration_since(one.start.max(other.start));
    let either = one.end.max(other.end) - one.start.min(other.start);
    together * 5 >= either * 4
}

fn mean([one, other]: [Duration; 2]) -> Duration {
    (one + other) / 2
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
