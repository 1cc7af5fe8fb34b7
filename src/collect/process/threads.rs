//! Which threads take this process's processor time.
//!
//! Threads of one name are one series: a pool has hundreds, and none of them is of interest alone.
//! A thread that was given no name has the program's. Files are not held open: a program may have
//! more threads than it may open files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use super::figures::THREAD_CPU;
use super::task::{Task, has_ended};
use crate::collect::devices::{Devices, Series};
use crate::collect::linux::scan::number;
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
    /// Whether the last reading left some out: one that is seen for the first time may be old.
    missed: bool,
    /// Those to read.
    ids: Vec<u64>,
    text: Vec<u8>,
}

/// A thread at the last reading.
struct Known {
    name: Box<[u8]>,
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

    fn renew(&mut self, new: Self) {
        self.series = new.series;
    }
}

impl Threads {
    pub(crate) fn new(place: &Place<'_>) -> Self {
        Self {
            folder: place.root.join("proc/self/task"),
            interval: place.interval,
            known: BTreeMap::new(),
            names: Devices::default(),
            missed: false,
            ids: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Finds out which threads there are, and how many more than are read.
    fn list(&mut self) -> io::Result<usize> {
        self.ids.clear();
        let mut more = 0;
        for task in fs::read_dir(&self.folder)? {
            let name = task?.file_name();
            match number(name.as_encoded_bytes()) {
                Some(id) if self.ids.len() < MOST => self.ids.push(id),
                _ => more += 1,
            }
        }
        Ok(more)
    }

    /// Shows every thread that is listed.
    fn read(&mut self, registry: &Registry, failures: &mut Failures) {
        let mut path = self.folder.clone();
        let (ids, mut text) = (std::mem::take(&mut self.ids), std::mem::take(&mut self.text));
        let missed = std::mem::take(&mut self.missed);
        for id in &ids {
            path.push(id.to_string());
            path.push("stat");
            text.clear();
            let read = File::open(&path).and_then(|mut file| file.read_to_end(&mut text));
            path.pop();
            path.pop();
            match read.map(|_| Task::parse(&text)) {
                Ok(Some(task)) => {
                    self.show(&task, missed, registry);
                    continue;
                }
                Err(error) if has_ended(&error) => continue,
                Ok(None) => failures.add("task_stat", "nothing in it is understood"),
                Err(error) => failures.add("task_stat", error),
            }
            self.keep(*id);
        }
        (self.ids, self.text) = (ids, text);
    }

    fn show(&mut self, task: &Task<'_>, missed: bool, registry: &Registry) {
        let passed = pass(&mut self.known, task, missed);
        let make = |name: &str| {
            let series = THREAD_CPU.number(registry, &[("thread", name)]);
            Named { ticks: 0, series }
        };
        if let Some(named) = self.names.find(task.name, make) {
            named.ticks = named.ticks.saturating_add(passed);
            named.series.set(named.ticks as f64 / TICKS);
        }
    }

    /// One that cannot be read, as of a program that has no file left to open, has not ended.
    fn keep(&mut self, id: u64) {
        match self.known.get_mut(&id) {
            Some(known) => {
                known.is_there = true;
                self.names.keep(&known.name);
            }
            None => self.missed = true,
        }
    }
}

/// What a thread took since the last reading: all it ever took, if it is new. One that may have
/// been there and left out begins with what it takes from now on.
fn pass(known: &mut BTreeMap<u64, Known>, task: &Task<'_>, missed: bool) -> u64 {
    let Task { name, start, ticks, .. } = *task;
    if let Some(last) = known.get_mut(&task.id) {
        let before = if last.start == start { last.ticks } else { 0 };
        if *last.name != *name {
            last.name = name.into();
        }
        (last.start, last.ticks, last.is_there) = (start, ticks, true);
        return ticks.saturating_sub(before);
    }
    known.insert(task.id, Known { name: name.into(), start, ticks, is_there: true });
    if missed { 0 } else { ticks }
}

impl Collector for Threads {
    fn name(&self) -> &str {
        "threads"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        // What is shown goes, and what was counted stays.
        let hide = |named: &mut Named| named.series.clear();
        let more = self.list().inspect_err(|_| self.names.iter_mut().for_each(hide))?;
        let mut failures = Failures::new();
        self.read(registry, &mut failures);
        self.missed |= more > 0;
        failures.leave_out("thread_limit", more, MOST);
        self.known.retain(|_, known| std::mem::take(&mut known.is_there));
        self.names.forget_unseen();
        failures.into_result()
    }

    fn clear(&mut self) {
        self.known.clear();
        self.names.clear();
        self.missed = false;
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

    fn scratch(name: &str) -> PathBuf {
        let root =
            std::env::temp_dir().join(format!("nissa-threads-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        root
    }

    fn write(root: &Path, id: u64, name: &str, ticks: u64, start: u64) {
        let folder = root.join("proc/self/task").join(id.to_string());
        fs::create_dir_all(&folder).unwrap();
        let line =
            format!("{id} ({name}) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 {start} 0 5\n");
        fs::write(folder.join("stat"), line).unwrap();
    }

    fn of(registry: &Registry, name: &str) -> Option<f64> {
        value(registry, THREAD_CPU.name, &[("thread", name)])
    }

    #[test]
    fn times_are_summed_up_by_name_over_threads_that_come_and_go() {
        let root = scratch("sums");
        let registry = Registry::new();
        let mut threads = threads(&root);
        let mut read = |list: &[(u64, &str, u64, u64)]| {
            let _ = fs::remove_dir_all(&root);
            list.iter()
                .for_each(|(id, name, ticks, start)| write(&root, *id, name, *ticks, *start));
            threads.collect(&registry).unwrap();
            ["main", "pool", "io"].map(|name| of(&registry, name))
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
    fn a_thread_that_cannot_be_read_has_not_ended() {
        let root = scratch("denied");
        let registry = Registry::new();
        let mut threads = threads(&root);
        write(&root, 1, "main", 100, 7);
        write(&root, 2, "pool", 200, 8);
        threads.collect(&registry).unwrap();
        // A folder opens, and reading it fails.
        let stat = root.join("proc/self/task/2/stat");
        fs::remove_file(&stat).unwrap();
        fs::create_dir(&stat).unwrap();
        let failures = threads.collect(&registry).unwrap_err();
        assert!(failures.to_string().starts_with("task_stat: "), "{failures}");
        assert_eq!(of(&registry, "pool"), Some(2.0));
        fs::remove_dir(&stat).unwrap();
        fs::write(&stat, "odd").unwrap();
        let failures = threads.collect(&registry).unwrap_err();
        assert_eq!(failures.to_string(), "task_stat: nothing in it is understood");
        write(&root, 2, "pool", 250, 8);
        // Nor has any if they cannot be listed; what is counted stays, out of sight.
        let (folder, away) = (root.join("proc/self/task"), root.join("away"));
        fs::rename(&folder, &away).unwrap();
        assert!(threads.collect(&registry).is_err());
        assert_eq!(of(&registry, "pool"), None);
        fs::rename(&away, &folder).unwrap();
        threads.collect(&registry).unwrap();
        assert_eq!(of(&registry, "pool"), Some(2.5));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_thread_that_was_left_out_begins_when_there_is_room_for_it() {
        let root = scratch("many");
        let registry = Registry::new();
        let mut threads = threads(&root);
        let most = MOST as u64;
        (0..most + 10).for_each(|id| write(&root, id, "pool", 1_000, 8));
        let mut read = || {
            let told = threads.collect(&registry).err();
            assert!(!told.is_some_and(|told| told.has_failed()));
            of(&registry, "pool").unwrap()
        };
        let first = read();
        assert_eq!(first, most as f64 * 10.0);
        // As many end, so that some of them were read.
        (0..20)
            .for_each(|id| fs::remove_dir_all(root.join(format!("proc/self/task/{id}"))).unwrap());
        assert_eq!(read(), first);
        (20..30).for_each(|id| write(&root, id, "pool", 1_050, 8));
        assert_eq!(read(), first + 5.0);
        // Now none is left out, and a new one counts whole.
        write(&root, 1, "pool", 100, 9);
        assert_eq!(read(), first + 6.0);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_a_thread_took_is_not_forgotten_while_there_is_no_room_for_its_series() {
        let root = scratch("refused");
        let registry = Registry::builder().series_per_family(1).build();
        let mut threads = threads(&root);
        write(&root, 1, "main", 100, 7);
        threads.collect(&registry).unwrap();
        write(&root, 2, "pool", 200, 8);
        threads.collect(&registry).unwrap();
        assert_eq!(of(&registry, "pool"), None);
        fs::remove_dir_all(root.join("proc/self/task/1")).unwrap();
        let shown = (0..30).find_map(|_| {
            threads.collect(&registry).unwrap();
            of(&registry, "pool")
        });
        assert_eq!(shown, Some(2.0));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn without_the_folder_there_is_nothing() {
        let registry = Registry::new();
        assert!(threads(Path::new("/no/such/root")).collect(&registry).is_err());
    }
}
