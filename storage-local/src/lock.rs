//! The one lock of the protocol: `flock` on an open directory, so that nested roots, aliases by symbolic links and
//! other processes all meet in the same inode.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use storage_core::Result;

use crate::errors::doing;

/// A lock that is held until it is dropped. Never held over an await.
pub(crate) struct DirLock<'a>(BorrowedFd<'a>);

impl<'a> DirLock<'a> {
    /// Waits until nobody else holds the directory.
    pub(crate) fn exclusive(directory: &'a impl AsFd) -> Result<Self> {
        Self::take(directory.as_fd(), FlockOperation::LockExclusive)
    }

    /// Waits until nobody changes the directory.
    pub(crate) fn shared(directory: &'a impl AsFd) -> Result<Self> {
        Self::take(directory.as_fd(), FlockOperation::LockShared)
    }

    fn take(directory: BorrowedFd<'a>, how: FlockOperation) -> Result<Self> {
        retry_on_intr(|| flock(directory, how)).map_err(doing("cannot lock the directory"))?;
        Ok(Self(directory))
    }
}

impl Drop for DirLock<'_> {
    fn drop(&mut self) {
        // It can fail only for a descriptor that is not open; closing would unlock as well.
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

/// Marks a file or directory as used by a living process, so that no sweep takes it; false when it is in use.
pub(crate) fn try_claim(fd: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    match retry_on_intr(|| flock(fd, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno),
    }
}
