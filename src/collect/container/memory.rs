//! What a control group uses of memory.

use super::figures::{CACHE, MEMORY_USAGE, RSS, SWAP, WORKING_SET};
use super::find::Group;
use crate::collect::Failures;
use crate::collect::facts::{Fact, Facts};
use crate::collect::figure::Figure;
use crate::collect::linux::scan::{Form, only, values};
use crate::collect::linux::{Buffer, HeldFile, made, show_numbers};
use crate::registry::{Observed, Registry};

/// Two files make one figure, the working set, so they are read together.
pub(crate) struct MemoryUse {
    facts: Facts,
    usage: HeldFile,
    stat: HeldFile,
    /// The second version tells swap in a file of its own.
    swap: Option<HeldFile>,
    series: Option<[Observed<f64>; SHOWN.len()]>,
    /// The limit that the first version works out for itself, over groups out of our sight too.
    limit: Option<u64>,
}

const SHOWN: [Figure; 5] = [MEMORY_USAGE, WORKING_SET, RSS, CACHE, SWAP];

/// In `memory.stat`, in its order: no cached file, cached files, those to be taken back first.
const UNIFIED: [&str; 3] = ["anon", "file", "inactive_file"];
const FIRST: [&str; 5] =
    ["hierarchical_memory_limit", "total_cache", "total_rss", "total_swap", "total_inactive_file"];

impl MemoryUse {
    pub(crate) fn new(group: &Group, facts: &Facts) -> Self {
        let file = |name: &str| HeldFile::whole(group.folder.join(name));
        let (usage, swap) = match group.unified {
            true => ("memory.current", Some(file("memory.swap.current"))),
            false => ("memory.usage_in_bytes", None),
        };
        Self {
            facts: facts.clone(),
            usage: file(usage),
            stat: file("memory.stat"),
            swap,
            series: None,
            limit: None,
        }
    }

    /// The limit over all groups above, where the kernel tells it.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.limit
    }

    pub(crate) fn collect(
        &mut self,
        buffer: &mut Buffer,
        registry: &Registry,
        failures: &mut Failures,
    ) {
        let usage = failures.check("memory_usage", self.usage.read(buffer)).flatten();
        let usage = usage.and_then(only);
        let stat = failures.check("memory_stat", self.stat.read(buffer)).flatten();
        let stat = stat.unwrap_or_default();
        let (rss, cache, inactive, mut swap) = match self.swap {
            Some(_) => {
                let [rss, cache, inactive] = values(stat, Form::Plain, &UNIFIED);
                (rss, cache, inactive, None)
            }
            None => {
                let [limit, cache, rss, swap, inactive] = values(stat, Form::Plain, &FIRST);
                self.limit = limit;
                (rss, cache, inactive, swap)
            }
        };
        if let Some(file) = &mut self.swap {
            swap = failures.check("memory_swap", file.read(buffer)).flatten().and_then(only);
        }
        let working_set =
            usage.zip(inactive).map(|(usage, inactive)| usage.saturating_sub(inactive));
        self.facts.set(Fact::WorkingSet, working_set.map(|bytes| bytes as f64));
        let make = || SHOWN.map(|figure| figure.number(registry, &[]));
        let series = made(&mut self.series, make);
        show_numbers(series, &[usage, working_set, rss, cache, swap], 1.0);
    }
}
