//! A data set through a registry, a monitor and a history.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nissa::history::{History, Selector};
use nissa::monitor::{Monitor, Stage, Tick, Wants};
use nissa::{ManualClock, Observed, Registry, Snapshot};
use nix::sys::resource::{UsageWho, getrusage};

use crate::data::{Series, Set};
use crate::{Report, spent};

/// Stands before or behind the history, and notes when its turn comes.
pub struct Gate {
    is_first: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// The time, and how often this thread had lost its processor.
#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    lost: i64,
}

impl Seen {
    /// Asks for the time next to what is measured: the other question takes longer than a small
    /// tick.
    fn now(is_first: bool) -> Self {
        let lost =
            || getrusage(UsageWho::RUSAGE_THREAD).expect("usage").involuntary_context_switches();
        if is_first {
            let lost = lost();
            return Self { at: Instant::now(), lost };
        }
        Self { at: Instant::now(), lost: lost() }
    }
}

impl Stage for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn wants(&self) -> Wants {
        Wants::Snapshots
    }

    fn after(&mut self, _: &Snapshot, _: Tick) {
        let mut seen = self.seen.lock().unwrap();
        seen.push(Seen::now(self.is_first));
    }
}

/// A history between two gates.
pub struct Bench {
    pub registry: Registry,
    pub history: History,
    pub clock: ManualClock,
    monitor: Monitor,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// What a tick takes that has nothing between the gates.
    empty: Duration,
}

impl Bench {
    pub fn new(history: History, interval: Duration) -> Self {
        let bench = Self::with(None, interval);
        let mut empty: Vec<Duration> = (0..500).filter_map(|_| bench.tick(interval)).collect();
        empty.sort_unstable();
        let empty = empty.get(empty.len() / 2).copied().expect("ticks");
        Self { empty, ..Self::with(Some(history), interval) }
    }

    fn with(history: Option<History>, interval: Duration) -> Self {
        let (registry, clock) = (
            Registry::builder().series(1 << 20).series_per_family(1 << 20).build(),
            ManualClock::new(),
        );
        clock.set_unix(Duration::from_secs(1_000_000));
        let seen = Arc::new(Mutex::new(Vec::with_capacity(2)));
        let gate = |is_first| Gate { is_first, seen: Arc::clone(&seen) };
        let builder =
            nissa::builder().registry(registry.clone()).clock(clock.clone()).interval(interval);
        let builder = builder.stage(gate(true));
        let builder = match &history {
            Some(history) => builder.history(history.clone()),
            None => builder,
        };
        let monitor = builder.stage(gate(false)).build().expect("a monitor");
        let history = history.unwrap_or_default();
        Self { registry, history, clock, monitor, seen, empty: Duration::ZERO }
    }

    /// Ticks, and tells how long the history's part took, unless the thread lost its processor.
    pub fn tick(&self, passed: Duration) -> Option<Duration> {
        self.clock.advance(passed);
        self.monitor.tick();
        let mut seen = self.seen.lock().unwrap();
        let [first, last] = seen[..] else { panic!("two gates") };
        seen.clear();
        (first.lost == last.lost).then(|| (last.at - first.at).saturating_sub(self.empty))
    }
}

/// Adds up ticks. Those that are not known count as much as the others in the mean.
#[derive(Default)]
struct Sum {
    known: Duration,
    ticks: (u32, u32),
}

impl Sum {
    fn add(&mut self, tick: Option<Duration>) {
        self.known += tick.unwrap_or_default();
        self.ticks = (self.ticks.0 + 1, self.ticks.1 + u32::from(tick.is_some()));
    }

    fn min(self, other: Self) -> Self {
        if other.nanos() < self.nanos() { other } else { self }
    }

    fn nanos(&self) -> f64 {
        self.known.as_nanos() as f64 * f64::from(self.ticks.0) / f64::from(self.ticks.1)
    }
}

/// A series, and how its next value is shown.
type Show = Box<dyn Fn(Option<f64>)>;

/// Ticks that end every open block after the data.
const BEHIND: usize = 33;

/// A history of a data set, what its ticks took, and when the last sample was.
fn fill(set: &Set) -> (Bench, Sum, Duration) {
    let step = Duration::from_secs(set.step);
    let history = History::new().memory(1 << 30).resolution(step);
    let history =
        history.retention(Duration::from_secs(1 << 32)).only(nissa::Matcher::name("bench*"));
    let bench = Bench::new(history, step);
    let shows: Vec<Show> = set.series.iter().map(|series| show(&bench.registry, series)).collect();
    let longest = set.series.iter().map(|series| series.values.len()).max().unwrap_or(0);
    let mut taken = Sum::default();
    for index in 0..longest {
        for (show, series) in shows.iter().zip(&set.series) {
            show(series.values.get(index).copied());
        }
        taken.add(bench.tick(step));
    }
    // The last sample is told by the end of its step.
    let now = bench.history.now() + step;
    // A gap that ends every open block, and ticks enough to pack them all. They count as part of
    // what it takes to append the samples before them.
    bench.clock.advance(step * 300);
    for index in 0..BEHIND + set.series.len() {
        shows.iter().for_each(|show| show((index < BEHIND).then_some(1.0)));
        taken.add(bench.tick(step));
    }
    (bench, taken, now)
}

pub fn measure(set: &Set, report: &mut Report) {
    let (bench, mut taken, now) = fill(set);
    for _ in 0..4 {
        taken = taken.min(fill(set).1);
    }
    let samples = set.samples() as f64;
    report.push(set.name, "append", "nissa", taken.nanos() / samples, "ns/sample");
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
