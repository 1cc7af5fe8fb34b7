//! Where `/proc` and `/sys` are, and whose.

use std::path::{Path, PathBuf};

use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};

/// The machine's own `/`; a recorded tree, in which everything lies; or the kernel's `/proc` and
/// `/sys` of a machine, mounted at a place of their own in a container.
///
/// In the last case `/proc/self` is still this process, with its own namespaces: its groups and
/// mounts are found where the container has them, not below that place. What belongs to the machine
/// is in the namespaces of its first process.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    path: PathBuf,
    is_mounted_elsewhere: bool,
}

impl Root {
    pub(crate) fn new(path: &Path) -> Self {
        let is_kernels = || {
            let proc = statfs(&path.join("proc"));
            proc.is_ok_and(|told| told.filesystem_type() == PROC_SUPER_MAGIC)
        };
        let is_mounted_elsewhere = path != Path::new("/") && is_kernels();
        Self { path: path.to_owned(), is_mounted_elsewhere }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.join(path)
    }

    pub(crate) fn is_mounted_elsewhere(&self) -> bool {
        self.is_mounted_elsewhere
    }

    /// Below which the mounts of this process's namespace lie.
    pub(crate) fn of_own_mounts(&self) -> &Path {
        if self.is_mounted_elsewhere { Path::new("/") } else { &self.path }
    }

    /// A file of a process that is in the machine's namespaces.
    pub(crate) fn of_machine(&self, file: &str) -> PathBuf {
        let process = if self.is_mounted_elsewhere { "proc/1" } else { "proc/self" };
        self.path.join(process).join(file)
    }
}
