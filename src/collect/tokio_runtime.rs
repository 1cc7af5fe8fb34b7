//! A tokio runtime: its workers, its tasks, its queue.

use std::time::Duration;

use tokio::runtime::{Handle, RuntimeMetrics};

use super::figure::Figure;
use super::{Collector, Failures};
use crate::registry::{Observed, Registry};

const WORKERS: Figure = Figure::gauge("tokio_workers", "Worker threads.");
const TASKS: Figure = Figure::gauge("tokio_alive_tasks", "Tasks that have not ended.");
const QUEUE: Figure = Figure::gauge(
    "tokio_global_queue_depth",
    "Tasks that wait in the queue that all workers share.",
);
const BUSY: Figure =
    Figure::counter("tokio_worker_busy_seconds_total", "Time in which a worker did something.")
        .in_seconds();
const PARKS: Figure =
    Figure::counter("tokio_worker_parks_total", "Times that a worker found nothing to do.");

/// All of them.
#[cfg(test)]
pub(crate) const FIGURES: [Figure; 5] = [WORKERS, TASKS, QUEUE, BUSY, PARKS];

/// More workers than this are not shown one by one.
const MOST: usize = 256;

/// The figures of a tokio runtime, read from outside it: a runtime that is stuck shows itself by
/// a queue that grows while its workers are busy.
///
/// Shown by worker: `tokio_worker_busy_seconds_total`, `tokio_worker_parks_total`. In all:
/// `tokio_workers`, `tokio_alive_tasks`, `tokio_global_queue_depth`. Reading takes no lock.
///
/// ```
/// use nissa::Registry;
/// use nissa::collect::{Runner, TokioRuntime};
///
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let registry = Registry::new();
/// let mut runner = Runner::new(&registry);
/// runner.add(TokioRuntime::new(runtime.handle()));
/// runtime.spawn(async {});
/// runner.collect();
/// assert_eq!(registry.snapshot().value("tokio_alive_tasks"), Some(1.0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a collector does nothing until it is given to the builder"]
pub struct TokioRuntime {
    metrics: RuntimeMetrics,
    name: String,
    interval: Duration,
    gauges: Option<[Observed<f64>; 3]>,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    busy: Observed<f64>,
    parks: Observed<u64>,
}

impl TokioRuntime {
    /// The figures of this runtime: `Handle::current()`, or a runtime's `handle()`.
    pub fn new(runtime: &Handle) -> Self {
        Self {
            metrics: runtime.metrics(),
            name: String::new(),
            interval: Duration::from_secs(1),
            gauges: None,
            workers: Vec::new(),
        }
    }

    /// A label `runtime` with this value, for programs that have several.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How often the figures are read (1 s).
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }
}

impl Collector for TokioRuntime {
    fn name(&self) -> &str {
        "tokio"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let runtime = [("runtime", &*self.name)];
        // Without a name without the label.
        let labels = if self.name.is_empty() { &runtime[..0] } else { &runtime[..] };
        let workers = self.metrics.num_workers();
        let make = || [WORKERS, TASKS, QUEUE].map(|figure| figure.number(registry, labels));
        let [all, tasks, queue] = self.gauges.get_or_insert_with(make);
        all.set(workers as f64);
        tasks.set(self.metrics.num_alive_tasks() as f64);
        queue.set(self.metrics.global_queue_depth() as f64);
        while self.workers.len() < workers.min(MOST) {
            let number = self.workers.len().to_string();
            let mut labels = labels.to_vec();
            labels.push(("worker", &number));
            let busy = BUSY.number(registry, &labels);
            self.workers.push(Worker { busy, parks: PARKS.count(registry, &labels) });
        }
        for (number, worker) in self.workers.iter().enumerate() {
            busy::show(&self.metrics, number, &worker.busy, &worker.parks);
        }
        let mut failures = Failures::new();
        failures.leave_out("worker_limit", workers.saturating_sub(MOST), MOST);
        failures.into_result()
    }

    fn clear(&mut self) {
        self.gauges = None;
        self.workers.clear();
    }
}

#[cfg(target_has_atomic = "64")]
mod busy {
    use super::*;

    pub(super) fn show(
        metrics: &RuntimeMetrics,
        worker: usize,
        busy: &Observed<f64>,
        parks: &Observed<u64>,
    ) {
        busy.set(metrics.worker_total_busy_duration(worker).as_secs_f64());
        parks.set(metrics.worker_park_count(worker));
    }
}

#[cfg(not(target_has_atomic = "64"))]
mod busy {
    use super::*;

    /// tokio counts neither here.
    pub(super) fn show(_: &RuntimeMetrics, _: usize, _: &Observed<f64>, _: &Observed<u64>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_what_is_shown() {
        let document = include_str!("../../docs/METRICS.md");
        for figure in FIGURES {
            let row = format!("| `{}` | {} |", figure.name, figure.kind.as_str());
            assert!(document.contains(&row), "{row}");
        }
        assert_eq!(document.matches("| `tokio_").count(), FIGURES.len());
    }
}
