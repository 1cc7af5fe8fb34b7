//! `/proc/self/mountinfo`: what is mounted where.

use std::borrow::Cow;
use std::path::Path;

use crate::collect::linux::scan::{fields, lines, number};

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mount<'t> {
    id: u64,
    /// What it is mounted on.
    parent: u64,
    /// The filesystem: numbers of its device.
    pub(crate) device: &'t [u8],
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
        let (id, parent) = (number(fields.next()?)?, number(fields.next()?)?);
        let device = fields.next()?;
        let root = unescape(fields.next()?)?;
        let point = unescape(fields.next()?)?;
        // Then options and any number of tags, up to a hyphen.
        fields.find(|field| *field == b"-")?;
        let kind = std::str::from_utf8(fields.next()?).ok()?;
        let options = fields.nth(1).unwrap_or_default();
        let options = std::str::from_utf8(options).ok()?;
        Some(Mount { id, parent, device, root, point, kind, options })
    })
}

/// The mount that a path is on: the last that a walk down the path comes to. What is mounted over a
/// folder hides what was mounted below that before, so the deepest is not always it.
pub(crate) fn of_path<'m, 't>(mounts: &'m [Mount<'t>], path: &Path) -> Option<&'m Mount<'t>> {
    let over: Vec<&Mount<'_>> =
        mounts.iter().filter(|mount| path.starts_with(&*mount.point)).collect();
    // The next on the way, and the latest of those at one place.
    let next = |is_next: &dyn Fn(&Mount<'_>) -> bool| {
        let depth = |mount: &&Mount<'_>| Path::new(&*mount.point).components().count();
        over.iter().rev().copied().filter(|mount| is_next(mount)).min_by_key(depth)
    };
    let is_on =
        |mount: &Mount<'_>, other: &Mount<'_>| mount.parent == other.id && mount.id != other.id;
    let mut found = next(&|mount| !over.iter().any(|other| is_on(mount, other)))?;
    // No more steps than mounts, whatever the table says.
    for _ in 0..over.len() {
        let Some(deeper) = next(&|mount| is_on(mount, found)) else { break };
        found = deeper;
    }
    Some(found)
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
        40 23 0:9 / /data rw - ext4 /dev/vdb rw\n41 40 0:10 / /data rw - nfs4 host:/x rw\n\
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

    /// Who mounts over a folder hides what was mounted below it.
    #[test]
    fn what_is_covered_is_not_seen() {
        let text = b"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /data/deep rw - xfs x rw\n\
            3 1 0:3 / /data rw - tmpfs x rw\n4 3 0:4 / /data/other rw - btrfs x rw\n";
        let mounts: Vec<Mount<'_>> = parse(text).collect();
        let kind = |path: &str| of_path(&mounts, Path::new(path)).map(|mount| mount.kind);
        assert_eq!(kind("/data/deep/er"), Some("tmpfs"));
        assert_eq!(kind("/data/other/x"), Some("btrfs"));
        assert_eq!(kind("/dat"), Some("ext4"));
    }

    /// Mounts as the kernel makes them: on what a path shows at that time.
    fn mounted(points: &[String]) -> String {
        let mut text = "1 0 0:1 / / rw - kind1 x rw\n".to_owned();
        for (id, point) in (2..).zip(points) {
            let on = naive(&parse(text.as_bytes()).collect::<Vec<_>>(), Path::new(point));
            text += &format!("{id} {on} 0:{id} / {point} rw - kind{id} x rw\n");
        }
        text
    }

    /// Walks down from the first mount, at each step to what is mounted there.
    fn naive(mounts: &[Mount<'_>], path: &Path) -> u64 {
        let prefixes: Vec<&Path> = path.ancestors().collect();
        prefixes.iter().rev().fold(1, |mut id, prefix| {
            let on = |id: u64| {
                let mut mounts = mounts.iter();
                mounts.find(|mount| mount.parent == id && Path::new(&*mount.point) == *prefix)
            };
            while let Some(next) = on(id) {
                id = next.id;
            }
            id
        })
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..300),
            text in "([0-9]{1,3} | - |/|\\\\0|\\\\040|[a-z]{1,3} |\n){0,40}")
        {
            let _ = parse(&bytes).count() + parse(text.as_bytes()).count();
        }

        #[test]
        fn a_path_is_on_what_a_walk_finds(points in proptest::collection::vec("(/[ab]){1,3}", 0..9),
            path in "(/[ab]){1,4}")
        {
            let text = mounted(&points);
            let mounts: Vec<Mount<'_>> = parse(text.as_bytes()).collect();
            let found = of_path(&mounts, Path::new(&path)).map(|mount| mount.id);
            prop_assert_eq!(found, Some(naive(&mounts, Path::new(&path))));
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
