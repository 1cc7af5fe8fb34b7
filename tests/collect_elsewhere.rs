//! The machine's `/proc` and `/sys` at a place of their own, as a container is shown them.

#![cfg(all(feature = "host", target_os = "linux"))]

mod trees;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use nissa::Registry;
use nissa::collect::{Host, Runner};
use trees::{Seen, Tree, scratch};

/// The kernel's own `/proc` mounted at a place of its own, as in a container that is shown the
/// machine's: `/proc/self` is still this process, in its own namespaces.
#[test]
fn of_a_machine_elsewhere_the_groups_are_this_processes_own() {
    let tree = Tree::elsewhere("own-groups");
    // Other groups, where this process's own would be if the mounts were the machine's.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = mounts.lines().filter(|line| line.contains(" - cgroup"));
    for point in points.filter_map(|line| line.split(' ').nth(4)) {
        let folder = tree.0.join(point.trim_start_matches('/'));
        fs::create_dir_all(&folder).unwrap();
        for limit in ["memory.max", "memory.limit_in_bytes"] {
            fs::write(folder.join(limit), "4096\n").unwrap();
        }
    }
    let container = |root: &Path| {
        let seen = Seen::container(root);
        let snapshot = seen.registry.snapshot();
        let limit = snapshot.value("container_spec_memory_limit_bytes");
        (seen.names(), limit, seen.failed())
    };
    assert_eq!(container(&tree.0), container(Path::new("/")));
}

#[test]
fn of_a_machine_elsewhere_filesystems_are_those_mounted_below_it() {
    let tree = Tree::elsewhere("filesystems");
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    fs::create_dir_all(tree.0.join("dev")).unwrap();
    let mounts = fs::read_to_string("/proc/1/mountinfo").unwrap_or_default();
    let is_mounted = mounts.lines().any(|mount| mount.split(' ').nth(4) == Some("/dev"));
    if !is_mounted || device(Path::new("/dev")) == device(&tree.0) {
        return println!("skipped: the machine's /dev is not told from a folder");
    }
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    let host = Host::default().machine(false).process(false).container(false);
    runner.add(host.root(&tree.0).filesystems(["/dev"]));
    runner.collect();
    assert!(registry.snapshot().family("node_filesystem_size_bytes").is_none());
    let errors = runner.errors();
    let told: Vec<_> = errors.iter().map(|error| (&*error.source, error.count)).collect();
    assert_eq!(told, [("mount", 1)]);
    assert!(errors[0].error.starts_with("/dev is not mounted below "), "{}", errors[0].error);
}

/// Where the machine's `/proc` is mounted, for the test inside a container.
const INSIDE: &str = "NISSA_TEST_INSIDE";

fn sorted(of: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = of.collect();
    all.sort();
    all
}

/// Network devices of the machine's first process.
fn devices(root: &Path) -> Vec<String> {
    let network = fs::read_to_string(root.join("proc/1/net/dev")).unwrap();
    let names = network.lines().skip(2).filter_map(|line| line.split_once(':'));
    sorted(names.map(|(name, _)| name.trim().to_owned()))
}

/// In namespaces of its own, as a container is: mounts, network and process ids are other ones
/// than the machine's, whose `/proc` is shown at a place of its own.
#[test]
fn in_a_container_the_machine_is_seen_through_what_is_mounted_of_it() {
    if let Ok(root) = std::env::var(INSIDE) {
        return look_from_inside(Path::new(&root));
    }
    let tree = Tree(scratch("inside"));
    fs::create_dir_all(tree.0.join("proc")).unwrap();
    let test = "in_a_container_the_machine_is_seen_through_what_is_mounted_of_it";
    let script = format!(
        "mount --bind /proc \"${INSIDE}/proc\" && mount -t proc proc /proc && \
         mount -t tmpfs tmpfs /dev/shm && echo inside && exec \"$0\" --exact {test} --nocapture"
    );
    let output = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, &tree.0)
        .output();
    let told = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    match output {
        Ok(output) if told(&output.stdout).contains("inside") => {
            assert!(output.status.success(), "{}", told(&output.stderr));
        }
        _ => println!("skipped: no namespaces may be made here"),
    }
}

fn look_from_inside(root: &Path) {
    let has_failed = |sources: &[String], source: &str| sources.iter().any(|it| it == source);
    let shown = |root: &Path| {
        let registry = Registry::new();
        let mut runner = Runner::new(&registry);
        runner.add(Host::default().root(root).filesystems(["/", "/dev/shm"]));
        runner.collect();
        let snapshot = registry.snapshot();
        let labels = |family: &str, label: &str| {
            let series = snapshot.family(family).map(|family| family.series().collect());
            let series: Vec<_> = series.unwrap_or_default();
            sorted(series.iter().filter_map(|it| Some(it.label(label)?.into_owned())))
        };
        let errors: Vec<String> = runner.errors().into_iter().map(|error| error.source).collect();
        let names = labels("node_network_receive_bytes_total", "device");
        let points = labels("node_filesystem_size_bytes", "mountpoint");
        let memory = snapshot.value("container_memory_usage_bytes").is_some();
        let threads = snapshot.value("process_threads").is_some();
        (names, points, (memory, threads), errors)
    };
    let own = shown(Path::new("/"));
    assert!(own.0.contains(&"lo".to_owned()) && !has_failed(&own.3, "mount"), "{own:?}");
    // Devices may come and go meanwhile.
    let (expected, machine) = loop {
        let (before, machine) = (devices(root), shown(root));
        if before == devices(root) {
            break (before, machine);
        }
    };
    assert_eq!(machine.0, expected);
    // What is at `/dev/shm` here is not the machine's, and its own is not mounted here.
    assert!(!machine.1.contains(&"/dev/shm".to_owned()), "{:?}", machine.1);
    assert!(has_failed(&machine.3, "mount"), "{:?}", machine.3);
    for sources in [&own.3, &machine.3] {
        assert!(
            !has_failed(sources, "net_dev") && !has_failed(sources, "mountinfo"),
            "{sources:?}"
        );
    }
    assert_eq!(machine.2, own.2);
}
