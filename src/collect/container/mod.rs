//! This process's container: what its control groups use, and what they may use.

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "elsewhere less is told"))]
pub(crate) mod figures;

#[cfg(target_os = "linux")]
mod find;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
pub(super) mod linux;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod sources;
