//! Temporary files: where every write begins, claimed by the living and swept when dead (rules W05, W06).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use rustix::fs::{AtFlags, Mode, OFlags, SeekFrom, fstat, openat, seek, unlinkat};
use rustix::io::{Errno, retry_on_intr, write};
use storage_core::{Error, ErrorKind, Result};

use crate::attributes;
use crate::errors::{doing, failed};
use crate::lock::try_claim;
use crate::root::{OpenRoot, open_temporaries};
use crate::sys::At;

/// A name that nobody else uses. The process's number alone would not do: two containers that share a root may both be
/// number 1.
pub(crate) fn unique() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    format!("{}-{:x}-{}", std::process::id(), *PROCESS, COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A file that becomes an object by a rename, or is removed when it is dropped.
pub(crate) struct Temp {
    directory: Arc<OwnedFd>,
    name: Option<String>,
    file: OwnedFd,
}

impl Temp {
    /// Makes an empty file in the control directory and claims it.
    pub(crate) fn create(root: &OpenRoot) -> Result<Self> {
        Self::create_in(|| root.temporaries(), "")
    }

    /// The same with a name that begins in a way of the caller's.
    pub(crate) fn named(root: &OpenRoot, start: &str) -> Result<Self> {
        Self::create_in(|| root.temporaries(), start)
    }

    /// The same file again, in the control directory of `directory`, which lies on another medium than the root.
    pub(crate) fn moved_near(&self, directory: BorrowedFd<'_>) -> Result<Self> {
        let temporaries =
            || open_temporaries(directory).map(Arc::new).map_err(doing("cannot make the control directory"));
        let near = Self::create_in(temporaries, "")?;
        let size = fstat(&self.file).map_err(doing("cannot look at the file"))?.st_size;
        seek(&self.file, SeekFrom::Start(0)).map_err(doing("cannot read the file"))?;
        copy_bytes(self.fd(), near.fd(), u64::try_from(size).unwrap_or(0))?;
        attributes::store(near.fd(), &attributes::load(self.fd())?)?;
        Ok(near)
    }

    fn create_in(directory: impl Fn() -> Result<Arc<OwnedFd>>, start: &str) -> Result<Self> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        loop {
            let (directory, name) = (directory()?, format!("{start}{}", unique()));
            match retry_on_intr(|| openat(&*directory, name.as_str(), flags, Mode::from_raw_mode(0o666))) {
                Ok(file) => {
                    let temp = Self { directory, name: Some(name), file };
                    if temp.is_ours().map_err(doing("cannot claim a temporary file"))? {
                        return Ok(temp);
                    }
                }
                // The control directory was removed just now.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed("cannot make a temporary file", errno)),
            }
        }
    }

    /// Claims the file; a sweep may have come between making it and this.
    fn is_ours(&self) -> rustix::io::Result<bool> {
        Ok(try_claim(self.file.as_fd())? && fstat(&self.file)?.st_nlink > 0)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Where the file is, for the rename.
    pub(crate) fn at(&self) -> Option<At<'_>> {
        self.name.as_deref().map(|name| At { dir: self.directory.as_fd(), name })
    }

    /// Fails once another program has removed the file, which then can never be renamed.
    pub(crate) fn check_alive(&self) -> Result<()> {
        match fstat(&self.file) {
            Ok(stat) if stat.st_nlink > 0 => Ok(()),
            _ => Err(Error::new(ErrorKind::Other, "another program removed the temporary file")),
        }
    }

    /// The file is an object now.
    pub(crate) fn committed(&mut self) {
        self.name = None;
    }

    pub(crate) fn write_all(&mut self, segments: &[Bytes]) -> Result<()> {
        for segment in segments {
            let mut rest = &segment[..];
            while !rest.is_empty() {
                match retry_on_intr(|| write(&self.file, rest)).map_err(doing("cannot write"))? {
                    0 => return Err(Error::new(ErrorKind::Other, "the file system wrote nothing")),
                    written => rest = &rest[written..],
                }
            }
        }
        Ok(())
    }
}

/// Copies bytes in the kernel where it can, so that they never pass through this process.
pub(crate) fn copy_bytes(source: BorrowedFd<'_>, target: BorrowedFd<'_>, size: u64) -> Result<()> {
    let duplicate = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map(std::fs::File::from);
    let copied = duplicate(source)
        .and_then(|mut source| duplicate(target).and_then(|mut target| std::io::copy(&mut source, &mut target)));
    match copied {
        Ok(copied) if copied == size => Ok(()),
        Ok(copied) => {
            let message = format!("the source changed its length from {size} to {copied} bytes while it was copied");
            Err(Error::new(ErrorKind::ObjectChanged, message))
        }
        Err(error) => Err(failed("cannot copy the bytes", Errno::from_io_error(&error).unwrap_or(Errno::IO))),
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            // What cannot be removed now is for the sweep.
            let _ = unlinkat(&*self.directory, name, AtFlags::empty());
        }
    }
}
