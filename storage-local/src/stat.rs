//! What `fstat` says of an object.

use std::io::Write as _;
use std::os::fd::BorrowedFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Stat, Timespec, fstat};
use storage_core::{ETag, Error, Key, ObjectMeta, Result};

/// The identity of an open directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    #[allow(clippy::unnecessary_cast, reason = "the fields have other types on other systems")]
    pub(crate) fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev as u64, number: stat.st_ino as u64 }
    }

    pub(crate) fn of_open(fd: BorrowedFd<'_>) -> rustix::io::Result<Self> {
        fstat(fd).map(|stat| Self::of(&stat))
    }
}

pub(crate) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

pub(crate) fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

pub(crate) fn is_symlink(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

/// The last change of the content, in nanoseconds since 1970.
pub(crate) fn modified_nanos(stat: &Stat) -> i128 {
    i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec)
}

/// The last change of anything, in nanoseconds since 1970; nobody can set it.
pub(crate) fn changed_nanos(stat: &Stat) -> i128 {
    i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec)
}

/// Now, in nanoseconds since 1970.
pub(crate) fn now_nanos() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(_) => 0,
    }
}

pub(crate) fn timespec(nanos: i128) -> Timespec {
    // Every time of this driver is a clock's or a file's, which fit.
    Timespec { tv_sec: nanos.div_euclid(1_000_000_000) as i64, tv_nsec: nanos.rem_euclid(1_000_000_000) as i64 }
}

fn system_time(nanos: i128) -> SystemTime {
    let distance = Duration::from_nanos_u128(nanos.unsigned_abs());
    if nanos < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}

/// Inode, time and size: every write makes a new inode and a time that the key never had, so no two writes share an
/// etag (rule C05).
pub(crate) fn etag(stat: &Stat) -> ETag {
    // On the stack: this runs for every object that is read or listed. Three numbers of 64 bits fit.
    let mut text = [0; 64];
    let mut rest = &mut text[..];
    let written = write!(rest, "\"{:x}-{:x}-{:x}\"", stat.st_ino, modified_nanos(stat), stat.st_size);
    let left = rest.len();
    match (written, str::from_utf8(&text[..text.len() - left])) {
        (Ok(()), Ok(text)) => ETag::new(text),
        _ => ETag::new(format!("{:x}-{:x}-{:x}", stat.st_ino, modified_nanos(stat), stat.st_size)),
    }
}

pub(crate) fn meta(key: &Key, stat: &Stat) -> ObjectMeta {
    ObjectMeta {
        key: key.clone(),
        size: size(stat),
        etag: etag(stat),
        last_modified: system_time(modified_nanos(stat)),
        version: None,
    }
}

pub(crate) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// Judges an if-match condition on what is there.
pub(crate) fn check_match(wanted: &ETag, found: Option<&Stat>) -> Result<()> {
    match found {
        Some(stat) if etag(stat) == *wanted => Ok(()),
        Some(_) => Err(Error::precondition_failed("the object has another etag")),
        None => Err(Error::precondition_failed("there is no object")),
    }
}

/// `None` where there is nothing.
pub(crate) fn found<T>(result: rustix::io::Result<T>) -> rustix::io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(errno) if crate::errors::is_missing(errno) => Ok(None),
        Err(errno) => Err(errno),
    }
}
