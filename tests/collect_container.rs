//! Containers and odd machines from trees of files under `tests/data`.

#![cfg(all(feature = "host", target_os = "linux"))]

mod trees;

use std::fs;

use nissa::collect::Host;
use trees::{Seen, Tree, data};

#[test]
fn version_2_with_limits_set_above() {
    let seen = Seen::container(data("cgroup/v2"));
    seen.shows(&[
        ("container_cpu_usage_seconds_total", 5.5),
        ("container_cpu_user_seconds_total", 5.0),
        ("container_cpu_system_seconds_total", 0.5),
        ("container_cpu_cfs_periods_total", 100.0),
        ("container_cpu_cfs_throttled_periods_total", 7.0),
        ("container_cpu_cfs_throttled_seconds_total", 1.25),
        ("container_spec_cpu_quota", 150_000.0),
        ("container_spec_cpu_period", 100_000.0),
        ("container_cpu_limit_cores", 1.5),
        ("container_memory_usage_bytes", 1_073_741_824.0),
        ("container_memory_working_set_bytes", 1e9),
        ("container_memory_rss", 7e8),
        ("container_memory_cache", 3e8),
        ("container_memory_swap", 4096.0),
        ("container_spec_memory_limit_bytes", 4_294_967_296.0),
        ("container_oom_events_total", 1.0),
        ("container_memory_high_events_total", 12.0),
        ("container_threads", 17.0),
        ("container_threads_max", 512.0),
        ("container_pressure_cpu_stalled_seconds_total", 1.5),
        ("container_pressure_memory_waiting_seconds_total", 1e-5),
    ]);
    seen.shows_none_of(&["container_pressure_io_waiting_seconds_total"]);
    assert_eq!(seen.failed(), [""; 0]);
}

/// A group has a file of its own only if the controller is turned on for it.
#[test]
fn processors_chosen_for_a_slice_count_in_its_groups() {
    let tree = Tree::copy("cpuset", "cgroup/v2");
    let slice = tree.0.join("sys/fs/cgroup/system.slice");
    fs::remove_file(slice.join("train.service/worker/cpuset.cpus.effective")).unwrap();
    fs::write(slice.join("cpuset.cpus.effective"), "3\n").unwrap();
    Seen::container(&tree.0).shows(&[("container_cpu_limit_cores", 1.0)]);
}

#[test]
fn no_limit_is_none_where_the_machines_memory_is_not_known() {
    let tree = Tree::copy("unlimited", "cgroup/v1");
    let _ = fs::remove_file(tree.0.join("proc/meminfo"));
    let folder = tree.0.join("sys/fs/cgroup/memory");
    let told = fs::read_to_string(folder.join("memory.stat")).unwrap();
    let told = told.replace("3221225472", "9223372036854771712");
    fs::write(folder.join("memory.stat"), told).unwrap();
    fs::write(folder.join("memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
    Seen::container(&tree.0).shows_none_of(&["container_spec_memory_limit_bytes"]);
}

#[test]
fn version_2_without_most_controllers() {
    let seen = Seen::container(data("cgroup/v2_bare"));
    seen.shows(&[("container_cpu_usage_seconds_total", 1.0)]);
    // A limit at the machine's memory is none.
    seen.shows_none_of(&["container_spec_memory_limit_bytes"]);
    let names = seen.names();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(seen.failed(), [""; 0]);
}

#[test]
fn version_1_as_docker_mounts_it() {
    let seen = Seen::container(data("cgroup/v1"));
    seen.shows(&[
        ("container_cpu_usage_seconds_total", 123.456789),
        ("container_cpu_user_seconds_total", 100.0),
        ("container_cpu_system_seconds_total", 20.0),
        ("container_cpu_cfs_throttled_seconds_total", 2.5),
        ("container_spec_cpu_quota", 50_000.0),
        ("container_cpu_limit_cores", 0.5),
        ("container_memory_usage_bytes", 2_147_483_648.0),
        ("container_memory_working_set_bytes", 2e9),
        ("container_memory_rss", 1.6e9),
        ("container_memory_cache", 5e8),
        // Set in a group out of sight; the kernel tells it all the same.
        ("container_spec_memory_limit_bytes", 3_221_225_472.0),
        ("container_oom_events_total", 4.0),
        ("container_threads", 3.0),
        ("container_threads_max", 100.0),
    ]);
    seen.shows_none_of(&["container_memory_high_events_total"]);
    assert_eq!(seen.failed(), [""; 0]);
}

#[test]
fn both_versions_side_by_side() {
    let seen = Seen::container(data("cgroup/hybrid"));
    seen.shows(&[
        ("container_cpu_usage_seconds_total", 42.0),
        ("container_memory_usage_bytes", 2.5e8),
        ("container_memory_working_set_bytes", 2e8),
        ("container_spec_memory_limit_bytes", 1e9),
        ("container_pressure_cpu_waiting_seconds_total", 1.0),
    ]);
    seen.shows_none_of(&["container_pressure_cpu_stalled_seconds_total"]);
}

#[test]
fn nonsense_is_absent_and_counted() {
    let seen = Seen::container(data("cgroup/odd"));
    assert_eq!(seen.names(), [""; 0]);
    assert_eq!(seen.failed(), ["container cpu_stat", "container pids_current"]);
}

#[test]
fn no_container_is_no_error() {
    let seen = Seen::container(data("proc/none"));
    assert_eq!((seen.names(), seen.failed()), (Vec::new(), Vec::new()));
    let seen = Seen::of(Host::default().root("/no/such/root"));
    let names = seen.names();
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    // What the kernel is asked for, not read from files.
    assert!(asked.iter().all(|name| name.starts_with("process_")), "{asked:?}");
    assert_eq!(seen.failed(), ["process fd"]);
}

#[test]
fn odd_files_of_a_machine_show_what_can_be_understood_of_them() {
    let seen = Seen::of(Host::default().container(false).process(false).root(data("proc/odd")));
    seen.shows(&[
        ("node_forks_total", 12.0),
        ("node_memory_SwapTotal_bytes", 1_048_576.0),
        ("node_vmstat_oom_kill", 3.0),
        ("node_disk_read_bytes_total", 4096.0),
        ("node_load15", 1.5),
    ]);
    let names = seen.names();
    let disks = names.iter().filter(|name| name.starts_with("node_disk")).count();
    assert_eq!((disks, names.len()), (7, 7 + 4), "{names:?}");
    assert_eq!(seen.failed(), ["host pressure_io"]);

    let seen = Seen::of(Host::process_alone().root(data("proc/odd")));
    seen.shows_none_of(&["process_resident_memory_bytes", "process_threads"]);
    assert_eq!(seen.failed(), ["process fd", "process io", "process stat"]);
}

/// A folder in place of a file cannot be read, not even by an administrator.
#[test]
fn what_may_not_be_read_is_absent_and_the_rest_is_not() {
    let tree = Tree::copy("denied", "cgroup/v2");
    let group = tree.0.join("sys/fs/cgroup/system.slice/train.service/worker");
    tree.deny(&group.join("memory.stat"));
    tree.deny(&group.join("cpu.stat"));
    tree.deny(&group.parent().unwrap().join("memory.max"));
    let seen = Seen::container(&tree.0);
    seen.shows(&[
        ("container_memory_usage_bytes", 1_073_741_824.0),
        ("container_threads", 17.0),
        ("container_cpu_limit_cores", 1.5),
    ]);
    seen.shows_none_of(&[
        "container_memory_working_set_bytes",
        "container_memory_rss",
        "container_cpu_usage_seconds_total",
    ]);
    let failed = ["container cpu_stat", "container memory_limit", "container memory_stat"];
    assert_eq!(seen.failed(), failed);
    let errors = seen.registry.snapshot();
    let count = |source| {
        let labels = [("collector", "container"), ("source", source)];
        errors.get("nissa_collector_errors_total", &labels).and_then(|count| count.as_f64())
    };
    assert_eq!(count("cpu_stat"), Some(1.0));
    assert!(errors.value("nissa_collector_last_success_timestamp_seconds").is_none());
}

#[test]
fn what_vanishes_leaves_the_output_and_comes_back() {
    let tree = Tree::copy("vanish", "cgroup/v2");
    let group = tree.0.join("sys/fs/cgroup/system.slice/train.service/worker");
    let mut seen = Seen::container(&tree.0);
    // A held file stays readable until it is truncated.
    fs::write(group.join("pids.current"), "").unwrap();
    seen.runner.collect();
    seen.shows_none_of(&["container_threads"]);
    assert_eq!(seen.failed(), ["container pids_current"]);
    fs::write(group.join("pids.current"), "5\n").unwrap();
    seen.runner.collect();
    seen.shows(&[("container_threads", 5.0)]);
}

/// The first version tells what a quota did in a file of its own, which cannot move without one.
#[test]
fn throttling_is_read_each_time_where_there_is_a_quota() {
    let tree = Tree::copy("throttled", "cgroup/v1");
    let cpu = tree.0.join("sys/fs/cgroup/cpu,cpuacct");
    let throttled = |nanos: u64| {
        let told = format!("nr_periods 9\nnr_throttled 3\nthrottled_time {nanos}\n");
        fs::write(cpu.join("cpu.stat"), told).unwrap();
    };
    let seconds = |seen: &Seen| seen.value("container_cpu_cfs_throttled_seconds_total");
    let mut seen = Seen::container(&tree.0);
    throttled(3_000_000_000);
    seen.runner.collect();
    assert_eq!(seconds(&seen), Some(3.0));

    fs::write(cpu.join("cpu.cfs_quota_us"), "-1\n").unwrap();
    let mut seen = Seen::container(&tree.0);
    throttled(4_000_000_000);
    for _ in 1..10 {
        seen.runner.collect();
        assert_eq!(seconds(&seen), Some(3.0));
    }
    seen.runner.collect();
    assert_eq!(seconds(&seen), Some(4.0));
    // A quota is seen with the other limits, and what it does from then on at once.
    fs::write(cpu.join("cpu.cfs_quota_us"), "50000\n").unwrap();
    (0..10).for_each(|_| seen.runner.collect());
    throttled(5_000_000_000);
    seen.runner.collect();
    assert_eq!(seconds(&seen), Some(5.0));
}

/// Loop devices and partitions cost the kernel as much as disks do.
#[test]
fn few_disks_are_read_each_by_itself_and_the_list_now_and_then() {
    let tree = Tree::copy("disks", "proc/recorded");
    let list = fs::read_to_string(tree.0.join("proc/diskstats")).unwrap();
    let of_list = 3_960_902.0;
    let own = tree.0.join("sys/block/vda/stat");
    let mut seen = Seen::of(Host::default().container(false).process(false).root(&tree.0));
    let reads = |seen: &Seen| seen.value("node_disk_reads_completed_total");
    assert_eq!(reads(&seen), Some(of_list));
    fs::write(&own, "7 0 8 1 2 0 16 3 0 5 6\n").unwrap();
    seen.runner.collect();
    seen.shows(&[
        ("node_disk_reads_completed_total", 7.0),
        ("node_disk_read_bytes_total", 4096.0),
        ("node_disk_write_time_seconds_total", 0.003),
        ("node_disk_io_time_seconds_total", 0.005),
    ]);
    // Where the file fails, the list is asked at once.
    fs::write(&own, "").unwrap();
    seen.runner.collect();
    assert_eq!(reads(&seen), Some(of_list));
    let others: String = list.lines().filter(|line| !line.contains("vda")).collect();
    fs::write(tree.0.join("proc/diskstats"), others).unwrap();
    seen.runner.collect();
    assert_eq!(reads(&seen), None);
    assert_eq!(seen.failed(), [""; 0]);
}

/// The kernel works it out every five seconds.
#[test]
fn load_is_read_every_five_seconds() {
    let tree = Tree::copy("load", "proc/recorded");
    let mut seen = Seen::of(Host::default().container(false).process(false).root(&tree.0));
    fs::write(tree.0.join("proc/loadavg"), "77.5 1 2 1/2 3\n").unwrap();
    let new = |seen: &mut Seen| {
        seen.runner.collect();
        seen.value("node_load1") == Some(77.5)
    };
    let calls = (1..100).find(|_| new(&mut seen));
    assert_eq!(calls, Some(5));
}

/// Docker moves a process when it enters a container; systemd when a unit is changed.
#[test]
fn a_process_that_moves_is_followed() {
    let tree = Tree::copy("moves", "cgroup/v2");
    let mut seen = Seen::container(&tree.0);
    seen.shows(&[("container_cpu_usage_seconds_total", 5.5)]);
    fs::write(tree.0.join("proc/self/cgroup"), "0::/\n").unwrap();
    (0..10).for_each(|_| seen.runner.collect());
    seen.shows(&[("container_cpu_usage_seconds_total", 99e-6)]);
    seen.shows_none_of(&["container_memory_usage_bytes", "container_threads"]);
    assert_eq!(seen.failed(), [""; 0]);
}

#[test]
fn groups_that_could_not_be_found_at_first_are_looked_for_again() {
    let tree = Tree::copy("late", "cgroup/v2");
    let table = tree.0.join("proc/self/mountinfo");
    let mounts = fs::read(&table).unwrap();
    tree.deny(&table);
    let mut seen = Seen::container(&tree.0);
    assert_eq!((seen.names(), seen.failed()), (Vec::new(), vec!["container mountinfo".to_owned()]));
    fs::remove_dir(&table).unwrap();
    fs::write(&table, mounts).unwrap();
    (0..10).for_each(|_| seen.runner.collect());
    seen.shows(&[("container_cpu_usage_seconds_total", 5.5)]);
}
