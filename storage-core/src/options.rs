//! What an operation takes, as structs: every field has a default, so that a caller names only what differs.

use std::ops::Bound;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::key::Prefix;
use crate::meta::{Attributes, ETag, ObjectMeta};
use crate::range::ByteRange;
use crate::token::Token;

/// Conditions of a read (rules C09, C10; RFC 9110, section 13).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Read only this version: `PreconditionFailed` when the etag differs.
    pub if_match: Option<ETag>,
    /// Read only what the caller does not have: `NotModified` when the etag is this one.
    pub if_none_match: Option<ETag>,
    /// Read only what is newer: else `NotModified`. Compared in whole seconds; an etag condition wins over it.
    pub if_modified_since: Option<SystemTime>,
    /// Read only what is not newer: else `PreconditionFailed`. Compared in whole seconds; an etag condition wins over it.
    pub if_unmodified_since: Option<SystemTime>,
}

impl Conditions {
    /// Judges the conditions on an object that exists; for drivers whose medium does not do it.
    pub fn check(&self, meta: &ObjectMeta) -> Result<()> {
        let modified = whole_seconds(meta.last_modified);
        let changed = match (&self.if_match, self.if_unmodified_since) {
            (Some(etag), _) => *etag != meta.etag,
            (None, Some(since)) => modified > whole_seconds(since),
            (None, None) => false,
        };
        if changed {
            return Err(Error::precondition_failed("the object is not the one that was asked for"));
        }
        let current = match (&self.if_none_match, self.if_modified_since) {
            (Some(etag), _) => *etag == meta.etag,
            (None, Some(since)) => modified <= whole_seconds(since),
            (None, None) => false,
        };
        if current {
            return Err(Error::new(ErrorKind::NotModified, "the caller's copy is current").with_help("use that copy"));
        }
        Ok(())
    }
}

/// Seconds since 1970, negative before it.
fn whole_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX) - 1,
    }
}

/// Options of get.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetOptions {
    /// Which bytes; all of them when unset.
    pub range: Option<ByteRange>,
    /// Under which conditions.
    pub conditions: Conditions,
    /// Which version, where the backend has versions; the current one when unset.
    pub version: Option<String>,
    /// A hint: the caller wants all bytes in memory at once, so a driver does well to answer with
    /// [`Body::Bytes`](crate::Body::Bytes).
    pub buffered: bool,
}

impl GetOptions {
    /// The whole current object, without conditions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads only these bytes.
    #[must_use]
    pub fn range(mut self, range: impl Into<ByteRange>) -> Self {
        self.range = Some(range.into());
        self
    }

    /// Reads only this version of the object.
    #[must_use]
    pub fn if_match(mut self, etag: ETag) -> Self {
        self.conditions.if_match = Some(etag);
        self
    }

    /// Reads only if the object is not this one.
    #[must_use]
    pub fn if_none_match(mut self, etag: ETag) -> Self {
        self.conditions.if_none_match = Some(etag);
        self
    }

    /// Reads only if the object was written after this second.
    #[must_use]
    pub fn if_modified_since(mut self, time: SystemTime) -> Self {
        self.conditions.if_modified_since = Some(time);
        self
    }

    /// Reads only if the object was not written after this second.
    #[must_use]
    pub fn if_unmodified_since(mut self, time: SystemTime) -> Self {
        self.conditions.if_unmodified_since = Some(time);
        self
    }

    /// Reads a version by its id.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Asks for all bytes in memory at once.
    #[must_use]
    pub fn buffered(mut self) -> Self {
        self.buffered = true;
        self
    }
}

/// Options of head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadOptions {
    /// Under which conditions.
    pub conditions: Conditions,
    /// Which version, where the backend has versions; the current one when unset.
    pub version: Option<String>,
}

impl HeadOptions {
    /// The current object, without conditions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers only under these conditions.
    #[must_use]
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.conditions = conditions;
        self
    }

    /// Looks at a version by its id.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }
}

/// When a write may take place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PutMode {
    /// Always; the last writer wins whole.
    #[default]
    Overwrite,
    /// Only if no object has the key: else `AlreadyExists`.
    CreateOnly,
    /// Only if the object's etag is this one: else, or if there is none, `PreconditionFailed`.
    IfMatch(ETag),
}

/// Options of put and of a writer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutOptions {
    /// When the write may take place.
    pub mode: PutMode,
    /// What to store with the object.
    pub attributes: Attributes,
    /// How many bytes will come, where it is known; other than that many is `LengthMismatch` (rule W09).
    pub length: Option<u64>,
}

impl PutOptions {
    /// An unconditional write without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes only if no object has the key.
    #[must_use]
    pub fn create_only(mut self) -> Self {
        self.mode = PutMode::CreateOnly;
        self
    }

    /// Writes only if the object is still this one.
    #[must_use]
    pub fn if_match(mut self, etag: ETag) -> Self {
        self.mode = PutMode::IfMatch(etag);
        self
    }

    /// Stores these attributes with the object.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// Declares how many bytes will come.
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }
}

/// For drivers: the least text after everything under a prefix that ends in `/`.
pub fn past_level(level: &str) -> String {
    // '0' follows '/' in UTF-8.
    format!("{}0", level.strip_suffix('/').unwrap_or(level))
}

/// Options of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Only what begins with this.
    pub prefix: Prefix,
    /// One level: what holds a further `/` after the prefix is rolled up into common prefixes.
    pub delimited: bool,
    /// Only entries after this text, which need not exist (rule L04).
    pub start_after: Option<String>,
    /// At most so many entries over the whole listing, or from the token on; kept by the handle, to a driver it is a
    /// hint. Where it cuts a page short there is no token: `start_after` the last entry goes on.
    pub limit: Option<u64>,
    /// Go on where a page of the same listing said so.
    pub token: Option<Token>,
    /// At most so many entries a page; the driver's own measure when unset.
    pub page_size: Option<usize>,
    /// A hint: how many requests may be under way at once.
    pub concurrency: Option<usize>,
    /// Go on past what this user may not read: it is a skipped name ([`Skipped::is_unreadable`]) and not the listing's
    /// failure, and a delimited listing shows a level that holds nothing but skipped names, so that who goes down meets
    /// all of them. Only backends whose levels are directories know the case.
    ///
    /// [`Skipped::is_unreadable`]: crate::Skipped::is_unreadable
    pub past_unreadable: bool,
}

impl ListOptions {
    /// Everything, flat.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only what begins with this.
    #[must_use]
    pub fn prefix(mut self, prefix: Prefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// One level only.
    #[must_use]
    pub fn delimited(mut self) -> Self {
        self.delimited = true;
        self
    }

    /// Only entries after this text.
    #[must_use]
    pub fn start_after(mut self, start: impl Into<String>) -> Self {
        self.start_after = Some(start.into());
        self
    }

    /// At most so many entries over the whole listing.
    #[must_use]
    pub fn limit(mut self, entries: u64) -> Self {
        self.limit = Some(entries);
        self
    }

    /// Goes on where a page of the same listing said so.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// For drivers: from which key on the listing goes, its token, start and prefix taken together (rules L04, L06).
    ///
    /// In a delimited listing a common prefix is one entry, so a start that lies under one skips all of it.
    pub fn first(&self) -> Result<Bound<String>> {
        let after = match &self.token {
            Some(token) => Some(token.open(self)?),
            None => self.start_after.clone(),
        };
        let prefix = self.prefix.as_str();
        let Some(after) = after.filter(|after| after.as_str() >= prefix) else {
            return Ok(Bound::Included(prefix.to_owned()));
        };
        if self.delimited
            && let Some(rest) = after.strip_prefix(prefix)
            && let Some(slash) = rest.find('/')
        {
            return Ok(Bound::Included(past_level(&after[..=prefix.len() + slash])));
        }
        Ok(Bound::Excluded(after))
    }

    /// At most so many entries a page.
    #[must_use]
    pub fn page_size(mut self, entries: usize) -> Self {
        self.page_size = Some(entries);
        self
    }

    /// How many requests may be under way at once.
    #[must_use]
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = Some(requests);
        self
    }

    /// Goes on past what this user may not read, which then is skipped, counted and named.
    #[must_use]
    pub fn past_unreadable(mut self) -> Self {
        self.past_unreadable = true;
        self
    }
}

/// Options of copy and rename; the attributes go along with the content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Write the destination only if it does not exist: else `AlreadyExists`.
    pub create_only: bool,
    /// Take the source only if its etag is this one: else `PreconditionFailed`.
    pub if_source_match: Option<ETag>,
}

impl CopyOptions {
    /// An unconditional copy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the destination only if it does not exist.
    #[must_use]
    pub fn create_only(mut self) -> Self {
        self.create_only = true;
        self
    }

    /// Takes the source only if its etag is this one.
    #[must_use]
    pub fn if_source_match(mut self, etag: ETag) -> Self {
        self.if_source_match = Some(etag);
        self
    }
}

/// Options of delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteOptions {
    /// Delete only if the etag is this one: else, or if there is no object, `PreconditionFailed` (rule C11).
    pub if_match: Option<ETag>,
    /// Which version, where the backend has versions.
    pub version: Option<String>,
}

impl DeleteOptions {
    /// An unconditional delete.
    pub fn new() -> Self {
        Self::default()
    }

    /// Deletes only if the object is still this one.
    #[must_use]
    pub fn if_match(mut self, etag: ETag) -> Self {
        self.if_match = Some(etag);
        self
    }

    /// Deletes a version by its id.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }
}

/// What a presigned URL does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PresignMethod {
    /// Reads the object.
    Get,
    /// Reads its metadata.
    Head,
    /// Writes it whole, overwriting.
    Put,
    /// Deletes it.
    Delete,
}

impl PresignMethod {
    /// The HTTP method.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// Options of presign.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresignOptions {
    /// What the URL does.
    pub method: PresignMethod,
    /// How long it does it.
    pub expires_in: Duration,
    /// What whoever puts must store with the object; they become headers that must be sent as they are.
    pub attributes: Attributes,
}

impl PresignOptions {
    /// A URL that does this for so long.
    pub fn new(method: PresignMethod, expires_in: Duration) -> Self {
        Self { method, expires_in, attributes: Attributes::default() }
    }

    /// Binds a put to these attributes.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }
}

/// Options of sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Only what was left behind at least so long ago. Whatever a living writer still uses stays in any case where the
    /// medium can tell.
    pub older_than: Duration,
}

impl SweepOptions {
    /// Removes what was left behind at least so long ago.
    pub fn older_than(age: Duration) -> Self {
        Self { older_than: age }
    }
}
