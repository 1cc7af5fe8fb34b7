//! Measures of a whole registry: rendering, memory, inserts during a scrape, lost samples.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, hint, thread};

use crate::harness::median;
use crate::os;
use crate::systems::{self, Kind, Store};
use crate::workload::for_each_series;

/// Series in a registry whose memory is measured, or that is scraped while inserted into.
pub const MANY: usize = 100_000;

/// How long a system scrapes before the next one's turn.
const ROUND: Duration = Duration::from_millis(10);

/// Marks a process started by [`child`]; what follows it are its orders.
pub const CHILD: &str = "--child";

pub fn fill(store: &Store, series: usize) {
    let mut value = 0;
    for_each_series(0..series, |method, path| {
        store.update(method, path, 1 + value % 100_000);
        value += 7_919;
    });
}

/// A case of rendering, for every system.
#[derive(Clone, Copy)]
pub struct Render {
    pub kind: Kind,
    pub series: usize,
    /// Into a buffer that starts empty, as in a handler that returns a `String`, instead of the
    /// buffer of the time before.
    pub fresh: bool,
}

impl Render {
    /// Median milliseconds by system, from a fresh process: in this one, the heap that other cases
    /// left in pieces would scatter the series of whoever comes last.
    pub fn measure(self, rounds: usize) -> Vec<(String, f64)> {
        let numbers = [self.series, usize::from(self.fresh), rounds].map(|it| it.to_string());
        let [series, fresh, rounds] = &numbers;
        let text = ask_child(&["render", self.kind.name(), series, fresh, rounds]);
        let pair = |line: &str| {
            let (system, millis) = line.split_once(' ')?;
            Some((system.to_owned(), millis.parse().ok()?))
        };
        text.unwrap_or_default().lines().filter_map(pair).collect()
    }

    fn run(self, rounds: usize) {
        let systems = systems::all();
        let stores: Vec<(&str, Store)> = systems
            .iter()
            .filter_map(|system| Some((system.name, system.make_store(self.kind)?)))
            .collect();
        stores.iter().for_each(|(_, store)| fill(store, self.series));
        let mut scrapers: Vec<_> = stores.iter().map(|(_, store)| store.scraper()).collect();
        let mut samples = vec![Vec::new(); stores.len()];
        for _ in 0..rounds {
            for (i, samples) in samples.iter_mut().enumerate() {
                if self.fresh {
                    scrapers[i] = stores[i].1.scraper();
                    os::trim_heap();
                } else {
                    // Twice, until its own data is back in the caches that the others used.
                    hint::black_box(scrapers[i].scrape().len());
                    hint::black_box(scrapers[i].scrape().len());
                }
                if self.fresh {
                    samples.push(timed(|| scrapers[i].scrape().len()));
                    continue;
                }
                // As long as a round of any case, and three scrapes of whoever takes longer.
                let round = Instant::now();
                let mut scrapes = 0;
                while scrapes < 3 || round.elapsed() < ROUND {
                    samples.push(timed(|| scrapers[i].scrape().len()));
                    scrapes += 1;
                }
            }
        }
        for ((name, _), samples) in stores.iter().zip(samples) {
            println!("{name} {}", median(samples).unwrap_or_default());
        }
    }
}

fn timed(work: impl FnOnce() -> usize) -> f64 {
    let start = os::thread_time();
    hint::black_box(work());
    (os::thread_time() - start).as_secs_f64() * 1e3
}

/// Worst insert, in milliseconds, while another thread scrapes in a loop, and how many inserts
/// were measured.
pub fn insert_stall(store: &Store, duration: Duration) -> (f64, usize) {
    fill(store, MANY);
    let (scraping, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut inserts = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut scraper = store.scraper();
            while !stop.load(Ordering::Relaxed) {
                hint::black_box(scraper.scrape());
                scraping.store(true, Ordering::Release);
            }
        });
        while !scraping.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(1));
        }
        let deadline = Instant::now() + duration;
        let new = MANY..usize::MAX;
        for series in new.take_while(|_| Instant::now() < deadline) {
            thread::sleep(Duration::from_millis(1));
            for_each_series(series..series + 1, |method, path| {
                inserts.extend(stall(|| store.update(method, path, 1)));
            });
        }
        stop.store(true, Ordering::Relaxed);
    });
    let worst = inserts.iter().max().copied().unwrap_or_default();
    (worst.as_secs_f64() * 1e3, inserts.len())
}

/// Time `work` took, awake or asleep, without the time it was ready but had no processor.
///
/// Where the kernel does not tell that time, a preempted sample is thrown away. It is not enough to
/// do so everywhere: a lock that yields while it waits counts as preempted too, and its waits would
/// never show.
fn stall(work: impl FnOnce()) -> Option<Duration> {
    let (queued, preemptions) = (os::queued(), os::preemptions());
    let start = Instant::now();
    work();
    let wall = start.elapsed();
    match queued.zip(os::queued()) {
        Some((before, after)) => Some(wall.saturating_sub(after - before)),
        None => (os::preemptions() == preemptions).then_some(wall),
    }
}

/// Samples missing at the end, after `each` were recorded by each of four threads while a fifth
/// rendered every 10 ms.
pub fn lost_samples(store: &Store, each: u64) -> f64 {
    const RECORDERS: u64 = 4;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut scraper = store.scraper();
            while !done.load(Ordering::Relaxed) {
                hint::black_box(scraper.scrape());
                thread::sleep(Duration::from_millis(10));
            }
        });
        let record = || (0..each).for_each(|value| store.update("GET", "/api/v1/resource", value));
        let recorders: Vec<_> = (0..RECORDERS).map(|_| scope.spawn(record)).collect();
        let _: Vec<_> = recorders.into_iter().map(|recorder| recorder.join()).collect();
        done.store(true, Ordering::Relaxed);
    });
    (RECORDERS * each) as f64 - rendered_count(store.scraper().scrape())
}

/// The sum of the `_count` lines of a page.
fn rendered_count(page: &[u8]) -> f64 {
    let page = String::from_utf8_lossy(page);
    let counts = page.lines().filter(|line| line.contains("_count{"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// What a child process can measure, since memory once used is hard to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Bytes of RAM per series, each updated once by each of so many live threads.
    Series { threads: usize },
    /// Bytes per series a scrape needs for its own duration, beside its output.
    Scrape,
}

/// Measures in a fresh process; `None` if the system has no such kind or the kernel no such file.
pub fn measure_memory(system: &str, kind: Kind, memory: Memory) -> Option<f64> {
    let threads = match memory {
        Memory::Series { threads } => threads,
        Memory::Scrape => 0,
    };
    ask_child(&["memory", kind.name(), system, &threads.to_string()])?.trim().parse().ok()
}

fn ask_child(orders: &[&str]) -> Option<String> {
    let mut command = Command::new(env::current_exe().ok()?);
    String::from_utf8(command.arg(CHILD).args(orders).output().ok()?.stdout).ok()
}

/// The child's side: prints what was asked for, or nothing.
pub fn child(orders: &[String]) {
    let orders: Vec<&str> = orders.iter().map(String::as_str).collect();
    let [what, kind, ..] = orders[..] else { return };
    let Some(kind) = [Kind::Counter, Kind::Histogram].into_iter().find(|it| it.name() == kind)
    else {
        return;
    };
    match (what, &orders[2..]) {
        ("memory", &[system, threads]) => {
            if let Some(bytes) = grow(system, kind, threads) {
                println!("{}", bytes as f64 / MANY as f64);
            }
        }
        ("render", &[series, fresh, rounds]) => {
            if let (Ok(series), Ok(rounds)) = (series.parse(), rounds.parse()) {
                Render { kind, series, fresh: fresh == "1" }.run(rounds);
            }
        }
        _ => {}
    }
}

fn grow(system: &str, kind: Kind, threads: &str) -> Option<usize> {
    let store = systems::all().into_iter().find(|it| it.name == system)?.make_store(kind)?;
    match threads.parse().ok()? {
        0 => scrape_growth(&store),
        threads => series_growth(&store, threads),
    }
}

fn series_growth(store: &Store, threads: usize) -> Option<usize> {
    let (done, finished) = mpsc::channel();
    thread::scope(|scope| {
        let turns: Vec<_> = (1..threads)
            .map(|_| {
                let (turn, wait) = mpsc::channel();
                let done = done.clone();
                scope.spawn(move || {
                    touch_thread_memory();
                    let _ = done.send(());
                    for () in wait {
                        fill(store, MANY);
                        let _ = done.send(());
                    }
                });
                turn
            })
            .collect();
        touch_thread_memory();
        // One series first: code that is paged in and tables that are made once are no series'.
        fill(store, 1);
        for _ in &turns {
            finished.recv().ok()?;
        }
        let before = os::resident()?;
        fill(store, MANY);
        // One after another: this is about memory, not about contention.
        for turn in &turns {
            turn.send(()).ok()?;
            finished.recv().ok()?;
        }
        Some(os::resident()?.saturating_sub(before))
    })
}

/// Uses some stack and heap, so that what a thread costs by itself is not charged to the series.
fn touch_thread_memory() {
    hint::black_box([1_u8; 32 << 10]);
    hint::black_box(vec![1_u8; 256]);
}

fn scrape_growth(store: &Store) -> Option<usize> {
    fill(store, MANY);
    let mut scraper = store.scraper();
    scraper.scrape();
    os::trim_heap();
    if !os::forget_peak() {
        return None;
    }
    let before = os::resident()?;
    scraper.scrape();
    Some(os::resident_peak()?.saturating_sub(before))
}
