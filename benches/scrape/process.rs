//! A server in a process of its own, and what the system says of it.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::client::{self, Load, Scraper};
use crate::serve::Kind;

/// Marks a process that serves; what follows it are its orders.
pub const CHILD: &str = "--child";

pub struct Served {
    pub system: &'static str,
    address: SocketAddr,
    child: Child,
    talk: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Served {
    pub fn start(system: &'static str, kind: Kind, series: usize) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .args([CHILD, system, kind.name(), &series.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let input = child.stdin.take().expect("piped");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the child speaks");
        let address = line.trim().parse().expect("an address");
        Self { system, address, child, talk: RefCell::new((input, output)) }
    }

    /// Scrapes it, and says how much processor time that took it.
    pub fn load(&self, scrapers: usize, encoding: &str, round: Duration) -> Load {
        let before = self.processor_time();
        let load = client::load(self.address, scrapers, encoding, round);
        Load { spent: self.processor_time().saturating_sub(before), ..load }
    }

    /// Nanoseconds of processor time of one operation of a thread that records.
    pub fn record(&self, what: &str, round: Duration) -> Option<f64> {
        let (input, output) = &mut *self.talk.borrow_mut();
        writeln!(input, "{what} {}", round.as_millis()).ok()?;
        let mut line = String::new();
        output.read_line(&mut line).ok()?;
        line.trim().parse().ok()
    }

    /// The same while somebody scrapes all the time.
    pub fn record_beside_scraper(&self, what: &str, round: Duration) -> Option<f64> {
        let (done, address) = (AtomicBool::new(false), self.address);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut scraper = Scraper::new(address, "identity");
                while !done.load(Ordering::Relaxed) {
                    scraper.scrape();
                }
            });
            let figure = self.record(what, round);
            done.store(true, Ordering::Relaxed);
            figure
        })
    }

    /// Memory at its peak beyond what there was, in bytes of the page, while so many scrapes begin
    /// one after the other and none is read. `None` if the system does not say.
    pub fn memory(&self, scrapes: usize) -> Option<f64> {
        let mut scrapers: Vec<Scraper> =
            (0..scrapes).map(|_| Scraper::new(self.address, "identity")).collect();
        let before = self.resident("VmRSS:")?;
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").ok()?;
        for scraper in &mut scrapers {
            scraper.ask();
            scraper.wait_for_first_byte();
        }
        let peak = self.resident("VmHWM:")?;
        let body = scrapers.first_mut()?.read(|| ());
        Some(peak.saturating_sub(before) as f64 / body as f64)
    }

    fn resident(&self, field: &str) -> Option<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with(field))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kib| kib << 10)
    }

    /// Of all its threads. Those that have ended meanwhile are missing.
    fn processor_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let spent = tasks.into_iter().flatten().flatten().filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(spent.sum())
    }
}

impl Scraper {
    /// Waits until an answer has begun to arrive, and reads none of it.
    fn wait_for_first_byte(&mut self) {
        let start = Instant::now();
        while self.peek() == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "no answer");
            thread::yield_now();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
