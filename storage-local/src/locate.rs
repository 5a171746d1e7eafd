//! Finding the file of a key.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, Stat, fstat, mkdirat, openat, statat, unlinkat};
use rustix::io::{Errno, Result};
use storage_core::Error;

use crate::errors::is_missing;
use crate::level::open_level;
use crate::lock::DirLock;
use crate::names::{CONTROL, SELF, split};
use crate::promote;
use crate::root::{DIRECTORY, DIRECTORY_BENEATH, OpenRoot};
use crate::stat::{found, is_directory, is_file, is_symlink};
use crate::sys::{At, sync};

/// How an object is opened: a FIFO in its place must not make anybody wait.
pub(crate) const OBJECT: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Opens the file of an object for reading.
pub(crate) fn open_object(root: &OpenRoot, path: &str) -> Result<Option<(OwnedFd, Stat)>> {
    if let Some(object) = look(root, path)? {
        return Ok(Some(object));
    }
    if !root.sys.has_gaps() {
        return Ok(None);
    }
    // Somebody may be making a directory of it: look again when nobody is, and finish what a crash left.
    while let Some(parent) = found(open_parent(root, path))? {
        let lock = DirLock::shared(&parent).map_err(|_| Errno::NOLCK)?;
        let object = look(root, path)?;
        if object.is_some() || !promote::is_interrupted(root, parent.as_fd(), split(path).1)? {
            return Ok(object);
        }
        drop(lock);
        promote::recover(root)?;
    }
    Ok(None)
}

/// The object that a name stands for: the file itself, or the one that a directory holds as its own. A link to a file is
/// an object too; one to a directory is a way to what is under it, and no object.
fn look(root: &OpenRoot, path: &str) -> Result<Option<(OwnedFd, Stat)>> {
    let file = match root.sys.open_beneath(root.fd.as_fd(), path, OBJECT) {
        // A socket, or a device without a driver.
        Err(Errno::NXIO | Errno::NODEV) => return Ok(None),
        file => file,
    };
    let Some(file) = found(file)? else { return Ok(None) };
    let stat = fstat(&file)?;
    if is_file(&stat) {
        return Ok(Some((file, stat)));
    }
    if !is_directory(&stat) {
        return Ok(None);
    }
    let Some(file) = found(root.sys.open_beneath(root.fd.as_fd(), path, DIRECTORY))? else {
        return Ok(None);
    };
    let Some(own) = found(openat(&file, SELF, OBJECT | OFlags::NOFOLLOW, Mode::empty()))? else {
        return Ok(None);
    };
    let stat = fstat(&own)?;
    Ok(is_file(&stat).then_some((own, stat)))
}

/// Where the file of a key is, or will be, as seen under the lock of the key's directory.
pub(crate) struct Slot<'a> {
    parent: BorrowedFd<'a>,
    /// The directory of the key's own name, where it is one.
    level: Option<OwnedFd>,
    name: &'a str,
    /// The object that is there.
    pub(crate) object: Option<Stat>,
    /// What is there that is no file or directory of this driver.
    foreign: Option<Foreign>,
}

/// What another program may have put in the place of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Foreign {
    /// A link to a file, to nowhere or out of the root: a write replaces it, a delete removes it.
    Link,
    /// A link to a directory: keys that lie under it would be lost with it.
    LinkToDirectory,
    /// A FIFO, socket or device, or a directory where a file is meant.
    Other,
}

impl<'a> Slot<'a> {
    /// Looks at the last name of `path` in its open directory.
    pub(crate) fn find(root: &OpenRoot, parent: BorrowedFd<'a>, path: &'a str) -> Result<Self> {
        let name = split(path).1;
        let mut slot = Slot { parent, level: None, name, object: None, foreign: None };
        let Some(stat) = found(statat(parent, name, AtFlags::SYMLINK_NOFOLLOW))? else {
            return Ok(slot);
        };
        if is_file(&stat) {
            slot.object = Some(stat);
        } else if is_directory(&stat) {
            let level = openat(parent, name, DIRECTORY, Mode::empty())?;
            let own = found(statat(&level, SELF, AtFlags::SYMLINK_NOFOLLOW))?;
            slot.foreign = own.filter(|own| !is_file(own)).map(|_| Foreign::Other);
            slot.object = own.filter(is_file);
            slot.level = Some(level);
        } else if is_symlink(&stat) {
            slot.foreign = Some(Foreign::Link);
            match look(root, path) {
                Ok(Some((_, stat))) => slot.object = Some(stat),
                Ok(None) if open_level(root, path)?.is_some() => slot.foreign = Some(Foreign::LinkToDirectory),
                // It leads nowhere, or out of the root.
                Ok(None) | Err(Errno::XDEV) => {}
                Err(errno) => return Err(errno),
            }
        } else {
            slot.foreign = Some(Foreign::Other);
        }
        Ok(slot)
    }

    /// Nothing is there.
    pub(crate) fn is_free(&self) -> bool {
        self.object.is_none() && self.foreign.is_none()
    }

    /// Whether the object is reached by a link, not by its own name.
    pub(crate) fn is_link(&self) -> bool {
        matches!(self.foreign, Some(Foreign::Link | Foreign::LinkToDirectory))
    }

    /// Whether deleting removes a name: an object's, or that of a link that is in the way of one.
    pub(crate) fn is_removable(&self) -> bool {
        self.object.is_some() || self.foreign == Some(Foreign::Link)
    }

    /// Fails where a write would take keys along that lie under a link to a directory, or where a directory of another
    /// program is in the way.
    pub(crate) fn check_replaceable(&self) -> storage_core::Result<()> {
        match self.foreign {
            Some(Foreign::LinkToDirectory) => Err(Error::unsupported("the key is a symbolic link to a directory")
                .with_help("write to the key that the link leads to, or remove the link")),
            Some(Foreign::Other) if self.is_level() => {
                Err(Error::unsupported("another program has taken the name .%self in the key's directory")
                    .with_help("remove what has the name"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the key's own name is a directory.
    pub(crate) fn is_level(&self) -> bool {
        self.level.is_some()
    }

    /// The directory entry to change.
    pub(crate) fn at(&self) -> At<'_> {
        match &self.level {
            Some(level) => At { dir: level.as_fd(), name: SELF },
            None => At { dir: self.parent, name: self.name },
        }
    }
}

/// Opens the directory of a path's last name.
pub(crate) fn open_parent(root: &OpenRoot, path: &str) -> Result<OwnedFd> {
    root.sys.open_beneath(root.fd.as_fd(), split(path).0, DIRECTORY_BENEATH)
}

/// The same, making what is missing on the way, objects into directories too.
pub(crate) fn make_parent(root: &OpenRoot, path: &str) -> storage_core::Result<OwnedFd> {
    let failed = crate::errors::doing("cannot make the directories of the key");
    let directory = split(path).0;
    match open_parent(root, path) {
        Err(errno) if is_missing(errno) => {}
        result => return result.map_err(failed),
    }
    let mut here = root.sys.open_beneath(root.fd.as_fd(), "", DIRECTORY_BENEATH).map_err(&failed)?;
    let ends = directory.match_indices('/').map(|(end, _)| end).chain([directory.len()]);
    let mut restarts = 0;
    for end in ends {
        let upto = &directory[..end];
        here = loop {
            match root.sys.open_beneath(root.fd.as_fd(), upto, DIRECTORY_BENEATH) {
                Ok(next) => break next,
                Err(Errno::NOENT) => match make_level(root, here.as_fd(), split(upto).1) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    // The directory above was pruned; from the start.
                    Err(Errno::NOENT) if restarts < 100 => {
                        root.check_alive()?;
                        return make_parent(root, path);
                    }
                    Err(errno) => return Err(failed(errno)),
                },
                Err(Errno::NOTDIR) => promote::promote(root, here.as_fd(), upto)?,
                Err(errno) => return Err(failed(errno)),
            }
            restarts += 1;
            if restarts > 10_000 {
                // A name that is neither a directory nor a file, such as a link to nowhere, stays in the way.
                return Err(failed(Errno::NOTDIR).with_kind(storage_core::ErrorKind::Other));
            }
        };
    }
    Ok(here)
}

/// Makes a directory. Where the name of an object that is being promoted is missing for a moment, this waits for the
/// lock, so that no other directory takes the name meanwhile.
fn make_level(root: &OpenRoot, parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    let _lock = match root.sys.has_gaps() {
        true => Some(DirLock::exclusive(&parent).map_err(|_| Errno::NOLCK)?),
        false => None,
    };
    mkdirat(parent, name, Mode::from_raw_mode(0o777))
}

/// Removes the directories of a path upwards as far as they are empty. A put that races into one of them finds it dead
/// and starts again, so no lock is needed.
pub(crate) fn prune(root: &OpenRoot, path: &str) {
    let mut path = path;
    while let (above, _) = split(path)
        && !above.is_empty()
    {
        match open_parent(root, above) {
            Ok(parent) if !remove_empty(parent.as_fd(), split(above).1) => return,
            // What is missing may lie in a directory that nobody else will remove.
            Err(errno) if !is_missing(errno) => return,
            _ => path = above,
        }
    }
}

/// Removes a directory that is empty, or holds nothing but the idle control directory of a root that was opened there;
/// says whether it is gone.
pub(crate) fn remove_empty(parent: BorrowedFd<'_>, name: impl rustix::path::Arg + Copy) -> bool {
    let gone = || matches!(unlinkat(parent, name, AtFlags::REMOVEDIR), Ok(()) | Err(Errno::NOENT));
    if gone() {
        return true;
    }
    let Ok(directory) = openat(parent, name, DIRECTORY, Mode::empty()) else { return false };
    let Ok(control) = openat(&directory, CONTROL, DIRECTORY, Mode::empty()) else { return false };
    // A control directory of which a crash, or another program, has left only half.
    matches!(unlinkat(&control, "tmp", AtFlags::REMOVEDIR), Ok(()) | Err(Errno::NOENT))
        && unlinkat(&directory, CONTROL, AtFlags::REMOVEDIR).is_ok()
        && gone()
}

/// Syncs the directory of a changed slot and those above it: a directory newly made must not be lost with what is in it
/// (rule W16).
pub(crate) fn sync_up(root: &OpenRoot, changed: &Slot<'_>, path: &str) -> storage_core::Result<()> {
    if !root.durable {
        return Ok(());
    }
    let failed = crate::errors::doing("cannot sync the directory");
    sync(changed.at().dir).map_err(&failed)?;
    // What is synced already: the level of the key's own name, or the directory that holds the name.
    let mut above = if changed.is_level() { path } else { split(path).0 };
    if above.is_empty() {
        return Ok(());
    }
    loop {
        (above, _) = split(above);
        // One that was pruned meanwhile held nothing any more.
        match root.sys.open_beneath(root.fd.as_fd(), above, DIRECTORY_BENEATH) {
            Ok(directory) => sync(directory.as_fd()).map_err(&failed)?,
            Err(errno) if is_missing(errno) => {}
            Err(errno) => return Err(failed(errno)),
        }
        if above.is_empty() {
            return Ok(());
        }
    }
}
