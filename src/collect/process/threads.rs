//! Which threads take this process's processor time.
//!
//! Threads of one name are one series: a pool has hundreds, and none of them is of interest alone.
//! A thread that was given no name has the program's. Files are not held open: a program may have
//! more threads than it may open files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::figures::THREAD_CPU;
use super::task::Task;
use crate::collect::devices::{Devices, Series};
use crate::collect::linux::{Place, TICKS};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// More threads than this are not read: each costs some microseconds.
const MOST: usize = 1_024;

pub(crate) struct Threads {
    folder: PathBuf,
    interval: Duration,
    known: BTreeMap<u64, Known>,
    names: Devices<Named>,
}

/// A thread at the last reading.
struct Known {
    start: u64,
    ticks: u64,
    is_there: bool,
}

/// All threads of one name, those included that have ended.
struct Named {
    ticks: u64,
    series: Observed<f64>,
}

impl Series for Named {
    fn is_refused(&self) -> bool {
        self.series.is_refused()
    }
}

impl Threads {
    pub(crate) fn new(place: &Place<'_>) -> Self {
        Self {
            folder: place.root.join("proc/self/task"),
            interval: place.interval,
            known: BTreeMap::new(),
            names: Devices::default(),
        }
    }

    fn show(&mut self, text: &[u8], registry: &Registry) -> Option<()> {
        let task = Task::parse(text)?;
        let passed = pass(&mut self.known, &task);
        let make = |name: &str| {
            let series = THREAD_CPU.number(registry, &[("thread", name)]);
            Named { ticks: 0, series }
        };
        if let Some(named) = self.names.find(task.name, make) {
            named.ticks = named.ticks.saturating_add(passed);
            named.series.set(named.ticks as f64 / TICKS);
        }
        Some(())
    }
}

/// What a thread took since the last reading: all it ever took, if it is new.
fn pass(known: &mut BTreeMap<u64, Known>, task: &Task<'_>) -> u64 {
    let now = Known { start: task.start, ticks: task.ticks, is_there: true };
    match known.insert(task.id, now) {
        Some(last) if last.start == task.start => task.ticks.saturating_sub(last.ticks),
        _ => task.ticks,
    }
}

impl Collector for Threads {
    fn name(&self) -> &str {
        "threads"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let tasks = fs::read_dir(&self.folder).inspect_err(|_| self.clear())?;
        let mut failures = Failures::new();
        let mut count = 0_usize;
        for task in tasks.flatten() {
            count += 1;
            if count > MOST {
                continue;
            }
            // One that cannot be read has ended.
            let Ok(text) = fs::read(task.path().join("stat")) else { continue };
            if self.show(&text, registry).is_none() {
                failures.add("task_stat", "nothing in it is understood");
            }
        }
        if count > MOST {
            let more = count - MOST;
            failures.add("thread_limit", format!("{more} beyond the first {MOST} are left out"));
        }
        self.known.retain(|_, known| std::mem::take(&mut known.is_there));
        self.names.forget_unseen();
        failures.into_result()
    }

    fn clear(&mut self) {
        self.known.clear();
        self.names.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::collect::facts::Facts;
    use crate::collect::linux::SharedBuffer;
    use crate::collect::probe::value;

    fn threads(root: &Path) -> Threads {
        let (facts, buffer) = (&Facts::default(), &SharedBuffer::new());
        Threads::new(&Place { root, interval: Duration::from_secs(1), facts, buffer })
    }

    #[test]
    fn times_are_summed_up_by_name_over_threads_that_come_and_go() {
        let root = std::env::temp_dir().join(format!("nissa-threads-{}", std::process::id()));
        let registry = Registry::new();
        let mut threads = threads(&root);
        let mut read = |list: &[(u64, &str, u64, u64)]| {
            let folder = root.join("proc/self/task");
            let _ = fs::remove_dir_all(&root);
            for (id, name, ticks, start) in list {
                let folder = folder.join(id.to_string());
                fs::create_dir_all(&folder).unwrap();
                let line = format!(
                    "{id} ({name}) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 {start} 0 5\n"
                );
                fs::write(folder.join("stat"), line).unwrap();
            }
            threads.collect(&registry).unwrap();
            ["main", "pool", "io"]
                .map(|name| value(&registry, THREAD_CPU.name, &[("thread", name)]))
        };
        let first = read(&[(1, "main", 100, 7), (2, "pool", 200, 8), (3, "pool", 300, 9)]);
        assert_eq!(first, [Some(1.0), Some(5.0), None]);
        // One has ended, another has its number, and the third a new name.
        let second = read(&[(1, "main", 150, 7), (2, "pool", 10, 20), (3, "io", 350, 9)]);
        assert_eq!(second, [Some(1.5), Some(5.1), Some(0.5)]);
        assert_eq!(read(&[(1, "main", 150, 7)]), [Some(1.5), None, None]);
        threads.clear();
        assert!(registry.snapshot().family(THREAD_CPU.name).is_none());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn without_the_folder_there_is_nothing() {
        let registry = Registry::new();
        assert!(threads(Path::new("/no/such/root")).collect(&registry).is_err());
    }
}
