//! The bytes of a put: segments that can be sent again without a copy.

use bytes::{Bytes, BytesMut};

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

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(Segments::One(bytes))
    }
}

impl From<Vec<Bytes>> for Payload {
    fn from(segments: Vec<Bytes>) -> Self {
        Self(Segments::Many(segments))
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
