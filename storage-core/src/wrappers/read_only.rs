//! A backend that nobody can change.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::backend::{BackendWriter, CopyResult, GetResult, Lister, PutResult, StorageBackend, SweepReport};
use crate::capabilities::{Capabilities, Support};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Key, Prefix};
use crate::location::Location;
use crate::meta::ObjectHead;
use crate::options::{
    CopyOptions, DeleteOptions, GetOptions, HeadOptions, ListOptions, PresignMethod, PresignOptions, PutOptions,
    SweepOptions,
};
use crate::payload::Payload;
use crate::presign::Presigned;
use crate::versions::VersionLister;
use crate::watch::{ChangeFeed, WatchOptions};

/// Reads pass through; every operation that would change something is `PermissionDenied`, without a request.
///
/// The capabilities say that no conditional write is supported, so a conditional write through
/// [`Storage`](crate::Storage) is `Unsupported`. [`probe`](StorageBackend::probe) reads one page instead of asking the
/// backend to try writes.
#[derive(Debug, Clone)]
pub struct ReadOnly {
    inner: Arc<dyn StorageBackend>,
}

impl ReadOnly {
    /// Protects a backend.
    pub fn new(inner: Arc<dyn StorageBackend>) -> Self {
        Self { inner }
    }
}

fn refused<T>() -> Result<T> {
    Err(Error::new(ErrorKind::PermissionDenied, "this root is read-only")
        .with_help("write through a root that was opened for writing"))
}

#[async_trait]
impl StorageBackend for ReadOnly {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities().with_conditions(Support::No);
        capabilities.atomic_rename = false;
        capabilities.late_commit = false;
        capabilities
    }

    fn location(&self) -> Option<Location> {
        self.inner.location()
    }

    async fn probe(&self) -> Result<Capabilities> {
        self.inner.list(ListOptions::new().page_size(1)).await?.next_page().await?;
        Ok(self.capabilities())
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.inner.get(key, options).await
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        self.inner.head(key, options).await
    }

    async fn put(&self, _: &Key, _: Payload, _: PutOptions) -> Result<PutResult> {
        refused()
    }

    async fn writer(&self, _: &Key, _: PutOptions) -> Result<Box<dyn BackendWriter>> {
        refused()
    }

    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>> {
        self.inner.list(options).await
    }

    async fn copy(&self, _: &Key, _: &Key, _: CopyOptions) -> Result<CopyResult> {
        refused()
    }

    async fn rename(&self, _: &Key, _: &Key, _: CopyOptions) -> Result<CopyResult> {
        refused()
    }

    async fn delete(&self, _: &Key, _: DeleteOptions) -> Result<()> {
        refused()
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        Ok(keys.iter().map(|_| refused()).collect())
    }

    async fn delete_prefix(&self, _: &Prefix) -> Result<u64> {
        refused()
    }

    async fn sweep(&self, _: SweepOptions) -> Result<SweepReport> {
        refused()
    }

    async fn local_path(&self, key: &Key) -> Result<PathBuf> {
        self.inner.local_path(key).await
    }

    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned> {
        match options.method {
            PresignMethod::Get | PresignMethod::Head => self.inner.presign(key, options).await,
            PresignMethod::Put | PresignMethod::Delete => refused(),
        }
    }

    async fn list_versions(&self, options: ListOptions) -> Result<Box<dyn VersionLister>> {
        self.inner.list_versions(options).await
    }

    async fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        self.inner.watch(prefix, options).await
    }
}
