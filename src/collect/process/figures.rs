//! What is shown of this process: the names Prometheus's client libraries agree on, and more.

use crate::collect::figure::Figure;
use crate::registry::{Observed, Registry};

pub(crate) const CPU: Figure =
    Figure::counter("process_cpu_seconds_total", "Processor time, of programs and of the kernel.")
        .in_seconds();
pub(crate) const RESIDENT: Figure =
    Figure::gauge("process_resident_memory_bytes", "Memory that is not swapped out.").in_bytes();
pub(crate) const VIRTUAL: Figure =
    Figure::gauge("process_virtual_memory_bytes", "Address space in use.").in_bytes();
pub(crate) const VIRTUAL_MEMORY_MAX: Figure =
    Figure::gauge("process_virtual_memory_max_bytes", "Address space there may be.").in_bytes();
pub(crate) const OPEN_FDS: Figure = Figure::gauge("process_open_fds", "Open files.");
pub(crate) const MAX_FDS: Figure = Figure::gauge("process_max_fds", "Files that may be open.");
pub(crate) const START: Figure =
    Figure::gauge("process_start_time_seconds", "When the process started, as Unix time.")
        .in_seconds();
pub(crate) const THREADS: Figure = Figure::gauge("process_threads", "Threads.");
pub(crate) const FAULTS: Figure =
    Figure::counter("process_page_faults_total", "Page faults: major ones had to read a disk.");
pub(crate) const SWITCHES: Figure = Figure::counter(
    "process_context_switches_total",
    "Context switches: voluntary ones to wait, others because the time was up.",
);
pub(crate) const IO: [Figure; 4] = [
    Figure::counter("process_io_read_bytes_total", "Bytes read from disks.").in_bytes(),
    Figure::counter("process_io_written_bytes_total", "Bytes written to disks.").in_bytes(),
    Figure::counter("process_io_read_syscalls_total", "Calls that read."),
    Figure::counter("process_io_write_syscalls_total", "Calls that write."),
];
pub(crate) const MEMORY_LIMIT_RATIO: Figure = Figure::gauge(
    "process_memory_limit_ratio",
    "Resident memory as a share of the container's limit, or of the machine's memory.",
);

pub(crate) const THREAD_CPU: Figure = Figure::counter(
    "process_thread_cpu_seconds_total",
    "Processor time of all threads of one name, those included that have ended.",
)
.in_seconds();
pub(crate) const TREE: [Figure; 3] = [
    Figure::gauge("process_tree_processes", "This process and all its children."),
    Figure::counter(
        "process_tree_cpu_seconds_total",
        "Processor time of this process and all its children.",
    )
    .in_seconds(),
    Figure::gauge(
        "process_tree_resident_memory_bytes",
        "Resident memory of this process and all its children; what they share counts in each.",
    )
    .in_bytes(),
];

/// All of them.
#[cfg(test)]
pub(crate) fn figures() -> impl Iterator<Item = Figure> {
    let rest = [
        CPU,
        RESIDENT,
        VIRTUAL,
        VIRTUAL_MEMORY_MAX,
        OPEN_FDS,
        MAX_FDS,
        START,
        THREADS,
        FAULTS,
        SWITCHES,
        MEMORY_LIMIT_RATIO,
        THREAD_CPU,
    ];
    rest.into_iter().chain(IO).chain(TREE)
}

/// What one call of the kernel's tells.
pub(crate) struct Usage {
    /// By mode, user and system; or the sum first.
    pub(crate) cpu: [Observed<f64>; 2],
    /// Major and minor faults, voluntary and involuntary switches.
    pub(crate) counts: [Observed<u64>; 4],
}

impl Usage {
    pub(crate) fn new(by_mode: bool, registry: &Registry) -> Self {
        let mode = |mode| CPU.number(registry, &[("mode", mode)]);
        let of = |figure: Figure, kind| figure.count(registry, &[("type", kind)]);
        Self {
            cpu: match by_mode {
                true => ["user", "system"].map(mode),
                false => [CPU.number(registry, &[]), Observed::noop()],
            },
            counts: [
                of(FAULTS, "major"),
                of(FAULTS, "minor"),
                of(SWITCHES, "voluntary"),
                of(SWITCHES, "involuntary"),
            ],
        }
    }
}
