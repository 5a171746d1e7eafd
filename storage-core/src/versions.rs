//! Versions of objects, where a backend keeps them (rule V01).

use std::time::SystemTime;

use async_trait::async_trait;

use crate::backend::Skipped;
use crate::error::Result;
use crate::key::Key;
use crate::meta::ETag;

/// One version of an object, or the mark that a delete left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// The object's key.
    pub key: Key,
    /// By which get, head and delete name this version.
    pub id: String,
    /// Whether it is what a read without a version sees.
    pub latest: bool,
    /// When it was written.
    pub last_modified: SystemTime,
    /// What it holds; `None` where it is the mark of a delete.
    pub content: Option<VersionContent>,
}

/// What a version holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionContent {
    /// Its size in bytes.
    pub size: u64,
    /// Its etag.
    pub etag: ETag,
}

/// A listing of versions under way.
#[async_trait]
pub trait VersionLister: Send {
    /// The next page; `None` says that the listing is complete. After an error the same page may be asked for again.
    async fn next_page(&mut self) -> Result<Option<VersionPage>>;
}

/// A page of a listing of versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// Keys in ascending order of bytes, of each the newest version first.
    pub versions: Vec<ObjectVersion>,
    /// Names met on the way that no key can express.
    pub skipped: Vec<Skipped>,
}
