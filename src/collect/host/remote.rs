//! Filesystems that a server keeps.

/// Whether a server may have to be asked, which may be gone. `autofs` mounts when it is asked.
pub(crate) fn may_hang(kind: &str) -> bool {
    const REMOTE: [&str; 19] = [
        "9p",
        "afpfs",
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
        "osxfuse",
        "smb3",
        "smbfs",
        "macfuse",
        "webdav",
    ];
    REMOTE.contains(&kind) || kind.starts_with("fuse.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_may_hang_and_disks_may_not() {
        assert!(["nfs4", "cifs", "fuse.sshfs", "autofs", "smbfs"].into_iter().all(may_hang));
        let disks = ["ext4", "fuseblk", "tmpfs", "zfs", "overlay", "apfs", "NTFS"];
        assert!(!disks.into_iter().any(may_hang));
    }
}
