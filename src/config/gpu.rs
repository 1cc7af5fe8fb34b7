//! Settings of the GPUs' figures.

use std::path::PathBuf;

use serde::Deserialize;

use super::key::Key;
use super::value::{List, Span};
use super::{set, wrong};
use crate::collect::{Gpu, Gpus};
use crate::error::Error;
use crate::monitor::Builder;

pub(super) const ABSENT: Option<(&str, &str)> = None;

pub(super) const KEYS: &[Key] = &[
    Key::new("gpu.enabled", SWITCH, "false"),
    Key::new("gpu.devices", DEVICES, "all"),
    Key::new("gpu.interval", SPAN, "1s"),
    Key::new("gpu.slow_interval", SPAN, "10s"),
    Key::new("gpu.wait", SPAN, "500ms"),
    Key::new("gpu.patience", SPAN, "10s"),
    Key::new("gpu.lib_path", "a path", "libnvidia-ml.so.1"),
    Key::new("gpu.drm_path", "a path", "/sys/class/drm"),
    Key::new("gpu.processes", SWITCH, "false"),
    Key::new("gpu.mig", SWITCH, "false"),
    Key::new("gpu.pcie_throughput", SWITCH, "false"),
];

const SWITCH: &str = "true or false";
const SPAN: &str = "a duration";
const DEVICES: &str = "a list of GPU numbers, bus ids or UUIDs, or \"cuda_visible\"";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    enabled: Option<bool>,
    devices: Option<List<String>>,
    interval: Option<Span>,
    slow_interval: Option<Span>,
    wait: Option<Span>,
    patience: Option<Span>,
    lib_path: Option<PathBuf>,
    drm_path: Option<PathBuf>,
    processes: Option<bool>,
    mig: Option<bool>,
    pcie_throughput: Option<bool>,
}

impl Section {
    pub(super) fn apply(self, builder: Builder) -> Result<Builder, Error> {
        match self.enabled {
            Some(true) => Ok(builder.collect(self.gpu())),
            Some(false) => Ok(builder),
            None if format!("{self:?}") == format!("{:?}", Self::default()) => Ok(builder),
            None => Err(wrong("gpu.enabled", "is missing")),
        }
    }

    fn gpu(self) -> Gpu {
        let devices = self.devices.map(|List(names)| match &names[..] {
            [name] if name == "cuda_visible" => Gpus::cuda_visible(),
            _ => Gpus::listed(names),
        });
        let gpu = set(Gpu::default(), devices, Gpu::devices);
        let gpu = set(gpu, self.interval, |to, Span(time)| to.interval(time));
        let gpu = set(gpu, self.slow_interval, |to, Span(time)| to.slow_interval(time));
        let gpu = set(gpu, self.wait, |to, Span(time)| to.wait(time));
        let gpu = set(gpu, self.patience, |to, Span(time)| to.patience(time));
        let gpu = set(gpu, self.lib_path, Gpu::lib_path);
        let gpu = set(gpu, self.drm_path, Gpu::drm_path);
        let gpu = set(gpu, self.processes, Gpu::processes);
        let gpu = set(gpu, self.mig, Gpu::mig);
        set(gpu, self.pcie_throughput, Gpu::pcie_throughput)
    }
}
