//! What inputs hold.

use std::fmt;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use storage_core::{ETag, Error, Key, ObjectMeta, Prefix, Result, Storage};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::content::READ_CHUNK;
use crate::file::SourceFile;

/// One thing to take in: an object, a text, bytes, a reader; and where it came from.
pub struct Item {
    origin: Origin,
    content: Content,
}

enum Content {
    Object { storage: Storage, meta: ObjectMeta },
    Bytes(Bytes),
    Reader(Box<dyn AsyncRead + Send + Unpin>),
}

/// Where an item came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// Which input, counted from 0.
    pub input: usize,
    /// Which place.
    pub place: Place,
}

/// The place of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// An object, or a file of this machine.
    Object {
        /// Its address, where its root has one.
        uri: Option<String>,
        /// Its key from the directory or prefix on that was given; its name where it was given itself.
        path: Key,
    },
    /// The text that was given.
    Text,
    /// Bytes or a reader that were given under this name.
    Given {
        /// The name.
        name: String,
    },
}

impl Item {
    pub(super) fn object(input: usize, storage: Storage, meta: ObjectMeta, path: Key) -> Self {
        let place = Place::Object { uri: storage.uri(&meta.key).ok(), path };
        Self { origin: Origin { input, place }, content: Content::Object { storage, meta } }
    }

    pub(super) fn text(input: usize, text: String) -> Self {
        Self { origin: Origin { input, place: Place::Text }, content: Content::Bytes(text.into()) }
    }

    pub(super) fn bytes_of(input: usize, name: String, bytes: Bytes) -> Self {
        Self { origin: Origin { input, place: Place::Given { name } }, content: Content::Bytes(bytes) }
    }

    pub(super) fn reader(input: usize, name: String, reader: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self { origin: Origin { input, place: Place::Given { name } }, content: Content::Reader(reader) }
    }

    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The last segment of the object's key, or the name that was given; a text has none.
    pub fn name(&self) -> Option<&str> {
        match &self.origin.place {
            Place::Object { path, .. } => Some(path.name()),
            Place::Given { name } => Some(name),
            Place::Text => None,
        }
    }

    /// The object and the root that it is on; `None` for what was given in memory or as a reader.
    pub fn stored(&self) -> Option<(&Storage, &ObjectMeta)> {
        match &self.content {
            Content::Object { storage, meta } => Some((storage, meta)),
            _ => None,
        }
    }

    /// The object as a file, which knows what the head or the listing told: neither its size nor its fingerprint costs a
    /// request. `None` for what was given in memory or as a reader.
    pub fn file(&self) -> Option<SourceFile> {
        let Place::Object { path, .. } = &self.origin.place else {
            return None;
        };
        let (storage, meta) = self.stored()?;
        let above = meta.key.as_str().strip_suffix(path.as_str())?;
        Some(SourceFile::listed(storage.clone(), Prefix::new(above).ok()?, meta.clone()))
    }

    /// The size in bytes, as the listing told it; a reader's is not known.
    pub fn size(&self) -> Option<u64> {
        match &self.content {
            Content::Object { meta, .. } => Some(meta.size),
            Content::Bytes(bytes) => Some(bytes.len() as u64),
            Content::Reader(_) => None,
        }
    }

    /// The object's etag, as the listing told it.
    pub fn etag(&self) -> Option<&ETag> {
        self.stored().map(|(_, meta)| &meta.etag)
    }

    /// The bytes as a stream. One request for an object, whose bytes are those that it has now.
    pub async fn stream(self) -> Result<BoxStream<'static, Result<Bytes>>> {
        match self.content {
            Content::Object { storage, meta } => storage.stream(&meta.key).await,
            Content::Bytes(bytes) => Ok(stream::iter([Ok(bytes)]).boxed()),
            Content::Reader(reader) => Ok(chunks(reader).boxed()),
        }
    }

    /// All bytes in memory; `InvalidInput` where they are more than `limit`.
    pub async fn bytes(self, limit: u64) -> Result<Bytes> {
        let too_large = || {
            Error::invalid_input(format!("an input has more than the limit of {limit} bytes"))
                .with_help("raise the limit, or read it as a stream")
        };
        let mut stream = match self.content {
            Content::Object { storage, meta } => return storage.bytes_limited(&meta.key, limit).await,
            Content::Bytes(bytes) if bytes.len() as u64 > limit => return Err(too_large()),
            Content::Bytes(bytes) => return Ok(bytes),
            Content::Reader(reader) => Box::pin(chunks(reader)),
        };
        let mut all = BytesMut::new();
        while let Some(bytes) = stream.try_next().await? {
            if (all.len() + bytes.len()) as u64 > limit {
                return Err(too_large());
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }
}

fn chunks(reader: Box<dyn AsyncRead + Send + Unpin>) -> impl futures::Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold(reader, async |mut reader| {
        let mut chunk = Vec::with_capacity(READ_CHUNK);
        let read = reader.read_buf(&mut chunk).await?;
        Ok((read > 0).then(|| (Bytes::from(chunk), reader)))
    })
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("origin", &self.origin).field("size", &self.size()).finish_non_exhaustive()
    }
}
