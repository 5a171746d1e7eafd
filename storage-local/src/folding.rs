//! Whether a file system takes different names for one: `A` and `a`, or the two spellings of `é` (rule K10).

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, statat};
use rustix::io::Errno;
use storage_core::Result;

use crate::errors::doing;
use crate::stat::Inode;
use crate::sys::At;

/// How the name of a file begins that is made to find out: letters in one case, and one that has two spellings.
pub(crate) const PROBE: &str = "probe-\u{e9}-";

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

    /// Whether the names that are there fold.
    pub(crate) fn folds(&self, root: BorrowedFd<'_>) -> Result<bool> {
        match &self.0 {
            Some(answer) => Ok(answer()),
            None => folds_names(root).map_err(doing("cannot read the root")),
        }
    }

    /// Whether the name of a file made for it, which begins with [`PROBE`], folds.
    pub(crate) fn folds_new(&self, file: At<'_>) -> bool {
        match &self.0 {
            Some(answer) => answer(),
            None => {
                same(file.dir, file.name, &file.name.replace("probe", "PROBE"))
                    || same(file.dir, file.name, &file.name.replace('\u{e9}', "e\u{301}"))
            }
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

fn same(directory: BorrowedFd<'_>, one: &str, other: &str) -> bool {
    let inode = |name| statat(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| Inode::of(&stat));
    matches!((inode(one), inode(other)), (Ok(one), Ok(other)) if one == other)
}

fn other_case(c: char) -> char {
    if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
}
