//! Performance monitoring on Hopper and newer: what the multiprocessors did between two samples.
//!
//! A figure needs two samples some time apart. The usual way takes both at once with a sleep
//! between; here the last tick's is kept, so nobody sleeps and nothing between ticks goes unseen.

use std::time::Instant;

use nvml_wrapper::enums::gpm::GpmMetricId as Id;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::gpm::gpm_metrics_get;
use nvml_wrapper::{Device, GpmSample};

use super::metric::{MEBI, Metric, ONE, PERCENT, Seen, gauge, whole};
use super::source::Readings;
use super::verdict::{Fault, Verdict, absent, fault};
use crate::clock;

/// What is asked for, and what it is. NVML tells rates in MiB/s, which are made bytes here.
static WANTED: &[(Id, Metric)] = &[
    (Id::GraphicsUtil, gauge("gpu_graphics_active_ratio", PERCENT)),
    (Id::SmUtil, gauge("gpu_sm_active_ratio", PERCENT)),
    (Id::SmOccupancy, gauge("gpu_sm_occupancy_ratio", PERCENT)),
    (Id::AnyTensorUtil, gauge("gpu_tensor_active_ratio", PERCENT)),
    (Id::DramBwUtil, gauge("gpu_dram_active_ratio", PERCENT)),
    (Id::Fp16Util, gauge("gpu_fp16_active_ratio", PERCENT)),
    (Id::Fp32Util, gauge("gpu_fp32_active_ratio", PERCENT)),
    (Id::Fp64Util, gauge("gpu_fp64_active_ratio", PERCENT)),
    (Id::PcieRxPerSec, gauge("gpu_pcie_receive_bytes_per_second", ONE)),
    (Id::PcieTxPerSec, gauge("gpu_pcie_transmit_bytes_per_second", ONE)),
    (Id::NvlinkTotalRxPerSec, whole("gpu_nvlink_receive_bytes_total")),
    (Id::NvlinkTotalTxPerSec, whole("gpu_nvlink_transmit_bytes_total")),
];

/// Where among its metrics the rates over PCIe stand, received and sent.
pub(super) const PCIE: [usize; 2] = [8, 9];

/// Its metrics.
pub(super) fn metrics() -> impl Iterator<Item = &'static Metric> {
    WANTED.iter().map(|(_, metric)| metric)
}

/// The monitoring of one GPU.
pub(super) struct Gpm {
    verdict: Verdict,
    asked: bool,
    /// What the GPU has, and where in `WANTED` it stands.
    ids: Vec<Id>,
    places: Vec<usize>,
    last: Option<(GpmSample<'static>, Instant)>,
    /// Bytes over NVLink, which NVML tells as rates of the time between two samples.
    nvlink: [f64; 2],
}

impl Gpm {
    pub(super) fn new() -> Self {
        Self {
            verdict: Verdict::default(),
            asked: false,
            ids: WANTED.iter().map(|(id, _)| *id).collect(),
            places: (0..WANTED.len()).collect(),
            last: None,
            nvlink: [0.0; 2],
        }
    }

    /// Reads it; `first` is the place of its first metric. Rates over PCIe are left out where
    /// bytes are counted.
    pub(super) fn read(
        &mut self,
        device: &Device<'static>,
        pcie_is_counted: bool,
        first: usize,
        into: &mut Readings,
    ) {
        if !self.is_supported(device, into) {
            return;
        }
        if pcie_is_counted {
            self.leave_out(|id| matches!(id, Id::PcieRxPerSec | Id::PcieTxPerSec));
        }
        let last = self.last.take();
        let sample = self.verdict.judge("gpm_sample", device.gpm_sample(), into);
        let Some(sample) = sample else { return absent(into, first, WANTED.len()) };
        let now = clock::now();
        let Some((before, then)) = last else {
            self.last = Some((sample, now));
            return absent(into, first, WANTED.len());
        };
        let result = gpm_metrics_get(device.nvml(), &before, &sample, &self.ids);
        self.last = Some((sample, now));
        match self.verdict.judge("gpm_metrics", result, into) {
            Some(results) => {
                let seconds = now.duration_since(then).as_secs_f64();
                let results = results.into_iter().map(|result| result.map(|result| result.value));
                self.note(results, seconds, first, into);
            }
            None => absent(into, first, WANTED.len()),
        }
    }

    /// Whether it tells rates over PCIe.
    pub(super) fn tells_pcie(&self) -> bool {
        self.asked && self.verdict.is_open() && self.ids.contains(&Id::PcieRxPerSec)
    }

    fn is_supported(&mut self, device: &Device<'static>, into: &mut Readings) -> bool {
        if !self.asked && self.verdict.is_open() {
            // A sample that cannot be freed makes the wrapper panic where it is dropped.
            if device.nvml().lib().nvmlGpmSampleFree.is_err() {
                self.verdict.close();
                return false;
            }
            match self.verdict.judge("gpm_support", device.gpm_support(), into) {
                Some(true) => self.asked = true,
                Some(false) => self.verdict.close(),
                None => {}
            }
        }
        self.asked && self.verdict.is_open()
    }

    fn note(
        &mut self,
        results: impl Iterator<Item = Result<f64, NvmlError>>,
        seconds: f64,
        first: usize,
        into: &mut Readings,
    ) {
        let mut unsupported = Vec::new();
        for ((id, place), result) in self.ids.iter().zip(&self.places).zip(results) {
            let seen = match result {
                Ok(value) if !value.is_finite() => Seen::Absent,
                Ok(rate) => match id {
                    Id::NvlinkTotalRxPerSec => count(&mut self.nvlink[0], rate, seconds),
                    Id::NvlinkTotalTxPerSec => count(&mut self.nvlink[1], rate, seconds),
                    Id::PcieRxPerSec | Id::PcieTxPerSec => Seen::Real(MEBI.apply(rate)),
                    _ => Seen::Real(rate),
                },
                Err(error) => {
                    match fault(&error) {
                        Fault::Never => unsupported.push(*id),
                        Fault::Lost => into.lost = true,
                        Fault::Passing => into.fault("gpm_metric", error),
                    }
                    Seen::Absent
                }
            };
            into.set(first + place, seen);
        }
        if !unsupported.is_empty() {
            self.leave_out(|id| unsupported.contains(&id));
        }
    }

    fn leave_out(&mut self, what: impl Fn(Id) -> bool) {
        let mut ids = self.ids.iter();
        self.places.retain(|_| ids.next().is_none_or(|id| !what(*id)));
        self.ids.retain(|id| !what(*id));
    }
}

fn count(bytes: &mut f64, mebibytes_per_second: f64, seconds: f64) -> Seen {
    *bytes += MEBI.apply(mebibytes_per_second.max(0.0)) * seconds;
    Seen::Whole(*bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_become_bytes() {
        let mut bytes = 0.0;
        assert_eq!(count(&mut bytes, 2.0, 0.5), Seen::Whole(1_048_576));
        assert_eq!(count(&mut bytes, 1.0, 1.0), Seen::Whole(2_097_152));
        assert_eq!(count(&mut bytes, -1.0, 1.0), Seen::Whole(2_097_152));
    }

    #[test]
    fn rates_over_pcie_are_where_they_are_said_to_be() {
        assert_eq!(PCIE.map(|place| WANTED[place].0), [Id::PcieRxPerSec, Id::PcieTxPerSec]);
    }

    #[test]
    fn what_is_left_out_leaves_the_rest_in_place() {
        let mut gpm = Gpm::new();
        gpm.leave_out(|id| id == Id::SmUtil);
        for (id, place) in gpm.ids.iter().zip(&gpm.places) {
            assert_eq!(WANTED[*place].0, *id);
        }
        assert_eq!(gpm.ids.len(), WANTED.len() - 1);
    }
}
