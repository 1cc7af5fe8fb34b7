//! What a GPU's metrics are called, and what a driver's integers mean in base units.

use metrics::Unit;

/// A series of every device, or one of several that a label tells apart.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) scale: Scale,
    /// What tells it from its sisters; the device is told by others.
    pub(super) labels: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Gauge,
    /// A counter of things.
    Whole,
    /// A counter of seconds or joules.
    Real,
}

/// From the driver's unit to the base unit. Divided where that is how the unit is defined: 35 times
/// 0.01 is not 0.35.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Times(f64),
    Over(f64),
}

pub(super) const ONE: Scale = Scale::Times(1.0);
pub(super) const PERCENT: Scale = Scale::Over(100.0);
pub(super) const MILLI: Scale = Scale::Over(1e3);
#[allow(dead_code, reason = "Linux alone has files that tell millionths")]
pub(super) const MICRO: Scale = Scale::Over(1e6);
pub(super) const NANO: Scale = Scale::Over(1e9);
pub(super) const MEGA: Scale = Scale::Times(1e6);
pub(super) const MEBI: Scale = Scale::Times(1_048_576.0);

impl Scale {
    pub(super) fn apply(self, raw: f64) -> f64 {
        match self {
            Self::Times(factor) => raw * factor,
            Self::Over(divisor) => raw / divisor,
        }
    }
}

pub(super) const fn gauge(name: &'static str, scale: Scale) -> Metric {
    Metric { name, shape: Shape::Gauge, scale, labels: &[] }
}

pub(super) const fn whole(name: &'static str) -> Metric {
    Metric { name, shape: Shape::Whole, scale: ONE, labels: &[] }
}

pub(super) const fn real(name: &'static str, scale: Scale) -> Metric {
    Metric { name, shape: Shape::Real, scale, labels: &[] }
}

impl Metric {
    pub(super) const fn of(self, labels: &'static [(&'static str, &'static str)]) -> Self {
        Self { labels, ..self }
    }
}

/// What one reading came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Seen {
    /// Not read this time: what is shown stays.
    #[default]
    Same,
    /// Not there, or not to be had: nothing is shown.
    Absent,
    /// In the driver's unit.
    Whole(u64),
    /// In the driver's unit.
    Real(f64),
}

impl From<Option<u64>> for Seen {
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::Absent, Self::Whole)
    }
}

/// Help texts, and units where the facade knows one.
pub(super) fn help(name: &str) -> (Option<Unit>, &'static str) {
    let found = HELP.iter().find(|(known, ..)| *known == name);
    found.map_or((None, ""), |(_, unit, help)| (*unit, *help))
}

/// Every name there is.
pub(super) const HELP: [(&str, Option<Unit>, &str); 50] = [
    ("gpu_up", None, "Whether the GPU answers; 0 and without label if there is none."),
    ("gpu_info", None, "What the GPU is; always 1."),
    ("gpu_lost_total", None, "How often the GPU stopped answering."),
    ("gpu_collect_seconds", Some(Unit::Seconds), "How long the last reading of all GPUs took."),
    ("gpu_collect_errors_total", None, "Driver calls and files that failed, by call."),
    ("gpu_utilization_ratio", None, "Share of time in which some kernel ran."),
    ("gpu_memory_copy_utilization_ratio", None, "Share of time in which memory was accessed."),
    ("gpu_memory_used_bytes", Some(Unit::Bytes), "Memory in use, without what is reserved."),
    ("gpu_memory_reserved_bytes", Some(Unit::Bytes), "Memory the driver keeps for itself."),
    ("gpu_memory_free_bytes", Some(Unit::Bytes), "Memory nobody uses."),
    ("gpu_memory_total_bytes", Some(Unit::Bytes), "Memory there is."),
    ("gpu_power_watts", None, "Power drawn now."),
    ("gpu_power_limit_watts", None, "Power it is held to."),
    ("gpu_energy_joules_total", None, "Energy used since the driver was loaded."),
    ("gpu_temperature_celsius", None, "Temperature of the die."),
    ("gpu_memory_temperature_celsius", None, "Temperature of the memory."),
    ("gpu_clock_sm_hertz", None, "Clock of the compute units."),
    ("gpu_clock_memory_hertz", None, "Clock of the memory."),
    ("gpu_throttle_active", None, "Whether this reason holds the clocks down now."),
    (
        "gpu_throttle_seconds_total",
        Some(Unit::Seconds),
        "Time the clocks were held down, by reason.",
    ),
    ("gpu_pcie_receive_bytes_total", Some(Unit::Bytes), "Bytes that came over PCIe."),
    ("gpu_pcie_transmit_bytes_total", Some(Unit::Bytes), "Bytes that went over PCIe."),
    ("gpu_pcie_receive_bytes_per_second", None, "Rate over PCIe, where nothing counts bytes."),
    ("gpu_pcie_transmit_bytes_per_second", None, "Rate over PCIe, where nothing counts bytes."),
    ("gpu_nvlink_receive_bytes_total", Some(Unit::Bytes), "Bytes that came over all NVLinks."),
    ("gpu_nvlink_transmit_bytes_total", Some(Unit::Bytes), "Bytes that went over all NVLinks."),
    ("gpu_graphics_active_ratio", None, "Share of time in which any engine was busy."),
    ("gpu_sm_active_ratio", None, "Share of time with a warp on a multiprocessor, over all."),
    ("gpu_sm_occupancy_ratio", None, "Warps on the multiprocessors, of the most there can be."),
    ("gpu_tensor_active_ratio", None, "Share of time in which tensor pipes were busy."),
    ("gpu_dram_active_ratio", None, "Share of the memory's bandwidth in use."),
    ("gpu_fp16_active_ratio", None, "Share of time in which 16-bit pipes were busy."),
    ("gpu_fp32_active_ratio", None, "Share of time in which 32-bit pipes were busy."),
    ("gpu_fp64_active_ratio", None, "Share of time in which 64-bit pipes were busy."),
    ("gpu_xid_errors_total", None, "Critical errors the driver reported, by XID."),
    ("gpu_ecc_errors_total", None, "Memory errors since the driver was loaded."),
    ("gpu_remapped_rows", None, "Memory rows that were replaced."),
    ("gpu_pcie_replay_total", None, "PCIe packets that were sent again."),
    ("gpu_pcie_link_generation", None, "PCIe generation of the link now."),
    ("gpu_pcie_link_width", None, "PCIe lanes of the link now."),
    ("gpu_fan_ratio", None, "Speed of a fan, of its most."),
    ("gpu_encoder_utilization_ratio", None, "Share of time in which the video encoder ran."),
    ("gpu_decoder_utilization_ratio", None, "Share of time in which the video decoder ran."),
    ("gpu_performance_state", None, "Performance state: 0 is the fastest, 15 the slowest."),
    ("gpu_own_process_memory_bytes", Some(Unit::Bytes), "GPU memory of this process."),
    ("gpu_process_memory_bytes", Some(Unit::Bytes), "GPU memory of a process."),
    ("gpu_mig_info", None, "What the MIG device is; always 1."),
    ("gpu_mig_memory_used_bytes", Some(Unit::Bytes), "Memory of a MIG device in use."),
    ("gpu_mig_memory_free_bytes", Some(Unit::Bytes), "Memory of a MIG device nobody uses."),
    ("gpu_mig_memory_total_bytes", Some(Unit::Bytes), "Memory of a MIG device."),
];
