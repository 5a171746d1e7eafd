//! Making a directory of a file: the object `a` moves to `a/.%self` so that `a/b` can be (rule K13).
//!
//! The inode stays, and with it content, time and etag. On Linux the step is one exchange of names. Elsewhere the name is
//! missing for a moment: a record beside the new directory lets whoever looks next finish what a crash interrupted.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, linkat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use storage_core::Result;

use crate::errors::{doing, failed};
use crate::lock::{DirLock, try_claim};
use crate::names::{OLD, SELF, split};
use crate::root::{DIRECTORY, DIRECTORY_BENEATH, OpenRoot, open_temporaries};
use crate::stat::is_file;
use crate::sys::{At, sync};
use crate::temp::unique;

/// Marks the record of a promotion without exchange; before it stands the directory's name.
const RECORD: &str = ".to";

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
    let made = make_level(root, temporaries, &temporary, object)
        .and_then(|level| replace(root, &level, At { dir: temporaries, name: &temporary }, parent, path));
    if made.is_err() {
        discard(temporaries, &temporary);
    }
    made
}

/// A claimed directory that holds a second link to the object as its own.
fn make_level(root: &OpenRoot, dir: BorrowedFd<'_>, temporary: &str, object: At<'_>) -> rustix::io::Result<OwnedFd> {
    mkdirat(dir, temporary, Mode::from_raw_mode(0o777))?;
    let level = openat(dir, temporary, DIRECTORY, Mode::empty())?;
    if !try_claim(level.as_fd()) {
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
        write_record(root, level.dir, &record, path)?;
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

fn write_record(root: &OpenRoot, dir: BorrowedFd<'_>, record: &str, path: &str) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(dir, record, flags, Mode::from_raw_mode(0o666))?;
    // A path is far below what one write takes.
    retry_on_intr(|| rustix::io::write(&file, path.as_bytes()))?;
    if root.durable {
        sync(file.as_fd())?;
        sync(dir)?;
    }
    Ok(())
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
pub(crate) fn recover(root: &OpenRoot) -> Result<()> {
    if root.sys.has_gaps() {
        finish_interrupted(root)?;
    }
    Ok(())
}

/// The same whatever the system: the directory may have been written to by another path of this driver.
pub(crate) fn finish_interrupted(root: &OpenRoot) -> Result<()> {
    let Some(dir) = root.existing_temporaries() else {
        return Ok(());
    };
    let names = Dir::read_from(&dir).map_err(doing("cannot read the control directory"))?;
    for entry in names.flatten() {
        let Ok(name) = entry.file_name().to_str() else { continue };
        if let Some(temporary) = name.strip_suffix(RECORD) {
            finish_one(root, dir.as_fd(), temporary).map_err(doing("cannot finish an interrupted write"))?;
        }
    }
    Ok(())
}

fn finish_one(root: &OpenRoot, dir: BorrowedFd<'_>, temporary: &str) -> rustix::io::Result<()> {
    let (record, old) = (format!("{temporary}{RECORD}"), format!("{OLD}{temporary}"));
    let Some(path) = read_record(dir, &record) else { return Ok(()) };
    let (above, name) = split(&path);
    let Ok(parent) = root.sys.open_beneath(root.fd.as_fd(), above, DIRECTORY_BENEATH) else {
        return Ok(());
    };
    match openat(dir, temporary, DIRECTORY, Mode::empty()) {
        // It is in its place already.
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
        Ok(level) if !try_claim(level.as_fd()) => return Ok(()),
        Ok(level) => {
            let Ok(_lock) = DirLock::exclusive(&parent) else { return Ok(()) };
            let missing = matches!(statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT));
            if missing && statat(&level, SELF, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                ignore_missing(renameat(dir, temporary, &parent, name))?;
                sync(parent.as_fd())?;
            } else {
                discard(dir, temporary);
            }
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
