//! Whether a file system takes different names for one: `A` and `a`, or the two spellings of `é` (rule K10).

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;
use storage_core::Result;

use crate::errors::doing;
use crate::stat::Inode;

/// How many names of a root are looked at for one that has letters.
const NAMES_TRIED: usize = 64;

/// Finds out whether the file system under a root folds names; a root on one that does is refused.
///
/// The default looks the names that are there up in the other case, and at the first write makes a file to look up. A
/// test can say what it finds instead.
#[derive(Clone, Default)]
pub struct FoldingProbe(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl FoldingProbe {
    /// A probe that answers as it is told.
    pub fn answering(folds: bool) -> Self {
        Self(Some(Arc::new(move || folds)))
    }

    /// Whether names fold in `root`; `temporaries` is where a file may be made to find out.
    pub(crate) fn folds(&self, root: BorrowedFd<'_>, temporaries: Option<BorrowedFd<'_>>) -> Result<bool> {
        if let Some(answer) = &self.0 {
            return Ok(answer());
        }
        match temporaries {
            Some(directory) => folds_new_file(directory).map_err(doing("cannot make a file")),
            None => folds_names(root).map_err(doing("cannot read the root")),
        }
    }
}

impl fmt::Debug for FoldingProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "told" } else { "default" })
    }
}

fn folds_names(root: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    let names = match Dir::read_from(root) {
        // A root that may be entered but not listed; the first write finds out.
        Err(Errno::ACCESS) => return Ok(false),
        names => names?,
    };
    for entry in names.take(NAMES_TRIED).flatten() {
        let Ok(name) = entry.file_name().to_str() else { continue };
        let other: String = name.chars().map(other_case).collect();
        if other != name {
            return Ok(same(root, name, &other));
        }
    }
    Ok(false)
}

fn folds_new_file(directory: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    let name = format!("probe-\u{e9}-{}", crate::temp::unique());
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(directory, name.as_str(), flags, Mode::from_raw_mode(0o600))?;
    let folds = same(directory, &name, &name.replace("probe", "PROBE"))
        || same(directory, &name, &name.replace('\u{e9}', "e\u{301}"));
    unlinkat(directory, name.as_str(), AtFlags::empty())?;
    Ok(folds)
}

fn same(directory: BorrowedFd<'_>, one: &str, other: &str) -> bool {
    let inode = |name| statat(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| Inode::of(&stat));
    matches!((inode(one), inode(other)), (Ok(one), Ok(other)) if one == other)
}

fn other_case(c: char) -> char {
    if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
}
