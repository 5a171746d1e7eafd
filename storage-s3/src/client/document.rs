//! What the documents of the service say, as far as the client looks into them: the root element, and errors ("Error
//! responses" in the S3 API reference).

use std::time::Duration;

use http::header::{CONTENT_RANGE, DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use super::failure::{Cause, ServiceError};

/// Whether a document is whole and has the root element that was asked for. White space before it is allowed: the service
/// sends some to keep a connection alive while it works.
pub(crate) fn check(root: &str, status: StatusCode, headers: &HeaderMap, document: &[u8]) -> Result<(), Cause> {
    let Ok(text) = std::str::from_utf8(document) else {
        return Err(Cause::Malformed("the answer is no text".to_owned()));
    };
    let text = without_declaration(text.trim());
    let name = root_name(text);
    let whole = closes(text, name);
    let right = name == root || also(root) == Some(name);
    match name {
        "Error" if whole => Err(Cause::Answer(Box::new(late(error(status, headers, document))))),
        _ if right && whole => Ok(()),
        _ if right => Err(Cause::Malformed(format!("the answer ends inside its <{root}> document"))),
        "" => Err(Cause::Malformed(format!("the answer is not the <{root}> document that was asked for"))),
        _ => Err(Cause::Malformed(format!("the answer is a <{name}> document instead of <{root}>"))),
    }
}

/// An error inside a success, with the status that its code has elsewhere ("List of error codes" in the S3 API reference):
/// services that have begun to answer 200 while they still worked can say no other.
fn late(error: ServiceError) -> ServiceError {
    let status = match error.code.as_str() {
        "PreconditionFailed" => 412,
        "ConditionalRequestConflict" | "OperationAborted" => 409,
        "NoSuchUpload" | "NoSuchKey" | "NoSuchBucket" | "NoSuchVersion" => 404,
        "AccessDenied" => 403,
        "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "EntityTooLarge" | "InvalidRequest"
        | "InvalidArgument" => 400,
        "InternalError" => 500,
        "SlowDown" | "ServiceUnavailable" => 503,
        _ => error.status,
    };
    ServiceError { status, ..error }
}

/// What some services call a document beside its name in the S3 API reference. It matters for none that may be empty.
pub(crate) fn also(root: &str) -> Option<&str> {
    (root == "InitiateMultipartUploadResult").then_some("InitiateMultipartUpload")
}

fn without_declaration(text: &str) -> &str {
    match text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest.trim_start(),
        None => text,
    }
}

/// The name of the first element, without a namespace's prefix.
fn root_name(text: &str) -> &str {
    let Some(text) = text.strip_prefix('<') else { return "" };
    let name = text.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next().unwrap_or_default();
    name.rsplit(':').next().unwrap_or_default()
}

fn closes(text: &str, name: &str) -> bool {
    let end = text.strip_suffix('>').map(str::trim_end).unwrap_or_default();
    let by_itself = end.ends_with('/') && !end.contains('>');
    by_itself || end.strip_suffix(name).is_some_and(|end| end.ends_with("</") || end.ends_with(':'))
}

/// What an answer that is no success says; its document may be missing, or no XML.
pub(crate) fn error(status: StatusCode, headers: &HeaderMap, document: &[u8]) -> ServiceError {
    let text = String::from_utf8_lossy(document);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_error = text.contains("<Error");
    let element = |name: &str| if is_error { element(&text, name) } else { None };
    let size = header(CONTENT_RANGE.as_str()).and_then(|range| range.strip_prefix("bytes */"));
    ServiceError {
        status: status.as_u16(),
        code: element("Code").unwrap_or_default(),
        message: element("Message").unwrap_or_else(|| if is_error { String::new() } else { excerpt(&text) }),
        region: header("x-amz-bucket-region").map(str::to_owned).or_else(|| element("Region")),
        request_id: header("x-amz-request-id").map(str::to_owned).or_else(|| element("RequestId")),
        retry_after: header(RETRY_AFTER.as_str()).and_then(retry_after),
        object_size: size
            .map(str::to_owned)
            .or_else(|| element("ActualObjectSize"))
            .and_then(|size| size.trim().parse().ok()),
        date: header(DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok()),
    }
}

fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    let value = quick_xml::escape::unescape(value).map_or_else(|_| value.to_owned(), |value| value.into_owned());
    Some(value).filter(|value| !value.is_empty())
}

/// The beginning of an answer that is no error document: what a proxy or another kind of server says of itself.
fn excerpt(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(120).collect()
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn checked(document: &str) -> Result<(), Cause> {
        check("ListBucketResult", StatusCode::OK, &HeaderMap::new(), document.as_bytes())
    }

    #[test]
    fn a_whole_document_with_the_right_root_is_good() {
        for document in [
            "<ListBucketResult></ListBucketResult>",
            "  \n<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\"><Key>a</Key></ListBucketResult>\n",
            "<ListBucketResult/>",
            "<s3:ListBucketResult xmlns:s3=\"x\">a</s3:ListBucketResult >",
        ] {
            assert!(checked(document).is_ok(), "{document}: {:?}", checked(document));
        }
    }

    /// Rule L13: a cut or foreign answer is never a short success.
    #[test]
    fn a_cut_or_foreign_document_is_malformed() {
        for document in [
            "",
            "ListBucketResult",
            "<ListBucketResult>",
            "<ListBucketResult><Key>a</Key>",
            "<ListBucketResult><Key>a</Key></ListBucketResul",
            "<html></html>",
            "<Error><Code>SlowDown",
        ] {
            assert!(matches!(checked(document), Err(Cause::Malformed(_))), "{document}");
        }
    }

    #[test]
    fn an_error_inside_a_success_is_the_service_s_error() {
        let document = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>a &amp; b</Message></Error>";
        let Err(Cause::Answer(error)) = checked(document) else { panic!("taken for a success") };
        assert_eq!((error.code.as_str(), error.message.as_str(), error.status), ("SlowDown", "a & b", 503));
    }

    #[test]
    fn an_error_s_headers_and_elements_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-bucket-region", HeaderValue::from_static("eu-west-1"));
        headers.insert("content-range", HeaderValue::from_static("bytes */42"));
        headers.insert("retry-after", HeaderValue::from_static("7"));
        headers.insert("date", HeaderValue::from_static("Fri, 24 May 2013 00:00:00 GMT"));
        let error = super::error(StatusCode::RANGE_NOT_SATISFIABLE, &headers, b"");
        assert_eq!((error.region.as_deref(), error.object_size), (Some("eu-west-1"), Some(42)));
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
        assert!(error.date.is_some());
        let bare = super::error(StatusCode::NOT_FOUND, &HeaderMap::new(), b"<Error><Code>NoSuchKey</Code></Error>");
        assert_eq!((bare.code.as_str(), bare.message.as_str()), ("NoSuchKey", ""), "a document is not shown");
        let plain = super::error(StatusCode::BAD_REQUEST, &HeaderMap::new(), b"Client sent\n an HTTP request");
        assert_eq!((plain.code.as_str(), plain.message.as_str()), ("", "Client sent an HTTP request"));
    }
}
