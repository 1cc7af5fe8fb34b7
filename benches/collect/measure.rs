//! Processor time and memory.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::results::Row;

/// The processor time that this thread takes for it.
pub fn thread_time(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the thread's clock");
        Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
    };
    let start = now();
    work();
    now() - start
}

/// Memory of this process that is no file's, in bytes.
pub fn anonymous_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or_default() * 1024
}

/// Times of one case.
pub struct Samples {
    case: &'static str,
    system: &'static str,
    times: Vec<Duration>,
}

impl Samples {
    pub fn new(case: &'static str, system: &'static str) -> Self {
        Self { case, system, times: Vec::new() }
    }

    pub fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    /// The median, the least, and what the slow ticks cost, of which there is one in ten.
    pub fn rows(&self) -> [Row; 3] {
        let mut times: Vec<f64> = self.times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        let row = |suffix: &str, value| {
            Row::new(format!("{}{suffix}", self.case), self.system, value, "us")
        };
        [row("", at(0.5)), row("_min", at(0.0)), row("_p95", at(0.95))]
    }
}
