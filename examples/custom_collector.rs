//! A collector of the program's own: how deep a queue is, and what a data loader is doing.
//!
//! ```text
//! cargo run --example custom_collector --features monitor
//! ```
//!
//! Neither the queue nor the loader knows of metrics. A collector looks at them at intervals, in a
//! thread of its own, so the loop that trains pays nothing.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nissa::collect::{Collector, Failures};
use nissa::{Observed, Registry, Snapshot};

/// Batches between the loader and the loop.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    batches: VecDeque<Vec<f32>>,
    loader: Loader,
    read: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Loader {
    #[default]
    Reading,
    Waiting,
    Done,
}

impl Queue {
    fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The collector: ten lines.
struct QueueCollector {
    queue: Queue,
    depth: Option<Observed<f64>>,
}

impl Collector for QueueCollector {
    fn name(&self) -> &str {
        "queue"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let (depth, loader, read) = self.queue.with(|s| (s.batches.len(), s.loader, s.read));
        registry.counter("loader_batches_total", &[]).absolute(read);
        for state in [Loader::Reading, Loader::Waiting, Loader::Done] {
            let gauge = registry.gauge("loader_state", &[("state", &format!("{state:?}"))]);
            gauge.set(if state == loader { 1 } else { 0 });
        }
        // A queue that nobody fills any more has no depth: absent, which is not 0.
        let known = (loader != Loader::Done).then_some(depth as f64);
        let gauge = self.depth.get_or_insert_with(|| registry.observed_gauge("queue_depth", &[]));
        gauge.set_or_clear(known);
        Ok(())
    }

    // Should it ever panic, what it last showed goes.
    fn clear(&mut self) {
        self.depth = None;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::default();
    let collector = QueueCollector { queue: queue.clone(), depth: None };
    let nissa = nissa::builder().collect(collector).install()?;

    let loader = thread::spawn({
        let queue = queue.clone();
        move || load(&queue)
    });
    let (mut steps, mut shown) = (0_u32, 0);
    while !loader.is_finished() || queue.with(|state| !state.batches.is_empty()) {
        match queue.with(|state| state.batches.pop_front()) {
            Some(batch) => steps += u32::from(batch.iter().sum::<f32>() > 0.0),
            None => thread::yield_now(),
        }
        thread::sleep(Duration::from_millis(4));
        if steps >= shown + 50 {
            shown = steps;
            show(steps, &nissa.registry().snapshot())?;
        }
    }
    // One more look, so that the end is seen.
    thread::sleep(Duration::from_millis(250));
    show(steps, &nissa.registry().snapshot())?;
    for error in nissa.collection_errors() {
        writeln!(io::stderr(), "{}: {}: {}", error.collector, error.source, error.error)?;
    }
    Ok(())
}

/// Reads faster than the loop takes, and waits when the queue is full.
fn load(queue: &Queue) {
    for _ in 0..300 {
        thread::sleep(Duration::from_millis(2));
        while queue.with(|state| state.batches.len() >= 32) {
            queue.with(|state| state.loader = Loader::Waiting);
            thread::sleep(Duration::from_millis(1));
        }
        queue.with(|state| {
            state.loader = Loader::Reading;
            state.batches.push_back(vec![0.5; 64]);
            state.read += 1;
        });
    }
    queue.with(|state| state.loader = Loader::Done);
}

fn show(steps: u32, snapshot: &Snapshot) -> io::Result<()> {
    let depth = snapshot.value("queue_depth").map_or("absent".to_owned(), |n| n.to_string());
    let states = snapshot.family("loader_state").into_iter().flat_map(|family| family.series());
    let now = states.filter(|series| series.value().as_f64() == Some(1.0));
    let state: String = now.filter_map(|series| series.label("state")).collect();
    let read = snapshot.value("loader_batches_total").unwrap_or_default();
    writeln!(
        io::stdout(),
        "step {steps:>4}  queue_depth {depth:>6}  loader {state:<8} {read:>4} read"
    )
}
