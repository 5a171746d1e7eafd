//! What a backend can do: each field truthful, checked by the conformance suite both ways.

use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, Result};

/// Whether a condition is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// It is kept, atomically.
    Yes,
    /// It is not: the operation answers `Unsupported` and changes nothing.
    No,
    /// Not known yet; the first use, or `probe()`, finds out.
    Unprobed,
}

impl Support {
    /// Fails with `Unsupported` where the answer is a known no.
    pub fn require(self, what: &'static str) -> Result<()> {
        match self {
            Self::No => Err(Error::unsupported(format!("this backend has no {what}"))),
            Self::Yes | Self::Unprobed => Ok(()),
        }
    }
}

/// What an etag tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ETagKind {
    /// Every write has its own: a stale one never matches again (rule C05).
    Unique,
    /// It follows the content: writing the same bytes again gives the same etag.
    Content,
}

/// When a streaming write takes its place among other writes of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MultipartOrder {
    /// At its `finish()`.
    Finish,
    /// At its start: waives W01, W11 and M04 for streaming writes.
    Start,
}

/// What a backend can do and what it is bound by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// The longest key in bytes; a sub-root has less (rule K03).
    pub max_key_len: usize,
    /// The largest object in bytes (rule W14).
    pub max_object_size: u64,
    /// A create-only put.
    pub put_create_only: Support,
    /// A put with if-match.
    pub put_if_match: Support,
    /// A create-only streaming write, judged at `finish()`.
    pub writer_create_only: Support,
    /// A streaming write with if-match, judged at `finish()`.
    pub writer_if_match: Support,
    /// A create-only copy or rename.
    pub copy_create_only: Support,
    /// A delete with if-match.
    pub delete_if_match: Support,
    /// What an etag tells.
    pub etag: ETagKind,
    /// The unit of `last_modified`.
    pub last_modified_precision: Duration,
    /// Attributes are stored: the five standard ones and user metadata.
    pub attributes: bool,
    /// Rename is one atomic step: no reader sees both names, or neither.
    pub atomic_rename: bool,
    /// Other processes see the same objects.
    pub shared: bool,
    /// An Ok means that the change survives a crash of the machine (rule W16).
    pub durable: bool,
    /// Objects outlive the process.
    pub persistent: bool,
    /// A write that was dropped or timed out may still land later (rule W03).
    pub late_commit: bool,
    /// When a streaming write takes its place.
    pub multipart_order: MultipartOrder,
    /// Every write leaves a version that can be listed, read and deleted by its id (rule V01).
    pub versions: Support,
    /// A digest of the content is stored with each object and checked when a whole object is read (rule V02).
    pub checksums: Support,
    /// URLs that let their holder do one thing with an object: `presign`.
    pub presign: bool,
    /// Objects are files of this machine that another program can open: `local_path`.
    pub local_path: bool,
    /// Changes are told while they are made: `watch` (rule V03).
    pub watch: bool,
}

impl Capabilities {
    /// A backend that can do nothing optional; a driver switches on what it has.
    pub fn none() -> Self {
        Self {
            max_key_len: crate::MAX_KEY_LEN,
            max_object_size: u64::MAX,
            put_create_only: Support::No,
            put_if_match: Support::No,
            writer_create_only: Support::No,
            writer_if_match: Support::No,
            copy_create_only: Support::No,
            delete_if_match: Support::No,
            etag: ETagKind::Content,
            last_modified_precision: Duration::from_secs(1),
            attributes: false,
            atomic_rename: false,
            shared: false,
            durable: false,
            persistent: false,
            late_commit: false,
            multipart_order: MultipartOrder::Finish,
            versions: Support::No,
            checksums: Support::No,
            presign: false,
            local_path: false,
            watch: false,
        }
    }

    /// Every condition of the contract kept, atomically; for drivers that hold their own lock.
    #[must_use]
    pub fn with_all_conditions(self) -> Self {
        self.with_conditions(Support::Yes)
    }

    pub(crate) fn with_conditions(mut self, support: Support) -> Self {
        self.put_create_only = support;
        self.put_if_match = support;
        self.writer_create_only = support;
        self.writer_if_match = support;
        self.copy_create_only = support;
        self.delete_if_match = support;
        self
    }

    /// Whether each of the conditional writes is kept.
    pub fn conditions(&self) -> [Support; 6] {
        [
            self.put_create_only,
            self.put_if_match,
            self.writer_create_only,
            self.writer_if_match,
            self.copy_create_only,
            self.delete_if_match,
        ]
    }
}
