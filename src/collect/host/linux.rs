//! The machine as `/proc` tells it.

use std::time::Duration;

use super::cpu::Cpu;
use super::disks::Disks;
use super::figures::{PRESSURE_CPU, PRESSURE_IO, PRESSURE_MEMORY};
use super::memory::{Load, Memory};
use super::network::Network;
use super::pressure::Pressure;
use super::vmstat::VmStat;
use crate::collect::linux::{Beat, HeldFile, Place, Root, SharedBuffer, Source, Watched};
use crate::collect::{Collector, Failures};
use crate::registry::Registry;

/// Everything read on the quick thread.
pub(crate) struct Machine {
    interval: Duration,
    buffer: SharedBuffer,
    beat: Beat,
    cpu: Watched<Cpu>,
    memory: Watched<Memory>,
    load: Watched<Load>,
    network: Watched<Network>,
    disks: Watched<Disks>,
    pressure: [Watched<Pressure>; 3],
    vmstat: Watched<VmStat>,
}

impl Machine {
    pub(crate) fn new(place: &Place<'_>, per_core: bool) -> Self {
        let Place { root, interval, facts, buffer } = *place;
        let file = |path: &str| HeldFile::whole(root.join(path));
        let records = |path: &str| HeldFile::records(root.join(path));
        let disks = Disks::new(root.join("sys/block"));
        let network = HeldFile::records(Root::new(root).of_machine("net/dev"));
        let pressure = [
            ("pressure_cpu", "proc/pressure/cpu", PRESSURE_CPU),
            ("pressure_memory", "proc/pressure/memory", PRESSURE_MEMORY),
            ("pressure_io", "proc/pressure/io", PRESSURE_IO),
        ];
        Self {
            interval,
            buffer: buffer.clone(),
            beat: Beat::new(interval),
            cpu: Watched::new("stat", file("proc/stat"), Cpu::new(per_core, facts.clone())),
            memory: Watched::new("meminfo", file("proc/meminfo"), Memory::new(facts.clone())),
            load: Watched::new("loadavg", file("proc/loadavg"), Load::default()),
            network: Watched::new("net_dev", network, Network::default()),
            disks: Watched::new("diskstats", records("proc/diskstats"), disks),
            pressure: pressure.map(|(name, path, figures)| {
                Watched::new(name, file(path), Pressure::new(figures))
            }),
            vmstat: Watched::new("vmstat", records("proc/vmstat"), VmStat::default()),
        }
    }
}

impl Collector for Machine {
    fn name(&self) -> &str {
        "host"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let mut failures = Failures::new();
        let buffer = &mut *self.buffer.begin();
        let due = self.beat.next();
        self.cpu.collect(buffer, registry, &mut failures);
        self.memory.collect(buffer, registry, &mut failures);
        self.network.collect(buffer, registry, &mut failures);
        if due.slow || !self.disks.source.show_known(buffer) {
            self.disks.collect(buffer, registry, &mut failures);
        }
        for pressure in &mut self.pressure {
            pressure.collect(buffer, registry, &mut failures);
        }
        if due.load {
            self.load.collect(buffer, registry, &mut failures);
        }
        if due.slow {
            self.vmstat.collect(buffer, registry, &mut failures);
        }
        failures.into_result()
    }

    fn clear(&mut self) {
        self.cpu.source.clear();
        self.memory.source.clear();
        self.load.source.clear();
        self.network.source.clear();
        self.disks.source.clear();
        self.pressure.iter_mut().for_each(|pressure| pressure.source.clear());
        self.vmstat.source.clear();
        self.beat = Beat::new(self.interval);
    }
}
