//! Making a directory of a file: the object `a` moves to `a/.%self` so that `a/b` can be (rule K13).
//!
//! The inode stays, and with it content, time and etag. On Linux the step is one exchange of names. Elsewhere the name is
//! missing for a moment: a record beside the new directory lets whoever looks next finish what a crash interrupted.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, linkat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use storage_core::Result;

use crate::errors::failed;
use crate::lock::{DirLock, try_claim};
use crate::names::{OLD, SELF, split};
use crate::root::{DIRECTORY, DIRECTORY_BENEATH, OpenRoot, open_temporaries};
use crate::stat::{Inode, found, is_file};
use crate::sys::{At, sync};
use crate::temp::unique;

/// Marks the record of a promotion without exchange; before it stands the directory's name.
pub(crate) const RECORD: &str = ".to";

/// Makes the file at `path` a directory that holds it. Returns as well when somebody else did, or removed it: the caller
/// looks again. `parent` is the open directory of the path's last name.
pub(crate) fn promote(root: &OpenRoot, parent: BorrowedFd<'_>, path: &str) -> Result<()> {
    let name = split(path).1;
    let _lock = DirLock::exclusive(&parent)?;
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if is_file(&stat) => {}
        Ok(_) | Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(failed("cannot look at the object above", errno)),
    }
    let promoted = match promote_in(root, root.temporaries()?.as_fd(), parent, path) {
        // The object lies on a nested mount, whose links stay on it.
        Err(Errno::XDEV) => open_temporaries(parent).and_then(|near| promote_in(root, near.as_fd(), parent, path)),
        promoted => promoted,
    };
    match promoted {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(failed("cannot make the object above a directory", errno)),
    }
}

fn promote_in(
    root: &OpenRoot,
    temporaries: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    path: &str,
) -> rustix::io::Result<()> {
    let temporary = unique();
    let object = At { dir: parent, name: split(path).1 };
    mkdirat(temporaries, temporary.as_str(), Mode::from_raw_mode(0o777))?;
    let made = make_level(root, temporaries, &temporary, object)
        .and_then(|level| replace(root, &level, At { dir: temporaries, name: &temporary }, parent, path));
    // Once the object has left its name, what was made is needed to finish: whoever looks next does.
    if made.is_err() && statat(parent, object.name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| is_file(&stat)) {
        discard(temporaries, &temporary);
    }
    made
}

/// Claims the new directory, and gives it a second link to the object as its own.
fn make_level(root: &OpenRoot, dir: BorrowedFd<'_>, temporary: &str, object: At<'_>) -> rustix::io::Result<OwnedFd> {
    let level = openat(dir, temporary, DIRECTORY, Mode::empty())?;
    if !try_claim(level.as_fd())? {
        // A sweep is removing it.
        return Err(Errno::NOENT);
    }
    linkat(object.dir, object.name, &level, SELF, AtFlags::empty())?;
    if root.durable {
        sync(level.as_fd())?;
    }
    Ok(level)
}

/// Puts the new directory in the file's place; the object keeps a link all the time.
fn replace(
    root: &OpenRoot,
    _claimed: &OwnedFd,
    level: At<'_>,
    parent: BorrowedFd<'_>,
    path: &str,
) -> rustix::io::Result<()> {
    let object = At { dir: parent, name: split(path).1 };
    if let Some(exchanged) = root.sys.exchange(level, object) {
        exchanged?;
        unlinkat(level.dir, level.name, AtFlags::empty())?;
    } else {
        let (record, old) = (format!("{}{RECORD}", level.name), format!("{OLD}{}", level.name));
        let _claimed = write_record(root, level.dir, &record, path)?;
        // The old link stays in the directory, so that nobody finds it empty and removes it.
        renameat(object.dir, object.name, object.dir, old.as_str())?;
        if let Err(errno) = renameat(level.dir, level.name, object.dir, object.name) {
            renameat(object.dir, old.as_str(), object.dir, object.name)?;
            return Err(errno);
        }
        ignore_missing(unlinkat(object.dir, old.as_str(), AtFlags::empty()))?;
        ignore_missing(unlinkat(level.dir, record.as_str(), AtFlags::empty()))?;
    }
    if root.durable { sync(parent) } else { Ok(()) }
}

/// Says where the new directory goes; claimed, so that no sweep takes the record from the living.
fn write_record(root: &OpenRoot, dir: BorrowedFd<'_>, record: &str, path: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(dir, record, flags, Mode::from_raw_mode(0o666))?;
    if !try_claim(file.as_fd())? || fstat(&file)?.st_nlink == 0 {
        // A sweep came between making it and this.
        return Err(Errno::NOENT);
    }
    // A path is far below what one write takes, unless the medium is full.
    if retry_on_intr(|| rustix::io::write(&file, path.as_bytes()))? < path.len() {
        return Err(Errno::NOSPC);
    }
    if root.durable {
        sync(file.as_fd())?;
        sync(dir)?;
    }
    Ok(file)
}

fn discard(dir: BorrowedFd<'_>, temporary: &str) {
    // What cannot be removed now is for the sweep.
    if let Ok(level) = openat(dir, temporary, DIRECTORY, Mode::empty()) {
        let _ = unlinkat(level, SELF, AtFlags::empty());
    }
    let _ = unlinkat(dir, temporary, AtFlags::REMOVEDIR);
    let _ = unlinkat(dir, format!("{temporary}{RECORD}"), AtFlags::empty());
}

/// Finishes promotions that a crash interrupted, where there can be any. Cheap when there are none: one look into the
/// directory of temporary files.
pub(crate) fn recover(root: &OpenRoot) -> rustix::io::Result<()> {
    if root.sys.has_gaps() { finish_interrupted(root) } else { Ok(()) }
}

/// The same whatever the system: the directory may have been written to by another path of this driver.
pub(crate) fn finish_interrupted(root: &OpenRoot) -> rustix::io::Result<()> {
    for_each_record(root, |dir, temporary, path| finish_one(root, dir, temporary, path))
}

/// Whether a crash left the object `name` of a directory halfway to being one itself. The caller holds the directory's
/// lock, so nobody is at work there; it lets go, calls [`recover`] and looks again.
pub(crate) fn is_interrupted(root: &OpenRoot, parent: BorrowedFd<'_>, name: &str) -> rustix::io::Result<bool> {
    if !root.sys.has_gaps() {
        return Ok(false);
    }
    let (inode, mut interrupted) = (Inode::of_open(parent)?, false);
    for_each_record(root, |_, _, path| {
        let (above, last) = split(path);
        if last == name
            && let Some(there) = found(root.sys.open_beneath(root.fd.as_fd(), above, DIRECTORY_BENEATH))?
        {
            interrupted |= Inode::of_open(there.as_fd())? == inode;
        }
        Ok(())
    })?;
    Ok(interrupted)
}

/// Calls with the directory of temporary files, the name of a new directory there, and the path it is meant for.
fn for_each_record(
    root: &OpenRoot,
    mut act: impl FnMut(BorrowedFd<'_>, &str, &str) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    let Some(dir) = root.existing_temporaries()? else {
        return Ok(());
    };
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        if let Some(temporary) = entry.file_name().to_str().ok().and_then(|name| name.strip_suffix(RECORD))
            && let Some(path) = read_record(dir.as_fd(), &format!("{temporary}{RECORD}"))
        {
            act(dir.as_fd(), temporary, &path)?;
        }
    }
    Ok(())
}

fn finish_one(root: &OpenRoot, dir: BorrowedFd<'_>, temporary: &str, path: &str) -> rustix::io::Result<()> {
    let (record, old) = (format!("{temporary}{RECORD}"), format!("{OLD}{temporary}"));
    let level = found(openat(dir, temporary, DIRECTORY, Mode::empty()))?;
    if let Some(level) = &level
        && !try_claim(level.as_fd())?
    {
        return Ok(());
    }
    let (above, name) = split(path);
    let Some(parent) = found(root.sys.open_beneath(root.fd.as_fd(), above, DIRECTORY_BENEATH))? else {
        // Somebody has removed the directory, and with it the object.
        discard(dir, temporary);
        return Ok(());
    };
    // Without a directory to place, it is in its place already.
    if let Some(level) = level {
        let _lock = DirLock::exclusive(&parent).map_err(|_| Errno::NOLCK)?;
        let missing = matches!(statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT));
        if missing && statat(&level, SELF, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            ignore_missing(renameat(dir, temporary, &parent, name))?;
            sync(parent.as_fd())?;
        } else {
            discard(dir, temporary);
        }
    }
    ignore_missing(unlinkat(&parent, old.as_str(), AtFlags::empty()))?;
    ignore_missing(unlinkat(dir, record.as_str(), AtFlags::empty()))
}

fn read_record(dir: BorrowedFd<'_>, record: &str) -> Option<String> {
    let file = openat(dir, record, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()).ok()?;
    let length = usize::try_from(fstat(&file).ok()?.st_size).ok()?;
    let mut path = vec![0; length];
    let read = retry_on_intr(|| rustix::io::pread(&file, &mut path, 0)).ok()?;
    path.truncate(read);
    String::from_utf8(path).ok()
}

fn ignore_missing(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}
