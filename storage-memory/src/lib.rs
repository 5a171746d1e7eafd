//! Objects in memory: the reference that other drivers are held against, and a store for tests and caches.
//!
//! Every operation is one step under one lock, so all conditions are atomic, and a watch begins between two writes; it
//! ends with the store. Objects live as long as a handle on their
//! store; other processes do not see them.

mod driver;
mod list;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    BackendWriter, Body, Capabilities, ChangeFeed, CopyOptions, CopyResult, DeleteOptions, ETagKind, Error, GetOptions,
    GetResult, HeadOptions, Key, ListOptions, Lister, Location, ObjectHead, ObjectLocation, Payload, Prefix,
    PresignOptions, Presigned, PutOptions, PutResult, Result, StorageBackend, SweepOptions, SweepReport, VersionLister,
    WatchOptions, change_queue,
};

use crate::list::MemoryLister;
use crate::store::Store;

pub use crate::driver::MemoryDriver;
pub use crate::store::Stores;

/// A store of objects in memory.
#[derive(Clone)]
pub struct Memory {
    store: Arc<Store>,
    name: Option<String>,
}

impl Memory {
    /// A private store: it has no name and no address, and ends with its last handle.
    pub fn new() -> Self {
        Self { store: Arc::new(Store::existing()), name: None }
    }

    fn named(name: &str, store: Arc<Store>) -> Self {
        Self { store, name: Some(name.to_owned()) }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl StorageBackend for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::none().with_all_conditions();
        capabilities.etag = ETagKind::Unique;
        capabilities.last_modified_precision = Duration::from_nanos(1);
        capabilities.attributes = true;
        capabilities.atomic_rename = true;
        capabilities.watch = true;
        capabilities
    }

    fn location(&self) -> Option<Location> {
        self.name.as_ref().map(|name| {
            Location::Object(ObjectLocation {
                scheme: "memory".to_owned(),
                container: name.clone(),
                path: String::new(),
                options: Default::default(),
            })
        })
    }

    async fn probe(&self) -> Result<Capabilities> {
        self.store.read(|_| ())?;
        Ok(self.capabilities())
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let object = self.store.object(key)?;
        let meta = object.meta(key);
        options.conditions.check(&meta)?;
        let range = match options.range {
            Some(range) => range.resolve(meta.size)?,
            None => 0..meta.size,
        };
        // Both ends fit: they lie inside bytes that are in memory.
        let body = Body::Bytes(object.bytes.slice(range.start as usize..range.end as usize));
        Ok(GetResult { meta, attributes: object.attributes.clone(), range, body })
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        let object = self.store.object(key)?;
        let meta = object.meta(key);
        options.conditions.check(&meta)?;
        Ok(ObjectHead { meta, attributes: object.attributes.clone() })
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        self.store.put(key, payload.into_bytes(), options.attributes, &options.mode)
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        self.store.read(|_| ())?;
        let store = Arc::clone(&self.store);
        Ok(Box::new(MemoryWriter { store, key: key.clone(), options, segments: Vec::new() }))
    }

    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>> {
        self.store.read(|_| ())?;
        Ok(Box::new(MemoryLister::new(Arc::clone(&self.store), options)?))
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.store.copy(from, to, &options, false)
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.store.copy(from, to, &options, true)
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.store.delete(key, options.if_match.as_ref())
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        self.store.read(|_| ())?;
        Ok(keys.iter().map(|key| self.store.delete(key, None)).collect())
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        self.store.delete_prefix(prefix)
    }

    async fn sweep(&self, _: SweepOptions) -> Result<SweepReport> {
        // Unfinished writes live in their writers and go with them.
        self.store.read(|_| SweepReport::default())
    }

    async fn local_path(&self, _: &Key) -> Result<PathBuf> {
        Err(Error::unsupported("objects in memory are no files"))
    }

    async fn presign(&self, _: &Key, _: PresignOptions) -> Result<Presigned> {
        Err(Error::unsupported("objects in memory have no URLs"))
    }

    async fn list_versions(&self, _: ListOptions) -> Result<Box<dyn VersionLister>> {
        Err(Error::unsupported("objects in memory have no versions"))
    }

    async fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        let (sender, receiver) = change_queue(prefix.clone(), &options);
        self.store.watch(sender)?;
        Ok(Box::new(receiver))
    }
}

struct MemoryWriter {
    store: Arc<Store>,
    key: Key,
    options: PutOptions,
    segments: Vec<Bytes>,
}

#[async_trait]
impl BackendWriter for MemoryWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.segments.push(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<PutResult> {
        let bytes = Payload::from(self.segments).into_bytes();
        self.store.put(&self.key, bytes, self.options.attributes, &self.options.mode)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
