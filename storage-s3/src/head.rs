//! Reading an object's metadata.

use std::sync::Arc;

use http::{HeaderValue, Method, header};
use storage_core::*;

use crate::client::{Cause, Effect, Expect, Failure, Target};
use crate::core::Core;
use crate::meta;
use crate::single::{self, Call};

/// Reads an object's metadata. One request. A HEAD has no document that says why it failed, so one that does is sent
/// after it: HeadBucket after a 404, to tell a missing bucket from a missing object (rule E03), and a GET of one byte
/// after a 400 or 403.
pub(crate) async fn head(core: &Arc<Core>, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
    check(&options.conditions)?;
    let version = options.version.as_deref();
    let name = core.name(key);
    let ask = || {
        let call = Call { client: &core.client, name: &name, version, headers: core.headers() };
        core.single.head(call, &options.conditions)
    };
    let asked = match ask().await {
        Err(failure) => match explained(core, &name, version, failure).await {
            Some(failure) => Err(failure),
            None => ask().await,
        },
        answered => answered,
    };
    let (found, answer) = asked.map_err(|failure| error(core, failure, version))?;
    let head = meta::head(key, &found, &answer.headers).map_err(|what| {
        core.error(Failure { operation: "HeadObject", cause: Cause::Malformed(what.to_owned()), effect: Effect::None })
    })?;
    options.conditions.check(&head.meta)?;
    Ok(head)
}

/// Refuses conditions that no request can carry.
pub(crate) fn check(conditions: &Conditions) -> Result<()> {
    [&conditions.if_match, &conditions.if_none_match].into_iter().flatten().try_for_each(single::check_etag)
}

/// The error of a read that was refused.
pub(crate) fn error(core: &Core, failure: Failure, version: Option<&str>) -> Error {
    match (failure.status(), failure.code()) {
        (Some(304), _) => Error::new(ErrorKind::NotModified, "the caller's copy is current").with_help("use that copy"),
        (Some(412), _) => Error::precondition_failed("the object is not the one that was asked for"),
        (Some(404), "" | "NoSuchKey" | "NotFound") => Error::not_found(),
        (Some(404), "NoSuchVersion") => no_such_version(),
        // The mark that a delete left is a version that cannot be read; a text that is no id is refused as an argument.
        (Some(405), _) | (Some(400), "InvalidArgument") if version.is_some() => no_such_version(),
        _ => core.error(failure),
    }
}

fn no_such_version() -> Error {
    Error::new(ErrorKind::NotFound, "no such version of the object").with_help("list its versions")
}

/// The failure of a HEAD with the code that it had no document for; `None` where asking found nothing wrong any more.
async fn explained(core: &Core, name: &str, version: Option<&str>, failure: Failure) -> Option<Failure> {
    if !failure.code().is_empty() {
        return Some(failure);
    }
    let asked = match failure.status() {
        Some(404) => core.request("HeadBucket", Method::HEAD, Target::Bucket, Expect::Nothing),
        Some(400 | 403) => {
            let target = Target::Object(name.to_owned());
            let get = core.request("GetObject", Method::GET, target, Expect::Content);
            let get = get.header(header::RANGE, HeaderValue::from_static("bytes=0-0"));
            match version {
                Some(version) => get.query("versionId", version),
                None => get,
            }
        }
        _ => return Some(failure),
    };
    let bucket = asked.target == Target::Bucket;
    match core.client.send(asked).await {
        Err(told) if bucket && told.status() == Some(404) => Some(with_code(failure, "NoSuchBucket")),
        Err(told) if !bucket && told.status() == failure.status() && !told.code().is_empty() => {
            Some(Failure { operation: failure.operation, ..told })
        }
        // The region was not known, and asking has found it out.
        Ok(_) if !bucket && failure.status() == Some(400) => None,
        _ => Some(failure),
    }
}

fn with_code(mut failure: Failure, code: &str) -> Failure {
    if let Cause::Answer(error) = &mut failure.cause {
        error.code = code.to_owned();
    }
    failure
}
