//! Which control groups this process is in, and where their files are.
//!
//! There is no fixed place: the second version of control groups is one tree, the first has one
//! for each controller, both can be there at once, and a container sees what was mounted into it.
//! `/proc/self/cgroup` has the paths, `/proc/self/mountinfo` where the trees are.

use std::path::{Component, Path, PathBuf};

use crate::collect::Failures;
use crate::collect::host::mounts::{self, Mount};
use crate::collect::linux::scan::lines;

/// A group's folder, and the one of the topmost group that can be seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) folder: PathBuf,
    top: PathBuf,
    /// Of the second version.
    pub(crate) unified: bool,
}

/// The group that counts, for each resource. The second version counts what the first does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Groups {
    pub(crate) cpu: Option<Group>,
    pub(crate) cpuacct: Option<Group>,
    pub(crate) cpuset: Option<Group>,
    pub(crate) memory: Option<Group>,
    pub(crate) pids: Option<Group>,
    /// Of the second version: tells pressure.
    pub(crate) unified: Option<Group>,
}

impl Group {
    /// The folders from the group's own up to the top: a limit may be set in any of them.
    pub(crate) fn and_above(&self) -> impl Iterator<Item = &Path> {
        self.folder.ancestors().take_while(|folder| folder.starts_with(&self.top))
    }
}

/// The groups, by what `/proc/self/cgroup` and `/proc/self/mountinfo` say; mount points are taken
/// to lie under `root`.
pub(crate) fn find(
    root: &Path,
    cgroup: &[u8],
    mountinfo: &[u8],
    failures: &mut Failures,
) -> Groups {
    let mounts: Vec<Mount<'_>> = mounts::parse(mountinfo).collect();
    // Of one version and, in the first, with this controller.
    let of = |kind: &str, controller: Option<&str>| -> Vec<&Mount<'_>> {
        let has = |options: &str| {
            controller.is_none_or(|wanted| options.split(',').any(|known| known == wanted))
        };
        let is_seen = |mount: &&Mount<'_>| {
            mounts::of_path(&mounts, Path::new(&*mount.point)).is_some_and(|top| top == *mount)
        };
        mounts.iter().filter(|it| it.kind == kind && has(it.options)).filter(is_seen).collect()
    };
    let mut found = |mounts: Vec<&Mount<'_>>, path: &str| {
        failures.check("cgroup", group(root, &mounts, path)).flatten()
    };
    let unified = memberships(cgroup)
        .find(|(controllers, _)| controllers.is_empty())
        .and_then(|(_, path)| found(of("cgroup2", None), path));
    let mut of = |controller: &str| {
        let first = memberships(cgroup)
            .find(|(controllers, _)| controllers.split(',').any(|known| known == controller))
            .and_then(|(_, path)| found(of("cgroup", Some(controller)), path));
        first.or_else(|| unified.clone())
    };
    Groups {
        cpu: of("cpu"),
        cpuacct: of("cpuacct"),
        cpuset: of("cpuset"),
        memory: of("memory"),
        pids: of("pids"),
        unified,
    }
}

/// Controllers and path of each line "number:controllers:path"; of the second version there are no
/// controllers.
fn memberships(cgroup: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    lines(cgroup).filter_map(|line| {
        let mut parts = std::str::from_utf8(line).ok()?.splitn(3, ':');
        parts.next()?;
        Some((parts.next()?, parts.next()?))
    })
}

/// The group of this path, as one of these mounts shows it: of several that do the one which shows
/// most of the groups above, for any of them may set a limit.
///
/// A group that none shows lies outside of what was mounted; the top of that counts for it, being
/// what a container is given to see. Where different parts are mounted nobody can tell which.
fn group(root: &Path, mounts: &[&Mount<'_>], path: &str) -> Result<Option<Group>, String> {
    let top = |mount: &Mount<'_>| under(root, Path::new(&*mount.point));
    let shows = |mount: &Mount<'_>| {
        // A container without a namespace of its own sees the machine's path and its own mount.
        let inside = Path::new(path).strip_prefix(&*mount.root).ok()?;
        under(&top(mount)?, inside).filter(|folder| folder.is_dir())
    };
    let depth = |mount: &Mount<'_>| Path::new(&*mount.root).components().count();
    let unified = |mount: &Mount<'_>| mount.kind == "cgroup2";
    let shown = mounts.iter().filter_map(|mount| Some((mount, shows(mount)?)));
    if let Some((mount, folder)) = shown.min_by_key(|(mount, _)| depth(mount)) {
        return Ok(top(mount).map(|top| Group { folder, top, unified: unified(mount) }));
    }
    let Some(first) = mounts.first() else { return Ok(None) };
    if mounts.iter().any(|mount| mount.root != first.root) {
        return Err(format!("none of {} mounts of {} shows {path}", mounts.len(), first.kind));
    }
    let group = |top: PathBuf| Group { folder: top.clone(), top, unified: unified(first) };
    Ok(top(first).map(group))
}

/// The path below `root`; `None` if it leads out of it, as the path of a group does that lies above
/// the namespace.
fn under(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut whole = root.to_owned();
    for part in path.components() {
        match part {
            Component::Normal(name) => whole.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scratch(name: &str, folders: &[&str]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("nissa-find-{name}-{}", std::process::id()));
        for folder in folders {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        root
    }

    fn find(root: &Path, cgroup: &[u8], mountinfo: &[u8]) -> Groups {
        let mut failures = Failures::new();
        let groups = super::find(root, cgroup, mountinfo, &mut failures);
        assert!(failures.is_empty(), "{failures}");
        groups
    }

    const V2: &str = "35 25 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_one_tree_counts_everything() {
        let root = scratch("v2", &["sys/fs/cgroup/a/b"]);
        let groups = find(&root, b"0::/a/b\n", V2.as_bytes());
        let memory = groups.memory.clone().unwrap();
        assert_eq!(memory.folder, root.join("sys/fs/cgroup/a/b"));
        assert_eq!(groups.cpu, groups.unified);
        let above: Vec<&Path> = memory.and_above().collect();
        let top = root.join("sys/fs/cgroup");
        assert_eq!(above, [&*top.join("a/b"), &*top.join("a"), &*top]);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn of_two_versions_the_first_counts_where_it_has_the_controller() {
        let root = scratch("hybrid", &["sys/fs/cgroup/memory/x", "sys/fs/cgroup/unified/u"]);
        let mounts = "32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let groups = find(&root, b"4:memory:/x\n0::/u\n", mounts.as_bytes());
        assert_eq!(groups.memory.unwrap().folder, root.join("sys/fs/cgroup/memory/x"));
        assert_eq!(groups.pids.unwrap().folder, root.join("sys/fs/cgroup/unified/u"));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_path_that_cannot_be_seen_is_the_top() {
        let root = scratch("top", &["sys/fs/cgroup"]);
        let mounts = "1 1 0:1 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        for path in ["/docker/abc", "/", "/docker/other", "/../..", "/docker/abc/../../x"] {
            let groups = find(&root, format!("0::{path}\n").as_bytes(), mounts.as_bytes());
            assert_eq!(groups.cpu.unwrap().folder, root.join("sys/fs/cgroup"), "{path}");
        }
        std::fs::remove_dir_all(root).unwrap();
    }

    /// As of Docker in Docker, or of a container that is shown the machine's groups beside its own.
    #[test]
    fn of_several_mounts_the_one_that_shows_most_above_the_group_counts() {
        let root = scratch("several", &["own", "all/docker/abc", "other", "sys/hidden"]);
        let mounts = "1 0 0:1 / / rw - ext4 x rw\n\
            2 1 0:9 /docker/xyz /other rw - cgroup2 x rw\n\
            3 1 0:9 /docker/abc /own rw - cgroup2 x rw\n\
            4 1 0:9 / /all rw - cgroup2 x rw\n";
        let groups = find(&root, b"0::/docker/abc\n", mounts.as_bytes());
        let group = groups.unified.unwrap();
        assert_eq!(group.folder, root.join("all/docker/abc"));
        assert_eq!(group.and_above().count(), 3);
        // What shows the group counts though it shows little, and what is covered does not.
        let covered = mounts.to_owned() + "5 4 0:2 / /all rw - tmpfs x rw\n";
        let groups = find(&root, b"0::/docker/abc\n", covered.as_bytes());
        assert_eq!(groups.unified.unwrap().folder, root.join("own"));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_group_that_may_be_any_of_several_is_none_and_said_to_be() {
        let root = scratch("any", &["a", "b"]);
        let mounts =
            "2 1 0:9 /docker/x /a rw - cgroup2 x rw\n3 1 0:9 /docker/y /b rw - cgroup2 x rw\n";
        let mut failures = Failures::new();
        let groups = super::find(&root, b"0::/\n", mounts.as_bytes(), &mut failures);
        assert_eq!(groups, Groups::default());
        assert_eq!(failures.to_string(), "cgroup: none of 2 mounts of cgroup2 shows /");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn without_mounts_or_paths_there_are_no_groups() {
        assert_eq!(find(Path::new("/"), b"0::/\n", b""), Groups::default());
        assert_eq!(find(Path::new("/"), b"", V2.as_bytes()), Groups::default());
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(cgroup in proptest::collection::vec(any::<u8>(), 0..100),
            text in "(0|4|:|memory|/|\\.\\.|a|\n){0,20}")
        {
            for text in [&*cgroup, text.as_bytes()] {
                let root = Path::new("/no/such/root");
                let groups = super::find(root, text, V2.as_bytes(), &mut Failures::new());
                if let Some(group) = groups.unified {
                    prop_assert!(group.folder.starts_with("/no/such/root"));
                }
            }
        }
    }
}
