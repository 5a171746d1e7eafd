//! A file of a source: an object, with what was told of it already.

mod content_type;
mod identity;
mod open;
mod path;
mod temporary;
mod text;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::{BoxStream, TryStreamExt as _};
use storage_core::{
    Attributes, Body, ByteRange, Error, ErrorKind, GetOptions, GetResult, Key, ObjectMeta, Prefix, Result, Storage,
};

use crate::content::{Algorithm, Digest, Hasher};

pub use identity::Identity;
pub use path::RelativePath;
pub use temporary::TempFile;

/// An object as something to read and to know. Cloning is cheap; clones share what is known.
///
/// What the listing told costs nothing, and what an answer tells is kept, so that it is asked for once. A read is of the
/// version that was listed, or answered first: once it has changed, reads are `ObjectChanged` until
/// [`refresh`](Self::refresh), and once it is deleted `NotFound`. Every method that asks says how many requests it takes.
///
/// ```
/// # use storage_core::{Result, Storage};
/// # use storage_source::SourceFile;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let storage = Storage::new(storage_memory::Memory::new());
/// storage.put("docs/note.md", "\u{feff}# Note").await?;
/// let file = SourceFile::at(&storage, "docs/note.md").await?; // one head
/// assert_eq!((file.path().name(), file.size().await?), ("note.md", 9));
/// assert_eq!(file.text().await?, "# Note"); // one get
/// assert_eq!(file.content_type().await?, "text/markdown");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SourceFile {
    storage: Storage,
    prefix: Prefix,
    key: Key,
    path: RelativePath,
    known: Arc<Mutex<Known>>,
}

/// What was told of the object.
#[derive(Debug, Default)]
struct Known {
    meta: Option<ObjectMeta>,
    attributes: Option<Attributes>,
    content_hash: Option<Digest>,
    content_type: Option<String>,
}

impl SourceFile {
    /// A file that a listing showed.
    pub(crate) fn listed(storage: Storage, prefix: Prefix, meta: ObjectMeta) -> Self {
        let key = meta.key.clone();
        Self::new(storage, prefix, key, Known { meta: Some(meta), ..Known::default() })
    }

    fn new(storage: Storage, prefix: Prefix, key: Key, known: Known) -> Self {
        let path = RelativePath::new(key.strip_prefix(&prefix).unwrap_or_else(|| key.clone()));
        Self { storage, prefix, key, path, known: Arc::new(Mutex::new(known)) }
    }

    /// The path from the walk's prefix on; of a file that was opened by itself, the key.
    pub fn path(&self) -> &RelativePath {
        &self.path
    }

    /// The whole key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Where the key is.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The address that opens the object again (rule K15); `None` where the root has none. No request.
    pub fn uri(&self) -> Option<String> {
        self.storage.location().map(|root| root.uri(&self.key))
    }

    /// Which file it is. No request.
    pub fn identity(&self) -> Identity {
        Identity::new(&self.storage, &self.prefix, &self.key)
    }

    /// What was told of the object so far. No request.
    pub fn known(&self) -> Option<ObjectMeta> {
        self.lock().meta.clone()
    }

    /// Size, etag and time. No request where they were told; else one head.
    pub async fn meta(&self) -> Result<ObjectMeta> {
        match self.known() {
            Some(meta) => Ok(meta),
            None => self.head().await,
        }
    }

    /// The size in bytes. Asks like [`meta`](Self::meta).
    pub async fn size(&self) -> Result<u64> {
        Ok(self.meta().await?.size)
    }

    /// When it was last modified. Asks like [`meta`](Self::meta).
    pub async fn modified(&self) -> Result<SystemTime> {
        Ok(self.meta().await?.last_modified)
    }

    /// What changes whenever the object does: `etag:` and the backend's etag, else `sha256:` and the hash of the content.
    /// It is for comparing with the fingerprint of the same identity. Asks like [`meta`](Self::meta); where the backend has
    /// no etag, the content is read once.
    pub async fn fingerprint(&self) -> Result<String> {
        let etag = self.meta().await?.etag;
        match etag.as_str() {
            "\"\"" => Ok(format!("sha256:{}", self.content_hash().await?)),
            etag => Ok(format!("etag:{etag}")),
        }
    }

    /// The SHA-256 of the content: the same for the same bytes wherever they lie. One get, the first time; memory does not
    /// grow with the object.
    pub async fn content_hash(&self) -> Result<Digest> {
        if let Some(hash) = &self.lock().content_hash {
            return Ok(hash.clone());
        }
        let (mut hasher, mut content) = (Hasher::new(Algorithm::Sha256), self.stream().await?);
        while let Some(bytes) = content.try_next().await? {
            hasher.update(&bytes);
        }
        let hash = hasher.finish();
        self.lock().content_hash = Some(hash.clone());
        Ok(hash)
    }

    /// The whole content. One get; none where it is known to be empty.
    pub async fn read(&self) -> Result<Bytes> {
        if self.is_known_empty() {
            return Ok(Bytes::new());
        }
        collect(self.get(GetOptions::new().buffered()).await?.body).await
    }

    /// The first bytes, so many or as many as there are. One get of these; none for 0 bytes, and of what is known to be
    /// empty.
    pub async fn read_prefix(&self, bytes: u64) -> Result<Bytes> {
        if bytes == 0 || self.is_known_empty() {
            return Ok(Bytes::new());
        }
        match self.get(GetOptions::new().range(0..bytes).buffered()).await {
            Ok(result) => collect(result.body).await,
            Err(error) if matches!(error.kind(), ErrorKind::RangeNotSatisfiable { size: 0 }) => Ok(Bytes::new()),
            Err(error) => Err(error),
        }
    }

    /// A range of the content (rules R01–R04). One get.
    pub async fn read_range(&self, range: impl Into<ByteRange>) -> Result<Bytes> {
        collect(self.get(GetOptions::new().range(range).buffered()).await?.body).await
    }

    /// The content as it comes. One get; dropping the stream ends it.
    pub async fn stream(&self) -> Result<BoxStream<'static, Result<Bytes>>> {
        Ok(self.get(GetOptions::new()).await?.body.into_stream())
    }

    /// The content as text: a byte order mark of UTF-8, UTF-16 or UTF-32 decides, else it is UTF-8; what is wrong becomes
    /// U+FFFD. One get.
    pub async fn text(&self) -> Result<String> {
        text::decode(&self.read().await?, None)
    }

    /// The content as text in an encoding, unless a byte order mark says otherwise. Names are those of the WHATWG's
    /// Encoding Standard, in Python's spellings too, and UTF-32; an unknown one is `InvalidInput`, before any request. One
    /// get.
    pub async fn text_with(&self, encoding: &str) -> Result<String> {
        text::decode(&[], Some(encoding))?;
        text::decode(&self.read().await?, Some(encoding))
    }

    /// The media type: what was stored with the object, else what its extension stands for, else what its first 8 KiB show.
    /// The first time one head, or where the extension stands for nothing one get of these bytes; none where a read has told
    /// it, or where the backend stores none and the extension is enough.
    pub async fn content_type(&self) -> Result<String> {
        if let Some(known) = self.known_content_type() {
            return Ok(known);
        }
        let found = match content_type::by_name(&self.path) {
            Some(by_name) if !self.storage.capabilities().attributes => by_name.to_owned(),
            Some(by_name) => {
                if self.lock().attributes.is_none() {
                    self.pinned_head().await?;
                }
                self.known_content_type().unwrap_or_else(|| by_name.to_owned())
            }
            None => {
                let start = match self.is_known_empty() {
                    true => Bytes::new(),
                    false => self.read_prefix(content_type::SNIFFED).await?,
                };
                self.known_content_type().unwrap_or_else(|| content_type::by_content(&start).to_owned())
            }
        };
        self.lock().content_type = Some(found.clone());
        Ok(found)
    }

    /// The media type that the extension stands for, whatever is stored. No request.
    pub fn content_type_by_name(&self) -> Option<&'static str> {
        content_type::by_name(&self.path)
    }

    /// Copies the content to a temporary file, whose name has the suffixes of the object's. One get.
    pub async fn download_to_temp(&self) -> Result<TempFile> {
        TempFile::write(&self.path, self.stream().await?).await
    }

    /// Asks for what is there now, and reads that from now on; says whether it is another version. One head.
    pub async fn refresh(&self) -> Result<bool> {
        let before = self.known().map(|meta| meta.etag);
        let head = self.storage.head(&self.key).await?;
        let is_other = before.is_some_and(|before| before != head.meta.etag);
        let mut known = self.lock();
        if is_other {
            *known = Known::default();
        }
        (known.meta, known.attributes, known.content_type) = (Some(head.meta), Some(head.attributes), None);
        Ok(is_other)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_known_empty(&self) -> bool {
        self.lock().meta.as_ref().is_some_and(|meta| meta.size == 0)
    }

    /// The stored type where it was told, or what was found out before.
    fn known_content_type(&self) -> Option<String> {
        let known = self.lock();
        let stored = known.attributes.as_ref().and_then(|attributes| attributes.content_type.clone());
        stored.or_else(|| known.content_type.clone())
    }

    async fn head(&self) -> Result<ObjectMeta> {
        let head = self.storage.head(&self.key).await?;
        self.learn(&head.meta, head.attributes);
        Ok(head.meta)
    }

    /// A head of the version that is known.
    async fn pinned_head(&self) -> Result<()> {
        let head = self.storage.head(&self.key).await?;
        if self.known().is_some_and(|known| known.etag != head.meta.etag) {
            return Err(changed(Error::new(ErrorKind::ObjectChanged, "the object has another etag"), &self.key));
        }
        self.learn(&head.meta, head.attributes);
        Ok(())
    }

    /// A read of the version that is known, or of the one that is there.
    async fn get(&self, mut options: GetOptions) -> Result<GetResult> {
        if let Some(known) = self.known() {
            options = options.if_match(known.etag);
        }
        let result = self.storage.get(&self.key, options).await.map_err(|error| match error.kind() {
            ErrorKind::PreconditionFailed => changed(error, &self.key),
            _ => error,
        })?;
        self.learn(&result.meta, result.attributes.clone());
        Ok(result)
    }

    /// Keeps what an answer told, unless another one was first.
    pub(crate) fn learn(&self, meta: &ObjectMeta, attributes: Attributes) {
        let mut known = self.lock();
        let first = known.meta.get_or_insert_with(|| meta.clone());
        if first.etag == meta.etag {
            known.attributes = Some(attributes);
        }
    }
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFile").field("key", &self.key).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn changed(error: Error, key: &Key) -> Error {
    error
        .with_kind(ErrorKind::ObjectChanged)
        .with_message("it is not the version that was listed")
        .with_key(key.as_str())
        .with_help("refresh it, and begin again")
}

async fn collect(body: Body) -> Result<Bytes> {
    let mut pieces = match body {
        Body::Bytes(bytes) => return Ok(bytes),
        Body::Stream(stream) => stream,
    };
    let mut all = storage_core::PayloadBuilder::new();
    while let Some(piece) = pieces.try_next().await? {
        all.push(piece);
    }
    Ok(all.finish().into_bytes())
}
