//! This process: the `process_*` metrics that client libraries agree on, and more.

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "elsewhere less is told"))]
pub(crate) mod figures;

#[cfg(target_os = "linux")]
mod folders;
#[cfg(target_os = "linux")]
mod io;
#[cfg(target_os = "linux")]
pub(super) mod linux;
#[cfg(target_os = "linux")]
mod stat;
#[cfg(target_os = "linux")]
mod statm;
#[cfg(target_os = "linux")]
mod task;
#[cfg(target_os = "linux")]
pub(super) mod threads;
#[cfg(target_os = "linux")]
pub(super) mod tree;
