//! Deleting everything under a prefix, with the directories that are empty then.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::{Dir, FileType, Mode, openat};
use storage_core::{DeleteOptions, ListOptions, Prefix, Result};

use crate::blocking::Gate;
use crate::commit;
use crate::level::open_level;
use crate::locate::{self, prune};
use crate::names::{self, CONTROL};
use crate::root::{DIRECTORY, OpenRoot};
use crate::walk::Walk;

/// Deletes every object under a prefix that is empty or ends in `/`, one after another, and says how many there were.
pub(crate) fn delete_prefix(gate: &Gate, root: &Arc<OpenRoot>, prefix: &Prefix) -> Result<u64> {
    let query = ListOptions::new().prefix(prefix.clone());
    let from = query.first()?;
    let mut walk = Walk::begin(Arc::clone(root), query, from)?;
    let mut deleted = 0;
    loop {
        let page = walk.page()?;
        for entry in &page.entries {
            let path = names::path(entry.as_str());
            deleted += u64::from(commit::delete(gate, root, &path, &DeleteOptions::new())?);
        }
        if page.resume.is_none() {
            break;
        }
    }
    remove_empty(root, prefix.as_str());
    Ok(deleted)
}

/// Removes directories without anything in them, such as a crash or another program leaves; they are no objects, so
/// nothing is lost where it fails.
fn remove_empty(root: &OpenRoot, prefix: &str) {
    let level = prefix.strip_suffix('/').map(names::path).unwrap_or_default();
    if let Ok(Some(directory)) = open_level(root, &level) {
        remove_empty_in(directory.as_fd());
    }
    if !level.is_empty() {
        prune(root, &format!("{level}/"));
    }
}

fn remove_empty_in(directory: BorrowedFd<'_>) {
    let Ok(entries) = Dir::read_from(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name == c"." || name == c".." || name.to_bytes() == CONTROL.as_bytes() {
            continue;
        }
        if matches!(entry.file_type(), FileType::Directory | FileType::Unknown)
            && let Ok(below) = openat(directory, name, DIRECTORY, Mode::empty())
        {
            remove_empty_in(below.as_fd());
            locate::remove_empty(directory, name);
        }
    }
}
