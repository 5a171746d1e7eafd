//! Reading content back by its digest, checked, and removing it.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use storage_core::{Error, ErrorKind, Key, ListOptions, Prefix, Reader, Result};

use super::digest::{Digest, Hasher};
use super::{ContentStore, Layout};

impl ContentStore {
    /// The key of content that is kept; `None` where there is none. One head; in the MD5 layout, which keys go by name
    /// too, a listing and, unless that finds one, a head.
    pub async fn locate(&self, digest: &Digest) -> Result<Option<Key>> {
        self.check_algorithm(digest)?;
        if self.layout == Layout::Md5Name
            && let Some(key) = self.first_named(digest).await?
        {
            return Ok(Some(key));
        }
        let key = self.layout.text(digest)?;
        Ok(self.storage.exists(&key).await?.then_some(key))
    }

    /// Content as a stream that is digested as it passes. Where the stored bytes are not those of the digest its last item
    /// is the error `Corrupted`, so what came before is good only once the stream has ended without one. `NotFound` where
    /// there is no such content. One request more than [`ContentStore::locate`].
    pub async fn stream(&self, digest: &Digest) -> Result<BoxStream<'static, Result<Bytes>>> {
        let key = self.located(digest).await?;
        let stored = self.storage.stream(&key).await?;
        Ok(checked(stored, key, digest.clone()).boxed())
    }

    /// Content in memory; never other bytes than those of the digest: `Corrupted` then, `NotFound` where there is none.
    pub async fn bytes(&self, digest: &Digest) -> Result<Bytes> {
        let mut stream = self.stream(digest).await?;
        let Some(first) = stream.try_next().await? else {
            return Ok(Bytes::new());
        };
        let mut rest = BytesMut::new();
        while let Some(next) = stream.try_next().await? {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&next);
        }
        Ok(if rest.is_empty() { first } else { rest.freeze() })
    }

    /// Content as `AsyncRead + AsyncSeek`. Parts of it are read, which nothing but the backend can check.
    pub async fn open(&self, digest: &Digest) -> Result<Reader> {
        self.storage.reader(self.located(digest).await?).await
    }

    /// Removes content, under every name that it has; Ok where there is none.
    pub async fn remove(&self, digest: &Digest) -> Result<()> {
        self.check_algorithm(digest)?;
        if self.layout == Layout::Md5Name {
            self.storage.delete_prefix(format!("{digest}/")).await?;
        }
        self.storage.delete(self.layout.text(digest)?).await
    }

    async fn located(&self, digest: &Digest) -> Result<Key> {
        // With one key that it can have, the read itself tells whether it is there.
        if self.layout == Layout::Sha256 {
            self.check_algorithm(digest)?;
            return self.layout.text(digest);
        }
        self.locate(digest).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no content of the digest {digest}"))
                .with_help("add it first")
        })
    }

    /// The first object under `<md5>/`; all of them hold the same bytes.
    async fn first_named(&self, digest: &Digest) -> Result<Option<Key>> {
        let options = ListOptions::new().prefix(Prefix::new(format!("{digest}/"))?).limit(1);
        let mut entries = self.storage.list(options).await?;
        Ok(entries.try_next().await?.and_then(|entry| entry.object()).map(|object| object.key))
    }

    fn check_algorithm(&self, digest: &Digest) -> Result<()> {
        let (own, given) = (self.layout.algorithm(), digest.algorithm());
        if own == given {
            return Ok(());
        }
        let message = format!("content is kept by {} here, and {digest} is {}", own.as_str(), given.as_str());
        Err(Error::invalid_input(message).with_help("ask with the digest that adding it gave"))
    }
}

/// A stream that ends with an error where its bytes are not those of the digest.
fn checked(
    content: impl Stream<Item = Result<Bytes>> + Send + 'static,
    key: Key,
    digest: Digest,
) -> impl Stream<Item = Result<Bytes>> + Send {
    let hasher = Hasher::new(digest.algorithm());
    let state = Some((Box::pin(content), hasher, key, digest));
    stream::try_unfold(state, async |state| {
        let Some((mut content, mut hasher, key, digest)) = state else {
            return Ok(None);
        };
        if let Some(bytes) = content.try_next().await? {
            hasher.update(&bytes);
            return Ok(Some((bytes, Some((content, hasher, key, digest)))));
        }
        match hasher.finish() {
            found if found == digest => Ok(None),
            found => Err(Error::new(ErrorKind::Corrupted, format!("the stored bytes have the digest {found}"))
                .with_key(key.as_str())
                .with_help("remove the content and add it again")),
        }
    })
}
