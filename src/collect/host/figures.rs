//! What is shown of the machine: node_exporter's names.

use crate::collect::figure::Figure;

pub(crate) const CPU_SECONDS: Figure =
    Figure::counter("node_cpu_seconds_total", "Processor time by mode.").in_seconds();
pub(crate) const SWITCHES: Figure =
    Figure::counter("node_context_switches_total", "Context switches.");
pub(crate) const FORKS: Figure = Figure::counter("node_forks_total", "Processes and threads made.");
pub(crate) const RUNNING: Figure =
    Figure::gauge("node_procs_running", "Threads that run or could run.");
pub(crate) const BLOCKED: Figure =
    Figure::gauge("node_procs_blocked", "Threads that wait for a disk.");
pub(crate) const BOOT: Figure =
    Figure::gauge("node_boot_time_seconds", "When the machine started, as Unix time.").in_seconds();

const fn memory(name: &'static str, help: &'static str) -> Figure {
    Figure::gauge(name, help).in_bytes()
}

pub(crate) const MEMORY: [Figure; 10] = [
    memory("node_memory_MemTotal_bytes", "The machine's memory."),
    memory("node_memory_MemFree_bytes", "Memory that nothing uses."),
    memory("node_memory_MemAvailable_bytes", "Memory that programs can have without swapping."),
    memory("node_memory_Buffers_bytes", "Cached blocks of disks."),
    memory("node_memory_Cached_bytes", "Cached files."),
    memory("node_memory_SReclaimable_bytes", "The kernel's own caches that it can give back."),
    memory("node_memory_Shmem_bytes", "Shared memory and tmpfs."),
    memory("node_memory_Dirty_bytes", "What waits to be written to disks."),
    memory("node_memory_SwapTotal_bytes", "Swap space."),
    memory("node_memory_SwapFree_bytes", "Swap space that nothing uses."),
];

pub(crate) const LOAD: [Figure; 3] = [
    Figure::gauge("node_load1", "Threads that run or wait, averaged over a minute."),
    Figure::gauge("node_load5", "Threads that run or wait, averaged over 5 minutes."),
    Figure::gauge("node_load15", "Threads that run or wait, averaged over 15 minutes."),
];

pub(crate) const NETWORK: [Figure; 8] = [
    Figure::counter("node_network_receive_bytes_total", "Bytes received.").in_bytes(),
    Figure::counter("node_network_receive_packets_total", "Packets received."),
    Figure::counter("node_network_receive_errs_total", "Packets received with an error."),
    Figure::counter("node_network_receive_drop_total", "Packets received and dropped."),
    Figure::counter("node_network_transmit_bytes_total", "Bytes sent.").in_bytes(),
    Figure::counter("node_network_transmit_packets_total", "Packets sent."),
    Figure::counter("node_network_transmit_errs_total", "Packets that could not be sent."),
    Figure::counter("node_network_transmit_drop_total", "Packets dropped before they were sent."),
];

pub(crate) const DISK_COUNTS: [Figure; 4] = [
    Figure::counter("node_disk_reads_completed_total", "Reads that were completed."),
    Figure::counter("node_disk_read_bytes_total", "Bytes read.").in_bytes(),
    Figure::counter("node_disk_writes_completed_total", "Writes that were completed."),
    Figure::counter("node_disk_written_bytes_total", "Bytes written.").in_bytes(),
];

pub(crate) const DISK_SECONDS: [Figure; 3] = [
    Figure::counter("node_disk_read_time_seconds_total", "Time that reads took.").in_seconds(),
    Figure::counter("node_disk_write_time_seconds_total", "Time that writes took.").in_seconds(),
    Figure::counter("node_disk_io_time_seconds_total", "Time in which the disk was busy.")
        .in_seconds(),
];

pub(crate) const FILESYSTEM: [Figure; 5] = [
    Figure::gauge("node_filesystem_size_bytes", "The filesystem's size.").in_bytes(),
    Figure::gauge("node_filesystem_avail_bytes", "What users may still fill.").in_bytes(),
    Figure::gauge("node_filesystem_free_bytes", "What is free, the administrator's part included.")
        .in_bytes(),
    Figure::gauge("node_filesystem_files", "Files there may be."),
    Figure::gauge("node_filesystem_files_free", "Files there may be still."),
];

const WAITING: &str = "Time in which at least one task waited for it.";
const STALLED: &str = "Time in which all tasks waited for it, so that no work was done.";

const fn waiting(name: &'static str) -> Figure {
    Figure::counter(name, WAITING).in_seconds()
}

const fn stalled(name: &'static str) -> Figure {
    Figure::counter(name, STALLED).in_seconds()
}

/// By resource: some waited, all did. A whole machine is never stalled on its processors, and the
/// kernel says zero; that is no figure.
pub(crate) const PRESSURE_CPU: [Option<Figure>; 2] =
    [Some(waiting("node_pressure_cpu_waiting_seconds_total")), None];
pub(crate) const PRESSURE_MEMORY: [Option<Figure>; 2] = [
    Some(waiting("node_pressure_memory_waiting_seconds_total")),
    Some(stalled("node_pressure_memory_stalled_seconds_total")),
];
pub(crate) const PRESSURE_IO: [Option<Figure>; 2] = [
    Some(waiting("node_pressure_io_waiting_seconds_total")),
    Some(stalled("node_pressure_io_stalled_seconds_total")),
];

/// The same of a container, which can be stalled on its processors: its quota.
pub(crate) const CONTAINER_PRESSURE_CPU: [Option<Figure>; 2] = [
    Some(waiting("container_pressure_cpu_waiting_seconds_total")),
    Some(stalled("container_pressure_cpu_stalled_seconds_total")),
];
pub(crate) const CONTAINER_PRESSURE_MEMORY: [Option<Figure>; 2] = [
    Some(waiting("container_pressure_memory_waiting_seconds_total")),
    Some(stalled("container_pressure_memory_stalled_seconds_total")),
];
pub(crate) const CONTAINER_PRESSURE_IO: [Option<Figure>; 2] = [
    Some(waiting("container_pressure_io_waiting_seconds_total")),
    Some(stalled("container_pressure_io_stalled_seconds_total")),
];

pub(crate) const VMSTAT: [Figure; 4] = [
    Figure::counter("node_vmstat_pgmajfault", "Page faults that had to read a disk."),
    Figure::counter("node_vmstat_oom_kill", "Processes killed for want of memory."),
    Figure::counter("node_vmstat_pswpin", "Pages swapped in."),
    Figure::counter("node_vmstat_pswpout", "Pages swapped out."),
];

pub(crate) const TEMPERATURE: Figure =
    Figure::gauge("node_hwmon_temp_celsius", "What a sensor measures, in degrees Celsius.");

pub(crate) const FREQUENCY: Figure = Figure::gauge(
    "node_cpu_scaling_frequency_hertz",
    "How fast the processor runs, in hertz, as far as the kernel knows.",
);

/// All of them.
#[cfg(test)]
pub(crate) fn figures() -> Vec<Figure> {
    let single = [CPU_SECONDS, SWITCHES, FORKS, RUNNING, BLOCKED, BOOT, TEMPERATURE, FREQUENCY];
    let pressure = [
        PRESSURE_CPU,
        PRESSURE_MEMORY,
        PRESSURE_IO,
        CONTAINER_PRESSURE_CPU,
        CONTAINER_PRESSURE_MEMORY,
        CONTAINER_PRESSURE_IO,
    ];
    let mut figures = single.to_vec();
    figures.extend(pressure.into_iter().flatten().flatten());
    for group in [&MEMORY[..], &LOAD, &NETWORK, &DISK_COUNTS, &DISK_SECONDS, &FILESYSTEM, &VMSTAT] {
        figures.extend(group);
    }
    figures
}
