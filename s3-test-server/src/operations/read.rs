//! `GetObject`, `HeadObject` and `GetObjectAttributes`.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::{Operations, Request, attributes, document, empty, set};
use crate::clock::http_date;
use crate::conditions::{self, Validators};
use crate::error::{Failure, Outcome};
use crate::quirk::Quirk;
use crate::range::{self, Asked};
use crate::store::{Bucket, Object, Versioning};
use crate::xml::Element;

/// Query parameters by which a reader overrides what the object says.
const OVERRIDES: [(&str, &str); 6] = [
    ("response-content-type", "content-type"),
    ("response-cache-control", "cache-control"),
    ("response-content-disposition", "content-disposition"),
    ("response-content-encoding", "content-encoding"),
    ("response-content-language", "content-language"),
    ("response-expires", "expires"),
];

/// What of an object is read: its bytes from and to, and whether that was asked for.
struct Slice {
    from: u64,
    to: u64,
    partial: bool,
}

impl Operations {
    pub(super) fn read_object(&self, request: &Request) -> Outcome {
        let (object, versioned) = self.store.bucket(request.bucket(), |bucket| {
            Ok((find(bucket, request.key(), request.query("versionId"))?, bucket.versioning != Versioning::Never))
        })?;
        attributes::check_customer_key(request, &object)?;
        let validators = Validators { etag: &object.etag, modified: object.modified };
        conditions::check_read(&request.headers, validators).map_err(|failure| {
            failure.header("etag", object.quoted_etag()).header("last-modified", http_date(object.modified))
        })?;
        let mut slice = slice(request, &object)?;
        let suffix = request.header("range").is_some_and(|range| range.starts_with("bytes=-"));
        if suffix && self.options.has(Quirk::SuffixFromTheStart) {
            (slice.from, slice.to) = (0, slice.to - slice.from);
        }

        let partial = slice.partial && !self.options.has(Quirk::RangeWithStatus200);
        let mut response = empty(if partial { 206 } else { 200 });
        let headers = response.headers_mut();
        describe(&object, versioned, headers);
        set(headers, "content-length", slice.to - slice.from);
        if slice.partial {
            let size = object.content.size();
            set(headers, "content-range", format!("bytes {}-{}/{size}", slice.from, slice.to - 1));
        }
        if request.query("partNumber").is_some() && !object.parts.is_empty() {
            set(headers, "x-amz-mp-parts-count", object.parts.len());
        }
        if !slice.partial
            && request.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
        {
            set_checksum(&object, headers);
        }
        for (parameter, name) in OVERRIDES {
            if let Some(value) = request.query(parameter) {
                set(headers, name, value);
            }
        }
        attributes::charged(request, headers);
        if request.info.operation == "GetObject" {
            *response.body_mut() = object.content.slice(slice.from, slice.to).into_body();
        }
        Ok(response)
    }

    pub(super) fn object_attributes(&self, request: &Request) -> Outcome {
        let (object, versioned) = self.store.bucket(request.bucket(), |bucket| {
            Ok((find(bucket, request.key(), request.query("versionId"))?, bucket.versioning != Versioning::Never))
        })?;
        attributes::check_customer_key(request, &object)?;
        let wanted = request.header("x-amz-object-attributes").unwrap_or_default();
        let wants = |name: &str| wanted.split(',').any(|wanted| wanted.trim() == name);
        let mut root = Element::new("GetObjectAttributesResponse");
        if wants("ETag") {
            root = root.text("ETag", &object.etag);
        }
        if let Some(checksum) = object.checksum.as_ref().filter(|_| wants("Checksum")) {
            let element = Element::new("Checksum").text(checksum.algorithm.element(), &checksum.value);
            root = root.child(element.text("ChecksumType", checksum.kind()));
        }
        if wants("ObjectParts") && !object.parts.is_empty() {
            root = root.child(object_parts(request, &object));
        }
        if wants("StorageClass") {
            root = root.text("StorageClass", object.storage_class());
        }
        if wants("ObjectSize") {
            root = root.text("ObjectSize", object.content.size());
        }
        let mut response = document(root);
        set(response.headers_mut(), "last-modified", http_date(object.modified));
        if versioned {
            set(response.headers_mut(), "x-amz-version-id", object.version_id());
        }
        Ok(response)
    }
}

/// The version that a reader asks for. Delete markers are 404 where the newest is asked for, 405 by their id.
pub(crate) fn find(bucket: &Bucket, key: &str, version: Option<&str>) -> Outcome<Arc<Object>> {
    let Some(id) = version else {
        let latest = bucket.latest(key).ok_or_else(|| Failure::no_such_key(key))?;
        if latest.delete_marker {
            let failure = Failure::no_such_key(key).header("x-amz-delete-marker", true);
            return Err(failure.header("x-amz-version-id", latest.version_id()));
        }
        return Ok(latest);
    };
    if id.is_empty() {
        return Err(Failure::invalid_argument("Version id cannot be the empty string", "versionId", id));
    }
    let object = bucket.version(key, id).ok_or_else(|| {
        let message = "The specified version does not exist.";
        Failure::new(404, "NoSuchVersion", message).detail("Key", key).detail("VersionId", id)
    })?;
    if object.delete_marker {
        let message = "The specified method is not allowed against this resource.";
        return Err(Failure::new(405, "MethodNotAllowed", message)
            .detail("Method", "GET")
            .detail("ResourceType", "DeleteMarker")
            .header("allow", "DELETE")
            .header("x-amz-delete-marker", true)
            .header("x-amz-version-id", id)
            .header("last-modified", http_date(object.modified)));
    }
    Ok(object)
}

fn slice(request: &Request, object: &Object) -> Outcome<Slice> {
    let size = object.content.size();
    let whole = Slice { from: 0, to: size, partial: false };
    if let Some(number) = request.query("partNumber") {
        return part(number, object);
    }
    let header = request.header("range").filter(|_| !request.info.ignore_range);
    match range::asked(header, size) {
        Asked::Whole => Ok(whole),
        Asked::Bytes(from, to) => Ok(Slice { from, to, partial: true }),
        Asked::Nothing => Err(range::not_satisfiable(header.unwrap_or_default(), size)),
    }
}

fn part(number: &str, object: &Object) -> Outcome<Slice> {
    let invalid = || Failure::new(416, "InvalidPartNumber", "The requested partnumber is not satisfiable");
    let number = number.parse::<usize>().ok().filter(|number| *number > 0).ok_or_else(invalid)?;
    let size = object.content.size();
    if object.parts.is_empty() {
        return if number == 1 { Ok(Slice { from: 0, to: size, partial: size > 0 }) } else { Err(invalid()) };
    }
    let at = object.parts.iter().position(|part| part.number as usize == number).ok_or_else(invalid)?;
    let from: u64 = object.parts.iter().take(at).map(|part| part.size).sum();
    let to = from + object.parts.get(at).map_or(0, |part| part.size);
    Ok(Slice { from, to, partial: to > from })
}

fn describe(object: &Object, versioned: bool, headers: &mut HeaderMap) {
    for (name, value) in &object.headers {
        let hidden = name == "x-amz-storage-class" && value == "STANDARD";
        if !hidden && name != "x-amz-server-side-encryption-context" {
            headers.append(name.clone(), readable(name, value));
        }
    }
    set(headers, "etag", object.quoted_etag());
    set(headers, "last-modified", http_date(object.modified));
    set(headers, "accept-ranges", "bytes");
    if versioned {
        set(headers, "x-amz-version-id", object.version_id());
    }
}

/// User metadata that is not ASCII goes out as an encoded word (RFC 2047), as from S3.
fn readable(name: &HeaderName, value: &HeaderValue) -> HeaderValue {
    use base64::Engine as _;
    if value.as_bytes().is_ascii() || !name.as_str().starts_with("x-amz-meta-") {
        return value.clone();
    }
    let word = format!("=?UTF-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(value.as_bytes()));
    HeaderValue::from_str(&word).unwrap_or_else(|_| value.clone())
}

/// The checksum's own header and its type.
pub(crate) fn set_checksum(object: &Object, headers: &mut HeaderMap) {
    if let Some(checksum) = &object.checksum {
        set(headers, checksum.algorithm.header(), &checksum.value);
        set(headers, "x-amz-checksum-type", checksum.kind());
    }
}

fn object_parts(request: &Request, object: &Object) -> Element {
    let number = |name: &str, default: u32| request.header(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (marker, most) = (number("x-amz-part-number-marker", 0), number("x-amz-max-parts", 1000));
    let parts: Vec<_> = object.parts.iter().filter(|part| part.number > marker).collect();
    let shown = parts.get(..most as usize).unwrap_or(&parts);
    let mut element = Element::new("ObjectParts")
        .text("PartsCount", object.parts.len())
        .text("PartNumberMarker", marker)
        .maybe("NextPartNumberMarker", shown.last().map(|part| part.number))
        .text("MaxParts", most)
        .text("IsTruncated", shown.len() < parts.len());
    for part in shown {
        let mut entry = Element::new("Part").text("PartNumber", part.number).text("Size", part.size);
        if let Some(checksum) = &part.checksum {
            entry = entry.text(checksum.algorithm.element(), &checksum.value);
        }
        element.push(entry);
    }
    element
}
