//! What a control group may use at most. Any group above may set a lower limit, so all are asked.

use std::path::Path;

use super::figures::{CPU_LIMIT, CPU_PERIOD, CPU_QUOTA, MEMORY_LIMIT, THREADS_MAX};
use super::find::{Group, Groups};
use crate::collect::Failures;
use crate::collect::facts::{Fact, Facts};
use crate::collect::linux::scan::{fields, number};
use crate::collect::linux::{Buffer, HeldFile};
use crate::registry::{Observed, Registry};

/// What the first version says of memory without a limit is some bytes below 2⁶³.
const NO_LIMIT: u64 = 1 << 62;

pub(crate) struct Limits {
    facts: Facts,
    memory: Vec<HeldFile>,
    pids: Vec<HeldFile>,
    quotas: Vec<Quota>,
    /// In the second version groups without the controller have no file: one above counts.
    cpusets: Vec<HeldFile>,
    /// A limit of this or more is none.
    unlimited: u64,
    /// Whether the group itself has a quota, as far as is known, not just one above.
    own_quota: bool,
    series: Option<Series>,
}

/// One file in the second version, two in the first.
struct Quota {
    quota: HeldFile,
    period: Option<HeldFile>,
}

struct Series {
    memory: Observed<f64>,
    threads: Observed<f64>,
    quota: Observed<f64>,
    period: Observed<f64>,
    cores: Observed<f64>,
}

impl Limits {
    pub(crate) fn new(groups: &Groups, machine: Option<u64>, facts: &Facts) -> Self {
        let memory = |group: &Group| match group.unified {
            true => "memory.max",
            false => "memory.limit_in_bytes",
        };
        let quota = |folder: &Path, unified| match unified {
            true => Quota { quota: HeldFile::whole(folder.join("cpu.max")), period: None },
            false => Quota {
                quota: HeldFile::whole(folder.join("cpu.cfs_quota_us")),
                period: Some(HeldFile::whole(folder.join("cpu.cfs_period_us"))),
            },
        };
        let quotas = groups
            .cpu
            .as_ref()
            .map(|group| group.and_above().map(|folder| quota(folder, group.unified)).collect());
        let cpuset = |group: &Group| match group.unified {
            true => "cpuset.cpus.effective",
            false => "cpuset.effective_cpus",
        };
        Self {
            facts: facts.clone(),
            memory: files(groups.memory.as_ref(), memory),
            pids: files(groups.pids.as_ref(), |_| "pids.max"),
            quotas: quotas.unwrap_or_default(),
            cpusets: files(groups.cpuset.as_ref(), cpuset),
            unlimited: machine.unwrap_or(NO_LIMIT),
            own_quota: false,
            series: None,
        }
    }

    /// Whether the group itself had a quota at the last reading.
    pub(crate) fn has_own_quota(&self) -> bool {
        self.own_quota
    }

    /// Shows them. `told` is a memory limit the kernel worked out itself.
    pub(crate) fn collect(
        &mut self,
        told: Option<u64>,
        buffer: &mut Buffer,
        registry: &Registry,
        failures: &mut Failures,
    ) {
        let memory = least(&mut self.memory, "memory_limit", buffer, failures);
        let memory = memory.into_iter().chain(told).min();
        let memory = memory.filter(|limit| *limit < self.unlimited);
        let memory = memory.map(|bytes| bytes as f64);
        self.facts.set(Fact::MemoryLimit, memory);
        let threads = least(&mut self.pids, "pids_max", buffer, failures);
        let cores = |(quota, period): (u64, u64)| quota as f64 / period as f64;
        let mut quota: Option<(u64, u64)> = None;
        for (above, file) in self.quotas.iter_mut().enumerate() {
            let told = failures.check("cpu_quota", file.read(buffer));
            if above == 0 {
                self.own_quota = told != Some(None);
            }
            let both = quota.into_iter().chain(told.flatten());
            quota = both.min_by(|a, b| cores(*a).total_cmp(&cores(*b)));
        }
        let chosen = self.cpusets.iter_mut().filter_map(|file| {
            let text = failures.check("cpuset", file.read(buffer)).flatten()?;
            count(text)
        });
        let chosen = chosen.min().map(|processors| processors as f64);
        let cores = quota.map(cores).into_iter().chain(chosen).min_by(f64::total_cmp);
        let series = self.series.get_or_insert_with(|| Series::new(registry));
        series.memory.set_or_clear(memory);
        series.threads.set_or_clear(threads.map(|threads| threads as f64));
        series.quota.set_or_clear(quota.map(|(quota, _)| quota as f64));
        series.period.set_or_clear(quota.map(|(_, period)| period as f64));
        series.cores.set_or_clear(cores);
    }
}

impl Series {
    fn new(registry: &Registry) -> Self {
        Self {
            memory: MEMORY_LIMIT.number(registry, &[]),
            threads: THREADS_MAX.number(registry, &[]),
            quota: CPU_QUOTA.number(registry, &[]),
            period: CPU_PERIOD.number(registry, &[]),
            cores: CPU_LIMIT.number(registry, &[]),
        }
    }
}

impl Quota {
    /// Quota and period, if there is one: "max", or -1 in the first version, is none.
    fn read(&mut self, buffer: &mut Buffer) -> std::io::Result<Option<(u64, u64)>> {
        let Some(text) = self.quota.read(buffer)? else { return Ok(None) };
        let mut numbers = fields(text.trim_ascii()).map(number);
        let (quota, beside) = (numbers.next().flatten(), numbers.next().flatten());
        drop(numbers);
        let Some(quota) = quota else { return Ok(None) };
        let period = match &mut self.period {
            None => beside,
            Some(period) => {
                let text = period.read(buffer)?;
                text.and_then(|text| number(fields(text.trim_ascii()).next()?))
            }
        };
        Ok(period.filter(|period| *period > 0).map(|period| (quota, period)))
    }
}

/// The file of this name in the group and in all above.
fn files(group: Option<&Group>, name: impl Fn(&Group) -> &'static str) -> Vec<HeldFile> {
    let Some(group) = group else { return Vec::new() };
    group.and_above().map(|folder| HeldFile::whole(folder.join(name(group)))).collect()
}

/// The least of the numbers in these files; those that say "max" set no limit.
fn least(
    files: &mut [HeldFile],
    source: &'static str,
    buffer: &mut Buffer,
    failures: &mut Failures,
) -> Option<u64> {
    let limits = files.iter_mut().filter_map(|file| {
        let text = failures.check(source, file.read(buffer)).flatten()?;
        number(fields(text.trim_ascii()).next()?)
    });
    limits.min()
}

/// How many processors a list like "0-3,8" names.
fn count(list: &[u8]) -> Option<u64> {
    let mut sum = 0_u64;
    for part in list.trim_ascii().split(|byte| *byte == b',') {
        let mut ends = part.splitn(2, |byte| *byte == b'-').map(number);
        let first = ends.next()??;
        let last = ends.next().unwrap_or(Some(first))?;
        sum = sum.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_of_processors_are_counted() {
        assert_eq!(count(b"0-3,8\n"), Some(5));
        assert_eq!(count(b"7"), Some(1));
        for odd in ["", "3-1", "a", "1-", "0-18446744073709551615", "1,,2"] {
            assert_eq!(count(odd.as_bytes()), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn a_list_counts_what_it_names(ranges in proptest::collection::vec((0_u64..500, 0_u64..9), 1..9)) {
            let parts: Vec<String> =
                ranges.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
            let expected = ranges.iter().map(|(_, more)| more + 1).sum();
            prop_assert_eq!(count(parts.join(",").as_bytes()), Some(expected));
        }

        #[test]
        fn any_bytes_will_do(list in proptest::collection::vec(any::<u8>(), 0..60), text in "[0-9,-]{0,30}") {
            let _ = (count(&list), count(text.as_bytes()));
        }
    }
}
