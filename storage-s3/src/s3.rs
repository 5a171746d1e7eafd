//! The backend.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use storage_core::{
    BackendWriter, Capabilities, ChangeFeed, CopyOptions, CopyResult, DeleteOptions, Error, GetOptions, GetResult,
    HeadOptions, Key, ListOptions, Lister, Location, ObjectHead, ObjectLocation, Payload, Prefix, PresignOptions,
    Presigned, PutOptions, PutResult, Result, StorageBackend, SweepOptions, SweepReport, VersionLister, WatchOptions,
};

use crate::client::endpoint_url;
use crate::core::Core;
use crate::options::S3Options;
use crate::{copy, delete, get, head, list, presign, probe, put, sweep, versions, writer};

/// A bucket, or what stands behind a prefix of one. Cloning is cheap; clones share connections and everything that was
/// found out about the service.
#[derive(Clone)]
pub struct S3 {
    core: Arc<Core>,
}

impl S3 {
    /// A backend by these options. No request is made: whether the bucket can be reached shows at the first operation, or
    /// at [`probe`](StorageBackend::probe). Fails with `Configuration` where the options cannot be right.
    pub fn new(options: S3Options) -> Result<Self> {
        options.check()?;
        Ok(Self { core: Arc::new(Core::new(options)?) })
    }

    /// What stands behind another prefix of the same bucket, with the same connections and the same knowledge of the service.
    /// The prefix replaces this backend's own; a missing `/` at its end is added. No request.
    pub fn under(&self, prefix: &str) -> Result<Self> {
        Ok(Self { core: Arc::new(self.core.under(prefix)?) })
    }

    /// The backend of what was prepared already.
    pub(crate) fn of(core: Arc<Core>) -> Self {
        Self { core }
    }

    pub(crate) fn core(&self) -> Arc<Core> {
        Arc::clone(&self.core)
    }

    /// What every key stands behind in the bucket: empty, or ending in `/`.
    pub(crate) fn prefix(&self) -> &str {
        &self.core.root
    }

    /// The service's address, as a URL.
    pub(crate) fn endpoint(&self) -> String {
        endpoint_url(&self.core.options)
    }

    /// Makes the bucket; Ok where the caller owns one of this name already. One request.
    pub async fn create_bucket(&self) -> Result<()> {
        probe::create_bucket(&self.core).await
    }

    /// Asks the service once whether the bucket can be reached and the credentials are good, without repeating anything.
    /// Whether objects may be listed, read or written shows when it is tried.
    pub async fn check(&self) -> Result<()> {
        probe::check(&self.core).await
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

#[async_trait]
impl StorageBackend for S3 {
    fn name(&self) -> &str {
        "s3"
    }

    fn capabilities(&self) -> Capabilities {
        probe::capabilities(&self.core)
    }

    fn location(&self) -> Option<Location> {
        Some(Location::Object(ObjectLocation {
            scheme: "s3".to_owned(),
            container: self.core.options.bucket.clone(),
            path: self.core.root.clone(),
            options: Default::default(),
        }))
    }

    async fn probe(&self) -> Result<Capabilities> {
        probe::probe(&self.core).await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        get::get(&self.core, key, options).await
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        head::head(&self.core, key, options).await
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        put::put(&self.core, key, payload, options).await
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        writer::open(&self.core, key, options).await
    }

    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>> {
        list::open(&self.core, options)
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        copy::copy(&self.core, from, to, options).await
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        copy::rename(&self.core, from, to, options).await
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        delete::delete(&self.core, key, options).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        delete::delete_many(&self.core, keys).await
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        delete::delete_prefix(&self.core, prefix).await
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        sweep::sweep(&self.core, options).await
    }

    async fn local_path(&self, _: &Key) -> Result<PathBuf> {
        Err(Error::unsupported("objects in a bucket are no files"))
    }

    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned> {
        presign::presign(&self.core, key, options).await
    }

    async fn list_versions(&self, options: ListOptions) -> Result<Box<dyn VersionLister>> {
        versions::open(&self.core, options)
    }

    async fn watch(&self, _: &Prefix, _: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        Err(Error::unsupported("a bucket tells nobody of its changes by itself"))
    }
}
