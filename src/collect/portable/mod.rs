//! Machine and process through `sysinfo`: everything that is not Linux, and temperatures
//! everywhere. The same names as elsewhere, as far as the system tells.

mod filesystems;
mod host;
mod process;
mod temperatures;

pub(super) use filesystems::PortableFilesystems;
pub(super) use host::PortableHost;
pub(super) use process::PortableProcess;
pub(super) use temperatures::Temperatures;
