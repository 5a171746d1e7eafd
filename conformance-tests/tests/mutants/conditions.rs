//! Mutants that take conditions lightly.

use conformance_tests::async_trait;
use storage_core::{
    BackendWriter, Capabilities, CopyOptions, CopyResult, DeleteOptions, ETag, Error, GetOptions, GetResult,
    HeadOptions, Key, ObjectHead, Payload, PutMode, PutOptions, PutResult, Result, Support,
};

use crate::lie::{Inner, Lie};

/// Overwrites where it ought to create.
#[derive(Default)]
pub(crate) struct IgnoresCreateOnly;

#[async_trait]
impl Lie for IgnoresCreateOnly {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, mut options: PutOptions) -> Result<PutResult> {
        if options.mode == PutMode::CreateOnly {
            options.mode = PutMode::Overwrite;
        }
        inner.put(key, payload, options).await
    }
}

/// Overwrites whatever the etag.
#[derive(Default)]
pub(crate) struct IgnoresIfMatch;

#[async_trait]
impl Lie for IgnoresIfMatch {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, mut options: PutOptions) -> Result<PutResult> {
        if matches!(options.mode, PutMode::IfMatch(_)) {
            options.mode = PutMode::Overwrite;
        }
        inner.put(key, payload, options).await
    }
}

/// Looks whether an object is there, and then writes.
#[derive(Default)]
pub(crate) struct ChecksThenWrites;

#[async_trait]
impl Lie for ChecksThenWrites {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, mut options: PutOptions) -> Result<PutResult> {
        if options.mode == PutMode::CreateOnly {
            if inner.head(key, HeadOptions::new()).await.is_ok() {
                return Err(Error::already_exists());
            }
            tokio::task::yield_now().await;
            options.mode = PutMode::Overwrite;
        }
        inner.put(key, payload, options).await
    }
}

/// Looks at the etag, and then writes.
#[derive(Default)]
pub(crate) struct ComparesThenSwaps;

#[async_trait]
impl Lie for ComparesThenSwaps {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, mut options: PutOptions) -> Result<PutResult> {
        if let PutMode::IfMatch(etag) = options.mode.clone() {
            let found = inner.head(key, HeadOptions::new()).await.map(|head| head.meta.etag == etag);
            if !found.unwrap_or(false) {
                return Err(Error::precondition_failed("another etag"));
            }
            tokio::task::yield_now().await;
            options.mode = PutMode::Overwrite;
        }
        inner.put(key, payload, options).await
    }
}

/// Creates an object where it ought to swap one.
#[derive(Default)]
pub(crate) struct SwapCreates;

#[async_trait]
impl Lie for SwapCreates {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, mut options: PutOptions) -> Result<PutResult> {
        if matches!(options.mode, PutMode::IfMatch(_)) && inner.head(key, HeadOptions::new()).await.is_err() {
            options.mode = PutMode::CreateOnly;
        }
        inner.put(key, payload, options).await
    }
}

/// Ignores the conditions of streaming writes.
#[derive(Default)]
pub(crate) struct WritersIgnoreConditions;

#[async_trait]
impl Lie for WritersIgnoreConditions {
    async fn writer(&self, inner: &Inner, key: &Key, mut options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        options.mode = PutMode::Overwrite;
        inner.writer(key, options).await
    }
}

/// Deletes whatever the etag.
#[derive(Default)]
pub(crate) struct DeleteIgnoresIfMatch;

#[async_trait]
impl Lie for DeleteIgnoresIfMatch {
    async fn delete(&self, inner: &Inner, key: &Key, _: DeleteOptions) -> Result<()> {
        inner.delete(key, DeleteOptions::new()).await
    }
}

/// Copies over what is there.
#[derive(Default)]
pub(crate) struct CopyIgnoresCreateOnly;

#[async_trait]
impl Lie for CopyIgnoresCreateOnly {
    async fn copy(&self, inner: &Inner, from: &Key, to: &Key, mut options: CopyOptions) -> Result<CopyResult> {
        options.create_only = false;
        inner.copy(from, to, options).await
    }
}

/// Copies whatever the etag of the source.
#[derive(Default)]
pub(crate) struct CopyIgnoresSource;

#[async_trait]
impl Lie for CopyIgnoresSource {
    async fn copy(&self, inner: &Inner, from: &Key, to: &Key, mut options: CopyOptions) -> Result<CopyResult> {
        options.if_source_match = None;
        inner.copy(from, to, options).await
    }
}

/// Reads whatever the conditions.
#[derive(Default)]
pub(crate) struct ReadsIgnoreConditions;

#[async_trait]
impl Lie for ReadsIgnoreConditions {
    async fn get(&self, inner: &Inner, key: &Key, mut options: GetOptions) -> Result<GetResult> {
        options.conditions = Default::default();
        inner.get(key, options).await
    }
    async fn head(&self, inner: &Inner, key: &Key, mut options: HeadOptions) -> Result<ObjectHead> {
        options.conditions = Default::default();
        inner.head(key, options).await
    }
}

/// Forgets the dates among the conditions.
#[derive(Default)]
pub(crate) struct ReadsIgnoreDates;

#[async_trait]
impl Lie for ReadsIgnoreDates {
    async fn get(&self, inner: &Inner, key: &Key, mut options: GetOptions) -> Result<GetResult> {
        options.conditions.if_modified_since = None;
        inner.get(key, options).await
    }
}

/// Says that etags are unique, and makes them of the content.
#[derive(Default)]
pub(crate) struct EtagsFollowContent;

fn of_content(content: &[u8]) -> ETag {
    let hash = content.iter().fold(0xcbf2_9ce4_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0193));
    ETag::new(format!("{hash:x}"))
}

impl EtagsFollowContent {
    /// The etag that the object shows, and the one that it has.
    async fn both(inner: &Inner, key: &Key) -> Option<(ETag, ETag)> {
        let read = inner.get(key, GetOptions::new().buffered()).await.ok()?;
        match read.body {
            storage_core::Body::Bytes(bytes) => Some((of_content(&bytes), read.meta.etag)),
            storage_core::Body::Stream(_) => None,
        }
    }
}

#[async_trait]
impl Lie for EtagsFollowContent {
    async fn get(&self, inner: &Inner, key: &Key, mut options: GetOptions) -> Result<GetResult> {
        let both = Self::both(inner, key).await;
        if let (Some((shown, real)), Some(wanted)) = (&both, &options.conditions.if_match)
            && wanted == shown
        {
            options.conditions.if_match = Some(real.clone());
        }
        let mut read = inner.get(key, options).await?;
        both.into_iter().for_each(|(shown, _)| read.meta.etag = shown);
        Ok(read)
    }
    async fn head(&self, inner: &Inner, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        let mut head = inner.head(key, options).await?;
        Self::both(inner, key).await.into_iter().for_each(|(shown, _)| head.meta.etag = shown);
        Ok(head)
    }
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, mut options: PutOptions) -> Result<PutResult> {
        if let (PutMode::IfMatch(wanted), Some((shown, real))) = (&options.mode, Self::both(inner, key).await)
            && *wanted == shown
        {
            options.mode = PutMode::IfMatch(real);
        }
        let content = payload.into_bytes();
        let mut result = inner.put(key, content.clone().into(), options).await?;
        result.etag = of_content(&content);
        Ok(result)
    }
}

/// Says that it can do less than it can.
#[derive(Default)]
pub(crate) struct DeniesItsPowers;

#[async_trait]
impl Lie for DeniesItsPowers {
    fn declares(&self, inner: &Inner) -> Capabilities {
        let mut known = inner.capabilities();
        known.put_create_only = Support::No;
        known.delete_if_match = Support::No;
        known
    }
}

/// A mutant that declares less than it can.
macro_rules! understating {
    ($($(#[$doc:meta])* $name:ident: $deny:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Default)]
            pub(crate) struct $name;

            #[async_trait]
            impl Lie for $name {
                fn declares(&self, inner: &Inner) -> Capabilities {
                    let deny: fn(&mut Capabilities) = $deny;
                    let mut known = inner.capabilities();
                    deny(&mut known);
                    known
                }
            }
        )+
    };
}

understating! {
    /// Swaps, and says that it does not.
    DeniesSwaps: |known| known.put_if_match = Support::No;
    /// Judges streaming writes that create, and says that it does not.
    DeniesStreamedCreates: |known| known.writer_create_only = Support::No;
    /// Judges streaming swaps, and says that it does not.
    DeniesStreamedSwaps: |known| known.writer_if_match = Support::No;
    /// Judges copies, and says that it does not.
    DeniesCopies: |known| known.copy_create_only = Support::No;
    /// Stores attributes, and says that it does not.
    DeniesAttributes: |known| known.attributes = false;
    /// Tells paths, and says that it does not.
    DeniesPaths: |known| known.local_path = false;
    /// Presigns, and says that it does not.
    DeniesPresigning: |known| known.presign = false;
    /// Takes short keys only, by its own account.
    UnderstatesKeys: |known| known.max_key_len = 300;
}
