//! Timing: batches of operations, in interleaved rounds on one thread.

use std::time::Duration;

use crate::os::{self, barrier};

/// One case of one system: an operation, compiled into its own loop.
///
/// Only the call that starts the loop is dynamic; the operation itself is inlined into it.
pub struct Batch {
    run: Box<dyn Fn(usize, u64) + Send + Sync>,
    upkeep: Option<Box<dyn Fn() + Send + Sync>>,
    operations: u64,
}

impl Batch {
    /// `operation` gets a running number, from which it picks its value or label.
    pub fn new(operation: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self::within(|run| run(), operation)
    }

    /// As [`new`](Self::new), with the whole loop inside `scope` (a recorder or registry that
    /// the thread enters).
    pub fn within(
        scope: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
        operation: impl Fn(usize) + Send + Sync + 'static,
    ) -> Self {
        let run = move |start, iterations: u64| {
            scope(&mut || {
                for i in start..start + iterations as usize {
                    operation(i);
                    barrier();
                }
            });
        };
        Self::looping(run)
    }

    /// A loop that is already compiled: called with the first number and the iterations.
    pub fn looping(run: impl Fn(usize, u64) + Send + Sync + 'static) -> Self {
        Self { run: Box::new(run), upkeep: None, operations: 1 }
    }

    /// Each call of the operation does `operations` of them.
    pub fn operations(mut self, operations: u64) -> Self {
        self.operations = operations;
        self
    }

    /// Work the system asks for now and then; done, and timed apart, after every batch.
    pub fn upkeep(mut self, upkeep: impl Fn() + Send + Sync + 'static) -> Self {
        self.upkeep = Some(Box::new(upkeep));
        self
    }

    /// The loop; lanes start at different numbers, so that two threads do not march in step.
    pub fn run(&self, lane: usize, iterations: u64) {
        (self.run)(lane * 389, iterations);
    }

    pub fn run_upkeep(&self) -> Duration {
        let start = os::thread_time();
        if let Some(upkeep) = &self.upkeep {
            upkeep();
        }
        os::thread_time() - start
    }

    fn time(&self, iterations: u64) -> Duration {
        let start = os::thread_time();
        self.run(0, iterations);
        os::thread_time() - start
    }

    /// Iterations that fill about `window`.
    pub fn calibrate(&self, window: Duration) -> u64 {
        let mut iterations = 64;
        loop {
            let took = self.time(iterations);
            self.run_upkeep();
            if took > window / 8 {
                return scaled(iterations, took, window);
            }
            iterations *= 2;
        }
    }

    pub fn nanos_each(&self, took: Duration, iterations: u64) -> f64 {
        took.as_nanos() as f64 / (iterations * self.operations) as f64
    }
}

/// How many samples to take, and how long each is.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub rounds: usize,
    pub window: Duration,
    /// Wanted valid samples of two threads, and the attempts after which to give up.
    pub pairs: usize,
    pub attempts: usize,
    pub pair_window: Duration,
}

impl Effort {
    pub const FULL: Self = Self {
        rounds: 25,
        window: Duration::from_millis(3),
        pairs: 15,
        attempts: 120,
        pair_window: Duration::from_micros(1_500),
    };
    pub const QUICK: Self = Self { rounds: 7, pairs: 5, attempts: 30, ..Self::FULL };
}

/// The median of a batch's samples, in nanoseconds per operation.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub nanos: f64,
    /// The lowest sample.
    pub least: f64,
    pub samples: usize,
    /// Nanoseconds per operation of the upkeep it left behind, if it leaves any.
    pub upkeep: Option<f64>,
}

impl Figure {
    pub fn new(samples: Vec<f64>) -> Option<Self> {
        let least = samples.iter().copied().min_by(f64::total_cmp)?;
        Some(Self { samples: samples.len(), least, nanos: median(samples)?, upkeep: None })
    }
}

/// Thread CPU time on one thread; the batches take turns, so that noise meets all of them alike.
pub fn one_thread(batches: &[Batch], effort: Effort) -> Vec<Figure> {
    let iterations: Vec<u64> = batches.iter().map(|b| b.calibrate(effort.window)).collect();
    let mut samples = vec![(Vec::new(), Vec::new()); batches.len()];
    for _ in 0..effort.rounds {
        for ((batch, &iterations), (nanos, upkeep)) in
            batches.iter().zip(&iterations).zip(&mut samples)
        {
            nanos.push(batch.nanos_each(batch.time(iterations), iterations));
            upkeep.push(batch.nanos_each(batch.run_upkeep(), iterations));
        }
    }
    let figure = |(batch, (nanos, upkeep)): (&Batch, (Vec<f64>, Vec<f64>))| {
        let upkeep = batch.upkeep.as_ref().and_then(|_| median(upkeep));
        Some(Figure { upkeep, ..Figure::new(nanos)? })
    };
    batches.iter().zip(samples).filter_map(figure).collect()
}

/// As [`one_thread`], but `visits` operations only, each time with caches swept clean before.
pub fn one_cold_thread(batches: &[Batch], visits: u64, effort: Effort) -> Vec<Figure> {
    // Twice the largest last-level slice this is likely to meet.
    let mut sweep = vec![1_u8; 96 << 20];
    let mut samples = vec![Vec::new(); batches.len()];
    for batch in batches {
        batch.time(visits * 2);
    }
    for _ in 0..effort.rounds.min(15) {
        for (batch, samples) in batches.iter().zip(&mut samples) {
            sweep.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
            samples.push(batch.nanos_each(batch.time(visits), visits));
            batch.run_upkeep();
        }
    }
    samples.into_iter().filter_map(Figure::new).collect()
}

/// How many iterations fill `window`, if so many took `took`.
pub fn scaled(iterations: u64, took: Duration, window: Duration) -> u64 {
    let factor = window.as_secs_f64() / took.as_secs_f64().max(1e-9);
    ((iterations as f64 * factor) as u64).max(16)
}

pub fn median(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied()
}
