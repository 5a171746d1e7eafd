//! Mutants that change keys on their way.

use conformance_tests::async_trait;
use storage_core::{
    BackendWriter, CopyOptions, CopyResult, DeleteOptions, Error, ErrorKind, GetOptions, GetResult, HeadOptions, Key,
    ListOptions, Lister, ObjectHead, Payload, PutOptions, PutResult, Result,
};

use crate::lie::{Inner, Lie};

/// A mutant that stores each key under another name.
macro_rules! renaming {
    ($($(#[$doc:meta])* $name:ident: $rename:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Default)]
            pub(crate) struct $name;

            impl $name {
                fn stored(key: &Key) -> Key {
                    let rename: fn(&str) -> String = $rename;
                    Key::new(rename(key.as_str())).unwrap_or_else(|_| key.clone())
                }
            }

            #[async_trait]
            impl Lie for $name {
                async fn get(&self, inner: &Inner, key: &Key, options: GetOptions) -> Result<GetResult> {
                    let mut result = inner.get(&Self::stored(key), options).await?;
                    result.meta.key = key.clone();
                    Ok(result)
                }
                async fn head(&self, inner: &Inner, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
                    let mut head = inner.head(&Self::stored(key), options).await?;
                    head.meta.key = key.clone();
                    Ok(head)
                }
                async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
                    inner.put(&Self::stored(key), payload, options).await
                }
                async fn writer(&self, inner: &Inner, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
                    inner.writer(&Self::stored(key), options).await
                }
                async fn copy(&self, inner: &Inner, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
                    inner.copy(&Self::stored(from), &Self::stored(to), options).await
                }
                async fn rename(&self, inner: &Inner, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
                    inner.rename(&Self::stored(from), &Self::stored(to), options).await
                }
                async fn delete(&self, inner: &Inner, key: &Key, options: DeleteOptions) -> Result<()> {
                    inner.delete(&Self::stored(key), options).await
                }
            }
        )+
    };
}

renaming! {
    /// Cuts long keys off, as a file system would.
    TruncatesLongKeys: |key| key.chars().take(255).collect();
    /// Takes spaces at the ends away.
    TrimsKeys: |key| key.trim().to_owned();
    /// Takes what looks encoded for encoded.
    DecodesSlashes: |key| key.replace("%2F", "/").replace("%2f", "/");
    /// Makes no difference between upper and lower case.
    FoldsCase: |key| key.to_lowercase();
    /// Makes one spelling of two that look the same.
    ComposesAccents: |key| key.replace("e\u{301}", "\u{e9}").replace("o\u{308}", "\u{f6}").replace("A\u{30a}", "\u{c5}");
    /// Drops everything behind a question mark, as a URL would.
    CutsQueries: |key| key.split('?').next().filter(|path| !path.is_empty()).unwrap_or(key).to_owned();
    /// Hides what would be its own temporary name.
    ReservesNames: |key| key.strip_suffix(".tmp").filter(|name| !name.is_empty()).unwrap_or(key).to_owned();
}

/// Refuses keys of 256 bytes in a segment.
#[derive(Default)]
pub(crate) struct RefusesLongSegments;

#[async_trait]
impl Lie for RefusesLongSegments {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        match key.as_str().split('/').all(|segment| segment.len() <= 255) {
            true => inner.put(key, payload, options).await,
            false => Err(Error::new(ErrorKind::InvalidKey, "file name too long")),
        }
    }
}

/// Has directories: what is an object has nothing under it.
#[derive(Default)]
pub(crate) struct ObjectsAreFiles;

#[async_trait]
impl Lie for ObjectsAreFiles {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        for (slash, _) in key.as_str().match_indices('/') {
            if inner.head(&Key::new(&key.as_str()[..slash])?, HeadOptions::new()).await.is_ok() {
                return Err(Error::new(ErrorKind::Other, "not a directory"));
            }
        }
        inner.put(key, payload, options).await
    }
}

/// Matches a prefix by whole segments only.
#[derive(Default)]
pub(crate) struct MatchesWholeSegments;

#[async_trait]
impl Lie for MatchesWholeSegments {
    async fn list(&self, inner: &Inner, mut options: ListOptions) -> Result<Box<dyn Lister>> {
        if !options.prefix.is_empty() && !options.prefix.is_level() {
            options.prefix = storage_core::Prefix::new(format!("{}/", options.prefix))?;
        }
        inner.list(options).await
    }
}
