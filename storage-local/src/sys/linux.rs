//! Linux: `openat2`, `preadv2`, `renameat2`.

use std::io::IoSliceMut;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RenameFlags, ResolveFlags, fstatfs, openat2, renameat_with};
use rustix::io::{Errno, ReadWriteFlags, Result, preadv2};

use super::At;

const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// File systems that cannot exchange two names, or not always: network ones and those of programs (linux/magic.h).
const NO_EXCHANGE: [u32; 8] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2 and later
    0x6573_5546, // FUSE
    0x0102_1997, // 9P
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
];

/// Why these calls cannot be used, if they cannot: the kernel has no `openat2` (5.6), something forbids it, or the file
/// system cannot exchange names.
pub(super) fn obstacle(root: BorrowedFd<'_>) -> Option<&'static str> {
    // The numbers have 32 bits, whatever the field has.
    if fstatfs(root).is_ok_and(|stat| NO_EXCHANGE.contains(&(stat.f_type as u32))) {
        return Some("the file system cannot exchange two names");
    }
    let tried = open_beneath(root, ".", OFlags::DIRECTORY | OFlags::CLOEXEC);
    // Whatever else fails, such as too many open files, passes, or fails the operation that comes next.
    let lacking = matches!(tried, Err(Errno::NOSYS | Errno::PERM | Errno::INVAL));
    lacking.then_some("the kernel lacks openat2, or something forbids it")
}

pub(super) fn open_beneath(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
    loop {
        match openat2(root, path, flags, Mode::empty(), BENEATH) {
            // AGAIN: a rename elsewhere made the kernel unsure whether the path stayed beneath.
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

pub(super) fn open_cached(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Option<OwnedFd> {
    openat2(root, path, flags, Mode::empty(), BENEATH | ResolveFlags::CACHED).ok()
}

pub(super) fn read_cached(file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Option<usize> {
    preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT).ok()
}

pub(super) fn rename_new(from: At<'_>, to: At<'_>) -> Result<()> {
    match renameat_with(from.dir, from.name, to.dir, to.name, RenameFlags::NOREPLACE) {
        // A file system without the flag; the caller holds the lock of the new name's directory.
        Err(Errno::INVAL) => super::portable::rename_new(from, to),
        result => result,
    }
}

pub(super) fn exchange(from: At<'_>, to: At<'_>) -> Result<()> {
    renameat_with(from.dir, from.name, to.dir, to.name, RenameFlags::EXCHANGE)
}
