//! What is found out about a service by asking it (rule S13).

mod bucket;
mod conditions;
mod known;
mod trial;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use storage_core::{Capabilities, ETagKind, Error, ErrorKind, MAX_KEY_LEN, Result, Support};

use crate::core::Core;
use crate::options::Credentials;

pub(crate) use bucket::{check, create_bucket, one_name, versions};
pub(crate) use known::{Condition, Known, Seen};

/// Fails with `Unsupported` unless the service keeps the condition; asks it where that is not known, once for the life of
/// the backend. Callers at the same time wait for one probe.
///
/// A probe that fails in a way that can pass is forgotten: its error, which is unsent for the caller's own request, goes to
/// whoever waited, and the next call asks again.
pub(crate) async fn require(core: &Arc<Core>, condition: Condition) -> Result<()> {
    let known = &core.known;
    if known.support(condition) == Support::Unprobed {
        known.find(condition, || conditions::probe(core, condition)).await?;
    }
    match known.support(condition) {
        Support::Yes => Ok(()),
        Support::No | Support::Unprobed => Err(known.unsupported(condition)),
    }
}

/// What the backend can do, as far as it is known. No request.
pub(crate) fn capabilities(core: &Core) -> Capabilities {
    let (known, profile) = (&core.known, core.known.profile());
    let mut capabilities = Capabilities::none();
    capabilities.max_key_len = MAX_KEY_LEN.saturating_sub(core.root.len());
    capabilities.max_object_size = profile.max_object_size;
    capabilities.put_create_only = known.support(Condition::PutCreateOnly);
    capabilities.put_if_match = known.support(Condition::PutIfMatch);
    capabilities.writer_create_only = known.writer(Condition::PutCreateOnly, Condition::CompleteCreateOnly);
    capabilities.writer_if_match = known.writer(Condition::PutIfMatch, Condition::CompleteIfMatch);
    capabilities.copy_create_only = known.support(Condition::CopyCreateOnly);
    capabilities.delete_if_match = known.support(Condition::DeleteIfMatch);
    capabilities.etag = ETagKind::Content;
    capabilities.last_modified_precision = Duration::from_secs(1);
    capabilities.attributes = true;
    capabilities.shared = true;
    capabilities.durable = true;
    capabilities.persistent = true;
    capabilities.late_commit = true;
    capabilities.multipart_order = profile.multipart_order;
    capabilities.versions = known.versions();
    capabilities.checksums = known.checksums();
    capabilities.presign = core.options.credentials != Credentials::Anonymous;
    capabilities
}

/// Finds out what is not known: whether the bucket is there, which conditional writes are kept, checksums, versions. About
/// three hundred requests where nothing is known, two for a bucket of AWS. What it writes, it removes.
pub(crate) async fn probe(core: &Arc<Core>) -> Result<Capabilities> {
    bucket::reach(core).await?;
    let asked = join_all(Condition::ALL.map(|condition| require(core, condition))).await;
    let failed = |asked: &Result<()>| asked.as_ref().is_err_and(|error| error.kind() != ErrorKind::Unsupported);
    if let Some(failure) = asked.into_iter().find(failed) {
        failure?;
    }
    if core.known.checksums() == Support::Unprobed {
        core.known.set_checksum(trial::checksum(core).await?);
    }
    if core.known.versions() == Support::Unprobed
        && let Some(versions) = versions(core).await
    {
        core.known.set_versions(versions);
    }
    Ok(capabilities(core))
}

/// A failure of a probe, as the error of the call that it was made for: of that call nothing was sent.
fn passing(error: Error, what: &str) -> Error {
    let message = format!("finding out whether the service keeps {what}: {}", error.message());
    match error.kind() {
        ErrorKind::OutcomeUnknown => error.with_kind(ErrorKind::Unavailable),
        _ => error,
    }
    .with_message(message)
    .unsent()
}
