//! Removing what dead processes left in the control directory (rule W06).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat, unlinkat};
use storage_core::{Result, SweepOptions, SweepReport};

use crate::errors::doing;
use crate::lock::try_claim;
use crate::names::{CONTROL, SELF};
use crate::promote::{RECORD, finish_interrupted};
use crate::root::{DIRECTORY, OpenRoot};
use crate::stat::{Inode, changed_nanos, is_directory, now_nanos, size};

/// Removes temporary files that no living process has claimed and that are old enough: those of the root, and those
/// that lie beside their targets on a mount beneath it.
pub(crate) fn sweep(root: &OpenRoot, options: &SweepOptions) -> Result<SweepReport> {
    finish_interrupted(root).map_err(doing("cannot finish an interrupted write"))?;
    let age = i128::try_from(options.older_than.as_nanos()).unwrap_or(i128::MAX);
    let mut sweep = Sweep { oldest: now_nanos() - age, report: SweepReport::default() };
    if let Some(temporaries) = root.existing_temporaries().map_err(doing("cannot open the control directory"))? {
        sweep.temporaries(temporaries.as_fd()).map_err(doing("cannot read the control directory"))?;
    }
    sweep.below(root.fd.as_fd());
    Ok(sweep.report)
}

struct Sweep {
    oldest: i128,
    report: SweepReport,
}

impl Sweep {
    /// Looks for control directories in a directory and all below it; what cannot be read there is passed over.
    fn below(&mut self, directory: BorrowedFd<'_>) {
        let Ok(names) = subdirectories(directory) else { return };
        for name in names {
            let Ok(below) = openat(directory, &name, DIRECTORY, Mode::empty()) else { continue };
            if name.as_bytes() != CONTROL.as_bytes() {
                self.below(below.as_fd());
            } else if let Ok(temporaries) = openat(&below, "tmp", DIRECTORY, Mode::empty()) {
                let _ = self.temporaries(temporaries.as_fd());
            }
        }
    }

    fn temporaries(&mut self, temporaries: BorrowedFd<'_>) -> rustix::io::Result<()> {
        for entry in Dir::read_from(temporaries)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." || is_recorded(temporaries, name) {
                continue;
            }
            if let Some(bytes) = remove_dead(temporaries, name, self.oldest) {
                self.report.removed += 1;
                self.report.bytes += bytes;
            }
        }
        Ok(())
    }
}

/// The names are read first, so that a deep tree keeps one file open a level and not two.
fn subdirectories(directory: BorrowedFd<'_>) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type());
        if name != c"." && name != c".." && matches!(kind, FileType::Directory | FileType::Unknown) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Part of a promotion that a crash interrupted in a root below this one, which alone can finish it.
fn is_recorded(temporaries: BorrowedFd<'_>, name: &CStr) -> bool {
    let Ok(name) = name.to_str() else { return false };
    let record = if name.ends_with(RECORD) { name.to_owned() } else { format!("{name}{RECORD}") };
    statat(temporaries, record, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// Removes one leftover and says how many bytes it held; `None` where it is alive, too young or gone.
fn remove_dead(temporaries: BorrowedFd<'_>, name: &CStr, oldest: i128) -> Option<u64> {
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
