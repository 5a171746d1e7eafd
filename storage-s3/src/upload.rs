//! A multipart upload, request by request (S3 API, "CreateMultipartUpload" and its fellows).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method};
use storage_core::*;
use tokio::runtime::Handle;

use crate::checksum::Checksum;
use crate::client::{Cause, Effect, Expect, Failure, Request, Target};
use crate::core::Core;
use crate::list::document;
use crate::probe::{self, Condition};
use crate::settle::{Began, settle};
use crate::write_id::WriteId;
use crate::xml::Elements;
use crate::{attributes, copy, meta, put, single};

/// An upload that was begun.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// The object's whole name in the bucket.
    pub(crate) name: String,
    /// The upload's own id.
    pub(crate) id: String,
    mark: WriteId,
    mode: PutMode,
    checksum: Option<Checksum>,
}

/// A part that the service has.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// From 1 on.
    pub(crate) number: u32,
    etag: ETag,
    /// The digest that was sent with it.
    checksum: Option<String>,
}

/// Fails with `Unsupported` unless the service judges the condition when an upload is completed.
pub(crate) async fn require(core: &Arc<Core>, mode: &PutMode) -> Result<()> {
    match mode {
        PutMode::Overwrite => Ok(()),
        PutMode::CreateOnly => probe::require(core, Condition::CompleteCreateOnly).await,
        PutMode::IfMatch(etag) => {
            single::check_etag(etag)?;
            probe::require(core, Condition::CompleteIfMatch).await
        }
    }
}

/// Begins an upload; what its object will be like is said here. `checksum` is the digest that every part must have, and
/// that the service keeps for the whole object. One request.
pub(crate) async fn create(
    core: &Core,
    name: String,
    attributes: &Attributes,
    mode: PutMode,
    checksum: Option<Checksum>,
) -> Result<Upload> {
    let mark = WriteId::new(&mode, &name);
    let mut headers = core.write_headers();
    attributes::write_all(attributes, &mut headers);
    mark.write(&mut headers);
    if let Some(checksum) = checksum {
        headers.insert("x-amz-checksum-algorithm", HeaderValue::from_static(checksum.name()));
        headers.insert("x-amz-checksum-type", HeaderValue::from_static("FULL_OBJECT"));
    }
    let expect = Expect::Document("InitiateMultipartUploadResult");
    let mut request = core.request("CreateMultipartUpload", Method::POST, Target::Object(name.clone()), expect);
    request.headers = headers;
    let answer = core.client.send(request.query("uploads", "")).await.map_err(|failure| unseen(core, failure))?;
    let id = upload_id(&document(answer)).map_err(|what| unseen(core, malformed("CreateMultipartUpload", what)))?;
    Ok(Upload { name, id, mark, mode, checksum })
}

/// Sends one part; one that is sent again takes the place of the one before. One request.
pub(crate) async fn put_part(core: &Core, upload: &Upload, number: u32, body: Vec<Bytes>) -> Result<Part> {
    let mut request = upload.request(core, "UploadPart", Method::PUT, Expect::Nothing);
    if let Some(checksum) = upload.checksum {
        checksum.write(&body, &mut request.headers);
    }
    let digest = upload.checksum.and_then(|checksum| text(&request.headers, checksum.header().as_str()));
    let request = request.query("partNumber", number.to_string()).body(body);
    let answer = core.client.send(request).await.map_err(|failure| match failure.code() {
        NO_SUCH_UPLOAD => gone(unseen(core, failure)),
        _ => unseen(core, failure),
    })?;
    let etag = text(&answer.headers, ETAG.as_str()).and_then(|etag| meta::etag(&etag));
    let etag = etag.ok_or_else(|| unseen(core, malformed("UploadPart", "it has no ETag".to_owned())))?;
    Ok(Part { number, etag, checksum: digest })
}

/// Fills one part from an object of the bucket, inside the service; `headers` say which one and which bytes. One request.
pub(crate) async fn copy_part(core: &Core, upload: &Upload, number: u32, headers: HeaderMap) -> Result<Part, Failure> {
    let mut request = upload.request(core, "UploadPartCopy", Method::PUT, Expect::Document("CopyPartResult"));
    request.headers.extend(headers);
    let answer = core.client.send(request.query("partNumber", number.to_string())).await?;
    let etag = copy::etag(&document(answer), "CopyPartResult").map_err(|what| malformed("UploadPartCopy", what))?;
    Ok(Part { number, etag, checksum: None })
}

/// Makes the object of the parts, in their order; judges the condition. One request; an upload whose answer was lost is
/// settled by one HEAD more (rule C06), and so is a conflict with another write (rule C07).
pub(crate) async fn complete(core: &Core, upload: &Upload, parts: &[Part], size: u64) -> Result<PutResult> {
    let expect = Expect::Document("CompleteMultipartUploadResult");
    let mut request = upload.request(core, "CompleteMultipartUpload", Method::POST, expect);
    match &upload.mode {
        PutMode::Overwrite => {}
        PutMode::CreateOnly => drop(request.headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"))),
        PutMode::IfMatch(etag) => {
            let etag = HeaderValue::from_str(etag.as_str()).map_err(|error| Error::invalid_input(error.to_string()))?;
            request.headers.insert(IF_MATCH, etag);
        }
    }
    let began = Began::now();
    match core.client.send(request.body(vec![upload.document(parts).into()])).await {
        Ok(answer) => {
            let version = core.kept(copy::version(&answer.headers));
            match copy::etag(&document(answer), "CompleteMultipartUploadResult") {
                Ok(etag) => Ok(PutResult { etag, size, version }),
                Err(_) => settle(core, &upload.name, &upload.mark, &upload.mode, began).await,
            }
        }
        Err(failure) if put::is_refused(&failure) && failure.effect == Effect::Unknown => {
            settle(core, &upload.name, &upload.mark, &upload.mode, began).await
        }
        Err(failure) => Err(upload.refused(core, failure).await),
    }
}

/// Discards an upload and its parts; Ok where it is gone. One request.
pub(crate) async fn abort(core: &Core, upload: &Upload) -> Result<()> {
    discard(core, &upload.name, &upload.id).await.map(|_| ())
}

/// Discards an upload whose writer was dropped, by a task of its own that ends soon; nothing where no runtime is left.
pub(crate) fn abandon(core: Arc<Core>, upload: Arc<Upload>, first: impl Future<Output = ()> + Send + 'static) {
    /// How long the abort may take.
    const LONGEST: Duration = Duration::from_secs(10);
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(tokio::time::timeout(LONGEST, async move {
            first.await;
            abort(&core, &upload).await
        }));
    }
}

/// Discards the upload of a name with an id; false where there is none. One request.
pub(crate) async fn discard(core: &Core, name: &str, id: &str) -> Result<bool> {
    let target = Target::Object(name.to_owned());
    let request = core.request("AbortMultipartUpload", Method::DELETE, target, Expect::Nothing).query("uploadId", id);
    match core.client.send(request).await {
        Ok(_) => Ok(true),
        Err(failure) if failure.code() == NO_SUCH_UPLOAD => Ok(false),
        Err(failure) => Err(unseen(core, failure)),
    }
}

const NO_SUCH_UPLOAD: &str = "NoSuchUpload";

/// The error of a request that changes nothing which a reader sees, whatever became of it.
pub(crate) fn unseen(core: &Core, mut failure: Failure) -> Error {
    failure.effect = failure.effect.min(Effect::None);
    core.error(failure)
}

fn gone(source: Error) -> Error {
    Error::new(ErrorKind::Conflict, "the upload is no longer there")
        .with_source(source)
        .with_help("somebody aborted it, as a sweep of unfinished uploads does; write the object again")
}

impl Upload {
    fn request(&self, core: &Core, operation: &'static str, method: Method, expect: Expect) -> Request {
        core.request(operation, method, Target::Object(self.name.clone()), expect).query("uploadId", self.id.as_str())
    }

    fn document(&self, parts: &[Part]) -> String {
        let mut document = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for Part { number, etag, checksum } in parts {
            let etag = etag.as_str().replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            let _ = write!(document, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>");
            if let (Some(kind), Some(digest)) = (self.checksum, checksum) {
                let name = kind.name();
                let _ = write!(document, "<Checksum{name}>{digest}</Checksum{name}>");
            }
            document.push_str("</Part>");
        }
        document.push_str("</CompleteMultipartUpload>");
        document
    }

    /// The error of a completion that was refused, and of which no attempt was lost.
    async fn refused(&self, core: &Core, failure: Failure) -> Error {
        match (failure.status(), failure.code()) {
            (Some(404), NO_SUCH_UPLOAD) => gone(core.error(failure)),
            (Some(409), _) if self.mode == PutMode::CreateOnly && self.is_there(core).await => Error::already_exists(),
            (Some(409), _) => Error::new(ErrorKind::Conflict, "another write of the object was under way")
                .with_source(core.error(failure))
                .with_help("write the object again"),
            _ => put::refused(core, failure, &self.mode),
        }
    }

    async fn is_there(&self, core: &Core) -> bool {
        let target = Target::Object(self.name.clone());
        core.client.send(core.request("HeadObject", Method::HEAD, target, Expect::Nothing)).await.is_ok()
    }
}

fn upload_id(document: &[u8]) -> Result<String, String> {
    let mut elements = Elements::new(document, "InitiateMultipartUploadResult")?;
    let mut id = None;
    while let Some(name) = elements.next()? {
        match name {
            "UploadId" => id = Some(elements.text()?.into_owned()),
            _ => elements.skip()?,
        }
    }
    id.filter(|id| !id.is_empty()).ok_or_else(|| "it has no UploadId".to_owned())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn malformed(operation: &'static str, what: String) -> Failure {
    Failure { operation, cause: Cause::Malformed(what), effect: Effect::Unknown }
}
