//! One NVIDIA GPU, read through NVML.

use nvml_wrapper::Device;
use nvml_wrapper::enums::device::UsedGpuMemory;

use super::calls::{CALLS, Call};
use super::fields::{self, Fields};
use super::gpm::{self, Gpm};
use super::metric::{Metric, ONE, gauge};
use super::mig::Mig;
use super::own_process::OwnProcess;
use super::source::{Progress, Readings, Source};
use super::verdict::{Verdict, absent};
use super::xid::Xids;

/// What is read beside the plain numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extras {
    /// The memory of every process.
    pub(super) processes: bool,
    /// The parts of a divided GPU.
    pub(super) mig: bool,
    /// Rates over PCIe by a call that counts for 20 ms, where nothing else tells them.
    pub(super) pcie: bool,
}

pub(super) struct Nvidia {
    device: Device<'static>,
    calls: Vec<Verdict>,
    xids: Xids,
    fields: Fields,
    gpm: Gpm,
    pcie: Verdict,
    processes: Verdict,
    own: OwnProcess,
    mig: Option<Mig>,
    extras: Extras,
    /// Where in the readings the fields' metrics begin, GPM's, and this process's memory.
    places: [usize; 3],
    metrics: usize,
}

static OWN_MEMORY: Metric = gauge("gpu_own_process_memory_bytes", ONE);

/// Steps after the plain calls, as [`step_name`] tells them.
const AFTER: [&str; 6] = [
    "event_set_wait",
    "field_values",
    "gpm",
    "running_compute_processes",
    "mig",
    "pcie_throughput",
];

/// What an NVIDIA source was doing at this step; others tell none.
pub(super) fn step_name(step: usize) -> &'static str {
    let call = CALLS.get(step).map(|call| call.name);
    call.or_else(|| AFTER.get(step.saturating_sub(CALLS.len())).copied()).unwrap_or("read")
}

impl Nvidia {
    pub(super) fn new(device: Device<'static>, extras: Extras) -> Self {
        let fields = CALLS.iter().map(|call| call.metrics.len()).sum::<usize>();
        let gpm = fields + fields::metrics().count();
        let own_memory = gpm + gpm::metrics().count();
        Self {
            device,
            calls: vec![Verdict::default(); CALLS.len()],
            xids: Xids::default(),
            fields: Fields::new(),
            gpm: Gpm::new(),
            pcie: Verdict::default(),
            processes: Verdict::default(),
            own: OwnProcess::new(),
            mig: extras.mig.then(Mig::default),
            extras,
            places: [fields, gpm, own_memory],
            metrics: own_memory + 1,
        }
    }

    /// The plain numbers. Nothing more is asked of a GPU that has gone.
    fn read_calls(&mut self, slow: bool, at: &Progress, into: &mut Readings) {
        let mut first = 0;
        for (step, (call, verdict)) in CALLS.iter().zip(&mut self.calls).enumerate() {
            if verdict.is_open() && (slow || !call.is_slow) && !into.lost {
                at.step(step);
                read_call(call, &self.device, verdict, first, into);
            }
            first += call.metrics.len();
        }
    }

    fn read_pcie(&mut self, gpm: usize, into: &mut Readings) {
        use nvml_wrapper::enum_wrappers::device::PcieUtilCounter::{Receive, Send};

        for (counter, place) in [Receive, Send].into_iter().zip(gpm::PCIE) {
            if self.pcie.is_open() {
                let rate = self.device.pcie_throughput(counter);
                let rate = self.pcie.judge("pcie_throughput", rate, into);
                into.set(gpm + place, rate.map(|kilobytes| u64::from(kilobytes) * 1_000));
            }
        }
    }

    fn read_processes(&mut self, place: usize, into: &mut Readings) {
        if !self.processes.is_open() {
            return;
        }
        let running = self.device.running_compute_processes();
        let Some(running) = self.processes.judge("running_compute_processes", running, into) else {
            into.processes = self.extras.processes.then(Vec::new);
            return absent(into, place, 1);
        };
        // Not found is not 0: the driver may know this process by an id that is not seen here.
        let own = self.own.find(running.iter().map(|process| process.pid));
        let mut own_bytes: Option<u64> = None;
        let mut all = Vec::new();
        for process in running {
            let UsedGpuMemory::Used(bytes) = process.used_gpu_memory else { continue };
            if own == Some(process.pid) {
                own_bytes = Some(bytes.saturating_add(own_bytes.unwrap_or(0)));
            }
            all.push((process.pid, bytes));
        }
        into.set(place, own_bytes);
        into.processes = self.extras.processes.then_some(all);
    }
}

fn read_call(
    call: &Call,
    device: &Device<'static>,
    verdict: &mut Verdict,
    first: usize,
    into: &mut Readings,
) {
    match verdict.judge(call.name, (call.read)(device), into) {
        Some(raw) => {
            for (index, value) in raw.into_iter().take(call.metrics.len()).enumerate() {
                into.set(first + index, value);
            }
        }
        None => absent(into, first, call.metrics.len()),
    }
}

impl Source for Nvidia {
    fn metrics(&self) -> Vec<&'static Metric> {
        let calls = CALLS.iter().flat_map(|call| call.metrics);
        calls.chain(fields::metrics()).chain(gpm::metrics()).chain([&OWN_MEMORY]).collect()
    }

    fn read(&mut self, slow: bool, at: &Progress, into: &mut Readings) {
        into.begin(self.metrics);
        let [fields, gpm, own_memory] = self.places;
        // First, since an event may be the last thing a GPU says.
        at.step(CALLS.len());
        self.xids.read(&self.device, into);
        self.read_calls(slow, at, into);
        for is_slow in [false, true] {
            if !into.lost && (slow || !is_slow) {
                at.step(CALLS.len() + 1);
                self.fields.read(&self.device, is_slow, fields, into);
            }
        }
        if !into.lost {
            at.step(CALLS.len() + 2);
            self.gpm.read(&self.device, self.fields.count_pcie(), gpm, into);
        }
        let knows_pcie = self.fields.count_pcie() || self.gpm.tells_pcie();
        if self.extras.pcie && !knows_pcie && !into.lost {
            at.step(CALLS.len() + 5);
            self.read_pcie(gpm, into);
        }
        if !into.lost && slow {
            at.step(CALLS.len() + 3);
            self.read_processes(own_memory, into);
        }
        if let Some(mig) = self.mig.as_mut().filter(|_| !into.lost && slow) {
            at.step(CALLS.len() + 4);
            mig.read(&self.device, into);
        }
        // One that answers nothing has gone, whatever it calls that.
        into.lost |= !into.answered && !into.faults.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::gpu::metric::{HELP, Shape};

    fn all() -> Vec<&'static Metric> {
        let calls = CALLS.iter().flat_map(|call| call.metrics);
        calls.chain(fields::metrics()).chain(gpm::metrics()).chain([&OWN_MEMORY]).collect()
    }

    #[test]
    fn every_metric_is_described() {
        for metric in all() {
            assert!(HELP.iter().any(|(name, ..)| *name == metric.name), "{}", metric.name);
        }
    }

    #[test]
    fn counters_and_only_counters_end_in_total() {
        for metric in all() {
            let is_counter = metric.shape != Shape::Gauge;
            assert_eq!(metric.name.ends_with("_total"), is_counter, "{}", metric.name);
        }
    }

    #[test]
    fn no_two_readings_are_one_series() {
        let mut series: Vec<_> = all().iter().map(|metric| (metric.name, metric.labels)).collect();
        let count = series.len();
        series.sort_unstable();
        series.dedup();
        assert_eq!(series.len(), count);
    }

    #[test]
    fn every_step_has_a_name() {
        assert_eq!(step_name(0), CALLS[0].name);
        assert_eq!(step_name(CALLS.len()), "event_set_wait");
        assert_eq!(step_name(CALLS.len() + 4), "mig");
        assert_eq!(step_name(usize::MAX), "read");
    }
}
