//! The system calls that differ between Linux and other systems: opening beneath a directory, and renames with a
//! condition.

#[cfg(target_os = "linux")]
mod linux;
mod portable;

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fsync};
use rustix::io::{Errno, Result};

/// Which calls are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sys {
    /// Linux's own.
    #[cfg(target_os = "linux")]
    Linux,
    /// Those of every Unix.
    Portable,
}

impl Sys {
    /// The best that this system has, unless only the portable calls are wanted.
    pub(crate) fn choose(portable: bool, root: BorrowedFd<'_>) -> Self {
        #[cfg(target_os = "linux")]
        if !portable && linux::obstacle(root).is_none() {
            return Self::Linux;
        }
        let _ = (portable, root);
        Self::Portable
    }

    /// Why the best calls cannot be used under a root, if they cannot.
    pub(crate) fn obstacle(root: BorrowedFd<'_>) -> Option<&'static str> {
        #[cfg(target_os = "linux")]
        return linux::obstacle(root);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = root;
            Some("only Linux has others")
        }
    }

    /// Opens a path beneath `root`, following symbolic links as long as they stay beneath it; `XDEV` where one leads
    /// out, or is absolute (rule S05). The path `""` is the root itself.
    pub(crate) fn open_beneath(self, root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux => linux::open_beneath(root, path, flags),
            Self::Portable => portable::open_beneath(root, path, flags),
        }
    }

    /// The same without waiting for the medium: `None` where that cannot be had.
    pub(crate) fn open_cached(self, root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Option<OwnedFd> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux => linux::open_cached(root, path, flags),
            Self::Portable => None,
        }
    }

    /// Reads without waiting for the medium: `None` where that cannot be had.
    pub(crate) fn read_cached(self, file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Option<usize> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux => linux::read_cached(file, buffer, offset),
            Self::Portable => None,
        }
    }

    /// Renames unless the new name exists (`EXIST`). The portable way is safe only under the lock of the new name's
    /// directory.
    pub(crate) fn rename_new(self, from: At<'_>, to: At<'_>) -> Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux => linux::rename_new(from, to),
            Self::Portable => portable::rename_new(from, to),
        }
    }

    /// Exchanges two names in one step; `None` where that cannot be had.
    pub(crate) fn exchange(self, one: At<'_>, other: At<'_>) -> Option<Result<()>> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux => Some(linux::exchange(one, other)),
            Self::Portable => None,
        }
    }

    /// Whether a name can be missing for a moment while its file is made a directory.
    pub(crate) fn has_gaps(self) -> bool {
        self == Self::Portable
    }
}

/// A name in an open directory.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) dir: BorrowedFd<'a>,
    pub(crate) name: &'a str,
}

/// Syncs a file or directory; a file system that cannot sync directories has nothing to lose.
pub(crate) fn sync(fd: BorrowedFd<'_>) -> Result<()> {
    match rustix::io::retry_on_intr(|| fsync(fd)) {
        Err(Errno::INVAL) => Ok(()),
        result => result,
    }
}
