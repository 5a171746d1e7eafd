//! The bytes of a put: segments that can be sent again without a copy.

use bytes::{Bytes, BytesMut};

/// Pieces smaller than this are copied together.
const SMALL: usize = 64 * 1024;

/// Bytes in segments. Cloning and replaying cost no copy, so that a driver can repeat a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload(Segments);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segments {
    One(Bytes),
    Many(Vec<Bytes>),
}

impl Default for Segments {
    fn default() -> Self {
        Self::One(Bytes::new())
    }
}

impl Payload {
    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.segments().iter().map(|segment| segment.len() as u64).sum()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The segments in order.
    pub fn segments(&self) -> &[Bytes] {
        match &self.0 {
            Segments::One(bytes) => std::slice::from_ref(bytes),
            Segments::Many(segments) => segments,
        }
    }

    /// The segments in order, without a copy.
    pub fn into_segments(self) -> Vec<Bytes> {
        match self.0 {
            Segments::One(bytes) => vec![bytes],
            Segments::Many(segments) => segments,
        }
    }

    /// All bytes in one piece; a copy only where there are several segments.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Segments::One(bytes) => bytes,
            Segments::Many(segments) => {
                let mut joined = BytesMut::with_capacity(segments.iter().map(Bytes::len).sum());
                segments.iter().for_each(|segment| joined.extend_from_slice(segment));
                joined.freeze()
            }
        }
    }
}

/// Gathers bytes that come piece by piece, of any size, into a [`Payload`].
///
/// Small pieces are copied together, so that the memory taken is that of the bytes, however finely they are cut; pieces
/// of 64 KiB and more are kept as they are.
#[derive(Debug, Default)]
pub struct PayloadBuilder {
    segments: Vec<Bytes>,
    small: BytesMut,
    length: u64,
}

impl PayloadBuilder {
    /// No bytes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a piece.
    pub fn push(&mut self, piece: Bytes) {
        self.length += piece.len() as u64;
        if piece.len() < SMALL {
            self.small.extend_from_slice(&piece);
            if self.small.len() >= SMALL {
                self.end_segment();
            }
        } else {
            self.end_segment();
            self.segments.push(piece);
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All bytes that were added, in their order.
    pub fn finish(mut self) -> Payload {
        self.end_segment();
        self.segments.into()
    }

    fn end_segment(&mut self) {
        if !self.small.is_empty() {
            self.segments.push(self.small.split().freeze());
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(Segments::One(bytes))
    }
}

impl From<Vec<Bytes>> for Payload {
    fn from(mut segments: Vec<Bytes>) -> Self {
        match segments.len() {
            1 => Self(Segments::One(segments.remove(0))),
            _ => Self(Segments::Many(segments)),
        }
    }
}

macro_rules! from_bytes {
    ($($type:ty),*) => {
        $(impl From<$type> for Payload {
            fn from(data: $type) -> Self {
                Bytes::from(data).into()
            }
        })*
    };
}

from_bytes!(Vec<u8>, String, &'static str, &'static [u8]);

impl<const N: usize> From<&'static [u8; N]> for Payload {
    fn from(data: &'static [u8; N]) -> Self {
        Bytes::from_static(data).into()
    }
}
