//! Which of the processes on a GPU is this one.
//!
//! Some drivers tell the process ids of the machine, others those of the namespace that asks, and
//! none says which. In a container the two differ, and this process's id inside may be another's
//! outside. So there the driver's ids are taken for ours only if every one of them is known inside:
//! those of a machine mostly are not.

use std::path::Path;

/// The namespace of process ids that is the machine's own has this number everywhere
/// (`PROC_PID_INIT_INO` in the kernel's `proc_ns.h`).
const MACHINES_OWN: &str = "pid:[4026531836]";

/// What this process is called.
#[derive(Debug)]
pub(super) struct OwnProcess {
    pid: u32,
    is_contained: bool,
}

impl OwnProcess {
    pub(super) fn new() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let namespace = std::fs::read_link("/proc/self/ns/pid");
        // Where there is no such link there are no namespaces.
        let is_contained = namespace.is_ok_and(|link| link != Path::new(MACHINES_OWN));
        Self { pid: pid_shown(&status).unwrap_or(std::process::id()), is_contained }
    }

    /// Whether an id that is told of a GPU is this process's. `told` are all that are.
    pub(super) fn find(&self, told: impl IntoIterator<Item = u32>) -> Option<u32> {
        self.find_among(told, |pid| Path::new("/proc").join(pid.to_string()).exists())
    }

    fn find_among(
        &self,
        told: impl IntoIterator<Item = u32>,
        is_known: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let mut is_ours = true;
        let mut is_there = false;
        for pid in told {
            is_ours &= !self.is_contained || is_known(pid);
            is_there |= pid == self.pid;
        }
        (is_ours && is_there).then_some(self.pid)
    }
}

/// The id that `/proc` knows this process by: the first in `NSpid`, which has one for each
/// namespace from there down to its own.
fn pid_shown(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_the_first_of_its_ids() {
        let status = "Name:\tpython\nPid:\t4021\nNSpid:\t4021\t17\t1\nThreads:\t4\n";
        assert_eq!(pid_shown(status), Some(4021));
        for odd in ["", "NSpid:", "NSpid:\tx\t-3\n"] {
            assert_eq!(pid_shown(odd), None, "{odd}");
        }
        assert_eq!(OwnProcess::new().find([std::process::id()]), Some(std::process::id()));
    }

    #[test]
    fn on_the_machine_itself_ids_mean_what_they_say() {
        let own = OwnProcess { pid: 17, is_contained: false };
        assert_eq!(own.find_among([48_211, 17], |_| false), Some(17));
        assert_eq!(own.find_among([48_211], |_| false), None);
    }

    /// Process 17 of the machine is somebody else.
    #[test]
    fn in_a_container_an_id_may_be_anothers() {
        let own = OwnProcess { pid: 17, is_contained: true };
        let is_known = |pid| [1, 17, 18].contains(&pid);
        assert_eq!(own.find_among([48_211, 17], is_known), None);
        // A driver that tells the ids inside tells no others.
        assert_eq!(own.find_among([17, 18], is_known), Some(17));
        assert_eq!(own.find_among([18], is_known), None);
    }
}
