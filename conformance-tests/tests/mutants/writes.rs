//! Mutants that write wrongly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use conformance_tests::async_trait;
use futures::FutureExt as _;
use storage_core::{
    Attributes, BackendWriter, Capabilities, ETag, Error, ErrorKind, HeadOptions, Key, Payload, PutMode, PutOptions,
    PutResult, Result, SweepOptions, SweepReport,
};

use crate::lie::{Inner, Lie};

/// Shows half of an object before all of it.
#[derive(Default)]
pub(crate) struct TornWrites;

#[async_trait]
impl Lie for TornWrites {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let whole = payload.into_bytes();
        if options.mode == PutMode::Overwrite && whole.len() > 1 {
            inner.put(key, whole.slice(..whole.len() / 2).into(), PutOptions::new()).await?;
            tokio::task::yield_now().await;
        }
        inner.put(key, whole.into(), options).await
    }
}

/// Changes the object before it finds that it cannot do what it was asked for.
#[derive(Default)]
pub(crate) struct WritesBeforeItRefuses;

#[async_trait]
impl Lie for WritesBeforeItRefuses {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let mode = options.mode.clone();
        let result = inner.put(key, payload.clone(), options).await;
        if result.is_err() && mode != PutMode::Overwrite {
            inner.put(key, payload, PutOptions::new()).await?;
        }
        result
    }
}

/// Answers before the write has taken place.
#[derive(Default)]
pub(crate) struct AnswersTooEarly;

#[async_trait]
impl Lie for AnswersTooEarly {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        if options.mode != PutMode::Overwrite {
            return inner.put(key, payload, options).await;
        }
        let size = payload.len();
        let (inner, key) = (Arc::clone(inner), key.clone());
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            inner.put(&key, payload, options).await
        });
        Ok(PutResult { etag: ETag::new("soon"), size, version: None })
    }
}

/// Goes on with a write whose future was dropped.
#[derive(Default)]
pub(crate) struct WritesOnAfterADrop;

#[async_trait]
impl Lie for WritesOnAfterADrop {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let (inner, key) = (Arc::clone(inner), key.clone());
        let writing = tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            inner.put(&key, payload, options).await
        });
        writing.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Other, "the task is gone")))
    }
}

/// Tells another etag than head does.
#[derive(Default)]
pub(crate) struct TellsAnotherEtag;

#[async_trait]
impl Lie for TellsAnotherEtag {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let mut result = inner.put(key, payload, options).await?;
        result.etag = ETag::new(result.etag.as_str().trim_matches('"').to_owned() + "-put");
        Ok(result)
    }
}

/// Has no empty objects.
#[derive(Default)]
pub(crate) struct NoEmptyObjects;

#[async_trait]
impl Lie for NoEmptyObjects {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        match payload.len() {
            0 => Err(Error::invalid_input("there is nothing to write")),
            _ => inner.put(key, payload, options).await,
        }
    }
}

/// Keeps the attributes of the object that is written over.
#[derive(Default)]
pub(crate) struct KeepsOldAttributes;

#[async_trait]
impl Lie for KeepsOldAttributes {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, mut options: PutOptions) -> Result<PutResult> {
        if let Ok(old) = inner.head(key, HeadOptions::new()).await {
            let Attributes { content_type, user, .. } = old.attributes;
            options.attributes.content_type = options.attributes.content_type.or(content_type);
            user.into_iter().for_each(|(name, value)| {
                options.attributes.user.entry(name).or_insert(value);
            });
        }
        inner.put(key, payload, options).await
    }
}

/// Says that it takes longer keys than it does.
#[derive(Default)]
pub(crate) struct OverstatesKeys;

#[async_trait]
impl Lie for OverstatesKeys {
    fn declares(&self, inner: &Inner) -> Capabilities {
        let mut known = inner.capabilities();
        known.max_key_len = known.max_key_len.saturating_add(100);
        known
    }
}

/// A writer that does a thing of its own.
struct Wrong {
    kind: Kind,
    inner: Option<Box<dyn BackendWriter>>,
    root: Inner,
    key: Key,
    options: PutOptions,
    content: Vec<u8>,
    shared: Arc<Mutex<HashMap<Key, Vec<u8>>>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    ShowsEarly,
    AbortCommits,
    DropCommits,
    LosesTheTail,
    SharesABuffer,
    LeaksParts,
    SkipsEmpty,
    JudgesAtStart,
}

impl Wrong {
    fn content(&self) -> Bytes {
        self.content.clone().into()
    }

    async fn commit(&mut self, content: Bytes) -> Result<PutResult> {
        self.root.put(&self.key, content.into(), self.options.clone()).await
    }
}

#[async_trait]
impl BackendWriter for Wrong {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.content.extend_from_slice(&bytes);
        match self.kind {
            Kind::ShowsEarly => {
                let content = self.content();
                self.commit(content).await?;
            }
            Kind::SharesABuffer => {
                let mut shared = self.shared.lock().unwrap();
                shared.entry(self.key.clone()).or_default().extend_from_slice(&bytes);
            }
            _ => {}
        }
        match &mut self.inner {
            Some(inner) => inner.write(bytes).await,
            None => Ok(()),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<PutResult> {
        let inner = self.inner.take();
        match self.kind {
            Kind::LosesTheTail => {
                let kept = self.content.len() / 1000 * 1000;
                let content = if kept == 0 { self.content() } else { self.content().slice(..kept) };
                self.commit(content).await
            }
            Kind::SharesABuffer => {
                let content = self.shared.lock().unwrap().remove(&self.key).unwrap_or_default();
                self.commit(content.into()).await
            }
            Kind::SkipsEmpty if self.content.is_empty() => {
                Ok(PutResult { etag: ETag::new("nothing"), size: 0, version: None })
            }
            Kind::JudgesAtStart => {
                self.options.mode = PutMode::Overwrite;
                {
                    let content = self.content();
                    self.commit(content).await
                }
            }
            _ => match inner {
                Some(inner) => inner.finish().await,
                None => {
                    let content = self.content();
                    self.commit(content).await
                }
            },
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        let inner = self.inner.take();
        match self.kind {
            Kind::AbortCommits => {
                let content = self.content();
                self.commit(content).await
            }
            .map(drop),
            Kind::LeaksParts => {
                std::mem::forget(inner);
                Ok(())
            }
            _ => match inner {
                Some(inner) => inner.abort().await,
                None => Ok(()),
            },
        }
    }
}

impl Drop for Wrong {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        match self.kind {
            Kind::DropCommits => {
                // In memory it is done at once.
                let _ = inner.finish().now_or_never();
            }
            Kind::LeaksParts => std::mem::forget(inner),
            _ => {}
        }
    }
}

/// A mutant that opens such writers.
macro_rules! writers {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Default)]
            pub(crate) struct $name {
                shared: Arc<Mutex<HashMap<Key, Vec<u8>>>>,
            }

            #[async_trait]
            impl Lie for $name {
                async fn writer(&self, inner: &Inner, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
                    let kind = Kind::$name;
                    if kind == Kind::JudgesAtStart && options.mode == PutMode::CreateOnly
                        && inner.head(key, HeadOptions::new()).await.is_ok()
                    {
                        return Err(Error::already_exists());
                    }
                    let opened = inner.writer(key, options.clone()).await?;
                    let shared = Arc::clone(&self.shared);
                    let (root, key) = (Arc::clone(inner), key.clone());
                    Ok(Box::new(Wrong { kind, inner: Some(opened), root, key, options, content: Vec::new(), shared }))
                }
            }
        )+
    };
}

writers! {
    /// Shows what was written so far.
    ShowsEarly;
    /// Makes an object of what was aborted.
    AbortCommits;
    /// Makes an object of what was dropped.
    DropCommits;
    /// Writes whole pieces only.
    LosesTheTail;
    /// Puts what two writers of a key write into one object.
    SharesABuffer;
    /// Leaves what an aborted or dropped write has written.
    LeaksParts;
    /// Makes no object where nothing was written.
    SkipsEmpty;
    /// Judges the condition of a streaming write when it begins.
    JudgesAtStart;
}

/// Sweeps nothing, and says that it did.
#[derive(Default)]
pub(crate) struct SweepsNothing;

#[async_trait]
impl Lie for SweepsNothing {
    async fn sweep(&self, _: &Inner, _: SweepOptions) -> Result<SweepReport> {
        Ok(SweepReport { removed: 1, bytes: 0 })
    }
}

/// Sweeps whatever the age.
#[derive(Default)]
pub(crate) struct SweepsTheYoung;

#[async_trait]
impl Lie for SweepsTheYoung {
    async fn sweep(&self, inner: &Inner, _: SweepOptions) -> Result<SweepReport> {
        inner.sweep(SweepOptions::default()).await
    }
}

/// Stores no attributes with what is streamed.
#[derive(Default)]
pub(crate) struct StreamsLoseAttributes;

#[async_trait]
impl Lie for StreamsLoseAttributes {
    async fn writer(&self, inner: &Inner, key: &Key, mut options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        options.attributes = Attributes::new();
        inner.writer(key, options).await
    }
}

/// Refuses to create again what it has created once.
#[derive(Default)]
pub(crate) struct RemembersWhatItMade(Mutex<std::collections::HashSet<Key>>);

#[async_trait]
impl Lie for RemembersWhatItMade {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let creates = options.mode == PutMode::CreateOnly;
        if creates && self.0.lock().unwrap().contains(key) {
            return Err(Error::already_exists());
        }
        let result = inner.put(key, payload, options).await?;
        if creates {
            self.0.lock().unwrap().insert(key.clone());
        }
        Ok(result)
    }
}

/// Takes a write of which nobody knows for one that did not take place.
#[derive(Default)]
pub(crate) struct GuessesOutcomes;

#[async_trait]
impl Lie for GuessesOutcomes {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        inner.put(key, payload, options).await.map_err(|error| match error.kind() {
            ErrorKind::OutcomeUnknown => error.with_kind(ErrorKind::PreconditionFailed),
            _ => error,
        })
    }
}

/// Takes a full medium for a service that is busy.
#[derive(Default)]
pub(crate) struct TakesFullForBusy;

#[async_trait]
impl Lie for TakesFullForBusy {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        inner.put(key, payload, options).await.map_err(|error| match error.kind() {
            ErrorKind::OutOfSpace => error.with_kind(ErrorKind::Unavailable),
            _ => error,
        })
    }
}

/// Makes room on a full medium by deleting what it overwrites.
#[derive(Default)]
pub(crate) struct MakesRoomFirst;

#[async_trait]
impl Lie for MakesRoomFirst {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let result = inner.put(key, payload, options).await;
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::OutOfSpace) {
            inner.delete(key, storage_core::DeleteOptions::new()).await?;
        }
        result
    }
}
