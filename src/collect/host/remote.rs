//! Filesystems that a server keeps, or another machine: a cluster, or who runs this virtual one.

/// Whether a server may have to be asked, which may be gone. `autofs` mounts when it is asked.
pub(crate) fn may_hang(kind: &str) -> bool {
    const REMOTE: [&str; 40] = [
        "9p",
        "acfs",
        "afpfs",
        "afs",
        "autofs",
        "beegfs",
        "beegfs_nodev",
        "ceph",
        "cifs",
        "coda",
        "cvfs",
        "davfs",
        "drvfs",
        "dvs",
        "fuse",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "macfuse",
        "ncp",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "osxfuse",
        "panfs",
        "prl_fs",
        "pvfs2",
        "scoutfs",
        "smb3",
        "smbfs",
        "sshfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
        "webdav",
        "wekafs",
    ];
    REMOTE.contains(&kind) || kind.starts_with("fuse.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_may_hang_and_disks_may_not() {
        assert!(
            ["nfs4", "cifs", "fuse.sshfs", "autofs", "beegfs", "gpfs", "virtiofs"]
                .into_iter()
                .all(may_hang)
        );
        let disks = ["ext4", "fuseblk", "tmpfs", "zfs", "overlay", "apfs", "NTFS"];
        assert!(!disks.into_iter().any(may_hang));
    }
}
