//! The operations of the S3 API.
//!
//! `s3s` has checked the signature and decodes the body; what an operation is asked, it reads from the request itself,
//! so that keys, ranges and conditions are taken byte for byte.

mod attributes;
mod body;
mod bucket;
mod copy;
mod delete;
mod list;
mod multipart;
mod read;
mod uploads;
mod write;

use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::Extensions;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use s3s::route::S3Route;
use s3s::{Body, S3Request, S3Response, S3Result, TrailingHeaders};

use crate::clock::Clock;
use crate::error::{Failure, Outcome};
use crate::options::ServerOptions;
use crate::store::Store;
use crate::target::Target;
use crate::xml::Element;

/// What is known of a request before its signature is checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestInfo {
    pub(crate) operation: &'static str,
    pub(crate) target: Target,
    pub(crate) request_id: String,
    /// A fault: answer the whole object.
    pub(crate) ignore_range: bool,
    /// A fault: list without the last change.
    pub(crate) stale_list: bool,
}

/// A request whose signature is right.
pub(crate) struct Request {
    pub(crate) info: Arc<RequestInfo>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) trailers: Option<TrailingHeaders>,
}

impl Request {
    pub(crate) fn bucket(&self) -> &str {
        self.info.target.bucket.as_deref().unwrap_or_default()
    }

    pub(crate) fn key(&self) -> &str {
        self.info.target.key.as_deref().unwrap_or_default()
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.info.target.query(name)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Marks an answer that an operation made, unlike those of `s3s`.
#[derive(Clone)]
pub(crate) struct Ours;

/// The operations on a store.
pub(crate) struct Operations {
    pub(crate) store: Arc<Store>,
    pub(crate) options: Arc<ServerOptions>,
    pub(crate) clock: Clock,
}

impl Operations {
    async fn run(&self, request: Request) -> Outcome {
        match request.info.operation {
            "ListBuckets" => self.list_buckets(&request),
            "CreateBucket" => self.create_bucket(request).await,
            "HeadBucket" => self.head_bucket(&request),
            "DeleteBucket" => self.delete_bucket(&request),
            "GetBucketLocation" => self.bucket_location(&request),
            "GetBucketVersioning" => self.bucket_versioning(&request),
            "PutBucketVersioning" => self.put_bucket_versioning(request).await,
            "GetObject" | "HeadObject" => self.read_object(&request),
            "GetObjectAttributes" => self.object_attributes(&request),
            "PutObject" => self.put_object(request).await,
            "CopyObject" => self.copy_object(&request),
            "DeleteObject" => self.delete_object(&request),
            "DeleteObjects" => self.delete_objects(request).await,
            "ListObjectsV2" => self.list_v2(&request),
            "ListObjects" => self.list_v1(&request),
            "ListObjectVersions" => self.list_versions(&request),
            "CreateMultipartUpload" => self.create_upload(&request),
            "UploadPart" => self.upload_part(request).await,
            "UploadPartCopy" => self.upload_part_copy(&request),
            "CompleteMultipartUpload" => self.complete_upload(request).await,
            "AbortMultipartUpload" => self.abort_upload(&request),
            "ListMultipartUploads" => self.list_uploads(&request),
            "ListParts" => self.list_parts(&request),
            _ => Err(Failure::new(501, "NotImplemented", "This server does not know the operation.")),
        }
    }

    /// S3 refuses what a user may not do whether or not the thing is there.
    fn allowed(&self, access_key: Option<&str>, info: &RequestInfo) -> Outcome<()> {
        let user = access_key.and_then(|key| self.options.users.get(key)).ok_or_else(Failure::access_denied)?;
        let of_version = info.operation == "DeleteObject" && info.target.has("versionId");
        let right = if of_version { "DeleteObjectVersion" } else { info.operation };
        if user.denied.iter().any(|denied| denied == right) { Err(Failure::access_denied()) } else { Ok(()) }
    }
}

#[async_trait::async_trait]
impl S3Route for Operations {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, _: &mut Extensions) -> bool {
        true
    }

    async fn check_access(&self, _: &mut S3Request<Body>) -> S3Result<()> {
        Ok(())
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let info = request.extensions.get::<Arc<RequestInfo>>().cloned().unwrap_or_default();
        let access_key = request.credentials.map(|credentials| credentials.access_key);
        let allowed = self.allowed(access_key.as_deref(), &info);
        let (resource, request_id) = (info.target.resource(), info.request_id.clone());
        let request =
            Request { info, headers: request.headers, body: request.input, trailers: request.trailing_headers };
        let outcome = match allowed {
            Ok(()) => self.run(request).await,
            Err(denied) => Err(denied),
        };
        let response = outcome.unwrap_or_else(|failure| failure.into_response(&resource, &request_id));
        let (parts, body) = response.into_parts();
        let mut response = S3Response::new(body);
        response.status = Some(parts.status);
        response.headers = parts.headers;
        response.extensions.insert(Ours);
        Ok(response)
    }
}

/// An answer without a body.
pub(crate) fn empty(status: u16) -> hyper::Response<Body> {
    let mut response = hyper::Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// An answer that is a document.
pub(crate) fn document(root: Element) -> hyper::Response<Body> {
    let mut response = hyper::Response::new(Body::from(root.s3_document()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Sets a header, if its value can be one.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: impl ToString) {
    if let Ok(value) = HeaderValue::from_bytes(value.to_string().as_bytes()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
