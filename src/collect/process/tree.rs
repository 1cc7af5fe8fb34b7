//! This process with all its children: a loader of data works in processes of its own, of which
//! the figures of this one know nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::figures::TREE;
use super::task::Task;
use crate::collect::linux::scan::{fields, number};
use crate::collect::linux::{Place, TICKS};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// Going through the threads of many processes takes a while.
const INTERVAL: Duration = Duration::from_secs(10);

/// More processes than this are left out.
const MOST: usize = 4_096;

pub(crate) struct Tree {
    proc: PathBuf,
    page: u64,
    interval: Duration,
    counted: Counted,
    series: Option<[Observed<f64>; TREE.len()]>,
}

/// Processor time of processes that come and go.
///
/// What a process took is its parent's once it has ended and was waited for. If nobody waits for
/// it, its time is gone; a counter does not go back, so that is added here.
#[derive(Default)]
struct Counted {
    last: u64,
    gone: u64,
}

#[derive(Default)]
struct Sum {
    processes: u64,
    ticks: u64,
    pages: u64,
}

impl Tree {
    pub(crate) fn new(place: &Place<'_>, page: u64) -> Self {
        Self {
            proc: place.root.join("proc"),
            page,
            interval: INTERVAL.max(place.interval),
            counted: Counted::default(),
            series: None,
        }
    }

    /// Goes through the tree from this process down.
    fn sum(&self, failures: &mut Failures) -> io::Result<Sum> {
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "nothing in it is understood");
        // Not what we call ourselves: `/proc` may be that of another namespace.
        let own = fs::read(self.proc.join("self/stat"))?;
        let own = Task::parse(&own).ok_or_else(odd)?.id;
        // Not every kernel tells children.
        fs::read(self.proc.join(format!("{own}/task/{own}/children")))?;
        let (mut sum, mut found, mut next) = (Sum::default(), BTreeSet::from([own]), vec![own]);
        let mut left_out = 0_usize;
        while let Some(process) = next.pop() {
            let folder = self.proc.join(process.to_string());
            // One that cannot be read has ended.
            let Ok(text) = fs::read(folder.join("stat")) else { continue };
            let Some(task) = Task::parse(&text) else { continue };
            sum.add(&task);
            for thread in fs::read_dir(folder.join("task")).into_iter().flatten().flatten() {
                let children = fs::read(thread.path().join("children")).unwrap_or_default();
                for child in fields(children.trim_ascii()).filter_map(number) {
                    if found.len() == MOST {
                        left_out += usize::from(!found.contains(&child));
                    } else if found.insert(child) {
                        next.push(child);
                    }
                }
            }
        }
        failures.leave_out("process_limit", left_out, MOST);
        Ok(sum)
    }
}

impl Sum {
    fn add(&mut self, task: &Task<'_>) {
        let ticks = task.ticks.saturating_add(task.ticks_of_children);
        self.processes += 1;
        self.ticks = self.ticks.saturating_add(ticks);
        self.pages = self.pages.saturating_add(task.pages);
    }
}

impl Counted {
    fn count(&mut self, ticks: u64) -> u64 {
        self.gone = self.gone.saturating_add(self.last.saturating_sub(ticks));
        self.last = ticks;
        ticks.saturating_add(self.gone)
    }
}

impl Collector for Tree {
    fn name(&self) -> &str {
        "process_tree"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let mut failures = Failures::new();
        let sum = self.sum(&mut failures);
        match failures.check("children", sum) {
            Some(Sum { processes, ticks, pages }) => {
                let seconds = self.counted.count(ticks) as f64 / TICKS;
                let bytes = pages.saturating_mul(self.page);
                let make = || TREE.map(|figure| figure.number(registry, &[]));
                let values = [processes as f64, seconds, bytes as f64];
                for (series, value) in self.series.get_or_insert_with(make).iter().zip(values) {
                    series.set(value);
                }
            }
            None => self.clear(),
        }
        failures.into_result()
    }

    fn clear(&mut self) {
        self.series = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_processes_that_nobody_waited_for_is_kept() {
        let mut counted = Counted::default();
        // One of 300 ends; it was waited for at first, then not.
        let counts = [500, 700, 400, 450, 460].map(|ticks| counted.count(ticks));
        assert_eq!(counts, [500, 700, 700, 750, 760]);
    }
}
