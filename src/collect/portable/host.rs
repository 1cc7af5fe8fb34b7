//! The machine.

use std::time::{Duration, Instant};

use sysinfo::{CpuRefreshKind, MINIMUM_CPU_UPDATE_INTERVAL, Networks, System};

use crate::clock;
use crate::collect::devices::Devices;
use crate::collect::facts::{Fact, Facts};
use crate::collect::host::figures::{BOOT, CPU_SECONDS, LOAD, MEMORY, NETWORK};
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// Of the network's figures those that are known everywhere: bytes, packets, errors each way.
const CARRIED: [usize; 6] = [0, 1, 2, 4, 5, 6];

/// Of the memory's figures: total, free, available, swap, swap that is free.
const KNOWN: [usize; 5] = [0, 1, 2, 8, 9];

/// Reads what the system tells of the machine.
pub(crate) struct PortableHost {
    interval: Duration,
    facts: Facts,
    system: System,
    networks: Networks,
    cpu: Option<Cpu>,
    memory: Option<[Observed<f64>; KNOWN.len()]>,
    load: Option<[Observed<f64>; LOAD.len()]>,
    boot: Option<Observed<f64>>,
    devices: Devices<[Observed<u64>; CARRIED.len()]>,
}

/// Only shares of time are known, so seconds are summed up from them.
struct Cpu {
    last: Instant,
    seconds: [f64; 2],
    /// Busy, idle.
    series: Option<[Observed<f64>; 2]>,
}

impl PortableHost {
    pub(crate) fn new(interval: Duration, facts: &Facts) -> Self {
        Self {
            interval,
            facts: facts.clone(),
            system: System::new(),
            networks: Networks::new(),
            cpu: None,
            memory: None,
            load: None,
            boot: None,
            devices: Devices::default(),
        }
    }

    /// The first share is the mean since the machine started, and within 200 ms sysinfo tells the
    /// old one again: neither is taken.
    fn show_cpu(&mut self, registry: &Registry) {
        let now = clock::now();
        let Some(cpu) = &mut self.cpu else {
            self.system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_cpu_usage());
            self.cpu = Some(Cpu { last: now, seconds: [0.0; 2], series: None });
            return;
        };
        let passed = now.saturating_duration_since(cpu.last);
        if passed <= MINIMUM_CPU_UPDATE_INTERVAL {
            return;
        }
        self.system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_cpu_usage());
        let busy = f64::from(self.system.global_cpu_usage()) / 100.0;
        if !(0.0..=1.0).contains(&busy) {
            return;
        }
        self.facts.set(Fact::CpuBusy, Some(busy));
        let available = passed.as_secs_f64() * self.system.cpus().len() as f64;
        cpu.last = now;
        cpu.seconds[0] += available * busy;
        cpu.seconds[1] += available * (1.0 - busy);
        let make = |mode| CPU_SECONDS.number(registry, &[("mode", mode)]);
        let series = cpu.series.get_or_insert_with(|| ["busy", "idle"].map(make));
        for (series, seconds) in series.iter().zip(cpu.seconds) {
            series.set(seconds);
        }
    }

    fn show_memory(&mut self, registry: &Registry) {
        self.system.refresh_memory();
        let system = &self.system;
        let total = Some(system.total_memory()).filter(|bytes| *bytes > 0);
        // Without a total nothing was read. No swap at all is a figure, though.
        let of = |bytes: u64| total.map(|_| bytes as f64);
        let values = [
            of(system.total_memory()),
            of(system.free_memory()),
            of(system.available_memory()),
            of(system.total_swap()),
            of(system.free_swap()),
        ];
        self.facts.set(Fact::MemoryTotal, values[0]);
        self.facts.set(Fact::MemoryAvailable, values[2]);
        let make = || KNOWN.map(|place| MEMORY[place].number(registry, &[]));
        for (series, value) in self.memory.get_or_insert_with(make).iter().zip(values) {
            series.set_or_clear(value);
        }
    }

    fn show_load(&mut self, registry: &Registry) {
        // Windows has none, and sysinfo says zero.
        if cfg!(windows) {
            return;
        }
        let load = System::load_average();
        let make = || LOAD.map(|figure| figure.number(registry, &[]));
        let values = [load.one, load.five, load.fifteen];
        for (series, value) in self.load.get_or_insert_with(make).iter().zip(values) {
            series.set(value);
        }
    }

    fn show_network(&mut self, registry: &Registry, failures: &mut Failures) {
        self.networks.refresh(true);
        for (device, data) in &self.networks {
            let make = |device: &str| {
                CARRIED.map(|place| NETWORK[place].count(registry, &[("device", device)]))
            };
            let Some(series) = self.devices.find(device.as_bytes(), make) else { continue };
            let values = [
                data.total_received(),
                data.total_packets_received(),
                data.total_errors_on_received(),
                data.total_transmitted(),
                data.total_packets_transmitted(),
                data.total_errors_on_transmitted(),
            ];
            for (series, value) in series.iter().zip(values) {
                series.set(value);
            }
        }
        self.devices.forget_unseen();
        self.devices.report_left_out("network_limit", failures);
    }
}

impl Collector for PortableHost {
    fn name(&self) -> &str {
        "host"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let mut failures = Failures::new();
        self.show_cpu(registry);
        self.show_memory(registry);
        self.show_load(registry);
        self.show_network(registry, &mut failures);
        let boot = Some(System::boot_time()).filter(|unix| *unix > 0);
        let series = self.boot.get_or_insert_with(|| BOOT.number(registry, &[]));
        series.set_or_clear(boot.map(|unix| unix as f64));
        failures.into_result()
    }

    fn clear(&mut self) {
        *self = Self::new(self.interval, &self.facts);
        for fact in [Fact::CpuBusy, Fact::MemoryTotal, Fact::MemoryAvailable] {
            self.facts.set(fact, None);
        }
    }
}
