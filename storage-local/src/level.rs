//! One directory of a listing: its names, read in one piece and put in the order of keys.

use std::cmp::Ordering;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, fstat, openat, statat};
use rustix::io::Errno;
use storage_core::{Key, MAX_KEY_LEN, Result};

use crate::errors::{doing, is_missing};
use crate::lock::DirLock;
use crate::names::{self, Name, OLD};
use crate::promote;
use crate::root::{DIRECTORY, DIRECTORY_BENEATH, OpenRoot};
use crate::stat::{Inode, changed_nanos, found, modified_nanos, now_nanos};

/// Two changes of a directory within this time may leave it with the same time stamp, on kernels that take the time
/// from the timer tick.
const CLOCK_TICK_NANOS: i128 = 20_000_000;

/// A directory whose names are part of a listing.
pub(crate) struct Level {
    /// What stands before every name: empty, or ending in `/`.
    pub(crate) prefix: String,
    /// The directory's path in the root.
    pub(crate) path: String,
    pub(crate) inode: Inode,
    pub(crate) names: std::vec::IntoIter<Item>,
}

/// A name in the order of keys. A directory stands there twice: as the object of its own name, and as the level of
/// what is under it.
pub(crate) struct Item {
    pub(crate) segment: String,
    pub(crate) kind: Kind,
    /// The path from the level's directory, where it is not the segment itself.
    path: Option<Box<str>>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Maybe an object.
    Object,
    /// Maybe a directory with keys under it.
    Level,
    /// A name that no key can express, and why.
    Inexpressible(Box<str>),
}

impl Item {
    /// The path of the item's file in the root.
    pub(crate) fn path_in(&self, level: &str) -> String {
        join(level, self.path.as_deref().unwrap_or(&self.segment))
    }
}

pub(crate) fn join(level: &str, name: &str) -> String {
    if level.is_empty() { name.to_owned() } else { format!("{level}/{name}") }
}

/// Reads a directory: the names whose segment begins with `start`, sorted.
pub(crate) fn read_level(
    root: &OpenRoot,
    directory: &OwnedFd,
    path: String,
    prefix: String,
    start: &str,
) -> Result<Level> {
    let read = || {
        let locked = root.sys.has_gaps();
        let mut reading = Reading { prefix: &prefix, start, locked, items: Vec::new(), interrupted: false };
        reading.read(directory, "", "").map(|()| reading)
    };
    let mut reading = read()?;
    if reading.interrupted {
        promote::recover(root).map_err(doing("cannot finish an interrupted write"))?;
        reading = read()?;
    }
    let mut items = reading.items;
    items.sort_unstable_by(order);
    let inode = Inode::of_open(directory.as_fd()).map_err(doing("cannot look at the directory"))?;
    Ok(Level { prefix, path, inode, names: items.into_iter() })
}

/// The order of `segment` and `segment/` among all keys (rule L01).
fn order(one: &Item, other: &Item) -> Ordering {
    let (a, b) = (one.segment.as_bytes(), other.segment.as_bytes());
    let common = a.len().min(b.len());
    a[..common].cmp(&b[..common]).then_with(|| {
        let next = |bytes: &[u8], kind: &Kind| bytes.get(common).copied().or((*kind == Kind::Level).then_some(b'/'));
        next(a, &one.kind).cmp(&next(b, &other.kind))
    })
}

struct Reading<'a> {
    prefix: &'a str,
    start: &'a str,
    /// It may not be read while others may change it.
    locked: bool,
    items: Vec<Item>,
    /// A crash has left an object without its name.
    interrupted: bool,
}

impl Reading<'_> {
    /// Reads a directory in one piece. `cut` holds the pieces of a long segment that the directories above make up, and
    /// `below` their path from the level.
    fn read(&mut self, directory: &OwnedFd, cut: &str, below: &str) -> Result<()> {
        for (name, kind) in stable_entries(directory, self.locked)? {
            let Ok(name) = str::from_utf8(&name) else {
                self.skip(&String::from_utf8_lossy(&name), "the name is not UTF-8");
                continue;
            };
            match names::read(name, cut) {
                Name::Own => self.interrupted |= self.locked && name.starts_with(OLD),
                Name::Foreign(reason) => self.skip(name, reason),
                Name::Piece(piece) => {
                    let cut = format!("{cut}{piece}");
                    if kind != FileType::Directory || cut.len() > MAX_KEY_LEN {
                        self.skip(name, "it is no directory that holds the rest of a long name");
                        continue;
                    }
                    let rest = found(openat(directory, name, DIRECTORY, Mode::empty()));
                    if let Some(rest) = rest.map_err(doing("cannot open a directory of the listing"))? {
                        self.read(&rest, &cut, &join(below, name))?;
                    }
                }
                Name::Segment(segment) if segment.starts_with(self.start) => {
                    let path = (!below.is_empty() || *segment != *name).then(|| join(below, name).into());
                    self.push(segment.into_owned(), path, kind);
                }
                Name::Segment(_) => {}
            }
        }
        Ok(())
    }

    fn push(&mut self, segment: String, path: Option<Box<str>>, kind: FileType) {
        if let Err(error) = Key::new(format!("{}{segment}", self.prefix)) {
            return self.skip(&segment, error.message());
        }
        match kind {
            FileType::RegularFile => self.items.push(Item { segment, kind: Kind::Object, path }),
            // Which of the two a link is shows when it is listed.
            FileType::Directory | FileType::Symlink => {
                self.items.push(Item { segment: segment.clone(), kind: Kind::Object, path: path.clone() });
                self.items.push(Item { segment, kind: Kind::Level, path });
            }
            _ => self.skip(&segment, "it is neither a file nor a directory"),
        }
    }

    fn skip(&mut self, name: &str, reason: &str) {
        if name.starts_with(self.start) {
            let kind = Kind::Inexpressible(reason.into());
            self.items.push(Item { segment: name.to_owned(), kind, path: None });
        }
    }
}

type Entries = Vec<(Box<[u8]>, FileType)>;

/// All names of a directory, none missed: a scan during which the directory changed can miss names that existed all the
/// time (rule L09), so it is repeated while nobody may change it.
fn stable_entries(directory: &OwnedFd, locked: bool) -> Result<Entries> {
    let stamp = || fstat(directory).map(|stat| (modified_nanos(&stat), changed_nanos(&stat)));
    let looking = doing("cannot look at the directory");
    let before = stamp().map_err(&looking)?;
    let settled = now_nanos() - before.0.max(before.1) > CLOCK_TICK_NANOS;
    if settled && !locked {
        let entries = entries(directory.as_fd())?;
        if stamp().map_err(&looking)? == before {
            return Ok(entries);
        }
    }
    let _lock = DirLock::shared(directory)?;
    entries(directory.as_fd())
}

fn entries(directory: BorrowedFd<'_>) -> Result<Entries> {
    let reading = doing("cannot read the directory");
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory).map_err(&reading)? {
        let entry = entry.map_err(&reading)?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(reading(errno)),
            },
            kind => kind,
        };
        entries.push((name.to_bytes().into(), kind));
    }
    Ok(entries)
}

/// Opens a directory of the listing; `None` where it is gone meanwhile.
pub(crate) fn open_level(root: &OpenRoot, path: &str) -> rustix::io::Result<Option<OwnedFd>> {
    match root.sys.open_beneath(root.fd.as_fd(), path, DIRECTORY_BENEATH) {
        Ok(directory) => Ok(Some(directory)),
        Err(errno) if is_missing(errno) => Ok(None),
        Err(errno) => Err(errno),
    }
}
