//! This process: the `process_*` metrics that client libraries agree on, and more.

pub(crate) mod figures;

#[cfg(target_os = "linux")]
mod io;
#[cfg(target_os = "linux")]
pub(super) mod linux;
#[cfg(target_os = "linux")]
mod stat;
