//! Which control groups this process is in, and where their files are.
//!
//! There is no fixed place: the second version of control groups is one tree, the first has one
//! for each controller, both can be there at once, and a container sees what was mounted into it.
//! `/proc/self/cgroup` has the paths, `/proc/self/mountinfo` where the trees are.

use std::path::{Component, Path, PathBuf};

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
pub(crate) fn find(root: &Path, cgroup: &[u8], mountinfo: &[u8]) -> Groups {
    let mounts: Vec<Mount<'_>> = mounts::parse(mountinfo).collect();
    let unified = memberships(cgroup).find(|(controllers, _)| controllers.is_empty()).and_then(
        |(_, path)| {
            let mount = mounts.iter().find(|mount| mount.kind == "cgroup2")?;
            group(root, mount, path)
        },
    );
    let of = |controller: &str| {
        let first = memberships(cgroup)
            .find(|(controllers, _)| controllers.split(',').any(|known| known == controller))
            .and_then(|(_, path)| {
                let mount = mounts.iter().find(|mount| {
                    let options = &mount.options;
                    mount.kind == "cgroup" && options.split(',').any(|known| known == controller)
                })?;
                group(root, mount, path)
            });
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

fn group(root: &Path, mount: &Mount<'_>, path: &str) -> Option<Group> {
    let top = under(root, Path::new(&*mount.point))?;
    // A container without a namespace of its own sees the machine's path and its own mount.
    let inside = Path::new(path).strip_prefix(&*mount.root).ok();
    let folder = inside.and_then(|inside| under(&top, inside)).filter(|folder| folder.is_dir());
    let unified = mount.kind == "cgroup2";
    Some(Group { folder: folder.unwrap_or_else(|| top.clone()), top, unified })
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
                let groups = find(Path::new("/no/such/root"), text, V2.as_bytes());
                if let Some(group) = groups.unified {
                    prop_assert!(group.folder.starts_with("/no/such/root"));
                }
            }
        }
    }
}
