//! Deleting one object.

use std::sync::Arc;

use http::header::IF_MATCH;
use http::{HeaderValue, Method};
use storage_core::*;

use crate::client::{Effect, Expect, Failure, Target};
use crate::core::Core;
use crate::probe::{self, Condition};
use crate::settle::unknown;
use crate::single;

pub(crate) use crate::delete_many::{delete_many, delete_prefix};

/// Deletes an object; Ok where there is none (rule D01), unless an etag was asked for (rule C11). One request.
pub(crate) async fn delete(core: &Arc<Core>, key: &Key, options: DeleteOptions) -> Result<()> {
    let mut condition = None;
    if let Some(etag) = &options.if_match {
        single::check_etag(etag)?;
        probe::require(core, Condition::DeleteIfMatch).await?;
        condition = HeaderValue::from_str(etag.as_str()).ok();
    }
    remove(core, core.object(key), condition, options.version.as_deref()).await
}

/// Deletes what has this name in the bucket, whether or not it is a key.
pub(crate) async fn remove(
    core: &Core,
    target: Target,
    if_match: Option<HeaderValue>,
    version: Option<&str>,
) -> Result<()> {
    let mut request = core.request("DeleteObject", Method::DELETE, target, Expect::Nothing);
    let conditional = if_match.is_some();
    if let Some(etag) = if_match {
        request = request.header(IF_MATCH, etag);
    }
    if let Some(version) = version {
        request = request.query("versionId", version);
    }
    match core.client.send(request).await {
        Ok(_) => Ok(()),
        Err(failure) if conditional => Err(refused(core, failure)),
        Err(failure) if is_missing(&failure) => Ok(()),
        Err(failure) => Err(core.error(of_version(failure, version))),
    }
}

/// Deleting one version is a right of its own, which an error names.
fn of_version(failure: Failure, version: Option<&str>) -> Failure {
    let operation = if version.is_some() { "DeleteObjectVersion" } else { failure.operation };
    Failure { operation, ..failure }
}

/// Whether the service says that there is no such object, not that there is no bucket.
pub(crate) fn is_missing(failure: &Failure) -> bool {
    failure.status() == Some(404) && matches!(failure.code(), "" | "NoSuchKey" | "NoSuchVersion" | "NotFound")
}

/// The error of a conditional delete. It leaves no mark by which a lost answer could be settled (rule C06).
fn refused(core: &Core, failure: Failure) -> Error {
    let mismatch = failure.status() == Some(412) || is_missing(&failure);
    match (mismatch, failure.effect) {
        (true, Effect::Unknown) => unknown("the object is not there as it was"),
        (true, _) => Error::precondition_failed("the object is not the one that was asked for, or there is none"),
        (false, _) => core.error(failure),
    }
}
