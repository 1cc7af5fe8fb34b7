//! `/proc/self/mountinfo`: what is mounted where.

use std::borrow::Cow;
use std::path::Path;

use crate::collect::linux::scan::{fields, lines};

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mount<'t> {
    /// What part of the filesystem is mounted; for a cgroup, which group.
    pub(crate) root: Cow<'t, str>,
    /// Where.
    pub(crate) point: Cow<'t, str>,
    /// Of what type.
    pub(crate) kind: &'t str,
    /// The filesystem's own options; for a cgroup of the first version, its controllers.
    pub(crate) options: &'t str,
}

/// The mounts in the order they were made. What is not understood is left out.
pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    lines(text).filter_map(|line| {
        let mut fields = fields(line);
        let root = unescape(fields.nth(3)?)?;
        let point = unescape(fields.next()?)?;
        // Then options and any number of tags, up to a hyphen.
        fields.find(|field| *field == b"-")?;
        let kind = std::str::from_utf8(fields.next()?).ok()?;
        let options = fields.nth(1).unwrap_or_default();
        Some(Mount { root, point, kind, options: std::str::from_utf8(options).ok()? })
    })
}

/// The mount that a path is on: of those it lies under the deepest, and of two on one place the
/// later, which covers the other.
pub(crate) fn of_path<'t>(mounts: &[Mount<'t>], path: &Path) -> Option<Mount<'t>> {
    let under = mounts.iter().filter(|mount| path.starts_with(&*mount.point));
    under.max_by_key(|mount| Path::new(&*mount.point).components().count()).cloned()
}

/// Whether a server may have to be asked, which may be gone. `autofs` mounts when it is asked.
pub(crate) fn may_hang(kind: &str) -> bool {
    const REMOTE: [&str; 15] = [
        "9p",
        "afs",
        "autofs",
        "ceph",
        "cifs",
        "davfs",
        "fuse",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
    ];
    REMOTE.contains(&kind) || kind.starts_with("fuse.")
}

/// The kernel writes blanks and backslashes as `\040` and the like.
fn unescape(field: &[u8]) -> Option<Cow<'_, str>> {
    if !field.contains(&b'\\') {
        return std::str::from_utf8(field).ok().map(Cow::Borrowed);
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "23 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n\
        31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        40 23 0:9 / /data rw - ext4 /dev/vdb rw\n41 23 0:10 / /data rw - nfs4 host:/x rw\n\
        42 23 0:11 /a\\040b /my\\040disk rw - fuse.sshfs x\nodd\n44 1 0:1 / /cut rw shared:1\n";

    #[test]
    fn tags_are_skipped_and_names_unescaped() {
        let mounts: Vec<Mount<'_>> = parse(TEXT.as_bytes()).collect();
        assert_eq!(mounts.len(), 5);
        assert_eq!((&*mounts[0].point, mounts[0].kind), ("/", "ext4"));
        assert_eq!((&*mounts[4].root, &*mounts[4].point), ("/a b", "/my disk"));
        assert_eq!(mounts[1].options, "rw,mode=755");
    }

    #[test]
    fn a_path_is_on_the_deepest_and_latest_mount() {
        let mounts: Vec<Mount<'_>> = parse(TEXT.as_bytes()).collect();
        let kind = |path: &str| of_path(&mounts, Path::new(path)).map(|mount| mount.kind);
        assert_eq!(kind("/database"), Some("ext4"));
        assert_eq!(kind("/data/set"), Some("nfs4"));
        assert_eq!(kind("/my disk/x"), Some("fuse.sshfs"));
        assert_eq!(kind("relative"), None);
    }

    #[test]
    fn servers_may_hang_and_disks_may_not() {
        assert!(["nfs4", "cifs", "fuse.sshfs", "autofs"].into_iter().all(may_hang));
        assert!(!["ext4", "fuseblk", "tmpfs", "zfs", "overlay"].into_iter().any(may_hang));
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..300),
            text in "([0-9]{1,3} | - |/|\\\\0|\\\\040|[a-z]{1,3} |\n){0,40}")
        {
            let _ = parse(&bytes).count() + parse(text.as_bytes()).count();
        }

        #[test]
        fn names_come_back(name in "/[a-z \\\\\t]{0,9}") {
            let mut escaped = String::new();
            for byte in name.bytes() {
                match byte {
                    b' ' | b'\t' | b'\\' => escaped += &format!("\\{byte:03o}"),
                    _ => escaped.push(char::from(byte)),
                }
            }
            let name = Cow::Owned::<str>(name);
            prop_assert_eq!(unescape(escaped.as_bytes()), Some(name));
        }
    }
}
