//! Which NVIDIA GPUs there are, now and later. Runs in a lane: loading the library, initialising
//! it and asking for a GPU can each take long.

use std::ffi::OsString;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use super::gpus::Gpus;
use super::library;
use super::nvidia::{Extras, Nvidia};
use super::source::{Found, Identity};

/// More GPUs than any machine has.
pub(super) const MOST: u32 = 256;

/// A library that is not there is looked for this rarely at last: every so many looks.
const MOST_SKIPPED: u32 = 63;

pub(super) struct Finder {
    pub(super) path: Option<OsString>,
    pub(super) devices: Gpus,
    pub(super) extras: Extras,
    nvml: Option<&'static Nvml>,
    /// GPUs at the last look, if each could be asked.
    count: Option<u32>,
    /// Looks to leave out, and how many there were last time.
    skip: u32,
    skipped: u32,
}

/// What a look came to.
#[derive(Default)]
pub(super) struct Finding {
    /// GPUs, those found earlier included; none if nothing has changed.
    pub(super) found: Vec<Found>,
    /// Numbers of GPUs that are there and cannot be asked.
    pub(super) unreachable: Vec<String>,
    pub(super) faults: Vec<(&'static str, String)>,
    /// How many are beyond the most that are read.
    pub(super) left_out: u32,
    /// Why there is no NVIDIA GPU, where that is no fault.
    pub(super) none: Option<String>,
}

impl Finding {
    fn fault(&mut self, call: &'static str, error: &NvmlError) {
        self.faults.push((call, error.to_string()));
    }
}

impl Finder {
    pub(super) fn new(path: Option<OsString>, devices: Gpus, extras: Extras) -> Self {
        Self { path, devices, extras, nvml: None, count: None, skip: 0, skipped: 0 }
    }

    /// Looks for GPUs, at all of them again if `again`: one has gone and may be back.
    pub(super) fn look(&mut self, again: bool) -> Finding {
        let mut finding = Finding::default();
        if self.skip > 0 {
            self.skip -= 1;
            return finding;
        }
        let Some(nvml) = self.library(&mut finding) else {
            self.skipped = (self.skipped * 2 + 1).min(MOST_SKIPPED);
            self.skip = self.skipped;
            return finding;
        };
        self.skipped = 0;
        let count = match nvml.device_count() {
            Ok(count) => {
                finding.left_out = count.saturating_sub(MOST);
                count.min(MOST)
            }
            Err(error) => {
                if matches!(error, NvmlError::Uninitialized) {
                    library::forget(nvml);
                    self.nvml = None;
                }
                finding.fault("device_count", &error);
                return finding;
            }
        };
        if again || self.count != Some(count) {
            self.ask_all(nvml, count, &mut finding);
        }
        if count == 0 {
            finding.none = Some("NVML knows of no GPU".to_owned());
        }
        finding
    }

    fn library(&mut self, finding: &mut Finding) -> Option<&'static Nvml> {
        if self.nvml.is_some() {
            return self.nvml;
        }
        match library::open(self.path.as_deref()) {
            Ok(nvml) => self.nvml = Some(nvml),
            // Most machines have none, which is nothing to complain of.
            Err(error @ (NvmlError::LibloadingError(_) | NvmlError::DriverNotLoaded)) => {
                finding.none = Some(error.to_string());
            }
            Err(error) => finding.fault("init", &error),
        }
        self.nvml
    }

    fn ask_all(&mut self, nvml: &'static Nvml, count: u32, finding: &mut Finding) {
        let driver = nvml.sys_driver_version().unwrap_or_default();
        for index in 0..count {
            match self.ask(nvml, index, &driver) {
                Ok(found) => finding.found.extend(found),
                Err((call, error)) => {
                    let gpu = index.to_string();
                    if self.devices.include_number(&gpu) {
                        finding.fault(call, &error);
                        finding.unreachable.push(gpu);
                    }
                }
            }
        }
        self.count = finding.unreachable.is_empty().then_some(count);
    }

    /// The GPU of this number, unless it is not meant.
    fn ask(
        &self,
        nvml: &'static Nvml,
        index: u32,
        driver: &str,
    ) -> Result<Option<Found>, (&'static str, NvmlError)> {
        let device = nvml.device_by_index(index).map_err(|error| ("device_by_index", error))?;
        let uuid = device.uuid().map_err(|error| ("uuid", error))?;
        let pci = device.pci_info().map(|pci| pci.bus_id).unwrap_or_default();
        let gpu = index.to_string();
        if !self.devices.include(&gpu, &uuid, &pci) {
            return Ok(None);
        }
        let identity = Identity {
            gpu,
            uuid,
            vendor: "nvidia",
            name: device.name().unwrap_or_default(),
            driver: driver.to_owned(),
            pci_bus_id: pci,
        };
        Ok(Some(Found { identity, source: Box::new(Nvidia::new(device, self.extras)) }))
    }
}
