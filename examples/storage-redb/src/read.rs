//! Bodies: what fits into a chunk comes at once, the rest chunk by chunk out of one snapshot.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use storage_core::{Body, Result};

use crate::errors::{damaged, failed};
use crate::gate::blocking;
use crate::tables::{CHUNK, Snapshot};

/// The bytes of a range. The snapshot stays until the body is dropped, so that it is of one version (rules R07, R08).
pub(crate) fn body(snapshot: Snapshot, content: u64, range: Range<u64>, at_once: bool) -> Result<Body> {
    let chunks = Chunks { snapshot, content };
    if !at_once && range.end - range.start > CHUNK as u64 {
        return Ok(Body::Stream(chunks.stream(range)));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(range.end - range.start).unwrap_or_default());
    let mut at = range.start;
    while at < range.end {
        let piece = chunks.piece(at..range.end)?;
        at += piece.len() as u64;
        bytes.extend_from_slice(&piece);
    }
    Ok(Body::Bytes(bytes.into()))
}

/// The chunks of one content in one snapshot.
struct Chunks {
    snapshot: Snapshot,
    content: u64,
}

impl Chunks {
    /// What one chunk holds of a range, from its start on.
    fn piece(&self, range: Range<u64>) -> Result<Bytes> {
        let (number, offset) = (range.start / CHUNK as u64, range.start % CHUNK as u64);
        let chunk = self.snapshot.chunks.get((self.content, number)).map_err(failed)?;
        let chunk = chunk.ok_or_else(|| damaged("a chunk of the object is missing"))?;
        let end = (offset + (range.end - range.start)).min(CHUNK as u64);
        // Both fit: a chunk is in memory.
        let piece = chunk.value().get(offset as usize..end as usize);
        piece.map(Bytes::copy_from_slice).ok_or_else(|| damaged("a chunk of the object is short"))
    }

    fn stream(self, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let chunks = Arc::new(self);
        let pieces = stream::try_unfold(range, move |range| {
            let chunks = Arc::clone(&chunks);
            async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let (start, end) = (range.start, range.end);
                let piece = blocking(move || chunks.piece(range)).await?;
                let next = start + piece.len() as u64..end;
                Ok(Some((piece, next)))
            }
        });
        pieces.boxed()
    }
}
