//! The root directory: held open, made by the first write, noticed when it is gone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timestamps, fstat, futimens, mkdirat, open, openat, stat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use storage_core::{Error, ErrorKind, Result};

use crate::attributes;
use crate::errors::{doing, failed};
use crate::folding::PROBE;
use crate::names::CONTROL;
use crate::options::{Durability, LocalOptions};
use crate::stat::{Inode, found, modified_nanos, timespec};
use crate::sys::{Sys, sync};
use crate::temp::Temp;

/// How every directory is opened: good for locking and syncing, and never by way of a symbolic link.
pub(crate) const DIRECTORY: OFlags =
    OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// How a directory beneath the root is opened when links inside the root may lead there.
pub(crate) const DIRECTORY_BENEATH: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// A root, whether it exists or not.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    pub(crate) options: LocalOptions,
    open: RwLock<Option<Arc<OpenRoot>>>,
}

/// A root directory that is held open.
#[derive(Debug)]
pub(crate) struct OpenRoot {
    pub(crate) fd: OwnedFd,
    pub(crate) sys: Sys,
    pub(crate) durable: bool,
    /// The file system keeps attributes with a file.
    pub(crate) attributes: bool,
    inode: Inode,
    /// The file system has been found good for writing.
    proven: AtomicBool,
    temporaries: Mutex<Option<Arc<OwnedFd>>>,
}

impl Root {
    pub(crate) fn new(path: PathBuf, options: LocalOptions) -> Self {
        Self { path, options, open: RwLock::new(None) }
    }

    /// The directory as it was last seen; no system call.
    pub(crate) fn cached(&self) -> Option<Arc<OpenRoot>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The directory for reading. `None` where the first write will make it; `BackendNotFound` where it is missing, or
    /// was there and is gone.
    pub(crate) fn current(&self) -> Result<Option<Arc<OpenRoot>>> {
        let cached = self.cached();
        match stat(&self.path) {
            Ok(stat) => match cached {
                Some(root) if root.inode == Inode::of(&stat) => Ok(Some(root)),
                _ => self.reopen().map(Some),
            },
            Err(Errno::NOENT) if self.options.create && cached.is_none() => Ok(None),
            Err(errno) => Err(self.unreachable(errno)),
        }
    }

    /// The directory for reading what must be there: an unmade root holds nothing.
    pub(crate) fn existing(&self) -> Result<Arc<OpenRoot>> {
        self.current()?.ok_or_else(Error::not_found)
    }

    /// The directory for writing; made now, if it may be.
    pub(crate) fn writable(&self) -> Result<Arc<OpenRoot>> {
        let root = match self.current() {
            Ok(Some(root)) => root,
            Ok(None) => self.make()?,
            Err(error) if error.kind() == ErrorKind::BackendNotFound && self.options.create => self.make()?,
            Err(error) => return Err(error),
        };
        root.prove(self)?;
        Ok(root)
    }

    fn make(&self) -> Result<Arc<OpenRoot>> {
        make_all(&self.path, self.options.durability).map_err(|errno| self.unreachable(errno))?;
        self.reopen()
    }

    fn reopen(&self) -> Result<Arc<OpenRoot>> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| open(&self.path, flags, Mode::empty())).map_err(|errno| self.unreachable(errno))?;
        let root = Arc::new(OpenRoot {
            inode: Inode::of_open(fd.as_fd()).map_err(doing("cannot look at the root"))?,
            sys: Sys::choose(self.options.portable, fd.as_fd()),
            durable: self.options.durability == Durability::Full,
            attributes: attributes::are_kept(fd.as_fd()),
            proven: AtomicBool::new(false),
            temporaries: Mutex::new(None),
            fd,
        });
        if self.options.folding.folds(root.fd.as_fd())? {
            return Err(self.folding());
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // One that another call has opened meanwhile is kept: dropping it would remove the control directory under it.
        if let Some(other) = open.as_ref().filter(|other| other.inode == root.inode) {
            return Ok(Arc::clone(other));
        }
        *open = Some(Arc::clone(&root));
        Ok(root)
    }

    fn unreachable(&self, errno: Errno) -> Error {
        let path = self.path.display();
        match errno {
            Errno::NOENT => Error::new(ErrorKind::BackendNotFound, format!("the root {path} does not exist"))
                .with_help("make the directory, or let the first write make it (create)"),
            Errno::NOTDIR => Error::configuration(format!("the root {path} is a file, or lies under one"))
                .with_help("choose a directory"),
            errno => failed(&format!("cannot open the root {path}"), errno),
        }
    }

    fn folding(&self) -> Error {
        Error::configuration(format!("the file system of {} takes different names for one", self.path.display()))
            .with_help("keys that differ in case or normal form would merge: choose a directory that keeps names apart")
    }
}

impl OpenRoot {
    /// Fails once the directory has been removed; for loops that wait for others to get out of the way.
    pub(crate) fn check_alive(&self) -> Result<()> {
        match fstat(&self.fd) {
            Ok(stat) if stat.st_nlink > 0 => Ok(()),
            _ => Err(Error::new(ErrorKind::BackendNotFound, "the root was removed meanwhile")
                .with_help("make the directory again")),
        }
    }

    /// The directory of temporary files; made where it is missing, or was removed with a root around this one.
    pub(crate) fn temporaries(&self) -> Result<Arc<OwnedFd>> {
        let mut held = self.temporaries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fd) = held.as_ref().filter(|fd| fstat(fd).is_ok_and(|stat| stat.st_nlink > 0)) {
            return Ok(Arc::clone(fd));
        }
        let fd = open_temporaries(self.fd.as_fd()).or_else(|errno| {
            self.check_alive()?;
            Err(match errno {
                Errno::NOTDIR | Errno::LOOP => Error::configuration("the control directory .%ctl is no directory")
                    .with_help("remove what has its name, or choose another root"),
                errno => failed("cannot make the control directory", errno),
            })
        })?;
        Ok(Arc::clone(held.insert(Arc::new(fd))))
    }

    /// The directory of temporary files if there is one; reading makes none.
    pub(crate) fn existing_temporaries(&self) -> rustix::io::Result<Option<OwnedFd>> {
        match found(openat(&self.fd, CONTROL, DIRECTORY, Mode::empty()))? {
            Some(control) => found(openat(control, "tmp", DIRECTORY, Mode::empty())),
            None => Ok(None),
        }
    }

    /// Before the first write: finds out whether the file system will do.
    fn prove(self: &Arc<Self>, root: &Root) -> Result<()> {
        if self.proven.load(Ordering::Relaxed) {
            return Ok(());
        }
        let probe = Temp::named(self, PROBE)?;
        if probe.at().is_some_and(|file| root.options.folding.folds_new(file)) {
            return Err(root.folding());
        }
        let odd = 1_000_000_000_123_456_789;
        let times = Timestamps { last_access: timespec(odd), last_modification: timespec(odd) };
        futimens(probe.fd(), &times).map_err(doing("cannot set a file's time"))?;
        let kept = fstat(probe.fd()).map_err(doing("cannot look at a file"))?;
        if modified_nanos(&kept) != odd {
            return Err(Error::configuration(format!(
                "the file system of {} keeps no nanoseconds",
                root.path.display()
            ))
            .with_help("changes could go unnoticed there: choose a directory on another file system"));
        }
        self.proven.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for OpenRoot {
    /// Leaves no empty control directory behind; another handle that still uses it makes it again.
    fn drop(&mut self) {
        let used = self.temporaries.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if used.is_some()
            && let Ok(control) = openat(&self.fd, CONTROL, DIRECTORY, Mode::empty())
            && unlinkat(&control, "tmp", AtFlags::REMOVEDIR).is_ok()
        {
            let _ = unlinkat(&self.fd, CONTROL, AtFlags::REMOVEDIR);
        }
    }
}

/// The control directory's place for temporary files, in any directory: a root's, or one on a nested mount.
pub(crate) fn open_temporaries(root: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    for _ in 0..MAKING_ATTEMPTS {
        let control = open_or_make(root, CONTROL)?;
        match open_or_make(control.as_fd(), "tmp") {
            // A handle that was closed just now has removed the control directory.
            Err(Errno::NOENT) => {}
            result => return result,
        }
    }
    Err(Errno::NOENT)
}

fn open_or_make(dir: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    loop {
        match openat(dir, name, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => match mkdirat(dir, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            },
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// How often the making of a directory starts again because the one above went away meanwhile. There are file systems,
/// such as `/proc`, that say so for ever.
const MAKING_ATTEMPTS: usize = 8;

/// Makes a directory and those above it; what is made is durable.
fn make_all(path: &Path, durability: Durability) -> rustix::io::Result<()> {
    for _ in 0..MAKING_ATTEMPTS {
        match mkdirat(CWD, path, Mode::from_raw_mode(0o777)) {
            Err(Errno::NOENT) => make_all(path.parent().ok_or(Errno::NOENT)?, durability)?,
            Err(Errno::EXIST) => return Ok(()),
            Err(errno) => return Err(errno),
            Ok(()) => return sync_above(path, durability),
        }
    }
    Err(Errno::NOENT)
}

fn sync_above(path: &Path, durability: Durability) -> rustix::io::Result<()> {
    match path.parent() {
        Some(above) if durability == Durability::Full => {
            let above = open(above, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            sync(above.as_fd())
        }
        _ => Ok(()),
    }
}
