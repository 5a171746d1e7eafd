//! Copying an object that is too large for one request: the parts of an upload, each copied inside the service
//! (rule X05; S3 API, "UploadPartCopy").

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue};
use storage_core::*;

use crate::copy::source;
use crate::core::Core;
use crate::upload::{self, Part, Upload};

/// The largest source of one CopyObject in bytes.
pub(crate) const LARGEST_COPY: u64 = 5 << 30;

/// The bytes of one part, where 10,000 of them hold the object: a request that ends well within the time for an answer.
const PART: u64 = 256 << 20;

/// The most parts of an upload (S3 API, "Amazon S3 multipart upload limits").
const MOST_PARTS: u64 = 10_000;

const RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");

/// Copies an object in parts of one version of it, with the attributes that its HEAD said. One request to begin, one for
/// each part, one to complete; where one fails, or the copy is dropped before the last one, the upload is aborted.
pub(crate) async fn copy(core: &Arc<Core>, from: ObjectHead, to: &Key, create_only: bool) -> Result<CopyResult> {
    let mode = if create_only { PutMode::CreateOnly } else { PutMode::Overwrite };
    upload::require(core, &mode).await?;
    let upload = Arc::new(upload::create(core, core.name(to), &from.attributes, mode, None).await?);
    let mut open = Open { core, upload: Some(upload.clone()) };
    let filled = fill(core, &from.meta, &upload).await;
    // From here on the upload is completed, or aborted by its name: an abort beside a completion may cost the object.
    open.upload = None;
    let copied = match filled {
        Ok(parts) => upload::complete(core, &upload, &parts, from.meta.size).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &copied
        && error.kind() != ErrorKind::OutcomeUnknown
    {
        // The copy's own error is what the caller must see; leftovers are for the sweep.
        let _ = upload::abort(core, &upload).await;
    }
    copied.map(CopyResult::from)
}

/// An upload that is aborted when the copy is dropped (rule S03).
struct Open<'a> {
    core: &'a Arc<Core>,
    upload: Option<Arc<Upload>>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            upload::abandon(self.core.clone(), upload, std::future::ready(()));
        }
    }
}

async fn fill(core: &Core, from: &ObjectMeta, upload: &Upload) -> Result<Vec<Part>> {
    let mut headers = HeaderMap::new();
    source(core, &from.key, Some(&from.etag), &mut headers)?;
    let size = part_size(from.size);
    let starts = (0u32..).map(|index| (index + 1, u64::from(index) * size)).take_while(|(_, start)| *start < from.size);
    let parts = stream::iter(starts).map(|(number, start)| {
        let mut headers = headers.clone();
        let last = start.saturating_add(size).min(from.size) - 1;
        if let Ok(range) = HeaderValue::try_from(format!("bytes={start}-{last}")) {
            headers.insert(RANGE, range);
        }
        async move { upload::copy_part(core, upload, number, headers).await.map_err(|failure| refused(core, failure)) }
    });
    parts.buffered(core.options.part_concurrency.max(1)).try_collect().await
}

fn part_size(size: u64) -> u64 {
    PART.max(size.div_ceil(MOST_PARTS))
}

/// The error of a part that was refused: the source is no longer what it was at the HEAD.
fn refused(core: &Core, failure: crate::client::Failure) -> Error {
    match (failure.status(), failure.code()) {
        (Some(412), _) | (Some(404), "NoSuchKey") => {
            Error::new(ErrorKind::ObjectChanged, "the source changed while it was copied, nothing was written")
                .with_help("copy it again")
        }
        _ => upload::unseen(core, failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_the_largest_object() {
        assert_eq!(part_size(6 << 30), PART);
        for size in [(5 << 30) * MOST_PARTS, 5 << 40, PART * MOST_PARTS + 1] {
            assert!(part_size(size) <= 5 << 30 && size.div_ceil(part_size(size)) <= MOST_PARTS, "{size}");
        }
    }
}
