//! Watching: what a root tells of its changes while they are made (rule V03).

mod queue;

use async_trait::async_trait;

use crate::error::Result;
use crate::key::{Key, Prefix};

pub use queue::{ChangeReceiver, ChangeSender, change_queue};

/// What a watch tells: a hint where to look, never the truth itself. What there is now, a head or a listing says.
///
/// A change is told at least once, and perhaps more often; of several changes of one key, the last may stand for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// An object was created or overwritten, or its attributes changed. It may be gone again by now.
    Changed(Key),
    /// An object was deleted, or moved away. There may be one again by now.
    Removed(Key),
    /// What begins with this may have changed in any way, without a further word: it is to be listed again. So a watch
    /// says that its reader was too slow, or that it could not see what happened there.
    ListAgain(Prefix),
}

impl Change {
    /// The key or prefix that it speaks of.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Changed(key) | Self::Removed(key) => key.as_str(),
            Self::ListAgain(prefix) => prefix.as_str(),
        }
    }

    /// Whether whoever follows this change learns of everything that happened to a key.
    pub fn covers(&self, key: &Key) -> bool {
        match self {
            Self::Changed(told) | Self::Removed(told) => told == key,
            Self::ListAgain(prefix) => prefix.matches(key.as_str()),
        }
    }
}

/// Options of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchOptions {
    /// How many changes may wait for their reader; at least 1. With one more, all of them give way to one
    /// [`Change::ListAgain`]. Default: 4096.
    pub capacity: usize,
    /// Go on past what this user may not read: what happens there is not told. Without it that is the watch's failure. Only
    /// backends whose levels are directories know the case.
    pub past_unreadable: bool,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { capacity: 4096, past_unreadable: false }
    }
}

impl WatchOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many changes may wait for their reader; at least 1.
    #[must_use]
    pub fn capacity(mut self, changes: usize) -> Self {
        self.capacity = changes;
        self
    }

    /// Goes on past what this user may not read.
    #[must_use]
    pub fn past_unreadable(mut self, on: bool) -> Self {
        self.past_unreadable = on;
        self
    }
}

/// A watch under way; dropping it ends it, and frees what it holds.
///
/// A driver that can tell its changes as they are made need not write one: [`change_queue`] has both ends.
#[async_trait]
pub trait ChangeFeed: Send {
    /// The next change; waits as long as there is none. `None` says that there will never be another one: the root is
    /// gone. After an error the watch is at its end as well, and what happened since is unknown.
    ///
    /// A call whose future was dropped has taken nothing.
    async fn next(&mut self) -> Result<Option<Change>>;
}
