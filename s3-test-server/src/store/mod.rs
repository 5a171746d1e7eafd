//! What the server keeps: buckets, versions of objects, unfinished uploads. All in one lock, so that every condition is
//! checked and acted upon in one step.

mod bucket;
mod content;
mod listing;
mod synthetic;
mod upload;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderValue};

pub(crate) use bucket::{Bucket, Deleted, Versioning};
pub(crate) use content::Content;
pub(crate) use listing::{Entry, Listing, Rolled};
pub(crate) use synthetic::SyntheticObjects;
pub use synthetic::synthetic_bytes;
pub(crate) use upload::{NamedPart, Part, Upload};

use crate::checksum::{Checksum, hex, md5};
use crate::clock::Seconds;
use crate::error::{Failure, Outcome};

/// One version of an object, as it was committed; or a delete marker.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    /// `None` is the version S3 calls `null`.
    pub(crate) version: Option<String>,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) modified: Seconds,
    pub(crate) content: Content,
    /// Headers that reads give back.
    pub(crate) headers: HeaderMap,
    pub(crate) checksum: Option<Checksum>,
    /// The parts of a multipart upload.
    pub(crate) parts: Vec<PartInfo>,
    pub(crate) delete_marker: bool,
}

impl Object {
    pub(crate) fn version_id(&self) -> &str {
        self.version.as_deref().unwrap_or("null")
    }

    pub(crate) fn quoted_etag(&self) -> String {
        format!("\"{}\"", self.etag)
    }

    pub(crate) fn storage_class(&self) -> &str {
        self.headers.get("x-amz-storage-class").and_then(|class| class.to_str().ok()).unwrap_or("STANDARD")
    }
}

/// What is remembered of a part once its upload is completed.
#[derive(Debug, Clone)]
pub(crate) struct PartInfo {
    pub(crate) number: u32,
    pub(crate) size: u64,
    pub(crate) checksum: Option<Checksum>,
}

/// The etag of content that was written in one piece: its MD5, or that of a description if it is synthetic.
pub(crate) fn etag_of(content: &Content) -> String {
    match content.pieces() {
        Some(pieces) => hex(&md5(pieces)),
        None => hex(&md5([content.description().as_bytes()])),
    }
}

/// Headers of an object that came with none.
pub(crate) fn default_headers() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"))])
}

/// All buckets.
#[derive(Default)]
pub(crate) struct Store {
    buckets: Mutex<BTreeMap<String, Bucket>>,
    ids: AtomicU64,
}

impl Store {
    pub(crate) fn all<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Bucket>) -> T) -> T {
        act(&mut self.buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Acts on a bucket, alone.
    pub(crate) fn bucket<T>(&self, name: &str, act: impl FnOnce(&mut Bucket) -> Outcome<T>) -> Outcome<T> {
        self.all(|buckets| buckets.get_mut(name).ok_or_else(|| Failure::no_such_bucket(name)).and_then(act))
    }

    /// An id that sorts after those before it, and can't be guessed from them.
    pub(crate) fn new_id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{number:016x}{:016x}", fastrand::u64(..))
    }
}
