//! A driver that is wrong in one thing: all else is that of the driver behind it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use conformance_tests::async_trait;
use storage_core::{
    BackendWriter, Capabilities, ChangeFeed, CopyOptions, CopyResult, DeleteOptions, GetOptions, GetResult,
    HeadOptions, Key, ListOptions, Lister, Location, ObjectHead, Payload, Prefix, PresignOptions, Presigned,
    PutOptions, PutResult, Result, Storage, StorageBackend, SweepOptions, SweepReport, VersionLister, WatchOptions,
};

/// The driver behind a mutant.
pub(crate) type Inner = Arc<dyn StorageBackend>;

/// What a mutant does otherwise; whatever it does not name, it does right.
#[async_trait]
pub(crate) trait Lie: Default + Send + Sync + 'static {
    fn declares(&self, inner: &Inner) -> Capabilities {
        inner.capabilities()
    }

    fn shows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutant")
    }

    fn name<'a>(&'a self, inner: &'a Inner) -> &'a str {
        inner.name()
    }

    async fn get(&self, inner: &Inner, key: &Key, options: GetOptions) -> Result<GetResult> {
        inner.get(key, options).await
    }

    async fn head(&self, inner: &Inner, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        inner.head(key, options).await
    }

    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        inner.put(key, payload, options).await
    }

    async fn writer(&self, inner: &Inner, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        inner.writer(key, options).await
    }

    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Box<dyn Lister>> {
        inner.list(options).await
    }

    async fn copy(&self, inner: &Inner, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        inner.copy(from, to, options).await
    }

    async fn rename(&self, inner: &Inner, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        inner.rename(from, to, options).await
    }

    async fn delete(&self, inner: &Inner, key: &Key, options: DeleteOptions) -> Result<()> {
        inner.delete(key, options).await
    }

    async fn delete_many(&self, inner: &Inner, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        inner.delete_many(keys).await
    }

    async fn delete_prefix(&self, inner: &Inner, prefix: &Prefix) -> Result<u64> {
        inner.delete_prefix(prefix).await
    }

    async fn sweep(&self, inner: &Inner, options: SweepOptions) -> Result<SweepReport> {
        inner.sweep(options).await
    }

    async fn list_versions(&self, inner: &Inner, options: ListOptions) -> Result<Box<dyn VersionLister>> {
        inner.list_versions(options).await
    }

    async fn watch(&self, inner: &Inner, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        inner.watch(prefix, options).await
    }
}

/// Puts a lie between a handle and its driver.
pub(crate) fn mutate<L: Lie>(storage: Storage) -> Storage {
    Storage::new(Mutant { inner: Arc::clone(storage.backend()), lie: L::default() })
}

struct Mutant<L> {
    inner: Inner,
    lie: L,
}

impl<L: Lie> fmt::Debug for Mutant<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lie.shows(f)
    }
}

#[async_trait]
impl<L: Lie> StorageBackend for Mutant<L> {
    fn name(&self) -> &str {
        self.lie.name(&self.inner)
    }

    fn capabilities(&self) -> Capabilities {
        self.lie.declares(&self.inner)
    }

    fn location(&self) -> Option<Location> {
        self.inner.location()
    }

    async fn probe(&self) -> Result<Capabilities> {
        self.inner.probe().await?;
        Ok(self.lie.declares(&self.inner))
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.lie.get(&self.inner, key, options).await
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        self.lie.head(&self.inner, key, options).await
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        self.lie.put(&self.inner, key, payload, options).await
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        self.lie.writer(&self.inner, key, options).await
    }

    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>> {
        self.lie.list(&self.inner, options).await
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.lie.copy(&self.inner, from, to, options).await
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.lie.rename(&self.inner, from, to, options).await
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.lie.delete(&self.inner, key, options).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        self.lie.delete_many(&self.inner, keys).await
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        self.lie.delete_prefix(&self.inner, prefix).await
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        self.lie.sweep(&self.inner, options).await
    }

    async fn local_path(&self, key: &Key) -> Result<PathBuf> {
        self.inner.local_path(key).await
    }

    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned> {
        self.inner.presign(key, options).await
    }

    async fn list_versions(&self, options: ListOptions) -> Result<Box<dyn VersionLister>> {
        self.lie.list_versions(&self.inner, options).await
    }

    async fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        self.lie.watch(&self.inner, prefix, options).await
    }
}
