//! Symbolic links among what is watched: a change of what a link leads to is a change of the link's own key, and inotify
//! tells it under the other name only. So what links lead to is compared whenever anything has happened.

use std::os::fd::AsFd;

use crate::level::open_level;
use crate::locate::open_object;
use crate::root::OpenRoot;
use crate::stat::{Inode, changed_nanos, modified_nanos, size};
use crate::watch::place::Named;

/// A link that stands for a key, or for a level.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) named: Named,
    pub(crate) target: Target,
}

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nothing that is in the root.
    Nothing,
    /// An object, in this state.
    Object(Inode, i128, i128, u64),
    /// A directory.
    Level(Inode),
}

impl Target {
    /// What is there now.
    pub(crate) fn of(root: &OpenRoot, path: &str) -> Self {
        if let Ok(Some((_, stat))) = open_object(root, path) {
            return Self::Object(Inode::of(&stat), modified_nanos(&stat), changed_nanos(&stat), size(&stat));
        }
        let level = open_level(root, path).ok().flatten();
        level.and_then(|level| Inode::of_open(level.as_fd()).ok()).map_or(Self::Nothing, Self::Level)
    }

    pub(crate) fn is_level(self) -> bool {
        matches!(self, Self::Level(_))
    }
}
