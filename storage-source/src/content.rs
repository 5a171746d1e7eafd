//! Content under its digest.

use std::io;

use bytes::Bytes;
use futures::stream::{Stream, TryStreamExt as _};
use md5::{Digest as _, Md5};
use storage_core::{Error, Key, Payload, PayloadBuilder, Put, PutOptions, Result, Storage};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

/// Content up to so many bytes is held in memory until its digest is known; more goes through a temporary file.
const HELD: u64 = 8 * 1024 * 1024;

/// Keeps content on a root under its MD5 digest: a file as `<md5>/<name>`, text as `text_<md5>.txt`.
///
/// The same bytes under the same name are one object, however often and from wherever they come: it is written once and
/// then kept. Other bytes under the same name are another object. A write is create-only, so of many at once one writes.
///
/// ```
/// # use storage_core::{Result, Storage};
/// # use storage_source::ContentStore;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let content = ContentStore::new(Storage::new(storage_memory::Memory::new()));
/// let first = content.add_text("a note").await?;
/// assert_eq!(first.key.as_str(), "text_3403af8117ebb858a392014b80cb3833.txt");
/// assert!(first.put.is_written());
/// assert!(!content.add_text("a note").await?.put.is_written());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ContentStore {
    storage: Storage,
}

/// Where content is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The key on the root.
    pub key: Key,
    /// The size of the content in bytes.
    pub size: u64,
    /// Its MD5 digest, 32 digits in lower case.
    pub md5: String,
    /// Whether it was written now, or was there.
    pub put: Put,
}

impl ContentStore {
    /// Content on this root.
    pub fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// The root that holds the content.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Keeps text as `text_<md5>.txt`. One request.
    pub async fn add_text(&self, text: impl Into<String>) -> Result<Stored> {
        let text = Bytes::from(text.into());
        let md5 = hex(Md5::digest(&text));
        let key = Key::new(format!("text_{md5}.txt"))?;
        let size = text.len() as u64;
        let put = self.storage.put_if_absent(&key, text).await?;
        Ok(Stored { key, size, md5, put })
    }

    /// Keeps what a stream yields as `<md5>/<name>`. The name is one segment of a key, else `InvalidKey`. If the stream
    /// fails, its error comes back and nothing is written.
    ///
    /// Up to 8 MiB are held in memory and cost one request. More is spooled to a temporary file, and a head asks first
    /// whether it is there, so that it is not sent for nothing.
    pub async fn add<S, E>(&self, name: &str, content: S) -> Result<Stored>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Error>,
    {
        check_name(name)?;
        let Spooled { md5, size, content } = spool(content).await?;
        let key = Key::new(format!("{md5}/{name}"))?;
        let put = match content {
            Content::Held(bytes) => self.storage.put_if_absent(&key, bytes).await?,
            Content::File(_) if self.storage.exists(&key).await? => Put::KeptExisting,
            Content::File(file) => {
                let options = PutOptions::new().create_only().length(size);
                Put::keeping(self.storage.put_file(&key, file.path(), options).await)?
            }
        };
        Ok(Stored { key, size, md5, put })
    }
}

fn check_name(name: &str) -> Result<()> {
    Key::new(name)?;
    if name.contains('/') {
        return Err(Error::invalid_input(format!("the name {name:?} holds a '/'")).with_help("give the last segment"));
    }
    Ok(())
}

/// Content that is complete, with its digest.
struct Spooled {
    md5: String,
    size: u64,
    content: Content,
}

enum Content {
    Held(Payload),
    /// Removed when it is dropped.
    File(NamedTempFile),
}

async fn spool<S, E>(content: S) -> Result<Spooled>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Error>,
{
    let mut content = std::pin::pin!(content);
    let (mut digest, mut held) = (Md5::new(), PayloadBuilder::new());
    while let Some(bytes) = content.try_next().await.map_err(Into::into)? {
        digest.update(&bytes);
        held.push(bytes);
        if held.len() > HELD {
            return spool_to_file(content, digest, held.finish()).await;
        }
    }
    Ok(Spooled { md5: hex(digest.finalize()), size: held.len(), content: Content::Held(held.finish()) })
}

/// Writes what is held, and the rest of the stream, to a temporary file.
async fn spool_to_file<S, E>(mut content: S, mut digest: Md5, held: Payload) -> Result<Spooled>
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
    while let Some(bytes) = content.try_next().await.map_err(Into::into)? {
        digest.update(&bytes);
        size += bytes.len() as u64;
        file.write_all(&bytes).await.map_err(not_spooled)?;
    }
    file.flush().await.map_err(not_spooled)?;
    Ok(Spooled { md5: hex(digest.finalize()), size, content: Content::File(temporary) })
}

fn not_spooled(error: io::Error) -> Error {
    let message = format!("the temporary file in {} cannot be written: {error}", std::env::temp_dir().display());
    Error::from(error).with_message(message).with_help("make room there, or set TMPDIR to another directory")
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    use std::fmt::Write as _;
    digest.as_ref().iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
