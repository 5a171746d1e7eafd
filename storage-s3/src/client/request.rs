//! A request to the service before it is signed.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// What is asked, and how the answer is taken.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The operation by its name in the S3 API: `GetObject`.
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) target: Target,
    /// Names and values, not yet encoded.
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: HeaderMap,
    /// Segments that are sent again at each attempt, without a copy.
    pub(crate) body: Vec<Bytes>,
    /// What the answer must be.
    pub(crate) expect: Expect,
}

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The bucket itself.
    Bucket,
    /// An object by its whole name in the bucket, byte for byte.
    Object(String),
}

/// What a good answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Bytes that the caller streams.
    Content,
    /// Nothing, or nothing that counts.
    Nothing,
    /// An XML document with this root element, read whole. One that is cut, and one that is an `<Error>` in spite of its
    /// status 200, is a failure of the attempt.
    Document(&'static str),
}

impl Request {
    pub(crate) fn new(operation: &'static str, method: Method, target: Target, expect: Expect) -> Self {
        let (query, headers, body) = Default::default();
        Self { operation, method, target, query, headers, body, expect }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn body(mut self, segments: Vec<Bytes>) -> Self {
        self.body = segments;
        self
    }

    /// Whether doing it changes nothing that is stored.
    pub(crate) fn is_read(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}
