//! The machine: processors, memory, load, network, disks, filesystems, pressure.

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "elsewhere less is told"))]
pub(crate) mod figures;
pub(crate) mod remote;
mod settings;

#[cfg(target_os = "linux")]
mod cpu;
#[cfg(target_os = "linux")]
mod disks;
#[cfg(target_os = "linux")]
mod filesystems;
#[cfg(target_os = "linux")]
mod frequency;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
pub(crate) mod mounts;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod places;
#[cfg(target_os = "linux")]
pub(crate) mod pressure;
#[cfg(target_os = "linux")]
mod vmstat;

pub use settings::Host;
