//! How this process is called by a driver that knows it from outside.
//!
//! NVML tells the process ids of the host. In a container this process has another one inside, and
//! `NSpid` in its status lists what it is called in each namespace that can be seen from here.

/// The ids of this process.
pub(super) fn own_pids() -> Vec<u32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut pids = namespace_pids(&status);
    pids.push(std::process::id());
    pids
}

/// The ids in a `/proc/<pid>/status`.
fn namespace_pids(status: &str) -> Vec<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let words = line.unwrap_or_default().split_ascii_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_an_id_in_each_namespace() {
        let status = "Name:\tpython\nPid:\t4021\nNSpid:\t4021\t17\t1\nThreads:\t4\n";
        assert_eq!(namespace_pids(status), [4021, 17, 1]);
    }

    #[test]
    fn a_status_without_the_line_tells_nothing() {
        assert!(namespace_pids("").is_empty());
        assert!(namespace_pids("NSpid:").is_empty());
        assert!(namespace_pids("NSpid:\tx\t-3\n").is_empty());
    }

    #[test]
    fn this_process_is_among_them() {
        assert!(own_pids().contains(&std::process::id()));
    }
}
