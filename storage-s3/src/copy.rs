//! Copying within the bucket (rules X).

use std::sync::Arc;

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use storage_core::*;

use crate::client::{Answer, Cause, Effect, Expect, Failure, encode};
use crate::copy_parts::{self, LARGEST_COPY};
use crate::core::Core;
use crate::list::document;
use crate::meta::{self, VERSION};
use crate::probe::{self, Condition};
use crate::settle::unknown;
use crate::xml::Elements;
use crate::{head, single};

pub(crate) use crate::rename::rename;

const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const IF_SOURCE_MATCH: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");

/// Copies an object with its attributes, inside the service. One request up to 5 GiB; over that one that is refused, a
/// HEAD, and the parts of an upload (rule X05). For one version of the source a HEAD goes before it, unless the service
/// is known to keep that condition: several answer 200 and copy what there is.
pub(crate) async fn copy(core: &Arc<Core>, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
    if let Some(etag) = &options.if_source_match {
        single::check_etag(etag)?;
    }
    if from == to {
        return onto_itself(core, from, options).await;
    }
    if options.if_source_match.is_some() && !core.known.source_condition() {
        head_of_source(core, from, &options).await?;
    }
    copy_seen(core, from, to, options).await
}

/// Copies an object to another key; its source's etag, if that is asked for, has just been seen.
pub(crate) async fn copy_seen(core: &Arc<Core>, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
    if options.create_only {
        probe::require(core, Condition::CopyCreateOnly).await?;
    }
    let mut headers = core.write_headers();
    source(core, from, options.if_source_match.as_ref(), &mut headers)?;
    if options.create_only {
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
    }
    let expect = Expect::Document("CopyObjectResult");
    let mut request = core.request("CopyObject", Method::PUT, core.object(to), expect);
    request.headers = headers;
    match core.client.send(request).await {
        Ok(answer) => copied(core, answer),
        Err(failure) if may_be_too_large(&failure) => {
            let source = head_of_source(core, from, &options).await?;
            if !is_too_large(&failure) && source.meta.size <= LARGEST_COPY {
                return Err(core.error(failure));
            }
            copy_parts::copy(core, source, to, options.create_only).await
        }
        Err(failure) if failure.status() == Some(412) && failure.effect != Effect::Unknown => {
            Err(mismatch(core, from, &options).await)
        }
        Err(failure) => Err(refused(core, failure, &options)),
    }
}

/// Copying an object onto itself changes nothing (rule X02); S3 would refuse the request. One HEAD.
pub(crate) async fn onto_itself(core: &Arc<Core>, key: &Key, options: CopyOptions) -> Result<CopyResult> {
    let found = head_of_source(core, key, &options).await?;
    match options.create_only {
        true => Err(Error::already_exists()),
        false => Ok(CopyResult::from(&found.meta)),
    }
}

async fn head_of_source(core: &Arc<Core>, from: &Key, options: &CopyOptions) -> Result<ObjectHead> {
    let conditions = Conditions { if_match: options.if_source_match.clone(), ..Conditions::default() };
    head::head(core, from, HeadOptions::new().conditions(conditions)).await
}

/// Adds what is copied, and only if it is still this.
pub(crate) fn source(core: &Core, from: &Key, etag: Option<&ETag>, headers: &mut HeaderMap) -> Result<()> {
    let mut source = String::from("/");
    encode::component(&mut source, &core.options.bucket);
    source.push('/');
    encode::path(&mut source, &core.name(from));
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| Error::invalid_input(error.to_string()));
    headers.insert(COPY_SOURCE, value(&source)?);
    if let Some(etag) = etag {
        headers.insert(IF_SOURCE_MATCH, value(etag.as_str())?);
    }
    Ok(())
}

fn copied(core: &Core, answer: Answer) -> Result<CopyResult> {
    let version = core.kept(version(&answer.headers));
    let etag = etag(&document(answer), "CopyObjectResult");
    let etag = etag.map_err(|what| core.error(malformed(what)))?;
    Ok(CopyResult { etag, version })
}

/// The version that a write made.
pub(crate) fn version(headers: &HeaderMap) -> Option<String> {
    let version = headers.get(VERSION)?.to_str().ok()?;
    (!version.is_empty()).then(|| version.to_owned())
}

/// The etag in the document of a copy.
pub(crate) fn etag(document: &[u8], root: &str) -> Result<ETag, String> {
    let mut elements = Elements::new(document, root)?;
    let mut found = None;
    while let Some(name) = elements.next()? {
        match name {
            "ETag" => found = meta::etag(&elements.text()?),
            _ => elements.skip()?,
        }
    }
    found.ok_or_else(|| "it has no ETag".to_owned())
}

fn malformed(what: String) -> Failure {
    Failure { operation: "CopyObject", cause: Cause::Malformed(what), effect: Effect::Unknown }
}

/// Whether the source may be too large for one request. S3 says `InvalidRequest` then, as it does of other things.
fn may_be_too_large(failure: &Failure) -> bool {
    failure.status() == Some(400) && matches!(failure.code(), "InvalidRequest" | "EntityTooLarge")
}

/// Whether the service says that the source is too large, by a code or, as S3 does, in words.
fn is_too_large(failure: &Failure) -> bool {
    let words = match &failure.cause {
        Cause::Answer(error) => error.message.as_str(),
        _ => "",
    };
    failure.code() == "EntityTooLarge" || words.contains("larger than the maximum allowable size for a copy source")
}

/// Which of a copy's conditions did not hold. Where it had both, one HEAD of the source tells.
async fn mismatch(core: &Arc<Core>, from: &Key, options: &CopyOptions) -> Error {
    let differs = || Error::precondition_failed("the source is not the one that was asked for");
    match (options.create_only, &options.if_source_match) {
        (true, None) => Error::already_exists(),
        (true, Some(_)) => match head_of_source(core, from, options).await {
            Ok(_) => Error::already_exists(),
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => differs(),
            Err(error) => error,
        },
        (false, _) => differs(),
    }
}

/// The error of a copy. It leaves no mark by which a lost answer could be settled (rule C06).
fn refused(core: &Core, failure: Failure, options: &CopyOptions) -> Error {
    let conditional = options.create_only || options.if_source_match.is_some();
    let lost = failure.effect == Effect::Unknown;
    match (failure.status(), failure.code()) {
        (_, "NoSuchBucket") => core.error(failure),
        (Some(412 | 404 | 409), _) if conditional && lost => unknown("the condition does not hold now"),
        // A copy without conditions that landed is not taken back by the later attempt that found no source.
        (Some(404), _) if lost => unknown("its source is no longer there"),
        (Some(404), _) => Error::not_found(),
        (Some(409), "ConditionalRequestConflict") => {
            Error::new(ErrorKind::Conflict, "another write of the destination was under way").with_help("copy it again")
        }
        _ => core.error(failure),
    }
}
