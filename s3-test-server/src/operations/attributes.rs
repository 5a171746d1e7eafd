//! Headers that an object keeps: the standard ones, `x-amz-meta-`, storage class and encryption.

use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use super::{Request, set};
use crate::error::{Failure, Outcome};
use crate::store::Object;

const STANDARD: [&str; 6] =
    ["content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"];

const SYSTEM: [&str; 5] = [
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-server-side-encryption-bucket-key-enabled",
];

const ENCRYPTION: [&str; 3] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-context",
];

const STORAGE_CLASSES: [&str; 11] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "EXPRESS_ONEZONE",
    "SNOW",
];

const METADATA_LIMIT: usize = 2048;

/// What a write says about the object.
pub(crate) fn of_write(request: &Request) -> Outcome<HeaderMap> {
    let mut kept = descriptive(request)?;
    kept.extend(system(request)?);
    Ok(kept)
}

/// Standard headers and user metadata. Of a content encoding, `aws-chunked` is the transfer's and not the object's.
pub(crate) fn descriptive(request: &Request) -> Outcome<HeaderMap> {
    let mut kept = HeaderMap::new();
    for name in STANDARD {
        if let Some(value) = request.headers.get(name).filter(|value| !value.is_empty()) {
            kept.insert(name, value.clone());
        }
    }
    if let Some(encoding) = kept.remove(CONTENT_ENCODING) {
        let encoding = encoding.to_str().unwrap_or_default().split(',').map(str::trim);
        let encoding: Vec<_> = encoding.filter(|coding| *coding != "aws-chunked").collect();
        if !encoding.is_empty() {
            set(&mut kept, "content-encoding", encoding.join(","));
        }
    }
    kept.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("binary/octet-stream"));
    user_metadata(request, &mut kept)?;
    Ok(kept)
}

/// Storage class and encryption. Objects are encrypted with the service's keys unless they ask for something else.
pub(crate) fn system(request: &Request) -> Outcome<HeaderMap> {
    let mut kept = HeaderMap::new();
    for name in SYSTEM.into_iter().chain(ENCRYPTION) {
        if let Some(value) = request.headers.get(name) {
            kept.insert(name, value.clone());
        }
    }
    if request.header("x-amz-storage-class").is_some_and(|class| !STORAGE_CLASSES.contains(&class)) {
        return Err(Failure::new(400, "InvalidStorageClass", "The storage class you specified is not valid"));
    }
    if !kept.contains_key("x-amz-server-side-encryption-customer-algorithm") {
        kept.entry("x-amz-server-side-encryption").or_insert(HeaderValue::from_static("AES256"));
    }
    Ok(kept)
}

fn user_metadata(request: &Request, kept: &mut HeaderMap) -> Outcome<()> {
    let mut size = 0;
    for name in request.headers.keys() {
        let Some(short) = name.as_str().strip_prefix("x-amz-meta-") else { continue };
        let values: Vec<_> = request.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let value = values.join(&b","[..]);
        size += short.len() + value.len();
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            kept.insert(name.clone(), value);
        }
    }
    if size > METADATA_LIMIT {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(Failure::new(400, "MetadataTooLarge", message)
            .detail("Size", size)
            .detail("MaxSizeAllowed", METADATA_LIMIT));
    }
    Ok(())
}

/// The headers with which every write answers: version, encryption, and who pays.
pub(crate) fn written(request: &Request, object: &Object, versioned: bool, headers: &mut HeaderMap) {
    for name in SYSTEM.into_iter().skip(2).chain(ENCRYPTION) {
        if let Some(value) = object.headers.get(name) {
            headers.insert(name, value.clone());
        }
    }
    if versioned {
        set(headers, "x-amz-version-id", object.version_id());
    }
    charged(request, headers);
}

/// `x-amz-request-charged`, for a requester who pays.
pub(crate) fn charged(request: &Request, headers: &mut HeaderMap) {
    if request.header("x-amz-request-payer") == Some("requester") {
        set(headers, "x-amz-request-charged", "requester");
    }
}

/// An object encrypted with a customer's key is read with that key only.
pub(crate) fn check_customer_key(request: &Request, object: &Object) -> Outcome<()> {
    let name = "x-amz-server-side-encryption-customer-key-md5";
    match (object.headers.get(name), request.headers.get(name)) {
        (Some(kept), Some(given)) if kept == given => Ok(()),
        (Some(_), Some(_)) => Err(Failure::access_denied()),
        (Some(_), None) => Err(Failure::invalid_request(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to \
             retrieve the object.",
        )),
        (None, Some(_)) => {
            Err(Failure::invalid_request("The encryption parameters are not applicable to this object."))
        }
        (None, None) => Ok(()),
    }
}
