//! Moving within the bucket: a copy, and the delete of its source (rule X06).

use std::sync::Arc;

use http::HeaderValue;
use storage_core::*;

use crate::copy;
use crate::core::Core;
use crate::delete::remove;
use crate::head;

/// Moves an object. Three requests: a HEAD that says which version is moved, unless the caller did; a copy of that
/// version; the delete of the source, if it is still that version. A source that was written meanwhile stays, and the error
/// says so, where the service takes a condition on deletes. Until the delete both names are seen.
pub(crate) async fn rename(core: &Arc<Core>, from: &Key, to: &Key, mut options: CopyOptions) -> Result<CopyResult> {
    if from == to {
        return copy::onto_itself(core, from, options).await;
    }
    let etag = match &options.if_source_match {
        Some(etag) => etag.clone(),
        None => head::head(core, from, HeadOptions::new()).await?.meta.etag,
    };
    let asked = options.if_source_match.replace(etag.clone()).is_some();
    let copied = match asked {
        true => copy::copy(core, from, to, options).await,
        false => copy::copy_seen(core, from, to, options).await,
    };
    let copied = copied.map_err(|error| match error.kind() {
        // Nobody asked for this very version; between the HEAD and the copy another one was written.
        ErrorKind::PreconditionFailed if !asked => error
            .with_kind(ErrorKind::Conflict)
            .with_message("the source was written while it was moved, nothing was moved")
            .with_help("move it again"),
        _ => error,
    })?;
    delete_source(core, from, &etag).await.map(|()| copied)
}

/// Deletes the source if it is still what was copied. A service that ignores the condition deletes it plainly; where it
/// refuses, or its answer was lost, one HEAD tells what is there.
async fn delete_source(core: &Arc<Core>, from: &Key, etag: &ETag) -> Result<()> {
    let target = || core.object(from);
    let error = match remove(core, target(), HeaderValue::from_str(etag.as_str()).ok(), None).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::PreconditionFailed | ErrorKind::OutcomeUnknown | ErrorKind::Unsupported => {}
        _ => return Err(left_behind(error)),
    }
    match head::head(core, from, HeadOptions::new()).await {
        Err(missing) if missing.is_not_found() => Ok(()),
        // The service cannot judge the condition, and it holds.
        Ok(there) if there.meta.etag == *etag => remove(core, target(), None, None).await.map_err(left_behind),
        Ok(_) => Err(written(error)),
        Err(_) => Err(left_behind(error)),
    }
}

/// The error of a source that is another object now.
fn written(error: Error) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the source was written while it was moved; it was left as it is, the destination holds the copy",
    )
    .with_source(error)
    .with_help("look at both, then delete the one that is not wanted")
}

/// The error of a source that could not be deleted: both objects are there.
fn left_behind(error: Error) -> Error {
    let message =
        format!("the copy was made, the source could not be deleted and may still be there: {}", error.message());
    error.with_message(message).sent()
}
