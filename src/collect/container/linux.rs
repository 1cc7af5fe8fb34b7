//! The container's control groups, read at intervals.

use std::fs;
use std::io;
use std::time::Duration;

use super::figures::*;
use super::find::{self, Group, Groups};
use super::limits::Limits;
use super::memory::MemoryUse;
use super::sources::{Keyed, Single};
use crate::collect::facts::{Fact, Facts};
use crate::collect::figure::Figure;
use crate::collect::host::figures::{
    CONTAINER_PRESSURE_CPU, CONTAINER_PRESSURE_IO, CONTAINER_PRESSURE_MEMORY,
};
use crate::collect::host::pressure::Pressure;
use crate::collect::linux::scan::{Form, values};
use crate::collect::linux::{Beat, HeldFile, Place, Root, SharedBuffer, Source, TICKS, Watched};
use crate::collect::{Collector, Failures};
use crate::registry::Registry;

/// Reads the groups this process is in.
pub(crate) struct Cgroups {
    root: Root,
    interval: Duration,
    facts: Facts,
    buffer: SharedBuffer,
    beat: Beat,
    membership: HeldFile,
    /// What `/proc/self/cgroup` said when the files below were chosen.
    chosen_by: Vec<u8>,
    files: Files,
}

/// A file and what is shown of it, whatever that is.
type AnyFile = Box<Watched<dyn Source>>;

/// The files of the groups.
#[derive(Default)]
struct Files {
    quick: Vec<AnyFile>,
    slow: Vec<AnyFile>,
    /// What the quota of the group itself did, in the first version. Without one nothing moves.
    throttling: Option<AnyFile>,
    memory: Option<MemoryUse>,
    limits: Option<Limits>,
}

impl Cgroups {
    pub(crate) fn new(place: &Place<'_>) -> Self {
        let Place { root, interval, facts, buffer } = *place;
        Self {
            root: Root::new(root),
            interval,
            facts: facts.clone(),
            buffer: buffer.clone(),
            beat: Beat::new(interval),
            membership: HeldFile::whole(root.join("proc/self/cgroup")),
            chosen_by: Vec::new(),
            files: Files::default(),
        }
    }

    /// Chooses files, if this process is in other groups than before.
    fn find(&mut self, failures: &mut Failures) {
        let mut buffer = self.buffer.begin();
        let read = self.membership.read(&mut buffer);
        let cgroup = failures.check("cgroup", read).flatten().unwrap_or_default();
        if cgroup == self.chosen_by {
            return;
        }
        let cgroup = cgroup.to_vec();
        drop(buffer);
        // Until all is read that they are chosen by, there are none, and it is tried again.
        self.forget();
        let mounts = fs::read(self.root.join("proc/self/mountinfo"));
        let Some(mounts) = failures.check("mountinfo", mounts) else { return };
        let meminfo = match fs::read(self.root.join("proc/meminfo")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        };
        let Some(meminfo) = failures.check("meminfo", meminfo) else { return };
        let [machine] = values(&meminfo, Form::Kib, &["MemTotal"]);
        let groups = find::find(self.root.of_own_mounts(), &cgroup, &mounts, failures);
        self.files = Files::new(&groups, machine, &self.facts);
        self.chosen_by = cgroup;
    }
}

impl Cgroups {
    fn forget(&mut self) {
        self.files = Files::default();
        self.chosen_by.clear();
        for fact in [Fact::MemoryLimit, Fact::WorkingSet] {
            self.facts.set(fact, None);
        }
    }
}

impl Collector for Cgroups {
    fn name(&self) -> &str {
        "container"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let mut failures = Failures::new();
        let due = self.beat.next();
        if due.slow {
            self.find(&mut failures);
        }
        let Files { quick, slow, throttling, memory, limits } = &mut self.files;
        let buffer = &mut *self.buffer.begin();
        for file in quick {
            file.read_and_show(buffer, registry, &mut failures);
        }
        if let Some(memory) = memory {
            memory.collect(buffer, registry, &mut failures);
        }
        if due.slow {
            for file in slow {
                file.read_and_show(buffer, registry, &mut failures);
            }
            if let Some(limits) = limits {
                let told = memory.as_ref().and_then(MemoryUse::limit);
                limits.collect(told, buffer, registry, &mut failures);
            }
        }
        let limited = limits.as_ref().is_some_and(Limits::has_own_quota);
        if let Some(file) = throttling.as_mut().filter(|_| due.slow || limited) {
            file.read_and_show(buffer, registry, &mut failures);
        }
        failures.into_result()
    }

    /// What is shown goes with the files that tell it.
    fn clear(&mut self) {
        self.forget();
        self.beat = Beat::new(self.interval);
    }
}

impl Files {
    fn new(groups: &Groups, machine: Option<u64>, facts: &Facts) -> Self {
        let mut files = Self::default();
        if let Some(group) = &groups.cpuacct {
            files.cpu(group);
        }
        if let Some(group) = groups.cpu.as_ref().filter(|group| !group.unified) {
            let shown = [
                ("nr_periods", PERIODS, 1.0),
                ("nr_throttled", THROTTLED_PERIODS, 1.0),
                ("throttled_time", THROTTLED, 1e9),
            ];
            files.throttling = Some(file("cpu_stat", group, "cpu.stat", Keyed::new(shown)));
        }
        if let Some(group) = &groups.pids {
            files.quick.push(file(
                "pids_current",
                group,
                "pids.current",
                Single::new(THREADS, 1.0),
            ));
        }
        if let Some(group) = &groups.memory {
            files.memory = Some(MemoryUse::new(group, facts));
            files.events(group);
        }
        if let Some(group) = &groups.unified {
            files.pressure(group);
        }
        let any = [&groups.cpu, &groups.cpuset, &groups.memory, &groups.pids];
        if any.into_iter().any(Option::is_some) {
            files.limits = Some(Limits::new(groups, machine, facts));
        }
        files
    }

    fn cpu(&mut self, group: &Group) {
        if group.unified {
            let shown = [
                ("usage_usec", CPU_USAGE, 1e6),
                ("user_usec", CPU_USER, 1e6),
                ("system_usec", CPU_SYSTEM, 1e6),
                ("nr_periods", PERIODS, 1.0),
                ("nr_throttled", THROTTLED_PERIODS, 1.0),
                ("throttled_usec", THROTTLED, 1e6),
            ];
            self.quick.push(file("cpu_stat", group, "cpu.stat", Keyed::new(shown)));
        } else {
            let usage = Single::new(CPU_USAGE, 1e9);
            self.quick.push(file("cpu_usage", group, "cpuacct.usage", usage));
            let shown = [("user", CPU_USER, TICKS), ("system", CPU_SYSTEM, TICKS)];
            self.quick.push(file("cpuacct_stat", group, "cpuacct.stat", Keyed::new(shown)));
        }
    }

    fn events(&mut self, group: &Group) {
        self.slow.push(match group.unified {
            true => {
                let shown = Keyed::new([("high", HIGH, 1.0), ("oom_kill", OOM, 1.0)]);
                file("memory_events", group, "memory.events", shown)
            }
            false => {
                let shown = Keyed::new([("oom_kill", OOM, 1.0)]);
                file("memory_events", group, "memory.oom_control", shown)
            }
        });
    }

    fn pressure(&mut self, group: &Group) {
        let files: [(_, _, [Option<Figure>; 2]); 3] = [
            ("pressure_cpu", "cpu.pressure", CONTAINER_PRESSURE_CPU),
            ("pressure_memory", "memory.pressure", CONTAINER_PRESSURE_MEMORY),
            ("pressure_io", "io.pressure", CONTAINER_PRESSURE_IO),
        ];
        for (name, path, figures) in files {
            self.slow.push(file(name, group, path, Pressure::new(figures)));
        }
    }
}

fn file(name: &'static str, group: &Group, path: &str, source: impl Source + 'static) -> AnyFile {
    let file = HeldFile::whole(group.folder.join(path));
    Box::new(Watched::new(name, file, source))
}
