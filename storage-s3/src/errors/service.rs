//! What the service's own errors mean ("Error responses: List of error codes" in the S3 API reference).

use std::time::SystemTime;

use storage_core::{Error, ErrorKind};

use crate::client::{ServiceError, endpoint_url};
use crate::options::S3Options;

/// The kind goes by the code, and by the status where there is no code that says more.
pub(super) fn explain(operation: &str, answer: &ServiceError, options: &S3Options) -> Error {
    identity(answer)
        .or_else(|| region(answer, options))
        .or_else(|| place(answer, options))
        .or_else(|| permission(operation, answer, options))
        .or_else(|| refusal(answer))
        .unwrap_or_else(|| by_status(operation, answer, options))
}

fn unauthenticated(answer: &ServiceError, help: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unauthenticated, answer.to_string()).with_help(help.into())
}

/// Who asks is not who it should be. Garage says all of it as `AccessDenied`, and in words.
fn identity(answer: &ServiceError) -> Option<Error> {
    let denied = |words: &str| answer.code == "AccessDenied" && answer.message.contains(words);
    let help = match answer.code.as_str() {
        _ if answer.code == "InvalidAccessKeyId" || denied("No such key") => {
            "the service does not know the access key: check AWS_ACCESS_KEY_ID, and that it belongs to this service"
                .to_owned()
        }
        _ if answer.code == "SignatureDoesNotMatch" || denied("nvalid signature") => {
            "check AWS_SECRET_ACCESS_KEY: it does not fit AWS_ACCESS_KEY_ID".to_owned()
        }
        "InvalidSecurity" => "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            "the temporary credentials have ended or are not whole: renew AWS_SESSION_TOKEN together with its keys"
                .to_owned()
        }
        "RequestTimeTooSkewed" | "RequestExpired" => skewed(answer),
        _ if answer.status == 401 => "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
        _ => return None,
    };
    Some(unauthenticated(answer, help))
}

fn skewed(answer: &ServiceError) -> String {
    let here = httpdate::fmt_http_date(SystemTime::now());
    match answer.date {
        Some(there) => {
            let there = httpdate::fmt_http_date(there);
            format!("set this machine's clock: it says {here}, and the service's says {there}")
        }
        None => format!("set this machine's clock: it says {here}"),
    }
}

/// The bucket is in another region than requests are signed for.
fn region(answer: &ServiceError, options: &S3Options) -> Option<Error> {
    let about_regions = matches!(
        answer.code.as_str(),
        "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "TemporaryRedirect"
            | "IllegalLocationConstraintException"
    );
    let moved = matches!(answer.status, 301 | 307 | 308);
    let bare = answer.status == 400 && answer.code.is_empty() && answer.region.is_some();
    if !about_regions && !moved && !bare {
        return None;
    }
    let set = options.region.as_deref().unwrap_or("not set");
    let error = Error::configuration(format!("the bucket {:?} is not in the region asked: {answer}", options.bucket));
    Some(match &answer.region {
        Some(right) => error.with_help(format!("set AWS_REGION to {right}; it is {set}")),
        None => error.with_help(format!("check AWS_REGION, which is {set}, AWS_ENDPOINT_URL and AWS_ACCESS_KEY_ID")),
    })
}

/// The bucket or the service is not there, or not one.
fn place(answer: &ServiceError, options: &S3Options) -> Option<Error> {
    let url = endpoint_url(options);
    let (bucket, region) = (&options.bucket, options.region.as_deref().unwrap_or("not set"));
    match answer.code.as_str() {
        "NoSuchBucket" => Some(
            Error::new(
                ErrorKind::BackendNotFound,
                format!("there is no bucket {bucket:?} at {url} (region {region}): {answer}"),
            )
            .with_help(
                "check the bucket's name in the location or in STORAGE_BUCKET_NAME, AWS_REGION and AWS_ENDPOINT_URL",
            ),
        ),
        "InvalidBucketName" => Some(
            Error::configuration(format!("{bucket:?} is no name of a bucket: {answer}"))
                .with_help("correct the location, or STORAGE_BUCKET_NAME"),
        ),
        "" if answer.status == 400 && answer.message.to_ascii_lowercase().contains("https") => Some(
            Error::configuration(format!("{url} speaks TLS: {answer}"))
                .with_help("write https:// in AWS_ENDPOINT_URL, or set STORAGE_S3_USE_SSL=true"),
        ),
        _ => None,
    }
}

/// The caller may not do this.
fn permission(operation: &str, answer: &ServiceError, options: &S3Options) -> Option<Error> {
    match answer.code.as_str() {
        "QuotaExceeded" | "XMinioStorageFull" => return Some(Error::new(ErrorKind::OutOfSpace, answer.to_string())),
        "InvalidObjectState" => {
            let error = Error::new(ErrorKind::Unsupported, answer.to_string());
            return Some(error.with_help("the object is in an archive: have the service restore it first"));
        }
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "NotSignedUp" | "UnauthorizedAccess" => {}
        _ if answer.status == 403 => {}
        _ => return None,
    }
    let (bucket, needed) = (&options.bucket, permissions(operation));
    let mut help = format!("allow {needed} on the bucket {bucket:?} to this caller");
    if matches!(operation, "GetObject" | "HeadObject") {
        help.push_str(
            "; a missing object is answered like this too where s3:ListBucket is not allowed, so it may not exist",
        );
    }
    Some(Error::new(ErrorKind::PermissionDenied, answer.to_string()).with_help(help))
}

/// The IAM permissions that an operation needs ("Required permissions for Amazon S3 API operations" in the S3 user guide).
fn permissions(operation: &str) -> &'static str {
    match operation {
        "GetObject" | "HeadObject" | "GetObjectAttributes" => "s3:GetObject",
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => "s3:PutObject",
        "CopyObject" | "UploadPartCopy" => "s3:GetObject and s3:PutObject",
        "DeleteObject" | "DeleteObjects" => "s3:DeleteObject",
        "DeleteObjectVersion" => "s3:DeleteObjectVersion",
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "ListParts" => "s3:ListMultipartUploadParts",
        "ListObjectVersions" => "s3:ListBucketVersions",
        "GetBucketVersioning" => "s3:GetBucketVersioning",
        "GetBucketLocation" => "s3:GetBucketLocation",
        "CreateBucket" => "s3:CreateBucket",
        "ListBuckets" => "s3:ListAllMyBuckets",
        _ => "s3:ListBucket",
    }
}

/// What was asked cannot be done, or not as it was asked.
fn refusal(answer: &ServiceError) -> Option<Error> {
    let kind = match answer.code.as_str() {
        "NoSuchUpload" => {
            let error = Error::new(ErrorKind::Conflict, answer.to_string());
            return Some(error.with_help("the upload was completed, aborted or swept: start the write again"));
        }
        "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" => ErrorKind::AlreadyExists,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "BandwidthLimitExceeded" => ErrorKind::Throttled,
        "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" => {
            ErrorKind::Corrupted
        }
        "InternalError" | "ServiceUnavailable" => ErrorKind::Unavailable,
        "RequestTimeout" => ErrorKind::Timeout,
        "NotImplemented" | "MethodNotAllowed" => ErrorKind::Unsupported,
        _ => return None,
    };
    Some(Error::new(kind, answer.to_string()))
}

fn by_status(operation: &str, answer: &ServiceError, options: &S3Options) -> Error {
    let of = |kind| Error::new(kind, answer.to_string());
    match answer.status {
        304 => of(ErrorKind::NotModified),
        404 if about_object(operation) => Error::not_found(),
        404 => of(ErrorKind::BackendNotFound).with_help(format!(
            "check the bucket's name {:?}, in the location or in STORAGE_BUCKET_NAME, and AWS_ENDPOINT_URL",
            options.bucket
        )),
        405 | 501 => of(ErrorKind::Unsupported),
        408 => of(ErrorKind::Timeout),
        409 => of(ErrorKind::Conflict).with_help("somebody else is at work on it: try again"),
        412 => Error::precondition_failed(answer.to_string()),
        416 => match answer.object_size {
            Some(size) => of(ErrorKind::RangeNotSatisfiable { size }),
            None => of(ErrorKind::InvalidInput),
        },
        429 => of(ErrorKind::Throttled),
        507 => of(ErrorKind::OutOfSpace),
        431 => of(ErrorKind::InvalidInput).with_help("give the object fewer or shorter attributes"),
        400 | 411 | 413 | 414 => of(ErrorKind::InvalidInput),
        500..=599 => of(ErrorKind::Unavailable),
        // An error inside an answer that began as a success.
        200..=299 => of(ErrorKind::Other),
        _ => of(ErrorKind::Other).with_help("check that AWS_ENDPOINT_URL is an S3 service"),
    }
}

fn about_object(operation: &str) -> bool {
    operation.ends_with("Object") || operation.contains("Part") || operation.ends_with("MultipartUpload")
}
