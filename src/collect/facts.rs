//! What collectors tell one another and `/health`: the last value of a few figures.

use std::sync::Arc;

use crate::health;
use crate::sync::{AtomicU64, Ordering};

/// A figure others want to know.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    /// Share of the machine's processor time that was not idle since the reading before.
    CpuBusy,
    MemoryTotal,
    MemoryAvailable,
    /// Of the fullest filesystem, the share that is used.
    DiskUsed,
    OpenFiles,
    MostFiles,
    /// The container's limit, and what it uses without what the kernel can take back.
    MemoryLimit,
    WorkingSet,
}

const FACTS: usize = Fact::WorkingSet as usize + 1;

/// The facts as they were last read; NaN for what is not known. Each is a number of its own.
#[derive(Clone, Debug)]
pub(crate) struct Facts(Arc<[AtomicU64; FACTS]>);

impl Default for Facts {
    fn default() -> Self {
        Self(Arc::new([const { AtomicU64::new(f64::NAN.to_bits()) }; FACTS]))
    }
}

impl Facts {
    pub(crate) fn set(&self, fact: Fact, value: Option<f64>) {
        self.cell(fact).store(value.unwrap_or(f64::NAN).to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn find(&self, fact: Fact) -> Option<f64> {
        let value = f64::from_bits(self.cell(fact).load(Ordering::Relaxed));
        value.is_finite().then_some(value)
    }

    fn cell(&self, fact: Fact) -> &AtomicU64 {
        &self.0[fact as usize]
    }

    /// The memory this process can have: the container's limit, or the machine's memory where
    /// that is less.
    pub(crate) fn memory_limit(&self) -> Option<f64> {
        let limits = [Fact::MemoryLimit, Fact::MemoryTotal];
        let limits = limits.into_iter().filter_map(|fact| self.find(fact));
        limits.filter(|bytes| *bytes > 0.0).min_by(f64::total_cmp)
    }

    fn share(&self, part: Fact, whole: Fact) -> Option<f64> {
        Some(self.find(part)? / self.find(whole).filter(|whole| *whole > 0.0)?)
    }

    /// Tells `/health` how much of each resource is used.
    pub(crate) fn health(&self) -> health::Source {
        let facts = self.clone();
        Arc::new(move |report| {
            let free = facts.share(Fact::MemoryAvailable, Fact::MemoryTotal);
            let resources = [
                ("cpu", facts.find(Fact::CpuBusy)),
                ("memory", free.map(|free| 1.0 - free)),
                ("disk", facts.find(Fact::DiskUsed)),
                ("open_files", facts.share(Fact::OpenFiles, Fact::MostFiles)),
                ("container_memory", facts.share(Fact::WorkingSet, Fact::MemoryLimit)),
            ];
            for (name, used) in resources {
                if let Some(used) = used {
                    report.resource(name, used);
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_memory_at_all_is_no_limit() {
        let facts = Facts::default();
        facts.set(Fact::MemoryTotal, Some(0.0));
        assert_eq!(facts.memory_limit(), None);
        facts.set(Fact::MemoryLimit, Some(64.0));
        assert_eq!(facts.memory_limit(), Some(64.0));
    }
}
