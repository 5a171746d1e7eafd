//! Which operation of the S3 API a request is.

use hyper::{HeaderMap, Method};

use crate::target::Target;

/// A request that is no operation which this server knows.
pub(crate) const UNKNOWN: &str = "Unknown";

/// Sub-resources that S3 has and this server has not: their requests must not pass for others.
const FOREIGN: [&str; 26] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "tagging",
    "website",
];

/// The operation's API name.
pub(crate) fn operation_name(method: &Method, target: &Target, headers: &HeaderMap) -> &'static str {
    if FOREIGN.iter().any(|name| target.has(name)) {
        return UNKNOWN;
    }
    match (&target.bucket, &target.key) {
        (None, _) if method == Method::GET => "ListBuckets",
        (None, _) => UNKNOWN,
        (Some(_), None) => of_bucket(method, target),
        (Some(_), Some(_)) => of_object(method, target, headers.contains_key("x-amz-copy-source")),
    }
}

fn of_bucket(method: &Method, target: &Target) -> &'static str {
    match *method {
        Method::HEAD => "HeadBucket",
        Method::DELETE => "DeleteBucket",
        Method::PUT if target.has("versioning") => "PutBucketVersioning",
        Method::PUT => "CreateBucket",
        Method::POST if target.has("delete") => "DeleteObjects",
        Method::GET if target.has("location") => "GetBucketLocation",
        Method::GET if target.has("versioning") => "GetBucketVersioning",
        Method::GET if target.has("uploads") => "ListMultipartUploads",
        Method::GET if target.has("versions") => "ListObjectVersions",
        Method::GET if target.query("list-type") == Some("2") => "ListObjectsV2",
        Method::GET => "ListObjects",
        _ => UNKNOWN,
    }
}

fn of_object(method: &Method, target: &Target, copies: bool) -> &'static str {
    let upload = target.has("uploadId");
    match *method {
        Method::HEAD => "HeadObject",
        Method::GET if target.has("attributes") => "GetObjectAttributes",
        Method::GET if upload => "ListParts",
        Method::GET => "GetObject",
        Method::PUT if upload && copies => "UploadPartCopy",
        Method::PUT if upload => "UploadPart",
        Method::PUT if copies => "CopyObject",
        Method::PUT => "PutObject",
        Method::POST if target.has("uploads") => "CreateMultipartUpload",
        Method::POST if upload => "CompleteMultipartUpload",
        Method::DELETE if upload => "AbortMultipartUpload",
        Method::DELETE => "DeleteObject",
        _ => UNKNOWN,
    }
}
