//! All GPUs, round by round.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::finder::{self, Finder, Finding};
use super::lane::{Lane, Turn};
use super::panel::describe_gauge;
use super::source::{Found, Identity};
use super::trouble::Trouble;
use super::unit::Unit;
use super::{Settings, amd};
use crate::clock;
use crate::collect::Failures;
use crate::registry::{Observed, Registry};
use crate::sync::Mutex;

/// The used share of each GPU's memory, for who asks how well the program is.
pub(super) type Memories = Arc<Mutex<BTreeMap<String, f64>>>;

pub(super) struct Fleet {
    registry: Registry,
    settings: Settings,
    /// Looks for NVIDIA GPUs. `None` before the first round, and after a panic until the next look.
    finder: Option<Lane<bool, Finding>>,
    is_finder_stuck: bool,
    units: Vec<Unit>,
    /// When slow things are due.
    slow: Option<Instant>,
    /// Shown as 0 while there is no GPU.
    none: Observed<f64>,
    seconds: Observed<f64>,
    has_said_none: bool,
    memories: Memories,
}

impl Fleet {
    pub(super) fn new(registry: &Registry, settings: Settings, memories: Memories) -> Self {
        describe_gauge(registry, "gpu_up");
        describe_gauge(registry, "gpu_collect_seconds");
        Self {
            registry: registry.clone(),
            settings,
            finder: None,
            is_finder_stuck: false,
            units: Vec::new(),
            slow: None,
            none: registry.observed_gauge("gpu_up", &[]),
            seconds: registry.observed_gauge("gpu_collect_seconds", &[]),
            has_said_none: false,
            memories,
        }
    }

    /// Reads every GPU once, or finds that one has not come back from the last time.
    pub(super) fn round(&mut self) -> Result<(), Failures> {
        let start = clock::now();
        let until = start + self.settings.wait;
        let is_slow = self.slow.is_none_or(|due| due <= start);
        let registry = self.registry.clone();
        let mut trouble = Trouble::new(&registry);
        if is_slow {
            self.slow = Some(start + self.settings.slow_interval);
            self.look(&mut trouble);
        }
        for unit in &mut self.units {
            unit.tell(is_slow);
        }
        for unit in &mut self.units {
            unit.gather(until, self.settings.patience, &mut trouble);
        }
        self.heed(until, &mut trouble);
        // Those just found; the others have had their turn.
        for unit in self.units.iter_mut().filter(|unit| unit.is_new()) {
            unit.tell(true);
        }
        for unit in self.units.iter_mut().filter(|unit| unit.is_new()) {
            unit.gather(until, self.settings.patience, &mut trouble);
        }
        self.conclude();
        self.seconds.set(clock::since(start).as_secs_f64());
        trouble.into_result()
    }

    /// Looks for GPUs that are new or were gone.
    fn look(&mut self, trouble: &mut Trouble<'_>) {
        let again = self.units.iter().any(Unit::is_gone);
        if self.finder.is_none() {
            let Settings { lib_path, devices, extras, .. } = self.settings.clone();
            let mut finder = Finder::new(lib_path, devices, extras);
            match Lane::start("nissa-gpu-find", move |again| finder.look(again)) {
                Ok(lane) => self.finder = Some(lane),
                Err(error) => trouble.note("thread", error.to_string()),
            }
        }
        if let Some(finder) = &mut self.finder {
            finder.tell(again);
        }
        let is_known = |card: &str| {
            self.units.iter().any(|unit| unit.identity().gpu == card && !unit.is_gone())
        };
        for found in amd::find(&self.settings.drm_path, is_known) {
            let identity = &found.identity;
            if self.settings.devices.include(&identity.gpu, &identity.uuid, &identity.pci_bus_id) {
                self.take_in(found, trouble);
            }
        }
    }

    /// Takes what the look for NVIDIA GPUs came to, if it comes until then.
    fn heed(&mut self, until: Instant, trouble: &mut Trouble<'_>) {
        let Some(finder) = &mut self.finder else { return };
        let until = if self.is_finder_stuck { clock::now() } else { until };
        match finder.wait(until) {
            Turn::Done(finding) => {
                self.is_finder_stuck = false;
                self.take_all(finding, trouble);
            }
            Turn::Busy(since) if since > self.settings.patience && !self.is_finder_stuck => {
                self.is_finder_stuck = true;
                trouble.note("init", format!("has not returned for {} s", since.as_secs()));
            }
            Turn::Dead => {
                trouble.note("panic", "the thread that looks for GPUs panicked".to_owned());
                self.finder = None;
            }
            Turn::Busy(_) | Turn::Idle => {}
        }
    }

    fn take_all(&mut self, finding: Finding, trouble: &mut Trouble<'_>) {
        for (call, error) in finding.faults {
            trouble.note(call, error);
        }
        trouble.leave_out("gpu_limit", finding.left_out as usize, finder::MOST as usize);
        for gpu in finding.unreachable {
            if self.units.iter().all(|unit| unit.identity().gpu != gpu) {
                self.units.push(Unit::unreachable(&self.registry, gpu));
            }
        }
        for found in finding.found {
            self.take_in(found, trouble);
        }
        if let Some(why) = finding.none.filter(|_| self.units.is_empty() && !self.has_said_none) {
            self.has_said_none = true;
            crate::logging::warn!("nissa: no GPU is watched: {why}");
        }
    }

    fn take_in(&mut self, found: Found, trouble: &mut Trouble<'_>) {
        let Identity { gpu, uuid, .. } = &found.identity;
        let mut units = self.units.iter();
        if units.any(|unit| unit.identity().uuid == *uuid && !unit.is_gone()) {
            return;
        }
        // One that was gone begins anew: its driver or its number may be another. And the number
        // may have been another's, who will come back under another, if at all. They go first: with
        // them goes what they show.
        let is_another = |unit: &Unit| unit.identity().uuid != *uuid && unit.identity().gpu != *gpu;
        self.units.retain(is_another);
        self.units.push(Unit::new(&self.registry, found, trouble));
    }

    fn conclude(&mut self) {
        self.none.set_or_clear(self.units.is_empty().then_some(0.0));
        let mut memories = self.memories.lock();
        memories.retain(|gpu, _| self.units.iter().any(|unit| unit.identity().gpu == *gpu));
        for unit in &self.units {
            let gpu = &unit.identity().gpu;
            match (unit.memory(), memories.get_mut(gpu)) {
                (Some(share), Some(there)) => *there = share,
                (Some(share), None) => {
                    memories.insert(gpu.clone(), share);
                }
                (None, _) => {
                    memories.remove(gpu);
                }
            }
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.memories.lock().clear();
    }
}

/// What a collector waits for by default.
pub(super) const WAIT: Duration = Duration::from_millis(500);
