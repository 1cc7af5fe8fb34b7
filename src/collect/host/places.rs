//! Which mounts the chosen paths are on.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::mounts::{self, Mount};
use super::remote::may_hang;
use crate::collect::Failures;
use crate::collect::linux::{Buffer, HeldFile, Root};

/// Which of the chosen paths a collector looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Only {
    Local,
    MayHang,
}

/// Looks the mounts up in the kernel's table, again each time that changes.
pub(crate) struct Places {
    root: Root,
    paths: Vec<PathBuf>,
    only: Only,
    buffer: Buffer,
    table: Table,
    /// This process's own mounts, where the others are another machine's.
    own: Option<Table>,
}

struct Table {
    file: HeldFile,
    text: Vec<u8>,
}

/// A mount that is asked.
#[derive(Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) point: String,
    pub(crate) kind: String,
    /// Where it is found from here.
    pub(crate) path: PathBuf,
}

/// As many as the kernel follows.
const MOST_LINKS: u32 = 40;

impl Places {
    pub(crate) fn new(root: &Path, paths: Vec<PathBuf>, only: Only) -> Self {
        let root = Root::new(root);
        let own = root.is_mounted_elsewhere().then(|| Table::new(root.join("proc/self/mountinfo")));
        let table = Table::new(root.of_machine("mountinfo"));
        Self { root, paths, only, buffer: Buffer::new(), table, own }
    }

    /// The mounts that the paths are on, each once, if they may be others than before. May hang as
    /// those that it looks at may: local ones ask no server.
    pub(crate) fn choose(&mut self, failures: &mut Failures) -> Option<Vec<Place>> {
        self.buffer.begin();
        let mut is_changed = self.table.read(&mut self.buffer, failures);
        if let Some(own) = &mut self.own {
            is_changed |= own.read(&mut self.buffer, failures);
        }
        if !is_changed {
            return None;
        }
        let mounts: Vec<Mount<'_>> = mounts::parse(&self.table.text).collect();
        let mut places: Vec<Place> = Vec::new();
        for path in &self.paths {
            let Some(mount) = mounts::of_path(&mounts, &self.resolve(path, &mounts)) else {
                continue;
            };
            let is_wanted = may_hang(mount.kind) == (self.only == Only::MayHang);
            if !is_wanted || places.iter().any(|there| there.point == mount.point) {
                continue;
            }
            let (point, kind) = (mount.point.clone().into_owned(), mount.kind.to_owned());
            match self.find(mount) {
                Some(path) => places.push(Place { point, kind, path }),
                None => {
                    let root = self.root.path().display();
                    failures.add("mount", format!("{point} is not mounted below {root}"));
                }
            }
        }
        Some(places)
    }

    /// Where a mount is found from here. Of another machine's it is `None` if something else is
    /// at its place: what is not mounted into a container too is a folder of its own there.
    fn find(&self, mount: &Mount<'_>) -> Option<PathBuf> {
        let point = mount.point.trim_start_matches('/');
        if let Some(own) = &self.own {
            let own: Vec<Mount<'_>> = mounts::parse(&own.text).collect();
            let here = fs::canonicalize(self.root.path()).ok()?.join(point);
            mounts::of_path(&own, &here).filter(|there| there.device == mount.device)?;
        }
        Some(self.root.join(point))
    }

    /// The path without symbolic links, as far as it can be told without asking a filesystem that
    /// may hang, unless that is what we are here for.
    fn resolve(&self, path: &Path, mounts: &[Mount<'_>]) -> PathBuf {
        let mut real = PathBuf::from("/");
        let mut rest = parts(path);
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == ".." {
                real.pop();
                continue;
            }
            real.push(part);
            let on = mounts::of_path(mounts, &real);
            if on.is_some_and(|on| may_hang(on.kind)) && self.only == Only::Local {
                real.extend(rest.drain(..).rev());
                break;
            }
            // What is mounted there is a folder; looking would ask it.
            if on.is_some_and(|on| *on.point == *real) || links == MOST_LINKS {
                continue;
            }
            let below = real.strip_prefix("/").unwrap_or(&real);
            if let Ok(target) = fs::read_link(self.root.join(below)) {
                links += 1;
                real.pop();
                if target.is_absolute() {
                    real = PathBuf::from("/");
                }
                rest.extend(parts(&target));
            }
        }
        real
    }
}

/// The names on the way, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    let named = parts.filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.map(|part| part.as_os_str().to_owned()).collect()
}

impl Table {
    fn new(path: PathBuf) -> Self {
        Self { file: HeldFile::long_records(path), text: Vec::new() }
    }

    /// Whether it says something else than before.
    fn read(&mut self, buffer: &mut Buffer, failures: &mut Failures) -> bool {
        let text =
            failures.check("mountinfo", self.file.read(buffer)).flatten().unwrap_or_default();
        let is_changed = text != self.text;
        if is_changed {
            self.text = text.to_vec();
        }
        is_changed
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const TABLE: &str = "1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /mnt/disk rw - xfs x rw\n\
        3 1 0:3 / /mnt/away rw - nfs4 x rw\n";

    /// A tree with this table of mounts.
    fn tree(name: &str, table: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("nissa-places-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("proc/self")).unwrap();
        fs::write(root.join("proc/self/mountinfo"), table).unwrap();
        root
    }

    fn points(root: &Path, paths: &[&str], only: Only) -> Vec<String> {
        let paths = paths.iter().map(PathBuf::from).collect();
        let mut failures = Failures::new();
        let places = Places::new(root, paths, only).choose(&mut failures);
        assert!(failures.is_empty(), "{failures}");
        places.unwrap_or_default().into_iter().map(|place| place.point).collect()
    }

    #[test]
    fn links_lead_to_what_they_point_to() {
        let root = tree("links", TABLE);
        fs::create_dir_all(root.join("var/deep")).unwrap();
        symlink("/mnt/disk/set", root.join("data")).unwrap();
        symlink("../../data", root.join("var/deep/data")).unwrap();
        symlink("/mnt/away", root.join("far")).unwrap();
        symlink("/loop", root.join("loop")).unwrap();
        let local = |path| points(&root, &[path], Only::Local);
        assert_eq!(local("/data/x"), ["/mnt/disk"]);
        assert_eq!(local("/var/deep/data"), ["/mnt/disk"]);
        assert_eq!(local("/var/deep/../.."), ["/"]);
        assert_eq!(local("/loop/x"), ["/"]);
        assert_eq!(local("/far/x"), [""; 0]);
        assert_eq!(points(&root, &["/far/x"], Only::MayHang), ["/mnt/away"]);
        assert_eq!(points(&root, &["/data", "/mnt/disk/y", "/"], Only::Local), ["/mnt/disk", "/"]);
        fs::remove_dir_all(root).unwrap();
    }

    /// A link that lies on a server is not read by who looks at local filesystems.
    #[test]
    fn no_server_is_asked_for_a_local_filesystem() {
        let root = tree("servers", TABLE);
        fs::create_dir_all(root.join("mnt/away")).unwrap();
        symlink("/mnt/disk", root.join("mnt/away/back")).unwrap();
        assert_eq!(points(&root, &["/mnt/away/back"], Only::Local), [""; 0]);
        assert_eq!(points(&root, &["/mnt/away/back"], Only::MayHang), [""; 0]);
        fs::remove_dir_all(root).unwrap();
    }
}
