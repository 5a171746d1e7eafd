//! The one backend around a backend that forwards every method; what happens around each call is a [`Policy`].

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::body::Reading;
use crate::backend::{
    BackendWriter, Body, CopyResult, GetResult, Lister, Page, PutResult, StorageBackend, SweepReport,
};
use crate::capabilities::Capabilities;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::{Key, Prefix};
use crate::location::Location;
use crate::meta::ObjectHead;
use crate::options::{
    CopyOptions, DeleteOptions, GetOptions, HeadOptions, ListOptions, PresignOptions, PutOptions, SweepOptions,
};
use crate::payload::Payload;
use crate::presign::Presigned;
use crate::versions::{VersionLister, VersionPage};
use crate::watch::{ChangeFeed, WatchOptions};

/// What a wrapper does around the calls of a backend. A host writes its own wrapper by implementing this.
///
/// Every method of the backend passes through it, and so does every piece of a streamed body, every page of a listing
/// and every call of a writer; what a watch tells comes when it will, so only opening one is a call. Dropping the future of [`call`](Policy::call) must drop the attempt in it.
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// Runs one attempt of a call. `attempt` does nothing before it is polled.
    fn call<T: Answer>(
        &self,
        call: &Call<'_>,
        attempt: impl Future<Output = Result<T>> + Send,
    ) -> impl Future<Output = Result<T>> + Send {
        let _ = call;
        attempt
    }

    /// How long to wait before a failed call is repeated; `None` hands its error on, untouched. Calls of a writer that
    /// is open are never repeated, so this is not asked for them.
    fn pause(&self, call: &Call<'_>, tries: &Tries, error: &Error) -> Option<Duration> {
        let _ = (call, tries, error);
        None
    }

    /// Looks at the answer of a get before its body is read.
    fn opened(&self, result: GetResult) -> GetResult {
        result
    }
}

/// What a policy knows of a call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The operation; [`Operation::Read`] is one piece of a streamed body.
    pub operation: Operation,
    /// The key, where the call has one; the source of a copy or rename.
    pub key: Option<&'a Key>,
    /// How many bytes of content go in.
    pub bytes: u64,
    /// The call's duration grows with the number of objects: `delete_many`, `delete_prefix`, `sweep`, `watch`.
    pub bulk: bool,
}

impl<'a> Call<'a> {
    fn new(operation: Operation, key: Option<&'a Key>) -> Self {
        Self { operation, key, bytes: 0, bulk: false }
    }

    fn bulk(operation: Operation) -> Self {
        Self { bulk: true, ..Self::new(operation, None) }
    }

    pub(super) fn read(key: &'a Key) -> Self {
        Self::new(Operation::Read, Some(key))
    }

    /// Whether it shows what the backend holds in another state, so that losing its answer leaves the outcome unknown.
    /// Opening, filling and discarding a writer show nothing.
    pub fn is_change(&self) -> bool {
        !self.operation.is_read()
            && !matches!(self.operation, Operation::OpenWriter | Operation::Write | Operation::Abort)
    }
}

/// The attempts of one call so far.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Tries {
    /// How many attempts have failed.
    pub failed: u32,
    /// When the first one began.
    pub since: Instant,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self { failed: 0, since: Instant::now() }
    }
}

/// What calls answer, as far as a policy can look into it.
pub trait Answer: Send {
    /// How many bytes of content it holds.
    fn bytes(&self) -> u64 {
        0
    }
}

impl Answer for GetResult {
    fn bytes(&self) -> u64 {
        match &self.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Stream(_) => 0,
        }
    }
}

/// A piece of a streamed body.
impl Answer for Option<Bytes> {
    fn bytes(&self) -> u64 {
        self.as_ref().map_or(0, |bytes| bytes.len() as u64)
    }
}

macro_rules! no_content {
    ($($type:ty),*) => { $(impl Answer for $type {})* };
}

no_content!(
    (),
    u64,
    Capabilities,
    ObjectHead,
    PutResult,
    CopyResult,
    Presigned,
    SweepReport,
    PathBuf,
    Vec<Result<()>>,
    Box<dyn BackendWriter>,
    Box<dyn Lister>,
    Box<dyn VersionLister>,
    Box<dyn ChangeFeed>,
    Option<VersionPage>
);

/// Runs a call and repeats it as the policy says; the attempt is evaluated anew each time.
macro_rules! repeated {
    ($policy:expr, $call:expr, $attempt:expr) => {{
        let call = $call;
        let mut tries = $crate::wrappers::intercepted::Tries::new();
        loop {
            match $policy.call(&call, $attempt).await {
                Ok(answer) => break Ok(answer),
                Err(error) => {
                    tries.failed += 1;
                    match $policy.pause(&call, &tries, &error) {
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => break Err(error),
                    }
                }
            }
        }
    }};
}
pub(super) use repeated;

/// A backend whose calls go through a [`Policy`].
pub struct Intercepted<P> {
    pub(super) inner: Arc<dyn StorageBackend>,
    pub(super) policy: Arc<P>,
}

impl<P: Policy> Intercepted<P> {
    /// Puts a policy around a backend.
    pub fn around(inner: Arc<dyn StorageBackend>, policy: P) -> Self {
        Self { inner, policy: Arc::new(policy) }
    }
}

impl<P> Clone for Intercepted<P> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), policy: Arc::clone(&self.policy) }
    }
}

impl<P: Policy> fmt::Debug for Intercepted<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intercepted").field("policy", &self.policy).field("inner", &self.inner).finish()
    }
}

#[async_trait]
impl<P: Policy> StorageBackend for Intercepted<P> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> Option<Location> {
        self.inner.location()
    }

    async fn probe(&self) -> Result<Capabilities> {
        repeated!(self.policy, Call::new(Operation::Probe, None), self.inner.probe())
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let call = Call::new(Operation::Get, Some(key));
        let result = repeated!(self.policy, call, self.inner.get(key, options.clone()))?;
        let mut result = self.policy.opened(result);
        if let Body::Stream(stream) = result.body {
            let reading = Reading::new(self.clone(), key, options, &result.meta, result.range.clone(), stream);
            result.body = Body::Stream(reading.into_stream());
        }
        Ok(result)
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        let call = Call::new(Operation::Head, Some(key));
        repeated!(self.policy, call, self.inner.head(key, options.clone()))
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let call = Call { bytes: payload.len(), ..Call::new(Operation::Put, Some(key)) };
        repeated!(self.policy, call, self.inner.put(key, payload.clone(), options.clone()))
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        let call = Call::new(Operation::OpenWriter, Some(key));
        let inner = repeated!(self.policy, call, self.inner.writer(key, options.clone()))?;
        Ok(Box::new(InterceptedWriter { policy: Arc::clone(&self.policy), key: key.clone(), inner, lost: false }))
    }

    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>> {
        let inner = repeated!(self.policy, Call::new(Operation::List, None), self.inner.list(options.clone()))?;
        Ok(Box::new(InterceptedLister { policy: Arc::clone(&self.policy), inner, held: None }))
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        let call = Call::new(Operation::Copy, Some(from));
        repeated!(self.policy, call, self.inner.copy(from, to, options.clone()))
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        let call = Call::new(Operation::Rename, Some(from));
        repeated!(self.policy, call, self.inner.rename(from, to, options.clone()))
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        let call = Call::new(Operation::Delete, Some(key));
        repeated!(self.policy, call, self.inner.delete(key, options.clone()))
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        repeated!(self.policy, Call::bulk(Operation::Delete), self.inner.delete_many(keys.clone()))
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        repeated!(self.policy, Call::bulk(Operation::Delete), self.inner.delete_prefix(prefix))
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        repeated!(self.policy, Call::bulk(Operation::Sweep), self.inner.sweep(options.clone()))
    }

    async fn local_path(&self, key: &Key) -> Result<PathBuf> {
        repeated!(self.policy, Call::new(Operation::LocalPath, Some(key)), self.inner.local_path(key))
    }

    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned> {
        repeated!(self.policy, Call::new(Operation::Presign, Some(key)), self.inner.presign(key, options.clone()))
    }

    async fn list_versions(&self, options: ListOptions) -> Result<Box<dyn VersionLister>> {
        let call = Call::new(Operation::List, None);
        let inner = repeated!(self.policy, call, self.inner.list_versions(options.clone()))?;
        Ok(Box::new(InterceptedVersions { policy: Arc::clone(&self.policy), inner }))
    }

    async fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        repeated!(self.policy, Call::bulk(Operation::Watch), self.inner.watch(prefix, options.clone()))
    }
}

struct InterceptedVersions<P> {
    policy: Arc<P>,
    inner: Box<dyn VersionLister>,
}

#[async_trait]
impl<P: Policy> VersionLister for InterceptedVersions<P> {
    async fn next_page(&mut self) -> Result<Option<VersionPage>> {
        repeated!(self.policy, Call::new(Operation::List, None), self.inner.next_page())
    }
}

struct InterceptedLister<P> {
    policy: Arc<P>,
    inner: Box<dyn Lister>,
    /// A page that has come and is not handed on: when a policy loses the answer, the next call finds it here.
    held: Option<Option<Page>>,
}

impl<P> InterceptedLister<P> {
    async fn attempt(&mut self) -> Result<()> {
        if self.held.is_none() {
            self.held = Some(self.inner.next_page().await?);
        }
        Ok(())
    }
}

#[async_trait]
impl<P: Policy> Lister for InterceptedLister<P> {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        let policy = Arc::clone(&self.policy);
        repeated!(policy, Call::new(Operation::List, None), self.attempt())?;
        Ok(self.held.take().flatten())
    }
}

struct InterceptedWriter<P> {
    policy: Arc<P>,
    key: Key,
    inner: Box<dyn BackendWriter>,
    /// A write failed or was dropped half-way: which bytes the inner writer holds is not known.
    lost: bool,
}

impl<P> InterceptedWriter<P> {
    fn check(&self) -> Result<()> {
        match self.lost {
            true => Err(Error::new(ErrorKind::Closed, "an earlier write failed, or was dropped half-way")
                .with_help("open a new writer")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl<P: Policy> BackendWriter for InterceptedWriter<P> {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.check()?;
        let call = Call { bytes: bytes.len() as u64, ..Call::new(Operation::Write, Some(&self.key)) };
        self.lost = true;
        self.policy.call(&call, self.inner.write(bytes)).await?;
        self.lost = false;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<PutResult> {
        self.check()?;
        let Self { policy, key, inner, .. } = *self;
        policy.call(&Call::new(Operation::Finish, Some(&key)), inner.finish()).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let Self { policy, key, inner, .. } = *self;
        policy.call(&Call::new(Operation::Abort, Some(&key)), inner.abort()).await
    }
}
