//! The same with calls that every Unix has.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, openat, readlinkat, renameat, statat};
use rustix::io::{Errno, Result, retry_on_intr};

use super::At;

/// How many symbolic links a path may lead through, as in Linux.
const MOST_LINKS: usize = 40;

/// Walks a path name by name, holding every directory on the way, so that `..` in a link leads where it led when the
/// directory was entered, and never above the root.
pub(super) fn open_beneath(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
    let enter = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut names: VecDeque<String> = path.split('/').map(str::to_owned).collect();
    let mut entered: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        let here = entered.last().map_or(root, AsFd::as_fd);
        if name.is_empty() || name == "." {
            continue;
        }
        if name == ".." {
            entered.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        let last = names.iter().all(|rest| rest.is_empty() || rest == ".");
        let opening = if last { flags | OFlags::NOFOLLOW } else { enter };
        match retry_on_intr(|| openat(here, name.as_str(), opening, Mode::empty())) {
            Ok(file) if last => return Ok(file),
            Ok(directory) => entered.push(directory),
            Err(error) if last && flags.contains(OFlags::NOFOLLOW) => return Err(error),
            Err(error) => {
                let Ok(target) = readlinkat(here, name.as_str(), Vec::new()) else {
                    return Err(error);
                };
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                let target = target.into_string().map_err(|_| Errno::NOENT)?;
                if target.starts_with('/') {
                    return Err(Errno::XDEV);
                }
                target.split('/').rev().for_each(|name| names.push_front(name.to_owned()));
            }
        }
    }
    // The path led to a directory by `.` or `..`.
    let here = entered.last().map_or(root, AsFd::as_fd);
    retry_on_intr(|| openat(here, ".", flags, Mode::empty()))
}

pub(super) fn rename_new(from: At<'_>, to: At<'_>) -> Result<()> {
    match statat(to.dir, to.name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => renameat(from.dir, from.name, to.dir, to.name),
        Ok(_) => Err(Errno::EXIST),
        Err(error) => Err(error),
    }
}
