//! What changes a key: put, delete, move. Each looks and acts under the lock of the key's directory.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, Stat, Timestamps, fstat, futimens, openat, renameat, unlinkat};
use rustix::io::Errno;
use storage_core::{CopyOptions, DeleteOptions, ETag, Error, ErrorKind, PutMode, PutResult, Result};

use crate::attributes;
use crate::blocking::Gate;
use crate::errors::{doing, failed, is_missing, unsynced};
use crate::locate::{OBJECT, Slot, make_parent, open_object, open_parent, prune, sync_up};
use crate::lock::DirLock;
use crate::names::split;
use crate::promote::{is_interrupted, recover};
use crate::root::OpenRoot;
use crate::stat::{self, Inode, modified_nanos, now_nanos, timespec};
use crate::sys::sync;
use crate::temp::{Temp, copy_bytes};

/// Makes a written temporary file the object at `path`. Nothing of it is visible before, all of it after.
pub(crate) fn commit(gate: &Gate, root: &OpenRoot, mut temp: Temp, path: &str, mode: &PutMode) -> Result<PutResult> {
    let mut modified = now_nanos();
    set_modified(temp.fd(), modified)?;
    if root.durable {
        sync(temp.fd()).map_err(doing("cannot sync the file"))?;
    }
    let committed = loop {
        let parent = match make_parent(root, path) {
            Ok(parent) => parent,
            Err(error) => break Err(error),
        };
        match commit_in(gate, root, &mut temp, &parent, path, mode, &mut modified) {
            Ok(Step::Done(result)) => break Ok(result),
            Ok(Step::Again) => look_again(root).and_then(|()| temp.check_alive())?,
            Ok(Step::OtherMedium(directory)) => match moved(root, &temp, directory, modified) {
                Ok(near) => temp = near,
                Err(error) => break Err(error),
            },
            Err(error) => break Err(error),
        }
    };
    if committed.is_err() {
        // Directories may have been made for it.
        drop(temp);
        prune(root, path);
    }
    committed
}

/// The same temporary file in a directory on another medium.
fn moved(root: &OpenRoot, temp: &Temp, directory: OwnedFd, modified: i128) -> Result<Temp> {
    let near = temp.moved_near(directory.as_fd())?;
    set_modified(near.fd(), modified)?;
    if root.durable {
        sync(near.fd()).map_err(doing("cannot sync the file"))?;
    }
    Ok(near)
}

/// Before another attempt: fails where the root is gone, and finishes what a crash left in the way.
fn look_again(root: &OpenRoot) -> Result<()> {
    root.check_alive()?;
    recover(root).map_err(doing("cannot finish an interrupted write"))
}

/// How an attempt ended.
enum Step {
    Done(PutResult),
    /// The directory was pruned, or the name became a directory: look again.
    Again,
    /// The target's directory, which lies on a mount of its own, where the temporary file cannot be renamed to.
    OtherMedium(OwnedFd),
}

fn commit_in(
    gate: &Gate,
    root: &OpenRoot,
    temp: &mut Temp,
    parent: &OwnedFd,
    path: &str,
    mode: &PutMode,
    modified: &mut i128,
) -> Result<Step> {
    let lock = DirLock::exclusive(parent)?;
    let Some(slot) = find(root, parent, path)? else { return Ok(Step::Again) };
    slot.check_replaceable()?;
    match mode {
        PutMode::Overwrite => {}
        PutMode::CreateOnly if !slot.is_free() => return Err(Error::already_exists()),
        PutMode::CreateOnly => {}
        PutMode::IfMatch(etag) => stat::check_match(etag, slot.object.as_ref())?,
    }
    let later = later_than(slot.object.as_ref(), *modified);
    let moved_on = later != *modified;
    if moved_on {
        *modified = later;
        set_modified(temp.fd(), later)?;
    }
    let Some(from) = temp.at() else {
        return Err(Error::new(ErrorKind::Other, "the temporary file was committed before"));
    };
    let renamed = {
        let _pass = gate.pass()?;
        match mode {
            PutMode::CreateOnly => root.sys.rename_new(from, slot.at()),
            _ => renameat(from.dir, from.name, slot.at().dir, slot.at().name),
        }
    };
    match renamed {
        Ok(()) => {}
        Err(Errno::NOENT | Errno::ISDIR) => return Ok(Step::Again),
        Err(Errno::EXIST) if *mode == PutMode::CreateOnly => return Ok(Step::Again),
        Err(Errno::XDEV) => {
            let directory = rustix::io::fcntl_dupfd_cloexec(slot.at().dir, 0);
            return directory.map(Step::OtherMedium).map_err(doing("cannot open the directory of the key"));
        }
        Err(errno) => return Err(failed("cannot move the new object to its name", errno)),
    }
    temp.committed();
    drop(lock);
    if moved_on && root.durable {
        sync(temp.fd()).map_err(doing("cannot sync the file")).map_err(unsynced)?;
    }
    sync_up(root, &slot, path).map_err(unsynced)?;
    let stat = fstat(temp.fd()).map_err(doing("cannot look at the new object")).map_err(unsynced)?;
    Ok(Step::Done(result_of(&stat)))
}

/// The slot of a path's last name; `None` where the directory changed under it, or a crash left it half-way.
fn find<'a>(root: &OpenRoot, parent: &'a OwnedFd, path: &'a str) -> Result<Option<Slot<'a>>> {
    let looking = doing("cannot look at the object");
    match Slot::find(root, parent.as_fd(), path) {
        // A file too: once it is removed, finishing what a crash began would bring it back.
        Ok(slot) if !slot.is_level() => {
            let interrupted = is_interrupted(root, parent.as_fd(), split(path).1).map_err(looking)?;
            Ok((!interrupted).then_some(slot))
        }
        Ok(slot) => Ok(Some(slot)),
        Err(errno) if is_missing(errno) => Ok(None),
        Err(errno) => Err(looking(errno)),
    }
}

/// A time that is at least `wanted` and after what is there, so that it never goes back and no etag comes again
/// (rules C05, M04).
fn later_than(object: Option<&Stat>, wanted: i128) -> i128 {
    object.map_or(wanted, |old| wanted.max(modified_nanos(old) + 1))
}

fn set_modified(file: std::os::fd::BorrowedFd<'_>, nanos: i128) -> Result<()> {
    let times = Timestamps { last_access: timespec(nanos), last_modification: timespec(nanos) };
    futimens(file, &times).map_err(doing("cannot set the file's time"))
}

fn result_of(stat: &Stat) -> PutResult {
    PutResult { etag: stat::etag(stat), size: stat::size(stat), version: None }
}

/// Deletes the object at `path`; says whether there was one.
pub(crate) fn delete(gate: &Gate, root: &OpenRoot, path: &str, options: &DeleteOptions) -> Result<bool> {
    loop {
        let parent = match open_parent(root, path) {
            Ok(parent) => parent,
            Err(errno) if is_missing(errno) => {
                return options.if_match.as_ref().map_or(Ok(()), |etag| stat::check_match(etag, None)).map(|()| false);
            }
            Err(errno) => return Err(failed("cannot open the directory of the key", errno)),
        };
        let lock = DirLock::exclusive(&parent)?;
        let Some(slot) = find(root, &parent, path)? else {
            drop(lock);
            look_again(root)?;
            continue;
        };
        if let Some(etag) = &options.if_match {
            stat::check_match(etag, slot.object.as_ref())?;
        }
        if !slot.is_removable() {
            return Ok(false);
        }
        let unlinked = {
            let _pass = gate.pass()?;
            unlinkat(slot.at().dir, slot.at().name, AtFlags::empty())
        };
        drop(lock);
        match unlinked {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(false),
            // Between the look and the lock's end nobody of ours makes a directory of it; somebody else did.
            Err(Errno::ISDIR) => continue,
            Err(errno) => return Err(failed("cannot remove the object", errno)),
        }
        sync_up(root, &slot, path).map_err(unsynced)?;
        let emptied = format!("{path}/");
        prune(root, if slot.is_level() { &emptied } else { path });
        return Ok(true);
    }
}

/// Copies the object at `from`; the source is one version of it, whole.
pub(crate) fn copy(gate: &Gate, root: &OpenRoot, from: &str, to: &str, options: &CopyOptions) -> Result<PutResult> {
    let source = open_object(root, from).map_err(doing("cannot open the source"))?;
    let (source, stat) = source.ok_or_else(Error::not_found)?;
    if let Some(etag) = &options.if_source_match {
        stat::check_match(etag, Some(&stat))?;
    }
    if from == to {
        return Ok(result_of(&stat));
    }
    let temp = Temp::create(root)?;
    copy_bytes(source.as_fd(), temp.fd(), stat::size(&stat))?;
    attributes::store(temp.fd(), &attributes::load(source.as_fd())?)?;
    let mode = if options.create_only { PutMode::CreateOnly } else { PutMode::Overwrite };
    commit(gate, root, temp, to, &mode)
}

/// Moves the object at `from`: one rename, so that no reader sees both names or neither.
pub(crate) fn rename(gate: &Gate, root: &OpenRoot, from: &str, to: &str, options: &CopyOptions) -> Result<PutResult> {
    let source = open_object(root, from).map_err(doing("cannot open the source"))?;
    let (_, stat) = source.ok_or_else(Error::not_found)?;
    check_source(options.if_source_match.as_ref(), &stat)?;
    if from == to {
        return Ok(result_of(&stat));
    }
    loop {
        let target = make_parent(root, to).inspect_err(|_| prune(root, to))?;
        let source = match open_parent(root, from) {
            Ok(source) => source,
            Err(errno) if is_missing(errno) => {
                prune(root, to);
                return Err(Error::not_found());
            }
            Err(errno) => return Err(failed("cannot open the directory of the source", errno)),
        };
        match rename_in(gate, root, (&source, from), (&target, to), options) {
            Ok(None) => look_again(root)?,
            Ok(Some(result)) => return Ok(result),
            Err(error) => {
                prune(root, to);
                return Err(error);
            }
        }
    }
}

fn rename_in(
    gate: &Gate,
    root: &OpenRoot,
    (source, from): (&OwnedFd, &str),
    (target, to): (&OwnedFd, &str),
    options: &CopyOptions,
) -> Result<Option<PutResult>> {
    let locks = lock_both(source, target)?;
    let (Some(old), Some(new)) = (find(root, source, from)?, find(root, target, to)?) else { return Ok(None) };
    let Some(stat) = &old.object else { return Err(Error::not_found()) };
    check_source(options.if_source_match.as_ref(), stat)?;
    if old.is_link() {
        return Err(Error::unsupported("the source is a symbolic link").with_help("copy it, then delete the link"));
    }
    if new.object.as_ref().is_some_and(|object| Inode::of(object) == Inode::of(stat)) {
        // Two keys for one file, by way of a link between directories: renaming would change nothing.
        return Ok(Some(result_of(stat)));
    }
    new.check_replaceable()?;
    if options.create_only && !new.is_free() {
        return Err(Error::already_exists());
    }
    let file = match openat(old.at().dir, old.at().name, OBJECT | OFlags::NOFOLLOW, Mode::empty()) {
        // Another program has taken it, or put a link in its place.
        Err(errno) if is_missing(errno) => return Ok(None),
        file => file.map_err(doing("cannot open the source"))?,
    };
    let (before, later) = (modified_nanos(stat), later_than(new.object.as_ref(), modified_nanos(stat)));
    let renamed = {
        let _pass = gate.pass()?;
        if later != before {
            set_modified(file.as_fd(), later)?;
        }
        let renamed = match options.create_only {
            true => root.sys.rename_new(old.at(), new.at()),
            false => renameat(old.at().dir, old.at().name, new.at().dir, new.at().name),
        };
        if renamed.is_err() && later != before {
            set_modified(file.as_fd(), before)?;
        }
        renamed
    };
    match renamed {
        Ok(()) => {}
        Err(Errno::NOENT | Errno::ISDIR | Errno::EXIST) => return Ok(None),
        Err(Errno::XDEV) => {
            return Err(Error::unsupported("the two keys lie on different mounts")
                .with_help("copy the object, then delete the source"));
        }
        Err(errno) => return Err(failed("cannot move the object", errno)),
    }
    drop(locks);
    if root.durable {
        sync(file.as_fd()).map_err(doing("cannot sync the file")).map_err(unsynced)?;
    }
    sync_up(root, &new, to).map_err(unsynced)?;
    sync_up(root, &old, from).map_err(unsynced)?;
    let emptied = format!("{from}/");
    prune(root, if old.is_level() { &emptied } else { from });
    let stat = fstat(&file).map_err(doing("cannot look at the object")).map_err(unsynced)?;
    Ok(Some(result_of(&stat)))
}

fn check_source(etag: Option<&ETag>, stat: &Stat) -> Result<()> {
    etag.map_or(Ok(()), |etag| stat::check_match(etag, Some(stat)))
}

/// Both directories, in the order of their inodes so that two moves never wait for each other; one lock where they are
/// the same.
fn lock_both<'a>(one: &'a OwnedFd, other: &'a OwnedFd) -> Result<(DirLock<'a>, Option<DirLock<'a>>)> {
    let inode = |fd: &OwnedFd| Inode::of_open(fd.as_fd()).map_err(doing("cannot look at the directory"));
    let (first, second) = (inode(one)?, inode(other)?);
    match first.cmp(&second) {
        std::cmp::Ordering::Equal => Ok((DirLock::exclusive(one)?, None)),
        std::cmp::Ordering::Less => Ok((DirLock::exclusive(one)?, Some(DirLock::exclusive(other)?))),
        std::cmp::Ordering::Greater => Ok((DirLock::exclusive(other)?, Some(DirLock::exclusive(one)?))),
    }
}
