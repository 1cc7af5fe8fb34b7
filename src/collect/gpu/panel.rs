//! The series of one GPU: set from its readings, and out of the output while it is gone.

use std::collections::BTreeMap;

use super::metric::{Metric, Seen, Shape, help};
use super::mig::instances;
use super::source::{Identity, Part, Readings};
use super::trouble::Trouble;
use crate::instrument::Counter;
use crate::registry::{Observed, Registry};

pub(super) struct Panel {
    registry: Registry,
    identity: Identity,
    metrics: Vec<&'static Metric>,
    /// In the order of `metrics`; made when there is a value.
    shown: Vec<Option<Shown>>,
    up: Observed<f64>,
    /// Kept, since the series goes with it.
    _info: Observed<f64>,
    lost: Counter,
    processes: BTreeMap<u32, Observed<f64>>,
    parts: BTreeMap<String, Vec<Observed<f64>>>,
    /// Where in the readings the memory's used and total bytes stand.
    memory_places: Option<(usize, usize)>,
    /// The used share of the memory, as last read.
    memory: Option<f64>,
}

enum Shown {
    Gauge(Observed<f64>),
    Whole(Observed<u64>),
    Real(Observed<f64>),
}

/// Processes of one GPU that are shown at a time.
const MOST_PROCESSES: usize = 256;

impl Panel {
    pub(super) fn new(
        registry: &Registry,
        identity: Identity,
        metrics: Vec<&'static Metric>,
    ) -> Self {
        let Identity { gpu, uuid, vendor, name, driver, pci_bus_id } = &identity;
        let device = [("gpu", &**gpu), ("uuid", &**uuid)];
        let info = [
            ("gpu", &**gpu),
            ("uuid", &**uuid),
            ("vendor", *vendor),
            ("name", &**name),
            ("driver", &**driver),
            ("pci_bus_id", &**pci_bus_id),
        ];
        describe_gauge(registry, "gpu_up");
        describe_gauge(registry, "gpu_info");
        describe_counter(registry, "gpu_lost_total");
        let up = registry.observed_gauge("gpu_up", &device[..1]);
        let info = registry.observed_gauge("gpu_info", &info);
        let lost = registry.counter("gpu_lost_total", &device);
        up.set(0.0);
        if !uuid.is_empty() {
            info.set(1.0);
        }
        let shown = metrics.iter().map(|_| None).collect();
        let place = |name| metrics.iter().position(|metric| metric.name == name);
        let memory_places = place("gpu_memory_used_bytes").zip(place("gpu_memory_total_bytes"));
        Self {
            registry: registry.clone(),
            identity,
            metrics,
            shown,
            up,
            _info: info,
            lost,
            processes: BTreeMap::new(),
            parts: BTreeMap::new(),
            memory_places,
            memory: None,
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The used share of the GPU's memory, if it is known.
    pub(super) fn memory(&self) -> Option<f64> {
        self.memory
    }

    /// Shows what was read. What is too much of it is noted.
    pub(super) fn show(&mut self, readings: &Readings, trouble: &mut Trouble<'_>) {
        self.up.set(1.0);
        for index in 0..self.metrics.len() {
            let seen = readings.values.get(index).copied().unwrap_or_default();
            self.show_one(index, seen);
        }
        self.note_memory(readings);
        if let Some(processes) = &readings.processes {
            let left_out = self.show_processes(processes);
            trouble.leave_out("process_limit", left_out, MOST_PROCESSES);
        }
        if let Some(parts) = &readings.parts {
            self.show_parts(parts);
        }
    }

    /// Counts critical errors, which a GPU may report as the last thing it does.
    pub(super) fn count_xids(&self, xids: &[u64]) {
        for xid in xids {
            describe_counter(&self.registry, "gpu_xid_errors_total");
            let Identity { gpu, uuid, .. } = &self.identity;
            let labels = [("gpu", &**gpu), ("uuid", &**uuid), ("xid", &xid.to_string())];
            self.registry.counter("gpu_xid_errors_total", &labels).increment(1);
        }
    }

    /// Takes everything out of the output but what the GPU is, and that it is not up.
    pub(super) fn clear(&mut self) {
        self.up.set(0.0);
        for shown in self.shown.iter().flatten() {
            shown.clear();
        }
        self.processes.clear();
        self.parts.clear();
        self.memory = None;
    }

    /// [`clear`](Self::clear), and counts that the GPU was lost.
    pub(super) fn lose(&mut self) {
        self.clear();
        self.lost.increment(1);
    }

    fn show_one(&mut self, index: usize, seen: Seen) {
        let (Some(metric), Some(shown)) = (self.metrics.get(index), self.shown.get_mut(index))
        else {
            return;
        };
        match (seen, shown) {
            (Seen::Same, _) => {}
            (Seen::Absent, shown) => {
                if let Some(shown) = shown {
                    shown.clear();
                }
            }
            (seen, Some(shown)) => shown.set(metric, seen),
            (seen, shown @ None) => {
                let made = Shown::new(&self.registry, metric, &self.identity);
                made.set(metric, seen);
                *shown = Some(made);
            }
        }
    }

    fn note_memory(&mut self, readings: &Readings) {
        let bytes = |place: usize| match readings.values.get(place) {
            Some(Seen::Whole(bytes)) => Some(*bytes as f64),
            _ => None,
        };
        self.memory = self.memory_places.and_then(|(used, total)| {
            let total = bytes(total).filter(|total| *total > 0.0)?;
            Some(bytes(used)? / total)
        });
    }

    /// How many there was no room for comes back.
    fn show_processes(&mut self, processes: &[(u32, u64)]) -> usize {
        // One with several contexts is told several times.
        let mut sums = BTreeMap::<u32, u64>::new();
        let mut left_out = 0;
        for (pid, bytes) in processes {
            if sums.len() < MOST_PROCESSES || sums.contains_key(pid) {
                let sum = sums.entry(*pid).or_default();
                *sum = sum.saturating_add(*bytes);
            } else {
                left_out += 1;
            }
        }
        self.processes.retain(|pid, _| sums.contains_key(pid));
        for (pid, bytes) in &sums {
            let Identity { gpu, uuid, .. } = &self.identity;
            let shown = self.processes.entry(*pid).or_insert_with(|| {
                describe_gauge(&self.registry, "gpu_process_memory_bytes");
                let labels = [("gpu", &**gpu), ("uuid", &**uuid), ("pid", &pid.to_string())];
                self.registry.observed_gauge("gpu_process_memory_bytes", &labels)
            });
            shown.set(*bytes as f64);
        }
        left_out
    }

    fn show_parts(&mut self, parts: &[Part]) {
        self.parts.retain(|uuid, _| parts.iter().any(|part| part.uuid == *uuid));
        for part in parts {
            let gauges = self
                .parts
                .entry(part.uuid.clone())
                .or_insert_with(|| part_gauges(&self.registry, &self.identity.gpu, part));
            let values = [Some(1), part.used, part.free, part.total];
            for (gauge, value) in gauges.iter().zip(values) {
                gauge.set_or_clear(value.map(|value| value as f64));
            }
        }
    }
}

impl Shown {
    fn new(registry: &Registry, metric: &Metric, identity: &Identity) -> Self {
        let mut labels = vec![("gpu", &*identity.gpu), ("uuid", &*identity.uuid)];
        labels.extend_from_slice(metric.labels);
        match metric.shape {
            Shape::Gauge => {
                describe_gauge(registry, metric.name);
                Self::Gauge(registry.observed_gauge(metric.name, &labels))
            }
            Shape::Whole => {
                describe_counter(registry, metric.name);
                Self::Whole(registry.observed_counter(metric.name, &labels))
            }
            Shape::Real => {
                describe_counter(registry, metric.name);
                Self::Real(registry.observed_float_counter(metric.name, &labels))
            }
        }
    }

    fn set(&self, metric: &Metric, seen: Seen) {
        let raw = match seen {
            Seen::Whole(raw) => raw as f64,
            Seen::Real(raw) => raw,
            Seen::Same | Seen::Absent => return,
        };
        match (self, seen) {
            // Not through a double, which has no room for all of it.
            (Self::Whole(counter), Seen::Whole(raw)) => counter.set(raw),
            (Self::Whole(counter), _) => counter.set(raw as u64),
            (Self::Gauge(series) | Self::Real(series), _) => series.set(metric.scale.apply(raw)),
        }
    }

    fn clear(&self) {
        match self {
            Self::Gauge(series) | Self::Real(series) => series.clear(),
            Self::Whole(series) => series.clear(),
        }
    }
}

fn part_gauges(registry: &Registry, gpu: &str, part: &Part) -> Vec<Observed<f64>> {
    let index = part.index.to_string();
    let (gi, ci) = instances(&part.uuid).unwrap_or_default();
    let mut labels =
        vec![("gpu", gpu), ("uuid", &*part.uuid), ("mig", &*index), ("gi", gi), ("ci", ci)];
    labels.push(("name", &*part.name));
    let info = registry.observed_gauge("gpu_mig_info", &labels);
    labels.pop();
    let names =
        ["gpu_mig_memory_used_bytes", "gpu_mig_memory_free_bytes", "gpu_mig_memory_total_bytes"];
    describe_gauge(registry, "gpu_mig_info");
    let memory = names.map(|name| {
        describe_gauge(registry, name);
        registry.observed_gauge(name, &labels)
    });
    [info].into_iter().chain(memory).collect()
}

pub(super) fn describe_gauge(registry: &Registry, name: &str) {
    let (unit, help) = help(name);
    registry.describe_gauge(name, unit, help);
}

pub(super) fn describe_counter(registry: &Registry, name: &str) {
    let (unit, help) = help(name);
    registry.describe_counter(name, unit, help);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_as_many_as_are_read_and_counted_once_each() {
        let registry = Registry::new();
        let identity =
            Identity { gpu: "0".to_owned(), uuid: "GPU-a".to_owned(), ..Identity::default() };
        let mut panel = Panel::new(&registry, identity, Vec::new());
        let mut show = |processes: Vec<(u32, u64)>| panel.show_processes(&processes);
        let name = "gpu_process_memory_bytes";
        let of = |pid: &str| {
            let labels = [("gpu", "0"), ("pid", pid), ("uuid", "GPU-a")];
            registry.snapshot().get(name, &labels).and_then(|value| value.as_f64())
        };
        let many = MOST_PROCESSES as u32;
        assert_eq!(show((0..many).map(|pid| (pid, 7)).collect()), 0);
        // The same in another order, and one more: the last of them is not read any more.
        assert_eq!(show((0..=many).rev().map(|pid| (pid, 9)).collect()), 1);
        assert_eq!((of("0"), of("1"), of(&many.to_string())), (None, Some(9.0), Some(9.0)));
        assert_eq!(show(vec![(5, 3), (6, 1), (5, 4)]), 0);
        assert_eq!((of("5"), of("6"), of("1")), (Some(7.0), Some(1.0), None));
    }
}
