//! What a directory lies on: the kind of file system, and how much room is left.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use storage_core::diagnosis::Finding;
use storage_core::{Error, ErrorKind, Result};

use crate::errors::doing;

const MIB: u64 = 1 << 20;

/// Less room than this is worth a note.
const LITTLE: u64 = 256 * MIB;

/// Fewer files than this are.
const FEW: u64 = 1000;

pub(super) fn kind(path: &Path) -> Result<Finding> {
    const CHECK: &str = "file system";
    let name = name(path)?;
    let flags = statvfs(path).map_err(doing("cannot ask the file system"))?.f_flag;
    if flags.contains(StatVfsMountFlags::RDONLY) {
        return Ok(Finding::note(
            CHECK,
            format!("{name}, mounted read-only"),
            "mount it for writing, if it is to be written",
        ));
    }
    Ok(match name.as_str() {
        "nfs" | "smb" | "9p" | "afs" => Finding::note(
            CHECK,
            format!("{name}: a network file system"),
            "see that flock works between all machines that use the directory",
        ),
        _ => Finding::good(CHECK, name),
    })
}

pub(super) fn space(path: &Path) -> Result<Finding> {
    const CHECK: &str = "space";
    let stat = statvfs(path).map_err(doing("cannot ask the file system"))?;
    let (free, whole) = (stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize);
    // A file system that makes its inodes as they are needed says that it has none.
    let inodes = (stat.f_files > 0).then_some(stat.f_favail);
    let files = inodes.map_or_else(|| "any number of files".to_owned(), |inodes| format!("{inodes} files"));
    let seen = format!("{} MiB of {} MiB free, room for {files}", free / MIB, whole / MIB);
    Ok(match (free, inodes.unwrap_or(u64::MAX)) {
        (0, _) | (_, 0) => Finding::failed(
            CHECK,
            &Error::new(ErrorKind::OutOfSpace, seen).with_help("free some space or some files, or raise the quota"),
        ),
        (..LITTLE, _) | (_, ..FEW) => Finding::note(CHECK, seen, "free some space or some files before it ends"),
        _ => Finding::good(CHECK, seen),
    })
}

/// The names of file systems by their numbers (linux/magic.h, and those of file systems that live outside).
#[cfg(target_os = "linux")]
fn name(path: &Path) -> Result<String> {
    const NAMES: [(u32, &str); 19] = [
        (0xef53, "ext2, ext3 or ext4"),
        (0x5846_5342, "xfs"),
        (0x9123_683e, "btrfs"),
        (0x0102_1994, "tmpfs: in memory, gone with the machine's next start"),
        (0x794c_7630, "overlayfs"),
        (0x2fc1_2fc1, "zfs"),
        (0xca45_1a4e, "bcachefs"),
        (0xf2f5_2010, "f2fs"),
        (0x4d44, "fat"),
        (0x2011_bab0, "exfat"),
        (0x5346_544e, "ntfs"),
        (0x7366_746e, "ntfs"),
        (0x6969, "nfs"),
        (0x517b, "smb"),
        (0xff53_4d42, "smb"),
        (0xfe53_4d42, "smb"),
        (0x6573_5546, "fuse"),
        (0x0102_1997, "9p"),
        (0x00c3_6400, "ceph"),
    ];
    let stat = rustix::fs::statfs(path).map_err(doing("cannot ask the file system"))?;
    let number = stat.f_type as u32;
    let known = NAMES.iter().find(|(other, _)| *other == number);
    Ok(known.map_or_else(|| format!("of the number {number:#x}"), |(_, name)| (*name).to_owned()))
}

#[cfg(not(target_os = "linux"))]
fn name(_: &Path) -> Result<String> {
    Ok("of a kind that this system does not tell".to_owned())
}
