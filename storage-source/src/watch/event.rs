//! What a watch tells.

use std::fmt;

use serde::Serialize;
use storage_core::{Key, Prefix};

use super::ledger::Receipt;
use crate::file::{RelativePath, SourceFile};
use crate::walk::WalkReport;

/// What a watch yields.
#[derive(Debug)]
#[non_exhaustive]
pub enum Watched {
    /// An object is there, is another one, or is gone.
    Event(WatchEvent),
    /// A listing of the watched level, or of a part of it, came to its end, and all that differed has been told.
    Scanned(ScanReport),
}

/// What became of an object. It is told at least once: until it is acknowledged, it is told again after a restart, and by
/// each scan that finds it so once this event was dropped.
///
/// A host does its work first, and then acknowledges. Events of different objects may be worked on at once; of one object,
/// the newest counts, whatever is acknowledged later.
#[derive(Debug)]
#[must_use = "what is not acknowledged is told again"]
pub struct WatchEvent {
    /// The path from the watch's prefix on.
    pub path: RelativePath,
    /// The whole key.
    pub key: Key,
    /// What became of it.
    pub change: WatchChange,
    receipt: Receipt,
}

/// What became of an object.
#[derive(Debug, Clone)]
pub enum WatchChange {
    /// It is there, and is new or another one than was acknowledged. The file reads this very version; if that is gone
    /// meanwhile, reads are `ObjectChanged` or `NotFound`, and another event says what there is instead.
    Put(SourceFile),
    /// It is gone, or the filter does not take it any longer.
    Removed,
}

impl WatchEvent {
    pub(super) fn new(path: RelativePath, key: Key, change: WatchChange, receipt: Receipt) -> Self {
        Self { path, key, change, receipt }
    }

    /// Says that the host has done its work, so that this is not told again. No request: it is the host that saves the
    /// state, see [`WatchProgress::state`](crate::WatchProgress::state).
    pub fn ack(self) {
        self.receipt.acknowledge();
    }

    /// The file, where there is one.
    pub fn file(&self) -> Option<&SourceFile> {
        match &self.change {
            WatchChange::Put(file) => Some(file),
            WatchChange::Removed => None,
        }
    }
}

/// What a scan says of itself at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScanReport {
    /// What was listed: the watch's prefix, or a part of it.
    pub prefix: Prefix,
    /// Whether it was the first listing of all of the watch's prefix.
    pub first: bool,
    /// What the walk says: whether it was complete, and what was left out for which reason. Its fields stand beside the
    /// others where the report is written.
    #[serde(flatten)]
    pub walk: WalkReport,
    /// How many objects were new or others, and told.
    pub put: u64,
    /// How many objects were gone, and told.
    pub removed: u64,
    /// How many objects were as the host knows them.
    pub unchanged: u64,
    /// How many known objects were not seen by a listing that was not complete, so that nothing is said of them.
    pub withheld: u64,
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").finish_non_exhaustive()
    }
}
