//! Writing an object in one request.

use std::sync::Arc;

use storage_core::*;

use crate::checksum::Checksum;
use crate::client::{Effect, Failure};
use crate::core::Core;
use crate::probe::{self, Condition};
use crate::settle::{Began, settle};
use crate::single::{self, Call};
use crate::write_id::WriteId;
use crate::{attributes, meta, writer};

/// The largest body of one PutObject in bytes (S3 API, "Amazon S3 multipart upload limits").
const LARGEST_PUT: u64 = 5 << 30;

/// Writes an object. One request, or the parts of an upload over 5 GiB; a conditional write whose answer was lost is
/// settled by one HEAD more (rule C06).
pub(crate) async fn put(core: &Arc<Core>, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
    let size = payload.len();
    if options.length.is_some_and(|length| length != size) {
        let declared = options.length.unwrap_or_default();
        return Err(Error::new(ErrorKind::LengthMismatch, format!("{declared} bytes were declared, {size} came"))
            .with_help("declare the length that will come, or none"));
    }
    if size > LARGEST_PUT {
        return in_parts(core, key, payload, options.length(size)).await;
    }
    require(core, &options.mode).await?;
    let name = core.name(key);
    let mut headers = core.write_headers();
    attributes::write_all(&options.attributes, &mut headers);
    if let Some(checksum) = Checksum::sent(core) {
        checksum.write(payload.segments(), &mut headers);
    }
    let id = (options.mode != PutMode::Overwrite).then(|| WriteId::new(&options.mode, &name));
    if let Some(id) = &id {
        id.write(&mut headers);
    }
    let began = Began::now();
    let call = Call { client: &core.client, name: &name, version: None, headers };
    match core.single.put(call, payload.into_segments(), &options.mode).await {
        Ok((found, _)) => {
            let etag = found.etag().and_then(meta::etag).ok_or_else(without_etag)?;
            Ok(PutResult { etag, size, version: core.kept(meta::version(&found)) })
        }
        Err(failure) => match id {
            Some(id) if is_refused(&failure) && failure.effect == Effect::Unknown => {
                settle(core, &name, &id, &options.mode, began).await
            }
            _ => Err(refused(core, failure, &options.mode)),
        },
    }
}

/// A success that does not say what was made. Some services answer so where another write was faster.
fn without_etag() -> Error {
    Error::new(ErrorKind::OutcomeUnknown, "the service took the write, and its answer names no etag")
        .with_help("read the object to see what is there before writing it again")
}

async fn require(core: &Arc<Core>, mode: &PutMode) -> Result<()> {
    match mode {
        PutMode::Overwrite => Ok(()),
        PutMode::CreateOnly => probe::require(core, Condition::PutCreateOnly).await,
        PutMode::IfMatch(etag) => {
            single::check_etag(etag)?;
            probe::require(core, Condition::PutIfMatch).await
        }
    }
}

async fn in_parts(core: &Arc<Core>, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
    let mut writer = writer::open(core, key, options).await?;
    for segment in payload.into_segments() {
        if let Err(error) = writer.write(segment).await {
            // The write's own error is what the caller must see; leftovers are for the sweep.
            let _ = writer.abort().await;
            return Err(error);
        }
    }
    writer.finish().await
}

/// Whether the service says that a condition did not hold, or that somebody else was at the object.
pub(crate) fn is_refused(failure: &Failure) -> bool {
    matches!(failure.status(), Some(412 | 409 | 404)) && failure.code() != "NoSuchBucket"
}

/// The error of a write that was refused, and of which no attempt was lost.
pub(crate) fn refused(core: &Core, failure: Failure, mode: &PutMode) -> Error {
    match (failure.status(), mode) {
        (Some(412), PutMode::CreateOnly) => Error::already_exists(),
        (Some(412), PutMode::IfMatch(_)) => Error::precondition_failed("the object is not the one that was asked for"),
        // The service finds no object to compare (rule C03).
        (Some(404), PutMode::IfMatch(_)) if failure.code() != "NoSuchBucket" => {
            Error::precondition_failed("there is no object")
        }
        (Some(409), _) if failure.code() == "ConditionalRequestConflict" => {
            Error::new(ErrorKind::Conflict, "other writes of this object were under way, again and again")
                .with_help("write it again")
        }
        _ => core.error(failure),
    }
}
