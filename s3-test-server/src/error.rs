//! A request that failed, and the document that says so (S3 API reference, "Error responses").

use std::borrow::Cow;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use s3s::Body;

use crate::xml::Element;

/// An answer of an operation, or its failure.
pub(crate) type Outcome<T = hyper::Response<Body>> = Result<T, Failure>;

/// An S3 error: a status, a code, and what the document and the headers say besides.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    details: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
}

impl Failure {
    pub(crate) fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code: code.into(), message: message.into(), details: Vec::new(), headers: Vec::new() }
    }

    /// One more element of the error document.
    pub(crate) fn detail(mut self, name: &'static str, value: impl ToString) -> Self {
        self.details.push((name, value.to_string()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn invalid_argument(message: impl Into<Cow<'static, str>>, name: &str, value: &str) -> Self {
        Self::new(400, "InvalidArgument", message).detail("ArgumentName", name).detail("ArgumentValue", value)
    }

    pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "InvalidRequest", message)
    }

    pub(crate) fn malformed_xml() -> Self {
        Self::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    }

    pub(crate) fn no_such_bucket(bucket: &str) -> Self {
        Self::new(404, "NoSuchBucket", "The specified bucket does not exist").detail("BucketName", bucket)
    }

    pub(crate) fn no_such_key(key: &str) -> Self {
        Self::new(404, "NoSuchKey", "The specified key does not exist.").detail("Key", key)
    }

    pub(crate) fn no_such_upload(id: &str) -> Self {
        let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                       aborted or completed.";
        Self::new(404, "NoSuchUpload", message).detail("UploadId", id)
    }

    pub(crate) fn precondition(condition: &'static str) -> Self {
        let message = "At least one of the pre-conditions you specified did not hold";
        Self::new(412, "PreconditionFailed", message).detail("Condition", condition)
    }

    pub(crate) fn not_implemented() -> Self {
        Self::new(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    }

    pub(crate) fn access_denied() -> Self {
        Self::new(403, "AccessDenied", "Access Denied")
    }

    /// The answer: an error document, but for 304, which has no body.
    pub(crate) fn into_response(self, resource: &str, request_id: &str) -> hyper::Response<Body> {
        let body = match self.status {
            StatusCode::NOT_MODIFIED => Body::empty(),
            _ => Body::from(self.document(resource, request_id)),
        };
        let mut response = hyper::Response::new(body);
        *response.status_mut() = self.status;
        if self.status != StatusCode::NOT_MODIFIED {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }

    /// The error document.
    pub(crate) fn document(&self, resource: &str, request_id: &str) -> String {
        let mut error = Element::new("Error").text("Code", &self.code).text("Message", &self.message);
        for (name, value) in &self.details {
            error = error.text(name, value);
        }
        error.text("Resource", resource).text("RequestId", request_id).text("HostId", "s3-test-server").document()
    }
}

/// What S3 says with a code that comes without a message of its own.
pub(crate) fn standard_message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and \
             signing method."
        }
        "InternalError" => "We encountered an internal error. Please try again.",
        "SlowDown" => "Please reduce your request rate.",
        "ServiceUnavailable" => "Service is unable to handle request.",
        "RequestTimeout" => {
            "Your socket connection to the server was not read from or written to within the timeout period."
        }
        "KeyTooLongError" => "Your key is too long",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        _ => "The request failed.",
    }
}
