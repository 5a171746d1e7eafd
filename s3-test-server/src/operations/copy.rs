//! `CopyObject`, and what `UploadPartCopy` shares with it.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::{Operations, Request, attributes, document, read, set, write};
use crate::checksum::{Algorithm, Checksum};
use crate::clock::listing_date;
use crate::conditions::{self, Validators, WriteCondition};
use crate::error::{Failure, Outcome};
use crate::store::{Object, Versioning, etag_of};
use crate::xml::Element;

/// The source of a copy.
pub(super) struct Source {
    bucket: String,
    key: String,
    version: Option<String>,
}

impl Source {
    /// Reads `x-amz-copy-source`: `bucket/key`, percent-encoded, with or without a slash before it.
    fn of(request: &Request) -> Outcome<Self> {
        let header = request.header("x-amz-copy-source").unwrap_or_default();
        let invalid = || {
            let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
            Failure::invalid_argument(message, "x-amz-copy-source", header)
        };
        let (path, version) = match header.split_once("?versionId=") {
            Some((path, version)) => (path, Some(version.to_owned())),
            None => (header, None),
        };
        let path = percent_decode_str(path).decode_utf8().map_err(|_| invalid())?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').filter(|(_, key)| !key.is_empty()).ok_or_else(invalid)?;
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), version })
    }
}

/// The object a copy reads, and its version if its bucket keeps any.
pub(super) struct Found {
    pub(super) object: Arc<Object>,
    pub(super) version: Option<String>,
    source: Source,
}

impl Operations {
    /// Finds the source and checks the conditions on it.
    pub(super) fn copy_source(&self, request: &Request) -> Outcome<Found> {
        let source = Source::of(request)?;
        let (object, versioned) = self.store.bucket(&source.bucket, |bucket| {
            Ok((read::find(bucket, &source.key, source.version.as_deref())?, bucket.versioning != Versioning::Never))
        })?;
        if self.options.conditions.copy_source {
            conditions::check_source(&request.headers, Validators { etag: &object.etag, modified: object.modified })?;
        }
        let version = versioned.then(|| object.version_id().to_owned());
        Ok(Found { object, version, source })
    }

    /// Refuses to copy more at once than S3 does.
    pub(super) fn check_copied(&self, size: u64) -> Outcome<()> {
        let most = self.options.limits.max_copy_source;
        if size <= most {
            return Ok(());
        }
        let message = "The specified copy source is larger than the maximum allowable size for a copy source";
        Err(Failure::invalid_request(format!("{message}: {most}")))
    }

    pub(super) fn copy_object(&self, request: &Request) -> Outcome {
        let kept = &self.options.conditions;
        let condition = WriteCondition::of(&request.headers, kept.copy_create_only, kept.copy_if_match)?;
        write::check_key(request.key())?;
        let found = self.copy_source(request)?;
        self.check_copied(found.object.content.size())?;
        check_changes_something(request, &found)?;
        let object = copied(request, &found.object)?;
        let (object, versioned) = self.commit(request.bucket(), request.key(), object, &condition)?;

        let mut result = Element::new("CopyObjectResult")
            .text("LastModified", listing_date(object.modified))
            .text("ETag", object.quoted_etag());
        if let Some(checksum) = &object.checksum {
            result = result.text(checksum.algorithm.element(), &checksum.value).text("ChecksumType", checksum.kind());
        }
        let mut response = document(result);
        if let Some(version) = found.version {
            set(response.headers_mut(), "x-amz-copy-source-version-id", version);
        }
        attributes::written(request, &object, versioned, response.headers_mut());
        Ok(response)
    }
}

/// The new object. Its attributes are the source's unless the request replaces them; storage class and encryption are
/// never the source's. It is written in one piece, so its etag and checksum are those of one.
fn copied(request: &Request, source: &Object) -> Outcome<Object> {
    let mut headers = if replaces(request)? {
        attributes::descriptive(request)?
    } else {
        let mut headers = source.headers.clone();
        let system: Vec<_> = headers.keys().filter(|name| is_system(name.as_str())).cloned().collect();
        system.into_iter().for_each(|name| drop(headers.remove(name)));
        headers
    };
    headers.extend(attributes::system(request)?);
    let asked = request.header("x-amz-checksum-algorithm").map(Algorithm::parse).transpose()?;
    Ok(Object {
        etag: if source.parts.is_empty() { source.etag.clone() } else { etag_of(&source.content) },
        checksum: copied_checksum(asked, source),
        content: source.content.clone(),
        headers,
        ..Object::default()
    })
}

fn is_system(name: &str) -> bool {
    name.starts_with("x-amz-") && !name.starts_with("x-amz-meta-")
}

fn replaces(request: &Request) -> Outcome<bool> {
    match request.header("x-amz-metadata-directive") {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(Failure::invalid_argument("Unknown metadata directive.", "x-amz-metadata-directive", other)),
    }
}

fn copied_checksum(asked: Option<Algorithm>, source: &Object) -> Option<Checksum> {
    let kept = source.checksum.as_ref();
    let algorithm = asked.or(kept.map(|checksum| checksum.algorithm)).unwrap_or(Algorithm::Crc64Nvme);
    match kept {
        Some(checksum) if checksum.algorithm == algorithm && !checksum.composite => Some(checksum.clone()),
        _ => Some(Checksum::full(algorithm, &algorithm.digest(source.content.pieces()?))),
    }
}

/// An object is copied onto itself only to change its attributes, class or encryption, or to restore a version.
fn check_changes_something(request: &Request, found: &Found) -> Outcome<()> {
    let same = found.source.bucket == request.bucket() && found.source.key == request.key();
    let changes = ["x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-website-redirect-location"];
    let changes = changes.iter().any(|name| request.headers.contains_key(*name)) || replaces(request)?;
    if !same || changes || found.source.version.is_some() {
        return Ok(());
    }
    Err(Failure::invalid_request(
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
         metadata, storage class, website redirect location or encryption attributes.",
    ))
}
