//! What a filter judges, and what it says.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use storage_core::ObjectMeta;

/// What is known of something that a filter judges: out of a listing, of a head, of an event.
///
/// What is not known is no reason to leave out: an event without a size matches every range of sizes. Who must be sure
/// asks a head, and judges again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The path from the prefix of the walk on. It need not be a key: what ends in `/` is a marker.
    pub path: &'a str,
    /// The size in bytes.
    pub size: Option<u64>,
    /// When it was last modified.
    pub modified: Option<SystemTime>,
}

impl<'a> Candidate<'a> {
    /// Something of which only the path is known.
    pub fn new(path: &'a str) -> Self {
        Self { path, size: None, modified: None }
    }

    /// An object out of a listing or of a head, which lies at `path`.
    pub fn of(path: &'a str, meta: &ObjectMeta) -> Self {
        Self { path, size: Some(meta.size), modified: Some(meta.last_modified) }
    }

    /// Says how many bytes it has.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Says when it was modified.
    #[must_use]
    pub fn modified(mut self, time: SystemTime) -> Self {
        self.modified = Some(time);
        self
    }
}

/// What a filter says of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is taken.
    Matched,
    /// It is not, for this reason; of several, the first in the order of [`Reason`].
    LeftOut(Reason),
}

impl Verdict {
    /// Whether the candidate is taken.
    pub fn is_match(self) -> bool {
        self == Self::Matched
    }
}

/// Why something is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// It is a directory marker, a name that ends in `/`. Listings never show one (rule L03); events do.
    Marker,
    /// No key can express its name (rules K01–K06), or nothing that is an object has it: a link that leads nowhere, a
    /// socket.
    NotExpressible,
    /// This user may not read it: a directory with whatever is under it, or a file.
    Unreadable,
    /// An exclude matches its path, and no rescue does; it need not be readable, nor be an object.
    ExcludedByPattern,
    /// No include matches its path.
    NotIncluded,
    /// Its base name has none of the extensions.
    WrongExtension,
    /// It has fewer bytes than the least.
    TooSmall,
    /// It has more bytes than the most.
    TooLarge,
    /// It was modified before the first time.
    TooOld,
    /// It was modified at the last time or later.
    TooNew,
    /// The walk has taken as many as it may.
    OverLimit,
}

impl Reason {
    /// The reason in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marker => "directory marker",
            Self::NotExpressible => "no key can express it",
            Self::Unreadable => "unreadable",
            Self::ExcludedByPattern => "excluded by a pattern",
            Self::NotIncluded => "not included",
            Self::WrongExtension => "wrong extension",
            Self::TooSmall => "too small",
            Self::TooLarge => "too large",
            Self::TooOld => "too old",
            Self::TooNew => "too new",
            Self::OverLimit => "over the limit",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
