//! This process with all its children: a loader of data works in processes of its own, of which
//! the figures of this one know nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::figures::TREE;
use super::task::{Task, has_ended};
use crate::collect::linux::scan::{fields, number};
use crate::collect::linux::{Place, TICKS};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// Going through the threads of many processes takes a while.
const INTERVAL: Duration = Duration::from_secs(10);

/// More processes than this are left out.
const MOST: usize = 4_096;

/// How often the tree is gone through at a time, if processes end meanwhile.
const TRIES: u32 = 3;

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
    left_out: usize,
    /// Whether something ended while the tree was gone through: its time may be in no part of it.
    is_torn: bool,
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

    /// Goes through the tree, again while processes end meanwhile.
    fn sum(&self, failures: &mut Failures) -> io::Result<Sum> {
        let mut sum = self.walk()?;
        for _ in 1..TRIES {
            if sum.is_torn {
                sum = self.walk()?;
            }
        }
        failures.leave_out("process_limit", sum.left_out, MOST);
        Ok(sum)
    }

    /// Goes through the tree from this process down.
    fn walk(&self) -> io::Result<Sum> {
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "nothing in it is understood");
        // Not what we call ourselves: `/proc` may be that of another namespace.
        let own = fs::read(self.proc.join("self/stat"))?;
        let own = Task::parse(&own).ok_or_else(odd)?.id;
        // Not every kernel tells children.
        fs::read(self.proc.join(format!("{own}/task/{own}/children")))?;
        let (mut sum, mut found, mut next) = (Sum::default(), BTreeSet::from([own]), vec![own]);
        while let Some(process) = next.pop() {
            let folder = self.proc.join(process.to_string());
            // Children before the time: of one that was waited for before that, its parent tells.
            let children = sum.children(&folder)?;
            let Some(text) = sum.mind(fs::read(folder.join("stat")))? else { continue };
            let Some(task) = Task::parse(&text) else { continue };
            sum.add(&task);
            for child in children {
                if found.len() == MOST {
                    sum.left_out += usize::from(!found.contains(&child));
                } else if found.insert(child) {
                    next.push(child);
                }
            }
        }
        Ok(sum)
    }
}

impl Sum {
    /// Children of all threads of a process.
    fn children(&mut self, process: &Path) -> io::Result<Vec<u64>> {
        let mut children = Vec::new();
        for thread in self.mind(fs::read_dir(process.join("task")))?.into_iter().flatten() {
            let text = self.mind(fs::read(thread?.path().join("children")))?.unwrap_or_default();
            children.extend(fields(text.trim_ascii()).filter_map(number));
        }
        Ok(children)
    }

    /// What was read of something that was listed, unless it has ended or is another user's.
    fn mind<T>(&mut self, read: io::Result<T>) -> io::Result<Option<T>> {
        match read {
            Err(error) if has_ended(&error) => {
                self.is_torn = true;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
            read => read.map(Some),
        }
    }

    fn add(&mut self, task: &Task<'_>) {
        let ticks = task.ticks.saturating_add(task.ticks_of_children);
        self.processes += 1;
        self.ticks = self.ticks.saturating_add(ticks);
        self.pages = self.pages.saturating_add(task.pages);
    }
}

impl Counted {
    fn count(&mut self, sum: &Sum) -> u64 {
        if sum.is_torn {
            // What is missing may be its parent's the next time.
            self.last = self.last.max(sum.ticks);
        } else {
            self.gone = self.gone.saturating_add(self.last.saturating_sub(sum.ticks));
            self.last = sum.ticks;
        }
        self.last.saturating_add(self.gone)
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
            Some(sum) => {
                let Sum { processes, pages, .. } = sum;
                let seconds = self.counted.count(&sum) as f64 / TICKS;
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
    use crate::collect::facts::Facts;
    use crate::collect::linux::SharedBuffer;
    use crate::collect::probe::value;

    #[test]
    fn time_of_processes_that_nobody_waited_for_is_kept() {
        let mut counted = Counted::default();
        let mut count = |ticks| counted.count(&Sum { ticks, ..Sum::default() });
        // One of 300 ends; it was waited for at first, then not.
        assert_eq!([500, 700, 400, 450, 460].map(&mut count), [500, 700, 700, 750, 760]);
    }

    fn write(root: &Path, id: u64, ticks: u64, of_children: u64, children: &str) {
        let task = root.join(format!("proc/{id}/task/{id}"));
        fs::create_dir_all(&task).unwrap();
        fs::write(task.join("children"), children).unwrap();
        let line =
            format!("{id} (x) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 0 {of_children} 0 20 0 1 0 7 0 5\n");
        fs::write(root.join(format!("proc/{id}/stat")), line).unwrap();
    }

    /// A child is waited for between the reading of its parent and its own.
    #[test]
    fn time_of_a_child_that_ends_under_our_eyes_counts_once() {
        let root = std::env::temp_dir().join(format!("nissa-tree-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        write(&root, 1, 10, 0, "2 \n");
        std::os::unix::fs::symlink("1", root.join("proc/self")).unwrap();
        write(&root, 2, 5_000, 0, "");
        let registry = Registry::new();
        let (facts, buffer) = (&Facts::default(), &SharedBuffer::new());
        let place = Place { root: &root, interval: Duration::from_secs(1), facts, buffer };
        let mut tree = Tree::new(&place, 4096);
        let mut read = || {
            tree.collect(&registry).unwrap();
            ["processes", "cpu_seconds_total"]
                .map(|of| value(&registry, &format!("process_tree_{of}"), &[]).unwrap())
        };
        assert_eq!(read(), [2.0, 50.1]);
        fs::remove_dir_all(root.join("proc/2")).unwrap();
        assert_eq!(read(), [1.0, 50.1]);
        write(&root, 1, 10, 5_000, "");
        assert_eq!(read(), [1.0, 50.1]);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_can_be_read_no_more_is_no_process_that_ended() {
        let mut sum = Sum::default();
        let mut mind = |error| sum.mind::<()>(Err(io::Error::from_raw_os_error(error as i32)));
        assert!(mind(nix::errno::Errno::EMFILE).is_err());
        assert!(mind(nix::errno::Errno::EACCES).is_ok());
        assert!(mind(nix::errno::Errno::ESRCH).is_ok());
        assert!(sum.is_torn);
    }
}
