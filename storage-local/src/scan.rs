//! One pass over a directory's names, none of them missed.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, fstat, openat, statat};
use rustix::io::Errno;
use storage_core::{Key, MAX_KEY_LEN, Result};

use crate::errors::doing;
use crate::level::{Item, Kind, Window, join};
use crate::lock::DirLock;
use crate::names::{self, Name, OLD};
use crate::root::DIRECTORY;
use crate::stat::{changed_nanos, found, modified_nanos, now_nanos};

/// Two changes of a directory within this time may leave it with the same time stamp, on kernels that take the time
/// from the timer tick.
pub(crate) const CLOCK_TICK_NANOS: i128 = 20_000_000;

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// Every name was seen.
    Whole,
    /// One key is enough, and was found.
    Enough,
    /// The directory changed meanwhile: the pass can have missed names that existed all the time (rule L09).
    Unsteady,
}

/// A pass over the directory of a level.
pub(crate) struct Scan<'a> {
    /// What stands before every segment.
    pub(crate) prefix: &'a str,
    /// What every segment begins with.
    pub(crate) start: &'a str,
    /// The directory may not be read while others may change it.
    pub(crate) locked: bool,
    /// One name that is a key is enough.
    pub(crate) any: bool,
    pub(crate) window: &'a mut Window,
    /// Set where a crash has left an object without its name.
    pub(crate) interrupted: bool,
}

impl Scan<'_> {
    /// Passes over a directory. `cut` holds the pieces of a long segment that the directories above make up, and `below`
    /// their path from the level.
    pub(crate) fn run(&mut self, directory: &OwnedFd, cut: &str, below: &str) -> Result<Scanned> {
        let stamp = || fstat(directory).map(|stat| (modified_nanos(&stat), changed_nanos(&stat)));
        let looking = doing("cannot look at a directory of the listing");
        let before = stamp().map_err(&looking)?;
        let settled = now_nanos() - before.0.max(before.1) > CLOCK_TICK_NANOS;
        if !self.locked && !settled {
            return Ok(Scanned::Unsteady);
        }
        let lock = if self.locked { Some(DirLock::shared(directory)?) } else { None };
        let scanned = self.names(directory, cut, below)?;
        let steady = lock.is_some() || stamp().map_err(&looking)? == before;
        Ok(if steady || scanned == Scanned::Enough { scanned } else { Scanned::Unsteady })
    }

    fn names(&mut self, directory: &OwnedFd, cut: &str, below: &str) -> Result<Scanned> {
        let reading = doing("cannot read a directory of the listing");
        for entry in Dir::read_from(directory).map_err(&reading)? {
            let entry = entry.map_err(&reading)?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(reading(errno)),
                },
                kind => kind,
            };
            let next = match name.to_str() {
                Ok(name) => self.name(directory, name, kind, cut, below)?,
                Err(_) => self.skip(&name.to_string_lossy(), "the name is not UTF-8"),
            };
            if let ControlFlow::Break(ended) = next {
                return Ok(ended);
            }
        }
        Ok(Scanned::Whole)
    }

    fn name(
        &mut self,
        directory: &OwnedFd,
        name: &str,
        kind: FileType,
        cut: &str,
        below: &str,
    ) -> Result<ControlFlow<Scanned>> {
        Ok(match names::read(name, cut) {
            Name::Own => {
                self.interrupted |= self.locked && name.starts_with(OLD);
                ControlFlow::Continue(())
            }
            Name::Foreign(reason) => self.skip(name, reason),
            Name::Piece(piece) => return self.rest_of_name(directory, name, kind, &format!("{cut}{piece}"), below),
            Name::Segment(segment) if segment.starts_with(self.start) && self.window.wants(&segment) => {
                let path = (!below.is_empty() || *segment != *name).then(|| join(below, name).into());
                self.segment(segment.into(), path, kind)
            }
            Name::Segment(_) => ControlFlow::Continue(()),
        })
    }

    /// Goes on in the directory that holds the rest of a long segment.
    fn rest_of_name(
        &mut self,
        directory: &OwnedFd,
        name: &str,
        kind: FileType,
        cut: &str,
        below: &str,
    ) -> Result<ControlFlow<Scanned>> {
        if kind != FileType::Directory || cut.len() > MAX_KEY_LEN {
            return Ok(self.skip(name, "it is no directory that holds the rest of a long name"));
        }
        let rest = found(openat(directory, name, DIRECTORY, Mode::empty()));
        let Some(rest) = rest.map_err(doing("cannot open a directory of the listing"))? else {
            return Ok(ControlFlow::Continue(()));
        };
        Ok(match self.run(&rest, cut, &join(below, name))? {
            Scanned::Whole => ControlFlow::Continue(()),
            ended => ControlFlow::Break(ended),
        })
    }

    fn segment(&mut self, segment: Box<str>, path: Option<Box<str>>, kind: FileType) -> ControlFlow<Scanned> {
        if let Err(error) = Key::new(format!("{}{segment}", self.prefix)) {
            return self.skip(&segment, error.message());
        }
        match kind {
            FileType::RegularFile => {
                self.window.add(Item { segment, kind: Kind::Object, path });
                if self.any {
                    return ControlFlow::Break(Scanned::Enough);
                }
            }
            // Which of the two a link is shows when it is listed.
            FileType::Directory | FileType::Symlink => {
                self.window.add(Item { segment: segment.clone(), kind: Kind::Twin, path: path.clone() });
                self.window.add(Item { segment, kind: Kind::Level, path });
            }
            _ => return self.skip(&segment, "it is neither a file nor a directory"),
        }
        ControlFlow::Continue(())
    }

    fn skip(&mut self, name: &str, reason: &str) -> ControlFlow<Scanned> {
        if name.starts_with(self.start) && self.window.wants(name) {
            let kind = Kind::Inexpressible(reason.into());
            self.window.add(Item { segment: name.into(), kind, path: None });
        }
        ControlFlow::Continue(())
    }
}
