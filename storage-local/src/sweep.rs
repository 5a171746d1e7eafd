//! Removing what dead processes left in the control directory (rule W06).

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, openat, statat, unlinkat};
use storage_core::{Result, SweepOptions, SweepReport};

use crate::errors::doing;
use crate::lock::try_claim;
use crate::names::SELF;
use crate::promote::finish_interrupted;
use crate::root::OpenRoot;
use crate::stat::{Inode, changed_nanos, is_directory, now_nanos, size};

/// Removes temporary files that no living process has claimed and that are old enough.
pub(crate) fn sweep(root: &OpenRoot, options: &SweepOptions) -> Result<SweepReport> {
    finish_interrupted(root).map_err(doing("cannot finish an interrupted write"))?;
    let temporaries = root.existing_temporaries().map_err(doing("cannot open the control directory"))?;
    let Some(temporaries) = temporaries else {
        return Ok(SweepReport::default());
    };
    let oldest = now_nanos() - i128::try_from(options.older_than.as_nanos()).unwrap_or(i128::MAX);
    let mut report = SweepReport::default();
    for entry in Dir::read_from(&temporaries).map_err(doing("cannot read the control directory"))? {
        let entry = entry.map_err(doing("cannot read the control directory"))?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if let Some(bytes) = remove_dead(temporaries.as_fd(), name, oldest) {
            report.removed += 1;
            report.bytes += bytes;
        }
    }
    Ok(report)
}

/// Removes one leftover and says how many bytes it held; `None` where it is alive, too young or gone.
fn remove_dead(temporaries: BorrowedFd<'_>, name: &std::ffi::CStr, oldest: i128) -> Option<u64> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(temporaries, name, flags, Mode::empty()).ok()?;
    let stat = fstat(&file).ok()?;
    if changed_nanos(&stat) > oldest || !try_claim(file.as_fd()).ok()? {
        return None;
    }
    // A promotion that ended between the look and the claim has taken its directory into the tree: hands off.
    let named = statat(temporaries, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    if Inode::of(&named) != Inode::of(&stat) {
        return None;
    }
    if is_directory(&stat) {
        // Half of an interrupted promotion; the object has its own link elsewhere.
        let _ = unlinkat(&file, SELF, AtFlags::empty());
        unlinkat(temporaries, name, AtFlags::REMOVEDIR).ok()?;
        return Some(0);
    }
    unlinkat(temporaries, name, AtFlags::empty()).ok()?;
    Some(if stat.st_nlink > 1 { 0 } else { size(&stat) })
}
