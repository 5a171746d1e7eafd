//! Requests of a probe, on names of its own, which are removed at its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use http::header::{CONTENT_LENGTH, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, Method};
use storage_core::{ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::known::Stopped;
use crate::checksum::Checksum;
use crate::client::{Answer, AnswerBody, Cause, Effect, Expect, Failure, Request, Target};
use crate::core::Core;
use crate::xml::Elements;

/// The header under which a condition goes, with its value.
pub(super) type Header = (HeaderName, HeaderValue);

/// Only where nothing is.
pub(super) fn create_only() -> Header {
    (IF_NONE_MATCH, HeaderValue::from_static("*"))
}

/// Only over this.
pub(super) fn if_match(etag: &HeaderValue) -> Header {
    (IF_MATCH, etag.clone())
}

/// An etag that no content of a probe has.
pub(super) fn wrong_etag() -> HeaderValue {
    HeaderValue::from_static("\"00000000000000000000000000000000\"")
}

/// What a request of a probe was answered with.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was done; the etag of what there is now, where the answer names it.
    Done(Option<HeaderValue>),
    /// A condition did not hold.
    Refused,
    /// It was refused, and an earlier attempt, whose answer was lost, may be what stood in its way.
    Unclear,
    /// An attempt whose answer was lost may have done it, and it cannot be tried again.
    Lost,
    /// Another answer that will not pass: the condition is not kept as it should be.
    Odd(String),
}

/// The names that one probe uses.
///
/// They end in `/`, as no key does: nothing that a host may store is reserved, and no listing shows them. Services that
/// keep objects as files take such a name for a directory; there the names are without it, and a listing at the time of
/// the probe shows them.
pub(super) struct Trial {
    core: Arc<Core>,
    ending: &'static str,
    name: String,
    left: Mutex<Left>,
}

/// What is to be removed.
#[derive(Default)]
struct Left {
    /// Names, with their versions where the bucket keeps them.
    objects: Vec<(String, Option<String>)>,
    uploads: Vec<(String, String)>,
}

impl Left {
    fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.uploads.is_empty()
    }

    /// What cannot be removed, or not soon, stays: it is no key, and an upload is found by a sweep.
    async fn remove(self, core: &Core) {
        /// How long it may take.
        const LONGEST: Duration = Duration::from_secs(10);
        let _ = timeout(LONGEST, self.remove_all(core)).await;
    }

    async fn remove_all(self, core: &Core) {
        let request = |operation, name: &str| {
            core.request(operation, Method::DELETE, Target::Object(name.to_owned()), Expect::Nothing)
        };
        let uploads =
            self.uploads.iter().map(|(name, id)| request("AbortMultipartUpload", name).query("uploadId", id.as_str()));
        // An upload whose completion was not answered may land up to its abort.
        join_all(uploads.map(|abort| core.client.send(abort))).await;
        join_all(self.objects.iter().map(async |(name, version)| {
            let version_of = |version: &str| request("DeleteObject", name).query("versionId", version);
            let delete = version.as_deref().map_or_else(|| request("DeleteObject", name), version_of);
            let deleted = core.client.send(delete).await;
            // Where versions are kept, deleting a name leaves a marker, which is a version too.
            if version.is_none()
                && let Ok(answer) = deleted
                && let Some(marker) = version_id(&answer)
            {
                let _ = core.client.send(version_of(&marker)).await;
            }
        }))
        .await;
    }
}

impl Drop for Trial {
    /// A probe that is given up half-way, as its caller or its time may do, leaves nothing: a task of its own removes what
    /// was made, and ends soon.
    fn drop(&mut self) {
        let left = std::mem::take(&mut *self.left());
        if !left.is_empty()
            && let Ok(runtime) = Handle::try_current()
        {
            let core = self.core.clone();
            runtime.spawn(async move { left.remove(&core).await });
        }
    }
}

impl Trial {
    /// Two requests, the first time: whether content can be kept under a name that ends in `/`.
    pub(super) async fn begin(core: &Arc<Core>) -> Result<Self, Stopped> {
        let trial = Self::with_ending(core, "/");
        let ordinary = match core.known.slash_is_ordinary() {
            Some(ordinary) => ordinary,
            None => {
                let kept = trial.keeps_content().await;
                trial.clean_up().await;
                if let Ok(Some(ordinary)) = kept {
                    core.known.set_slash_is_ordinary(ordinary);
                }
                kept?.unwrap_or(false)
            }
        };
        Ok(Self::with_ending(core, if ordinary { "/" } else { "" }))
    }

    fn with_ending(core: &Arc<Core>, ending: &'static str) -> Self {
        Self { core: core.clone(), ending, name: fresh_name(core, ending), left: Mutex::default() }
    }

    /// Whether what is put under the trial's name is there then; none where the service fails.
    async fn keeps_content(&self) -> Result<Option<bool>, Stopped> {
        let content = content();
        let size = content.len().to_string();
        self.note(&self.name, None);
        let request = self.writing("PutObject", Method::PUT, &self.name, Expect::Nothing).body(vec![content.into()]);
        match self.core.client.send(request).await {
            Ok(answer) => self.note(&self.name, version_id(&answer)),
            Err(failure) => return self.refused_name(failure),
        }
        let target = Target::Object(self.name.clone());
        let head = self.core.request("HeadObject", Method::HEAD, target, Expect::Nothing);
        match self.core.client.send(head).await {
            Ok(answer) => Ok(Some(answer.headers.get(CONTENT_LENGTH).is_some_and(|told| *told == *size))),
            Err(failure) if failure.status() == Some(404) => Ok(Some(false)),
            Err(failure) => self.refused_name(failure),
        }
    }

    /// Whether it was the name that was refused, and not the caller; none where the service does not say.
    fn refused_name(&self, failure: Failure) -> Result<Option<bool>, Stopped> {
        let (status, seen) = (failure.status(), answered(&failure));
        let error = self.core.error(failure);
        match (error.kind(), status) {
            (ErrorKind::PermissionDenied, _) => Err(Stopped::Denied(seen)),
            (_, Some(500 | 501)) => Ok(None),
            (kind, Some(400..=499)) if is_lasting(kind) => Ok(Some(false)),
            _ => Err(Stopped::Failed(error)),
        }
    }

    /// The name that the trial is mainly about.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// One more name.
    pub(super) fn other_name(&self) -> String {
        fresh_name(&self.core, self.ending)
    }

    /// Writes content that no other put of the trial has.
    pub(super) async fn put(&self, name: &str, condition: Option<Header>) -> Result<Outcome, Stopped> {
        let request = self.writing("PutObject", Method::PUT, name, Expect::Nothing).body(vec![content().into()]);
        self.send(name, with(request, condition)).await
    }

    /// Copies `from`.
    pub(super) async fn copy(&self, from: &str, to: &str, condition: Option<Header>) -> Result<Outcome, Stopped> {
        let mut source = format!("/{}/", self.core.options.bucket);
        crate::client::encode_path(&mut source, from);
        let mut request = self.writing("CopyObject", Method::PUT, to, Expect::Document("CopyObjectResult"));
        if let Ok(source) = HeaderValue::try_from(source) {
            request = request.header(HeaderName::from_static("x-amz-copy-source"), source);
        }
        self.send(to, with(request, condition)).await
    }

    /// Deletes what has the name.
    pub(super) async fn delete(&self, name: &str, condition: Option<Header>) -> Result<Outcome, Stopped> {
        let target = Target::Object(name.to_owned());
        let request = self.core.request("DeleteObject", Method::DELETE, target, Expect::Nothing);
        self.send(name, with(request, condition)).await
    }

    /// Whether there is an object.
    pub(super) async fn exists(&self, name: &str) -> Result<bool, Stopped> {
        let target = Target::Object(name.to_owned());
        let request = self.core.request("HeadObject", Method::HEAD, target, Expect::Nothing);
        match self.core.client.send(request).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.status() == Some(404) => Ok(false),
            Err(failure) => Err(self.stopped(failure)),
        }
    }

    /// Starts an upload with one part, whose content no other has; gives its id and the etag of the part.
    pub(super) async fn upload(&self, name: &str) -> Result<(String, HeaderValue), Stopped> {
        let expect = Expect::Document("InitiateMultipartUploadResult");
        let request = self.writing("CreateMultipartUpload", Method::POST, name, expect).query("uploads", "");
        let answer = self.core.client.send(request).await.map_err(|failure| self.stopped(failure))?;
        let id = text_of(&answer, "InitiateMultipartUploadResult", "UploadId").unwrap_or_default();
        self.left().uploads.push((name.to_owned(), id.clone()));
        let target = Target::Object(name.to_owned());
        let part = self
            .core
            .request("UploadPart", Method::PUT, target, Expect::Nothing)
            .query("partNumber", "1")
            .query("uploadId", id.clone())
            .body(vec![content().into()]);
        let answer = self.core.client.send(part).await.map_err(|failure| self.stopped(failure))?;
        let etag = answer.headers.get(ETAG).cloned();
        etag.map(|etag| (id, etag)).ok_or_else(|| Stopped::Denied("UploadPart was answered without an etag".to_owned()))
    }

    /// Completes an upload.
    pub(super) async fn complete(
        &self,
        name: &str,
        upload: &(String, HeaderValue),
        condition: Option<Header>,
    ) -> Result<Outcome, Stopped> {
        let (id, etag) = upload;
        let document = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>1</PartNumber>\
             <ETag>{}</ETag></Part></CompleteMultipartUpload>",
            etag.to_str().unwrap_or_default()
        );
        let expect = Expect::Document("CompleteMultipartUploadResult");
        let target = Target::Object(name.to_owned());
        let request = self
            .core
            .request("CompleteMultipartUpload", Method::POST, target, expect)
            .query("uploadId", id.clone())
            .body(vec![document.into()]);
        self.send(name, with(request, condition)).await
    }

    /// Removes what the trial made, to the end also where nobody waits for it any more.
    pub(super) async fn clean_up(&self) {
        let left = std::mem::take(&mut *self.left());
        let core = self.core.clone();
        let _ = tokio::spawn(async move { left.remove(&core).await }).await;
    }

    /// A request that makes an object.
    fn writing(&self, operation: &'static str, method: Method, name: &str, expect: Expect) -> Request {
        let mut request = self.core.request(operation, method, Target::Object(name.to_owned()), expect);
        request.headers = self.core.write_headers();
        request
    }

    async fn send(&self, name: &str, request: Request) -> Result<Outcome, Stopped> {
        self.note(name, None);
        match self.core.client.send(request).await {
            Ok(answer) => {
                self.note(name, version_id(&answer));
                Ok(Outcome::Done(etag(&answer)))
            }
            Err(failure) => self.refused(failure),
        }
    }

    fn refused(&self, mut failure: Failure) -> Result<Outcome, Stopped> {
        let (status, code) = (failure.status(), failure.code());
        let missing = status == Some(404) && (code.is_empty() || code == "NoSuchKey");
        // A completion that was done is answered with 404 when it is repeated.
        let gone = code == "NoSuchUpload";
        match (missing || gone || matches!(status, Some(409 | 412)), failure.effect) {
            (true, Effect::Unknown) => return Ok(if gone { Outcome::Lost } else { Outcome::Unclear }),
            (true, _) if !gone => return Ok(Outcome::Refused),
            _ => {}
        }
        let seen = answered(&failure);
        // What the service says of such a request does not depend on what became of an earlier attempt.
        if matches!(status, Some(400..=499 | 501)) {
            failure.effect = Effect::None;
        }
        let error = self.core.error(failure);
        match error.kind() {
            ErrorKind::PermissionDenied => Err(Stopped::Denied(seen)),
            kind if is_lasting(kind) => Ok(Outcome::Odd(seen)),
            ErrorKind::OutcomeUnknown => Ok(Outcome::Lost),
            _ => Err(Stopped::Failed(error)),
        }
    }

    /// The failure of a request that stands under no condition.
    fn stopped(&self, failure: Failure) -> Stopped {
        let seen = answered(&failure);
        // It was repeated, so that it is the service's way of speaking.
        let foreign = matches!(failure.cause, Cause::Malformed(_));
        let error = self.core.error(failure);
        if foreign || is_lasting(error.kind()) { Stopped::Denied(seen) } else { Stopped::Failed(error) }
    }

    /// Notes a name, and a version of it, for the end.
    fn note(&self, name: &str, version: Option<String>) {
        let mut left = self.left();
        let new = (name.to_owned(), version);
        if !left.objects.contains(&new) {
            // A name whose versions are known is removed by them: deleting the name itself would leave one more.
            left.objects.retain(|(old, version)| old != name || version.is_some());
            if new.1.is_some() || !left.objects.iter().any(|(old, _)| old == name) {
                left.objects.push(new);
            }
        }
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which digest the service keeps, if any: one that is wrong is refused, and one that is right comes back with the object
/// (rule V02). Six requests.
pub(super) async fn checksum(core: &Arc<Core>) -> Result<Option<Checksum>> {
    let kept = match Trial::begin(core).await {
        Ok(trial) => {
            let kept = keeps_crc32c(&trial).await;
            trial.clean_up().await;
            kept
        }
        Err(stopped) => Err(stopped),
    };
    match kept {
        Ok(kept) => Ok(kept.then_some(Checksum::Crc32c)),
        Err(Stopped::Denied(_)) => Ok(None),
        Err(Stopped::Failed(error)) => Err(super::passing(error, "checksums")),
    }
}

async fn keeps_crc32c(trial: &Trial) -> Result<bool, Stopped> {
    const CONTENT: &[u8] = b"storage probe";
    const HEADER: HeaderName = HeaderName::from_static("x-amz-checksum-crc32c");
    let right = HeaderValue::from_static("4IPTUg==");
    let put = async |digest: HeaderValue| {
        let request = trial.writing("PutObject", Method::PUT, trial.name(), Expect::Nothing).header(HEADER, digest);
        trial.send(trial.name(), request.body(vec![CONTENT.into()])).await
    };
    if !matches!(put(HeaderValue::from_static("AAAAAA==")).await?, Outcome::Odd(_)) {
        return Ok(false);
    }
    if !matches!(put(right.clone()).await?, Outcome::Done(_)) {
        return Ok(false);
    }
    let target = Target::Object(trial.name().to_owned());
    let head = trial
        .core
        .request("HeadObject", Method::HEAD, target, Expect::Nothing)
        .header(HeaderName::from_static("x-amz-checksum-mode"), HeaderValue::from_static("ENABLED"));
    match trial.core.client.send(head).await {
        Ok(answer) => Ok(answer.headers.get(HEADER) == Some(&right)),
        Err(failure) => Err(trial.stopped(failure)),
    }
}

fn version_id(answer: &Answer) -> Option<String> {
    answer.headers.get("x-amz-version-id")?.to_str().ok().map(str::to_owned)
}

fn answered(failure: &Failure) -> String {
    if let Cause::Malformed(what) = &failure.cause {
        return format!("{} was answered in a way that the S3 API does not know: {what}", failure.operation);
    }
    let status = failure.status().map(|status| status.to_string()).unwrap_or_default();
    format!("{} was answered with {status} {}", failure.operation, failure.code()).trim_end().to_owned()
}

fn fresh_name(core: &Core, ending: &str) -> String {
    format!("{}storage-probe-{:032x}{ending}", core.root, fastrand::u128(..))
}

/// Different each time, so that its etag is one of its own.
fn content() -> Vec<u8> {
    format!("storage probe {:032x}", fastrand::u128(..)).into_bytes()
}

fn with(request: Request, condition: Option<Header>) -> Request {
    match condition {
        Some((name, value)) => request.header(name, value),
        None => request,
    }
}

/// Whether asking again would bring the same, so that it says something of the service and not of the hour or of settings.
fn is_lasting(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::Throttled
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Unauthenticated
            | ErrorKind::Configuration
            | ErrorKind::BackendNotFound
            | ErrorKind::OutOfSpace
    )
}

/// The etag of what a write made: in a header, or in the document of the answer.
fn etag(answer: &Answer) -> Option<HeaderValue> {
    let roots = ["CompleteMultipartUploadResult", "CopyObjectResult"];
    let told = || roots.iter().find_map(|root| text_of(answer, root, "ETag"));
    answer.headers.get(ETAG).cloned().or_else(|| HeaderValue::try_from(told()?).ok())
}

/// The text of an element of an answer's document.
fn text_of(answer: &Answer, root: &str, wanted: &str) -> Option<String> {
    let AnswerBody::Document(document) = &answer.body else {
        return None;
    };
    let mut elements = Elements::new(document, root).ok()?;
    while let Some(name) = elements.next().ok()? {
        if name == wanted {
            return elements.text().ok().map(|text| text.into_owned());
        }
        elements.skip().ok()?;
    }
    None
}
