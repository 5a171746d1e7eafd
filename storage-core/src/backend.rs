//! What a driver writes: [`StorageBackend`] and the three types it hands out.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};

use crate::capabilities::Capabilities;
use crate::error::Result;
use crate::key::{Key, Prefix};
use crate::location::Location;
use crate::meta::{Attributes, ETag, ObjectHead, ObjectMeta};
use crate::options::{
    CopyOptions, DeleteOptions, GetOptions, HeadOptions, ListOptions, PresignOptions, PutOptions, SweepOptions,
};
use crate::payload::Payload;
use crate::presign::Presigned;
use crate::token::Token;
use crate::versions::VersionLister;
use crate::watch::{ChangeFeed, WatchOptions};

/// A driver's instance on one root.
///
/// The contract's rules hold for every method. There are no default bodies: a wrapper that forgets a method does not
/// compile. What reaches a backend through [`Storage`](crate::Storage) has been validated there (keys, ranges,
/// attributes, conditions against the capabilities); a driver checks again only what would do harm.
///
/// A future that is dropped leaves the object old or new, whole (rule W03).
#[async_trait]
pub trait StorageBackend: fmt::Debug + Send + Sync + 'static {
    /// The driver's name: `memory`, `local`, `s3`.
    fn name(&self) -> &str;

    /// What this backend can do, as far as it is known; no request.
    fn capabilities(&self) -> Capabilities;

    /// Where the root lies, if it has an address; a key's address is [`Location::uri`] of it.
    fn location(&self) -> Option<Location>;

    /// Finds out what is `Unprobed` and says what the backend can do. `BackendNotFound` where the root is missing.
    async fn probe(&self) -> Result<Capabilities>;

    /// Reads an object, or a range of it. One request.
    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult>;

    /// Reads an object's metadata. One request.
    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead>;

    /// Writes an object in one step. One request.
    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult>;

    /// Opens a streaming write; nothing is visible before its `finish` (rule W04).
    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>>;

    /// Opens a listing in ascending order of bytes (rules L). One request a page.
    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>>;

    /// Copies an object within the backend, content and attributes. One request.
    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult>;

    /// Moves an object within the backend; atomic where the capabilities say so, and never losing both (rule X06).
    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult>;

    /// Deletes an object; Ok when there is none (rule D01).
    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()>;

    /// Deletes objects, with a result for each key in order (rule D03).
    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>>;

    /// Deletes everything under a prefix that is empty or ends in `/`, and says how many objects that were (rule D04).
    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64>;

    /// Removes what interrupted writes left behind (rule W06).
    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport>;

    /// The file that holds an object, where the capabilities say that there is one. It is for reading: a program that
    /// writes to it breaks the rules of this contract.
    async fn local_path(&self, key: &Key) -> Result<PathBuf>;

    /// Makes a URL that does one thing with an object for whoever holds it, where the capabilities say so. No request.
    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned>;

    /// Opens a listing of all versions, keys in ascending order of bytes and of each key the newest first (rule V01).
    /// Prefix and page size count; a delimiter, a start and a token are `InvalidInput`. One request a page.
    async fn list_versions(&self, options: ListOptions) -> Result<Box<dyn VersionLister>>;

    /// Opens a watch of what begins with a prefix, where the capabilities say so (rule V03). Every change that is made
    /// after this has returned is told, whoever makes it, and none of another prefix.
    async fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>>;
}

/// The answer of get.
#[derive(Debug)]
pub struct GetResult {
    /// Size, etag, time, version of the object that is read.
    pub meta: ObjectMeta,
    /// What was stored with it.
    pub attributes: Attributes,
    /// Which bytes of the object the body holds (rule R05).
    pub range: Range<u64>,
    /// The bytes.
    pub body: Body,
}

/// The bytes that get returns.
pub enum Body {
    /// All at once.
    Bytes(Bytes),
    /// Piece by piece; it ends after exactly the bytes of [`GetResult::range`], or with an error (rule R10).
    Stream(BoxStream<'static, Result<Bytes>>),
}

impl Body {
    /// The bytes as a stream, whatever they came as.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        match self {
            Self::Bytes(bytes) if bytes.is_empty() => futures::stream::empty().boxed(),
            Self::Bytes(bytes) => futures::stream::once(std::future::ready(Ok(bytes))).boxed(),
            Self::Stream(stream) => stream,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// The answer of a write, equal to what an immediate head says (rule W13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutResult {
    /// The etag of what was written.
    pub etag: ETag,
    /// Its size in bytes.
    pub size: u64,
    /// Its version, where the backend has versions.
    pub version: Option<String>,
}

impl From<&ObjectMeta> for PutResult {
    fn from(meta: &ObjectMeta) -> Self {
        Self { etag: meta.etag.clone(), size: meta.size, version: meta.version.clone() }
    }
}

/// The answer of a copy or a move, equal to what an immediate head of the target says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyResult {
    /// The etag of the target.
    pub etag: ETag,
    /// Its version, where the backend has versions.
    pub version: Option<String>,
}

impl From<&ObjectMeta> for CopyResult {
    fn from(meta: &ObjectMeta) -> Self {
        Self { etag: meta.etag.clone(), version: meta.version.clone() }
    }
}

impl From<PutResult> for CopyResult {
    fn from(written: PutResult) -> Self {
        Self { etag: written.etag, version: written.version }
    }
}

/// A streaming write under way. Dropping it is an abort (rule W06).
#[async_trait]
pub trait BackendWriter: Send {
    /// Adds bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;

    /// Commits: judges the condition and makes everything visible in one step.
    async fn finish(self: Box<Self>) -> Result<PutResult>;

    /// Discards everything that was written.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// A listing under way.
#[async_trait]
pub trait Lister: Send {
    /// The next page; `None` says that the listing is complete (rule L13). A page may be empty.
    ///
    /// After an error, and after a call whose future was dropped, the call may be repeated: it asks for the same page.
    async fn next_page(&mut self) -> Result<Option<Page>>;
}

/// A page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects and common prefixes in ascending order of their bytes.
    pub entries: Vec<Entry>,
    /// Names met on the way that no key can express (rule L12).
    pub skipped: Vec<Skipped>,
    /// Where to go on after this page; `None` on the last one, or where the backend has no tokens.
    pub resume: Option<Token>,
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An object.
    Object(ObjectMeta),
    /// What several keys have in common up to a `/`, in a delimited listing.
    Prefix(Prefix),
}

impl Entry {
    /// The text by which the entry is ordered: the key, or the common prefix.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Object(meta) => meta.key.as_str(),
            Self::Prefix(prefix) => prefix.as_str(),
        }
    }

    /// The object, unless it is a common prefix.
    pub fn object(self) -> Option<ObjectMeta> {
        match self {
            Self::Object(meta) => Some(meta),
            Self::Prefix(_) => None,
        }
    }
}

/// A stored name that is not listed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The name, with what is not text replaced.
    pub name: String,
    /// Why no key can express it.
    pub reason: String,
}

impl Skipped {
    /// The reason where this user may not read what has the name; asked for by
    /// [`ListOptions::past_unreadable`](crate::ListOptions::past_unreadable).
    pub const UNREADABLE: &str = "this user may not read it";

    /// Whether there may be keys under the name, which nobody has seen.
    pub fn is_unreadable(&self) -> bool {
        self.reason == Self::UNREADABLE
    }
}

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// How many unfinished writes.
    pub removed: u64,
    /// How many bytes they held, where the medium tells.
    pub bytes: u64,
}
