//! Every failure has the kind and names the setting that rule E04 says, and no secret.

use std::io;
use std::time::{Duration, SystemTime};

use storage_core::ErrorKind;

use super::*;
use crate::client::ServiceError;
use crate::options::Credentials;

fn options() -> S3Options {
    let mut options = S3Options::new("data");
    options.endpoint = Some("http://s3.lan:9000".to_owned());
    options.region = Some("eu-west-1".to_owned());
    options.credentials = Credentials::keys("AKIDEXAMPLE", "hunter2");
    options
}

fn failure(operation: &'static str, cause: Cause) -> Failure {
    Failure { operation, cause, effect: Effect::None }
}

fn answer(status: u16, code: &str) -> ServiceError {
    ServiceError { status, code: code.to_owned(), message: "what the service says".to_owned(), ..Default::default() }
}

fn checked(failure: Failure, kind: ErrorKind, named: &[&str]) {
    let error = explain(failure, &options());
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for name in named {
        assert!(text.contains(name), "{name} is not named in: {text}");
    }
    assert!(!format!("{error:?}{error}").contains("hunter2"), "{text}");
}

#[test]
fn an_answer_names_the_setting_to_look_at() {
    use ErrorKind::*;
    for (status, code, operation, kind, named) in [
        (403, "InvalidAccessKeyId", "GetObject", Unauthenticated, &["AWS_ACCESS_KEY_ID"][..]),
        (403, "SignatureDoesNotMatch", "GetObject", Unauthenticated, &["AWS_SECRET_ACCESS_KEY"]),
        (400, "ExpiredToken", "GetObject", Unauthenticated, &["AWS_SESSION_TOKEN"]),
        (400, "InvalidToken", "PutObject", Unauthenticated, &["AWS_SESSION_TOKEN"]),
        (403, "AccessDenied", "GetObject", PermissionDenied, &["s3:GetObject", "data", "s3:ListBucket"]),
        (403, "AccessDenied", "DeleteObjects", PermissionDenied, &["s3:DeleteObject", "data"]),
        (403, "AccessDenied", "ListMultipartUploads", PermissionDenied, &["s3:ListBucketMultipartUploads"]),
        (403, "", "HeadObject", PermissionDenied, &["s3:GetObject"]),
        (
            404,
            "NoSuchBucket",
            "PutObject",
            BackendNotFound,
            &["data", "STORAGE_BUCKET_NAME", "eu-west-1", "s3.lan:9000"],
        ),
        (404, "", "HeadBucket", BackendNotFound, &["STORAGE_BUCKET_NAME"]),
        (404, "NoSuchKey", "GetObject", NotFound, &[]),
        (404, "NoSuchUpload", "UploadPart", Conflict, &[]),
        (412, "PreconditionFailed", "PutObject", PreconditionFailed, &[]),
        (409, "ConditionalRequestConflict", "PutObject", Conflict, &[]),
        (304, "", "GetObject", NotModified, &[]),
        (503, "SlowDown", "GetObject", Throttled, &[]),
        (429, "", "GetObject", Throttled, &[]),
        (503, "ServiceUnavailable", "GetObject", Unavailable, &[]),
        (500, "InternalError", "PutObject", Unavailable, &[]),
        (200, "InternalError", "CopyObject", Unavailable, &[]),
        (501, "NotImplemented", "PutObject", Unsupported, &[]),
        (400, "BadDigest", "PutObject", Corrupted, &[]),
        (400, "EntityTooLarge", "PutObject", InvalidInput, &[]),
        (507, "", "PutObject", OutOfSpace, &[]),
    ] {
        let failure = failure(operation, Cause::Answer(Box::new(answer(status, code))));
        checked(failure, kind, named);
    }
}

/// Garage has one code for all of it, and says the rest in words.
#[test]
fn a_service_s_words_tell_who_is_wrong() {
    for (code, message, named) in [
        ("AccessDenied", "Forbidden: No such key: GK1", "AWS_ACCESS_KEY_ID"),
        ("AccessDenied", "Forbidden: Invalid signature", "AWS_SECRET_ACCESS_KEY"),
        ("InvalidSecurity", "The provided security credentials are not valid.", "AWS_SECRET_ACCESS_KEY"),
    ] {
        let answer = ServiceError { message: message.to_owned(), ..answer(403, code) };
        let failure = failure("ListObjectsV2", Cause::Answer(Box::new(answer)));
        checked(failure, ErrorKind::Unauthenticated, &[named]);
    }
}

#[test]
fn a_wrong_region_names_the_right_one() {
    let answer = ServiceError { region: Some("us-west-2".to_owned()), ..answer(400, "AuthorizationHeaderMalformed") };
    let failure = failure("GetObject", Cause::Answer(Box::new(answer)));
    checked(failure, ErrorKind::Configuration, &["AWS_REGION", "us-west-2", "eu-west-1"]);
}

#[test]
fn a_skewed_clock_is_shown_beside_the_service_s() {
    let date = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600));
    let failure =
        failure("GetObject", Cause::Answer(Box::new(ServiceError { date, ..answer(403, "RequestTimeTooSkewed") })));
    let year = httpdate::fmt_http_date(SystemTime::now());
    let year = year.split(' ').nth(3).unwrap();
    checked(failure, ErrorKind::Unauthenticated, &["clock", "24 May 2013", year]);
}

#[test]
fn a_refused_range_says_how_long_the_object_is() {
    let failure = failure(
        "GetObject",
        Cause::Answer(Box::new(ServiceError { object_size: Some(7), ..answer(416, "InvalidRange") })),
    );
    checked(failure, ErrorKind::RangeNotSatisfiable { size: 7 }, &[]);
}

#[test]
fn what_happens_below_http_names_the_endpoint() {
    use ErrorKind::*;
    let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let untrusted = io::Error::new(io::ErrorKind::InvalidData, untrusted);
    let not_tls = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
    let not_tls = io::Error::new(io::ErrorKind::InvalidData, not_tls);
    let limit = Duration::from_secs(5);
    for (cause, kind, named) in [
        (
            Cause::Resolve(io::Error::other("no such host")),
            Unavailable,
            &["AWS_ENDPOINT_URL", "http://s3.lan:9000"][..],
        ),
        (Cause::Connect(io::ErrorKind::ConnectionRefused.into()), Unavailable, &["AWS_ENDPOINT_URL"]),
        (Cause::Timeout("an answer", limit), Timeout, &["AWS_ENDPOINT_URL", "5s"]),
        (Cause::Tls(untrusted.into()), Configuration, &["AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"]),
        (Cause::Tls(not_tls.into()), Configuration, &["AWS_ENDPOINT_URL", "STORAGE_S3_USE_SSL=false"]),
        (Cause::NotHttp("x".into()), Configuration, &["AWS_ENDPOINT_URL", "STORAGE_S3_USE_SSL=true"]),
        (Cause::Broken("reset".into()), Unavailable, &["http://s3.lan:9000"]),
        (Cause::Malformed("cut".to_owned()), Unavailable, &["cut"]),
        (Cause::Credentials("tried the profile's file".into()), Unauthenticated, &["AWS_ACCESS_KEY_ID", "tried"]),
    ] {
        checked(failure("GetObject", cause), kind, named);
    }
}

/// Rule C06: a write that is in doubt is never said to have failed, and one that was not sent says so.
#[test]
fn the_effect_decides_what_a_failed_write_is() {
    let cause = || Cause::Answer(Box::new(answer(503, "SlowDown")));
    let error = explain(Failure { operation: "PutObject", cause: cause(), effect: Effect::Unknown }, &options());
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(error.to_string().contains("SlowDown") && !error.is_unsent(), "{error}");
    let refused = Cause::Connect(io::ErrorKind::ConnectionRefused.into());
    let error = explain(Failure { operation: "PutObject", cause: refused, effect: Effect::Unsent }, &options());
    assert!(error.is_unsent() && error.is_retryable(), "{error}");
}
