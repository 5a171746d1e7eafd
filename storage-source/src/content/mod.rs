//! Content under its digest.

mod digest;
mod read;
mod spool;

use std::path::Path;

use bytes::Bytes;
use futures::stream::{self, Stream};
use storage_core::{Error, ErrorKind, Key, Payload, Put, PutOptions, Result, Storage};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::inputs::Item;
pub(crate) use digest::Hasher;
pub use digest::{Algorithm, Digest};
use spool::{Content, Spooled, spool};

/// The bytes taken from a reader at once.
pub(crate) const READ_CHUNK: usize = 256 * 1024;

/// Which key content is kept under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// A file as `<md5>/<name>`, text as `text_<md5>.txt`: what Cognee writes, so that such a root can be read and
    /// continued. The same bytes under two names are two objects, and MD5 is no protection where somebody who hands
    /// in content means harm.
    #[default]
    Md5Name,
    /// Everything as `sha256/<first two digits>/<all 64 digits>`; the better choice for a new host. The same bytes are one
    /// object under whatever name they come, nobody can make two contents that meet, and no directory of a local root
    /// holds more than its 256th part. The name is the host's to keep, beside the digest.
    Sha256,
}

impl Layout {
    /// The digest that the layout goes by.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Md5Name => Algorithm::Md5,
            Self::Sha256 => Algorithm::Sha256,
        }
    }

    fn file(self, digest: &Digest, name: &str) -> Result<Key> {
        match self {
            Self::Md5Name => Key::new(format!("{digest}/{name}")),
            Self::Sha256 => sha256_key(digest),
        }
    }

    fn text(self, digest: &Digest) -> Result<Key> {
        match self {
            Self::Md5Name => Key::new(format!("text_{digest}.txt")),
            Self::Sha256 => sha256_key(digest),
        }
    }
}

fn sha256_key(digest: &Digest) -> Result<Key> {
    let digits = digest.as_str();
    Key::new(format!("sha256/{}/{digits}", &digits[..2]))
}

/// Keeps content on a root under its digest, by one of the [`Layout`]s.
///
/// The same bytes at the same key are one object, however often and from wherever they come: it is written once and then
/// kept, and [`Stored::put`] says which of the two it was. A write is create-only, so of many at once one writes. On a
/// service that ignores conditions a head asks first and a plain put follows: two that write at once may both do so, which
/// is harmless, since both write the same bytes.
///
/// ```
/// # use storage_core::{Result, Storage};
/// # use storage_source::{ContentStore, Layout};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let root = Storage::new(storage_memory::Memory::new());
/// let content = ContentStore::new(root.clone());
/// let first = content.add_text("a note").await?;
/// assert_eq!(first.key.as_str(), "text_3403af8117ebb858a392014b80cb3833.txt");
/// assert!(first.put.is_written());
/// assert!(!content.add_text("a note").await?.put.is_written());
/// assert_eq!(content.bytes(&first.digest).await?, "a note");
///
/// let content = ContentStore::new(root).with_layout(Layout::Sha256);
/// let note = content.add_bytes("note.txt", "a note").await?;
/// assert!(note.key.as_str().starts_with("sha256/"));
/// # Ok(()) }
/// ```
///
/// # Cost
/// Up to 8 MiB are held in memory and cost one put. More is spooled to a temporary file (`TMPDIR`); a read of one byte
/// asks first whether it is there, so that it is not sent for nothing, and a streaming write follows.
#[derive(Debug, Clone)]
pub struct ContentStore {
    storage: Storage,
    layout: Layout,
}

/// Where content is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The key on the root.
    pub key: Key,
    /// The size of the content in bytes.
    pub size: u64,
    /// Its digest, by the layout's algorithm.
    pub digest: Digest,
    /// Whether it was written now, or was there.
    pub put: Put,
}

impl ContentStore {
    /// Content on this root, in the layout that Cognee has, [`Layout::Md5Name`].
    pub fn new(storage: Storage) -> Self {
        Self { storage, layout: Layout::default() }
    }

    /// The same root in another layout. Both may be used on one root: their keys never meet.
    #[must_use]
    pub fn with_layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// The root that holds the content.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The layout.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Keeps text. One request.
    pub async fn add_text(&self, text: impl Into<String>) -> Result<Stored> {
        let text = Bytes::from(text.into());
        let digest = self.layout.algorithm().digest(&text);
        let key = self.layout.text(&digest)?;
        let size = text.len() as u64;
        let put = self.put_held(&key, text.into()).await?;
        Ok(Stored { key, size, digest, put })
    }

    /// Keeps bytes. The name is one segment of a key, else `InvalidKey` or `InvalidInput`. One request.
    pub async fn add_bytes(&self, name: &str, bytes: impl Into<Bytes>) -> Result<Stored> {
        self.add(name, stream::iter([Ok::<_, Error>(bytes.into())])).await
    }

    /// Keeps what a reader yields; otherwise as [`ContentStore::add`].
    pub async fn add_reader(&self, name: &str, reader: impl AsyncRead + Send) -> Result<Stored> {
        let reader = Box::pin(reader);
        let chunks = stream::try_unfold(reader, async |mut reader| {
            let mut chunk = Vec::with_capacity(READ_CHUNK);
            let read = reader.read_buf(&mut chunk).await?;
            Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(chunk), reader)))
        });
        self.add(name, chunks).await
    }

    /// Keeps a file of this machine under its own name. A file that is written to meanwhile is kept as it was read, under
    /// the digest of just that.
    pub async fn add_file(&self, path: impl AsRef<Path>) -> Result<Stored> {
        let path = path.as_ref();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            Error::invalid_input(format!("the file {} has no name that is UTF-8 text", path.display()))
                .with_help("open it and give it a name: add_reader")
        })?;
        let file = tokio::fs::File::open(path).await.map_err(|error| {
            let message = format!("cannot read the file {}: {error}", path.display());
            Error::from(error).with_message(message)
        })?;
        self.add_reader(name, file).await
    }

    /// Keeps what an input holds: text as text, anything else under its name.
    pub async fn add_item(&self, item: Item) -> Result<Stored> {
        let Some(name) = item.name().map(str::to_owned) else {
            let text = String::from_utf8(item.bytes(u64::MAX).await?.into());
            return self
                .add_text(text.map_err(|error| Error::invalid_input("a text is not UTF-8").with_source(error))?)
                .await;
        };
        self.add(&name, item.stream().await?).await
    }

    /// Keeps what a stream yields. The name is one segment of a key, else `InvalidKey` or `InvalidInput`. If the stream
    /// fails, its error comes back and nothing is written.
    pub async fn add<S, E>(&self, name: &str, content: S) -> Result<Stored>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Error>,
    {
        check_name(name)?;
        let Spooled { digest, size, content } = spool(self.layout.algorithm(), content).await?;
        let key = self.layout.file(&digest, name)?;
        let put = match content {
            Content::Held(bytes) => self.put_held(&key, bytes).await?,
            Content::File(_) if self.is_there(&key).await? => Put::KeptExisting,
            Content::File(file) => self.put_spooled(&key, file.path(), size).await?,
        };
        Ok(Stored { key, size, digest, put })
    }

    async fn put_held(&self, key: &Key, bytes: Payload) -> Result<Put> {
        match self.storage.put_if_absent(key, bytes.clone()).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => match self.storage.exists(key).await? {
                true => Ok(Put::KeptExisting),
                false => self.storage.put(key, bytes).await.map(Put::Written),
            },
            put => put,
        }
    }

    /// Whether there is an object of this key that is not empty. One request, as a head would not always be: what is
    /// missing, the object or its bucket, only the answer to a get tells.
    async fn is_there(&self, key: &Key) -> Result<bool> {
        match self.storage.range(key, 0..1).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes large content that is not there.
    async fn put_spooled(&self, key: &Key, path: &Path, size: u64) -> Result<Put> {
        let options = PutOptions::new().length(size);
        match Put::keeping(self.storage.put_file(key, path, options.clone().create_only()).await) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.storage.put_file(key, path, options).await.map(Put::Written)
            }
            put => put,
        }
    }
}

fn check_name(name: &str) -> Result<()> {
    Key::new(name)?;
    if name.contains('/') {
        return Err(Error::invalid_input(format!("the name {name:?} holds a '/'")).with_help("give the last segment"));
    }
    Ok(())
}
