//! A data set through a registry, a monitor and a history.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nissa::history::{History, Selector};
use nissa::monitor::{Monitor, Stage, Tick, Wants};
use nissa::{ManualClock, Observed, Registry, Snapshot};

use crate::data::{Series, Set};
use crate::{Report, spent};

/// Stands before or behind the history, and notes when its turn comes.
pub struct Gate(Arc<Mutex<Option<Duration>>>);

impl Stage for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn wants(&self) -> Wants {
        Wants::Snapshots
    }

    fn after(&mut self, _: &Snapshot, _: Tick) {
        *self.0.lock().unwrap() = Some(spent());
    }
}

/// A history between two gates.
pub struct Bench {
    pub registry: Registry,
    pub history: History,
    pub clock: ManualClock,
    monitor: Monitor,
    gates: [Arc<Mutex<Option<Duration>>>; 2],
    /// What it takes to ask the clock, which is a third of a tick of five series.
    asking: Duration,
}

impl Bench {
    pub fn new(history: History, interval: Duration) -> Self {
        let (registry, clock) = (
            Registry::builder().series(1 << 20).series_per_family(1 << 20).build(),
            ManualClock::new(),
        );
        clock.set_unix(Duration::from_secs(1_000_000));
        let gates = [Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None))];
        let builder =
            nissa::builder().registry(registry.clone()).clock(clock.clone()).interval(interval);
        let builder = builder.stage(Gate(Arc::clone(&gates[0]))).history(history.clone());
        let monitor = builder.stage(Gate(Arc::clone(&gates[1]))).build().expect("a monitor");
        let asking = (0..1_000).map(|_| spent()).collect::<Vec<_>>();
        let asking = asking.windows(2).map(|two| two[1] - two[0]).min().expect("a clock");
        Self { registry, history, clock, monitor, gates, asking }
    }

    /// Ticks, and tells how long the history's part took.
    pub fn tick(&self, passed: Duration) -> Duration {
        self.clock.advance(passed);
        self.monitor.tick();
        let [before, behind] = [0, 1].map(|gate: usize| self.gates[gate].lock().unwrap().take());
        (behind.expect("a tick") - before.expect("a tick")).saturating_sub(self.asking)
    }
}

/// A series, and how its next value is shown.
type Show = Box<dyn Fn(Option<f64>)>;

pub fn measure(set: &Set, report: &mut Report) {
    let step = Duration::from_secs(set.step);
    let history = History::new().memory(1 << 30).resolution(step);
    let history =
        history.retention(Duration::from_secs(1 << 32)).only(nissa::Matcher::name("bench*"));
    let bench = Bench::new(history, step);
    let shows: Vec<Show> = set.series.iter().map(|series| show(&bench.registry, series)).collect();
    let longest = set.series.iter().map(|series| series.values.len()).max().unwrap_or(0);
    let mut taken = Duration::ZERO;
    for index in 0..longest {
        for (show, series) in shows.iter().zip(&set.series) {
            show(series.values.get(index).copied());
        }
        taken += bench.tick(step);
    }
    // The last sample is told by the end of its step.
    let (samples, now) = (set.samples() as f64, bench.history.now() + step);
    // A gap that ends every open block, and ticks enough to pack them all. They count as part of
    // what it takes to append the samples before them.
    bench.clock.advance(step * 300);
    for _ in 0..128 {
        shows.iter().for_each(|show| show(Some(1.0)));
        taken += bench.tick(step);
    }
    report.push(set.name, "append", "nissa", taken.as_nanos() as f64 / samples, "ns/sample");
    let fine = bench.history.capacity().tiers.into_iter().find(|tier| tier.tier == "fine");
    let used = fine.map_or(0, |fine| fine.used);
    report.push(set.name, "bytes", "nissa", used as f64 / samples, "B/sample");

    let from = Duration::from_secs(1_000_000 - 1);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let started = spent();
        let range = bench.history.range(&Selector::all(), from, now, now - from).expect("a range");
        best = best.min((spent() - started).as_secs_f64());
        let counted: u64 =
            range.lines.iter().flat_map(|line| &line.points).map(|window| window.count).sum();
        assert_eq!(counted as f64, samples, "{}: all of it is read", set.name);
        black_box(range);
    }
    report.push(set.name, "read", "nissa", samples / best / 1e6, "M samples/s");
}

fn show(registry: &Registry, series: &Series) -> Show {
    let labels = [("series", series.name.as_str())];
    let whole = series.values.iter().all(|value| value.fract() == 0.0);
    if series.is_counter && whole {
        let counter = registry.observed_counter("bench_total", &labels);
        return Box::new(move |value| counter.set_or_clear(value.map(|value| value as u64)));
    }
    let shown: Observed<f64> = match series.is_counter {
        true => registry.observed_float_counter("bench_seconds_total", &labels),
        false => registry.observed_gauge("bench", &labels),
    };
    Box::new(move |value| shown.set_or_clear(value))
}
