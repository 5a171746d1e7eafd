//! Content held until its digest is known: in memory up to a bound, in a temporary file beyond it.

use std::io;

use bytes::Bytes;
use futures::stream::{Stream, TryStreamExt as _};
use storage_core::{Error, Payload, PayloadBuilder, Result};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::digest::{Algorithm, Digest, Hasher};

/// Content up to so many bytes is held in memory until its digest is known; more goes through a temporary file.
const HELD: u64 = 8 * 1024 * 1024;

/// Content that is complete, with its digest.
pub(super) struct Spooled {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) content: Content,
}

pub(super) enum Content {
    Held(Payload),
    /// Removed when it is dropped.
    File(NamedTempFile),
}

pub(super) async fn spool<S, E>(algorithm: Algorithm, content: S) -> Result<Spooled>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Error>,
{
    let mut content = std::pin::pin!(content);
    let (mut hasher, mut held) = (Hasher::new(algorithm), PayloadBuilder::new());
    while let Some(bytes) = content.try_next().await.map_err(Into::into)? {
        hasher.update(&bytes);
        held.push(bytes);
        if held.len() > HELD {
            return spool_to_file(content, hasher, held.finish()).await;
        }
    }
    Ok(Spooled { digest: hasher.finish(), size: held.len(), content: Content::Held(held.finish()) })
}

/// Writes what is held, and the rest of the stream, to a temporary file.
async fn spool_to_file<S, E>(mut content: S, mut hasher: Hasher, held: Payload) -> Result<Spooled>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Into<Error>,
{
    let temporary = NamedTempFile::new().map_err(not_spooled)?;
    let mut file = tokio::fs::File::from_std(temporary.reopen().map_err(not_spooled)?);
    let mut size = held.len();
    for segment in held.segments() {
        file.write_all(segment).await.map_err(not_spooled)?;
    }
    drop(held);
    while let Some(bytes) = content.try_next().await.map_err(Into::into)? {
        hasher.update(&bytes);
        size += bytes.len() as u64;
        file.write_all(&bytes).await.map_err(not_spooled)?;
    }
    file.flush().await.map_err(not_spooled)?;
    Ok(Spooled { digest: hasher.finish(), size, content: Content::File(temporary) })
}

fn not_spooled(error: io::Error) -> Error {
    let message = format!("the temporary file in {} cannot be written: {error}", std::env::temp_dir().display());
    Error::from(error).with_message(message).with_help("make room there, or set TMPDIR to another directory")
}
