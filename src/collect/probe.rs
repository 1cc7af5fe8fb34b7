//! What tests of collectors look at.

use crate::registry::Registry;

pub(crate) fn value(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    registry.snapshot().get(name, labels).and_then(|value| value.as_f64())
}

/// Whether `/` is a filesystem of this machine's own. In some virtual machines it is not, and so
/// not asked unless network filesystems are. Says that it is not.
#[cfg(target_os = "linux")]
pub(crate) fn root_is_local() -> bool {
    use crate::collect::host::{mounts, remote};

    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mounts: Vec<mounts::Mount<'_>> = mounts::parse(&table).collect();
    let root = mounts::of_path(&mounts, std::path::Path::new("/"));
    let is_local = root.is_some_and(|mount| !remote::may_hang(mount.kind));
    if !is_local {
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), "skipped: no local filesystem at /");
    }
    is_local
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn root_is_local() -> bool {
    true
}
