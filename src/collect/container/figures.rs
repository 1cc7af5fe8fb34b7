//! What is shown of the container: cAdvisor's names where it has one.

use crate::collect::figure::Figure;

pub(crate) const CPU_USAGE: Figure =
    Figure::counter("container_cpu_usage_seconds_total", "Processor time.").in_seconds();
pub(crate) const CPU_USER: Figure =
    Figure::counter("container_cpu_user_seconds_total", "Processor time of programs.").in_seconds();
pub(crate) const CPU_SYSTEM: Figure =
    Figure::counter("container_cpu_system_seconds_total", "Processor time of the kernel.")
        .in_seconds();
pub(crate) const PERIODS: Figure = Figure::counter(
    "container_cpu_cfs_periods_total",
    "Periods of the processor quota in which something ran.",
);
pub(crate) const THROTTLED_PERIODS: Figure = Figure::counter(
    "container_cpu_cfs_throttled_periods_total",
    "Periods in which the processor quota was used up.",
);
pub(crate) const THROTTLED: Figure = Figure::counter(
    "container_cpu_cfs_throttled_seconds_total",
    "Time that tasks waited for the next period.",
)
.in_seconds();
pub(crate) const CPU_QUOTA: Figure = Figure::gauge(
    "container_spec_cpu_quota",
    "Microseconds of processor time in each period, where there is a quota.",
);
pub(crate) const CPU_PERIOD: Figure =
    Figure::gauge("container_spec_cpu_period", "Microseconds of a period.");
pub(crate) const CPU_LIMIT: Figure = Figure::gauge(
    "container_cpu_limit_cores",
    "Processors it can have, by quota or by choice, whichever is less.",
);
pub(crate) const MEMORY_USAGE: Figure =
    Figure::gauge("container_memory_usage_bytes", "Memory, cached files included.").in_bytes();
pub(crate) const WORKING_SET: Figure = Figure::gauge(
    "container_memory_working_set_bytes",
    "Memory without the cached files that the kernel would take back first.",
)
.in_bytes();
pub(crate) const RSS: Figure =
    Figure::gauge("container_memory_rss", "Memory that is no cached file.").in_bytes();
pub(crate) const CACHE: Figure =
    Figure::gauge("container_memory_cache", "Cached files.").in_bytes();
pub(crate) const SWAP: Figure = Figure::gauge("container_memory_swap", "Swap space.").in_bytes();
pub(crate) const MEMORY_LIMIT: Figure = Figure::gauge(
    "container_spec_memory_limit_bytes",
    "Memory it may have, the least of all groups it is in.",
)
.in_bytes();
pub(crate) const OOM: Figure = Figure::counter(
    "container_oom_events_total",
    "Processes killed because the memory limit was reached.",
);
pub(crate) const HIGH: Figure = Figure::counter(
    "container_memory_high_events_total",
    "Times that processes were slowed down at the high memory mark.",
);
pub(crate) const THREADS: Figure = Figure::gauge("container_threads", "Threads.");
pub(crate) const THREADS_MAX: Figure =
    Figure::gauge("container_threads_max", "Threads there may be, where there is a limit.");

/// All of them.
#[cfg(test)]
pub(crate) const FIGURES: [Figure; 19] = [
    CPU_USAGE,
    CPU_USER,
    CPU_SYSTEM,
    PERIODS,
    THROTTLED_PERIODS,
    THROTTLED,
    CPU_QUOTA,
    CPU_PERIOD,
    CPU_LIMIT,
    MEMORY_USAGE,
    WORKING_SET,
    RSS,
    CACHE,
    SWAP,
    MEMORY_LIMIT,
    OOM,
    HIGH,
    THREADS,
    THREADS_MAX,
];
