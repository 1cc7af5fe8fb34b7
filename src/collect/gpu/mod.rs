//! GPUs: NVIDIA's through NVML, AMD's through the files of the amdgpu driver.
//!
//! Drivers are slow at times, and stuck at others. So each GPU is read in a thread of its own, its
//! [lane](lane::Lane), and so are GPUs looked for, since that is where the library is loaded. The
//! collector tells the lanes to read, waits for a while and shows what came. What does not come
//! for too long is taken out of the output, that GPU's alone, until its lane comes back.

#[cfg(target_os = "linux")]
mod amd;
#[cfg(not(target_os = "linux"))]
#[path = "no_amd.rs"]
mod amd;
mod calls;
#[cfg(test)]
mod documented;
mod fields;
mod finder;
mod fleet;
mod gpm;
mod gpus;
mod lane;
mod library;
mod metric;
mod mig;
mod nvidia;
mod own_process;
mod panel;
mod source;
mod trouble;
mod unit;
mod verdict;
#[cfg(target_os = "linux")]
mod xid;
#[cfg(not(target_os = "linux"))]
#[path = "no_xid.rs"]
mod xid;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use gpus::Gpus;

use fleet::{Fleet, Memories};
use nvidia::Extras;

use crate::collect::{Collector, Failures};
use crate::health;
use crate::registry::Registry;

/// Figures of this machine's GPUs: utilisation, memory, power, temperature, clocks, throttling,
/// traffic, errors; from Hopper on also what the multiprocessors do.
///
/// NVML is loaded when the first figures are read, in a thread of its own; without it, and without
/// a GPU, `gpu_up` is 0 and one line is logged. What a GPU does not have is left out. One that is
/// lost has `gpu_up` 0 and no figures until it is back, and so has one whose driver does not
/// answer; the others go on. Names, units and sources are in `docs/METRICS.md`.
///
/// A GPU takes a thread, and looking for GPUs another. They cost what the driver's calls cost.
///
/// ```
/// use nissa::Registry;
/// use nissa::collect::{Gpu, Runner};
///
/// let registry = Registry::new();
/// let mut runner = Runner::new(&registry);
/// runner.add(Gpu::default().lib_path("/no/such/library.so").drm_path("/no/such/folder"));
/// runner.collect();
/// assert_eq!(registry.snapshot().value("gpu_up"), Some(0.0));
/// assert!(runner.errors().is_empty());
/// ```
#[must_use = "a collector does nothing until it is given to somebody who runs it"]
pub struct Gpu {
    settings: Settings,
    memories: Memories,
    fleet: Option<Fleet>,
}

#[derive(Clone, Debug)]
struct Settings {
    interval: Duration,
    slow_interval: Duration,
    wait: Duration,
    patience: Duration,
    lib_path: Option<OsString>,
    drm_path: PathBuf,
    devices: Gpus,
    extras: Extras,
}

impl Default for Gpu {
    fn default() -> Self {
        let settings = Settings {
            interval: Duration::from_secs(1),
            slow_interval: Duration::from_secs(10),
            wait: fleet::WAIT,
            patience: Duration::from_secs(10),
            lib_path: None,
            drm_path: PathBuf::from("/sys/class/drm"),
            devices: Gpus::all(),
            extras: Extras::default(),
        };
        Self { settings, memories: Memories::default(), fleet: None }
    }
}

impl Gpu {
    /// Which GPUs to read (all).
    pub fn devices(mut self, devices: Gpus) -> Self {
        self.settings.devices = devices;
        self
    }

    /// How often to read (1 s).
    pub fn interval(mut self, interval: Duration) -> Self {
        self.settings.interval = interval;
        self
    }

    /// How often to read what changes rarely or is slow to read, and to look for GPUs that are new
    /// or back (10 s).
    pub fn slow_interval(mut self, interval: Duration) -> Self {
        self.settings.slow_interval = interval;
        self
    }

    /// How long a call of [`collect`](Collector::collect) waits for the driver at most (500 ms).
    /// What comes later is shown at the next.
    pub fn wait(mut self, limit: Duration) -> Self {
        self.settings.wait = limit;
        self
    }

    /// How long a driver may take before its GPU's figures are taken back (10 s).
    pub fn patience(mut self, limit: Duration) -> Self {
        self.settings.patience = limit;
        self
    }

    /// The NVIDIA library to load (`libnvidia-ml.so.1`, where the system finds it).
    pub fn lib_path(mut self, path: impl Into<OsString>) -> Self {
        self.settings.lib_path = Some(path.into());
        self
    }

    /// The folder with the AMD cards (`/sys/class/drm`).
    pub fn drm_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.drm_path = path.into();
        self
    }

    /// Whether to show the memory of every process (`gpu_process_memory_bytes`), at most 256 a GPU
    /// (no). What this process has is always shown.
    pub fn processes(mut self, shown: bool) -> Self {
        self.settings.extras.processes = shown;
        self
    }

    /// Whether to show the parts of GPUs that are divided (`gpu_mig_*`) (no).
    pub fn mig(mut self, shown: bool) -> Self {
        self.settings.extras.mig = shown;
        self
    }

    /// Whether to ask for rates over PCIe where the GPU neither counts bytes nor monitors itself:
    /// by calls that count for 20 ms each, in the GPU's own thread (no).
    pub fn pcie_throughput(mut self, shown: bool) -> Self {
        self.settings.extras.pcie = shown;
        self
    }

    /// A health source with each GPU's memory as a resource, `gpu_memory_0`. Not every program
    /// wants it: many frameworks take nearly all memory at their start.
    ///
    /// ```
    /// use nissa::collect::Gpu;
    /// use nissa::health::Health;
    ///
    /// let gpu = Gpu::default();
    /// let health = Health::new();
    /// health.add_source(gpu.health());
    /// assert_eq!(health.report().resources().count(), 0); // nothing was read yet
    /// ```
    pub fn health(&self) -> health::Source {
        let memories = Memories::clone(&self.memories);
        Arc::new(move |report| {
            // Copied: what the report does must not hold up a tick.
            let shares: Vec<_> = memories.lock().iter().map(|(k, v)| (k.clone(), *v)).collect();
            for (gpu, share) in shares {
                report.resource(&format!("gpu_memory_{gpu}"), share);
            }
        })
    }
}

impl Collector for Gpu {
    fn name(&self) -> &str {
        "gpu"
    }

    fn interval(&self) -> Duration {
        self.settings.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let Self { settings, memories, fleet } = self;
        let fleet = fleet.get_or_insert_with(|| {
            Fleet::new(registry, settings.clone(), Memories::clone(memories))
        });
        fleet.round()
    }

    fn clear(&mut self) {
        self.fleet = None;
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("settings", &self.settings).finish_non_exhaustive()
    }
}
