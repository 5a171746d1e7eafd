//! The bytes of an object or part: kept ones, and synthetic ones.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use s3s::Body;

use super::synthetic::synthetic_bytes;

const CHUNK: u64 = 256 << 10;

#[derive(Debug, Clone)]
enum Piece {
    Kept(Bytes),
    Synthetic { start: u64, length: u64 },
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::Kept(bytes) => bytes.len() as u64,
            Self::Synthetic { length, .. } => *length,
        }
    }

    /// Offsets are within the piece, so that they fit its address space if it is kept.
    fn slice(&self, from: u64, to: u64) -> Self {
        match self {
            Self::Kept(bytes) => Self::Kept(bytes.slice(from as usize..to as usize)),
            Self::Synthetic { start, .. } => Self::Synthetic { start: start + from, length: to - from },
        }
    }
}

/// Bytes in pieces; a clone shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content(Arc<[Piece]>);

impl Content {
    pub(crate) fn kept(bytes: Bytes) -> Self {
        Self(Arc::new([Piece::Kept(bytes)]))
    }

    pub(crate) fn synthetic(start: u64, length: u64) -> Self {
        Self(Arc::new([Piece::Synthetic { start, length }]))
    }

    pub(crate) fn concat<'a>(parts: impl IntoIterator<Item = &'a Content>) -> Self {
        Self(parts.into_iter().flat_map(|part| part.0.iter().cloned()).collect())
    }

    pub(crate) fn size(&self) -> u64 {
        self.0.iter().map(Piece::length).sum()
    }

    /// The bytes from `from` up to `to`, which lie within.
    pub(crate) fn slice(&self, from: u64, to: u64) -> Self {
        let mut start = 0;
        let mut pieces = Vec::new();
        for piece in self.0.iter() {
            let end = start + piece.length();
            let (first, last) = (from.max(start), to.min(end));
            if first < last {
                pieces.push(piece.slice(first - start, last - start));
            }
            start = end;
        }
        Self(pieces.into())
    }

    /// The bytes, if all of them are kept.
    pub(crate) fn pieces(&self) -> Option<Vec<&[u8]>> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Kept(bytes) => Some(bytes.as_ref()),
                Piece::Synthetic { .. } => None,
            })
            .collect()
    }

    /// What stands for synthetic content where an MD5 is wanted.
    pub(crate) fn description(&self) -> String {
        format!(
            "{:?}",
            self.0
                .iter()
                .map(|piece| match piece {
                    Piece::Kept(bytes) => (0, bytes.len() as u64),
                    Piece::Synthetic { start, length } => (*start, *length),
                })
                .collect::<Vec<_>>()
        )
    }

    pub(crate) fn into_body(self) -> Body {
        match self.0.as_ref() {
            [] => Body::empty(),
            [Piece::Kept(bytes)] => Body::from(bytes.clone()),
            pieces => Body::http_body(Pieces { left: self.size(), pieces: pieces.iter().cloned().collect() }),
        }
    }
}

/// Pieces on their way out, in chunks.
struct Pieces {
    pieces: VecDeque<Piece>,
    left: u64,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.pieces.pop_front() else { return Poll::Ready(None) };
        let chunk = match piece {
            Piece::Kept(bytes) => bytes,
            Piece::Synthetic { start, length } => {
                let now = length.min(CHUNK);
                if now < length {
                    self.pieces.push_front(Piece::Synthetic { start: start + now, length: length - now });
                }
                synthetic_bytes(start, now as usize).into()
            }
        };
        self.left -= chunk.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn bytes(content: Content) -> Bytes {
        content.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_slice_is_the_slice_of_the_whole() {
        let parts = [
            Content::kept(Bytes::from_static(b"abcdef")),
            Content::synthetic(5, 700_000),
            Content::kept(Bytes::from_static(b"uvwxyz")),
        ];
        let content = Content::concat(&parts);
        let whole = bytes(content.clone()).await;
        assert_eq!(whole.len() as u64, content.size());
        assert_eq!(whole[6..106], synthetic_bytes(5, 100));
        for (from, to) in [(0, 3), (2, 20), (6, 6), (100, 600_000), (700_000, 700_012), (0, 700_012)] {
            assert_eq!(bytes(content.slice(from, to)).await, whole[from as usize..to as usize], "{from}..{to}");
        }
    }
}
