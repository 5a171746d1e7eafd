//! A backend between the handle and the driver that writes down what is asked, and lies where a rule wants it to.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{StreamExt, TryStreamExt};
use storage_core::{
    BackendWriter, Body, Capabilities, ChangeFeed, CopyOptions, CopyResult, DeleteOptions, GetOptions, GetResult,
    HeadOptions, Key, ListOptions, Lister, Location, ObjectHead, Operation, Payload, Prefix, PresignOptions, Presigned,
    PutOptions, PutResult, Result, Storage, StorageBackend, SweepOptions, SweepReport, VersionLister, WatchOptions,
};

type Change<T> = Arc<dyn Fn(T) -> T + Send + Sync>;
type Then = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Stands around the backend of a handle.
#[derive(Clone)]
pub(crate) struct Spy {
    inner: Arc<dyn StorageBackend>,
    log: Log,
    answer: Change<GetResult>,
    lister: Change<Box<dyn Lister>>,
    writer: Change<Box<dyn BackendWriter>>,
    after_get: Then,
}

impl Spy {
    /// Passes everything on, and writes it down.
    pub(crate) fn new(storage: &Storage) -> Self {
        Self {
            inner: Arc::clone(storage.backend()),
            log: Log::default(),
            answer: Arc::new(|result| result),
            lister: Arc::new(|lister| lister),
            writer: Arc::new(|writer| writer),
            after_get: Arc::new(|| Box::pin(std::future::ready(()))),
        }
    }

    /// Changes every answer of get.
    pub(crate) fn answer(mut self, change: impl Fn(GetResult) -> GetResult + Send + Sync + 'static) -> Self {
        self.answer = Arc::new(change);
        self
    }

    /// Changes every listing.
    pub(crate) fn lister(
        mut self,
        change: impl Fn(Box<dyn Lister>) -> Box<dyn Lister> + Send + Sync + 'static,
    ) -> Self {
        self.lister = Arc::new(change);
        self
    }

    /// Changes every writer.
    pub(crate) fn writer(
        mut self,
        change: impl Fn(Box<dyn BackendWriter>) -> Box<dyn BackendWriter> + Send + Sync + 'static,
    ) -> Self {
        self.writer = Arc::new(change);
        self
    }

    /// Does something after every get, before its answer comes.
    pub(crate) fn after_get(mut self, then: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        self.after_get = Arc::new(then);
        self
    }

    /// A handle that goes through here, and the log of what passes.
    pub(crate) fn open(self) -> (Storage, Log) {
        let log = self.log.clone();
        (Storage::new(self), log)
    }
}

/// What was asked of a backend: each operation, and which bytes its answer held.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Asked>>>);

type Asked = (Operation, Range<u64>);

impl Log {
    fn add(&self, operation: Operation, range: Range<u64>) {
        self.0.lock().unwrap().push((operation, range));
    }

    /// How often an operation was asked for, a page of a listing counted as `List`.
    pub(crate) fn count(&self, operation: Operation) -> usize {
        self.0.lock().unwrap().iter().filter(|(asked, _)| *asked == operation).count()
    }

    /// How many bytes the answers of get held.
    pub(crate) fn bytes_read(&self) -> u64 {
        let log = self.0.lock().unwrap();
        log.iter().filter(|(asked, _)| *asked == Operation::Get).map(|(_, range)| range.end - range.start).sum()
    }

    /// Forgets what has passed.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// The same bytes as a stream of pieces, each passed to `each`.
pub(crate) fn in_pieces(body: Body, size: usize, each: impl Fn(&Bytes) + Send + 'static) -> Body {
    let cut = move |whole: Bytes| {
        let starts = (0..whole.len()).step_by(size);
        futures::stream::iter(
            starts.map(move |start| Ok(whole.slice(start..(start + size).min(whole.len())))).collect::<Vec<_>>(),
        )
    };
    let pieces = body.into_stream().flat_map(move |whole| match whole {
        Ok(whole) => cut(whole).left_stream(),
        Err(error) => futures::stream::iter(vec![Err(error)]).right_stream(),
    });
    Body::Stream(pieces.inspect_ok(each).boxed())
}

impl fmt::Debug for Spy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spy").field(&self.inner).finish()
    }
}

#[async_trait]
impl StorageBackend for Spy {
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
        self.inner.probe().await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let result = self.inner.get(key, options).await;
        self.log.add(Operation::Get, result.as_ref().map_or(0..0, |result| result.range.clone()));
        (self.after_get)().await;
        result.map(|result| (self.answer)(result))
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        self.log.add(Operation::Head, 0..0);
        self.inner.head(key, options).await
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        self.log.add(Operation::Put, 0..0);
        self.inner.put(key, payload, options).await
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        self.log.add(Operation::OpenWriter, 0..0);
        self.inner.writer(key, options).await.map(|writer| (self.writer)(writer))
    }

    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>> {
        let inner = (self.lister)(self.inner.list(options).await?);
        Ok(Box::new(Logged { inner, log: self.log.clone() }))
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.log.add(Operation::Copy, 0..0);
        self.inner.copy(from, to, options).await
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.log.add(Operation::Rename, 0..0);
        self.inner.rename(from, to, options).await
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.log.add(Operation::Delete, 0..0);
        self.inner.delete(key, options).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        self.log.add(Operation::Delete, 0..0);
        self.inner.delete_many(keys).await
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        self.log.add(Operation::Delete, 0..0);
        self.inner.delete_prefix(prefix).await
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        self.inner.sweep(options).await
    }

    async fn local_path(&self, key: &Key) -> Result<PathBuf> {
        self.inner.local_path(key).await
    }

    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned> {
        self.inner.presign(key, options).await
    }

    async fn list_versions(&self, options: ListOptions) -> Result<Box<dyn VersionLister>> {
        self.inner.list_versions(options).await
    }

    async fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        self.inner.watch(prefix, options).await
    }
}

struct Logged {
    inner: Box<dyn Lister>,
    log: Log,
}

#[async_trait]
impl Lister for Logged {
    async fn next_page(&mut self) -> Result<Option<storage_core::Page>> {
        self.log.add(Operation::List, 0..0);
        self.inner.next_page().await
    }
}
