//! What a control group uses of memory.

use super::figures::{CACHE, MEMORY_USAGE, RSS, SWAP, WORKING_SET};
use super::find::Group;
use crate::collect::Failures;
use crate::collect::facts::{Fact, Facts};
use crate::collect::figure::Figure;
use crate::collect::linux::scan::{fields, number, values};
use crate::collect::linux::{Buffer, HeldFile};
use crate::registry::{Observed, Registry};

/// Two files make one figure, the working set, so they are read together.
pub(crate) struct MemoryUse {
    facts: Facts,
    usage: HeldFile,
    stat: HeldFile,
    keys: [&'static str; 5],
    /// The second version tells swap in a file of its own.
    swap: Option<HeldFile>,
    series: Option<[Observed<f64>; SHOWN.len()]>,
    /// The limit that the first version works out for itself, over groups out of our sight too.
    limit: Option<u64>,
}

const SHOWN: [Figure; 5] = [MEMORY_USAGE, WORKING_SET, RSS, CACHE, SWAP];

/// In `memory.stat`: no cached file, cached files, those to be taken back first, swap, limit.
const UNIFIED: [&str; 5] = ["anon", "file", "inactive_file", "", ""];
const FIRST: [&str; 5] =
    ["total_rss", "total_cache", "total_inactive_file", "total_swap", "hierarchical_memory_limit"];

impl MemoryUse {
    pub(crate) fn new(group: &Group, facts: &Facts) -> Self {
        let file = |name: &str| HeldFile::whole(group.folder.join(name));
        let (usage, keys, swap) = match group.unified {
            true => ("memory.current", UNIFIED, Some(file("memory.swap.current"))),
            false => ("memory.usage_in_bytes", FIRST, None),
        };
        Self {
            facts: facts.clone(),
            usage: file(usage),
            stat: file("memory.stat"),
            keys,
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
        let usage = failures.check("memory_usage", only(&mut self.usage, buffer)).flatten();
        let stat = failures.check("memory_stat", self.stat.read(buffer)).flatten();
        let [rss, cache, inactive, mut swap, limit] = values(stat.unwrap_or_default(), self.keys);
        if let Some(file) = &mut self.swap {
            swap = failures.check("memory_swap", only(file, buffer)).flatten();
        }
        self.limit = limit;
        let working_set =
            usage.zip(inactive).map(|(usage, inactive)| usage.saturating_sub(inactive));
        self.facts.set(Fact::WorkingSet, working_set.map(|bytes| bytes as f64));
        let make = || SHOWN.map(|figure| figure.number(registry, &[]));
        let series = self.series.get_or_insert_with(make);
        for (series, value) in series.iter().zip([usage, working_set, rss, cache, swap]) {
            series.set_or_clear(value.map(|bytes| bytes as f64));
        }
    }
}

/// The one number in a file.
fn only(file: &mut HeldFile, buffer: &mut Buffer) -> std::io::Result<Option<u64>> {
    let text = file.read(buffer)?;
    Ok(text.and_then(|text| number(fields(text.trim_ascii()).next()?)))
}
