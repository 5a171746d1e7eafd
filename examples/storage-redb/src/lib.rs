//! A storage driver on [redb](https://docs.rs/redb), an embedded key-value store: all objects lie in one file.
//!
//! ```
//! use storage_redb::Redb;
//! # use storage_core::{Result, Storage};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("notes.redb");
//! let notes = Storage::new(Redb::open(path, true)); // the first write makes the file
//! notes.put("today.txt", "buy milk").await?;
//! assert_eq!(notes.text("today.txt").await?, "buy milk");
//! # Ok(()) }
//! ```
//!
//! # Guarantees
//! - Every change is one transaction: all of it is on the disk when the call returns, or nothing of it happened. A move is
//!   one too, so no reader sees both names, or neither. Conditions are judged inside the transaction.
//! - A read is of one snapshot, however long it takes; what it holds keeps its room in the file until it is dropped.
//! - A streaming write holds 2 MiB; the rest of it is in the file, where a crash leaves it to `sweep`, and a writer that
//!   was dropped to the next writer too.
//!
//! # Limits
//! A file belongs to one process at a time; to another one every operation is `Unavailable`. One change is made at a time.
//! Deleted room is used again and never given back to the file system.
//!
//! # URLs
//! [`RedbDriver`] opens `redb://name/prefix`.

mod driver;
mod errors;
mod gate;
mod list;
mod read;
mod store;
mod tables;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use storage_core::{
    BackendWriter, Body, Capabilities, ChangeFeed, CopyOptions, CopyResult, DeleteOptions, ETagKind, Error, GetOptions,
    GetResult, HeadOptions, Key, ListOptions, Lister, Location, ObjectHead, Payload, Prefix, PresignOptions, Presigned,
    PutOptions, PutResult, Result, StorageBackend, SweepOptions, SweepReport, VersionLister, WatchOptions,
};

use crate::gate::{blocking, change};
use crate::list::RedbLister;
use crate::store::Store;
use crate::tables::{BATCH, Snapshot, Tables};
use crate::writer::RedbWriter;

pub use crate::driver::RedbDriver;

/// A file of objects.
#[derive(Clone)]
pub struct Redb {
    store: Arc<Store>,
    create: bool,
    location: Option<Location>,
}

impl Redb {
    /// The objects of a file, which has no address. Without `create`, every operation is `BackendNotFound` while there is
    /// no file. Nothing is read or written yet.
    ///
    /// Clones share the file. To open it twice in one process, open it through one [`RedbDriver`].
    pub fn open(path: impl Into<PathBuf>, create: bool) -> Self {
        Self::opened(Arc::new(Store::at(path.into())), create, None)
    }

    pub(crate) fn opened(store: Arc<Store>, create: bool, location: Option<Location>) -> Self {
        Self { store, create, location }
    }

    /// Looks at a snapshot; `None` where there is no file yet.
    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(Snapshot) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let (store, create) = (Arc::clone(&self.store), self.create);
        blocking(move || store.read(create, look)).await
    }

    /// Makes a change, all of it or nothing.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (store, create) = (Arc::clone(&self.store), self.create);
        change(move |gate| store.change(create, gate, work)).await
    }
}

impl std::fmt::Debug for Redb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redb").field("location", &self.location).finish_non_exhaustive()
    }
}

#[async_trait]
impl StorageBackend for Redb {
    fn name(&self) -> &str {
        "redb"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::none().with_all_conditions();
        capabilities.etag = ETagKind::Unique;
        capabilities.last_modified_precision = Duration::from_nanos(1);
        capabilities.attributes = true;
        capabilities.atomic_rename = true;
        capabilities.durable = true;
        capabilities.persistent = true;
        capabilities
    }

    fn location(&self) -> Option<Location> {
        self.location.clone()
    }

    async fn probe(&self) -> Result<Capabilities> {
        self.read(|_| Ok(())).await?;
        Ok(self.capabilities())
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let key = key.clone();
        let got = self.read(move |snapshot| {
            let record = snapshot.record(&key)?;
            let meta = record.meta(&key);
            options.conditions.check(&meta)?;
            let range = match options.range {
                Some(range) => range.resolve(meta.size)?,
                None => 0..meta.size,
            };
            let attributes = record.attributes()?;
            let body: Body = read::body(snapshot, record.content, range.clone(), options.buffered)?;
            Ok(GetResult { meta, attributes, range, body })
        });
        got.await?.ok_or_else(Error::not_found)
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        let key = key.clone();
        let head = self.read(move |snapshot| {
            let record = snapshot.record(&key)?;
            let meta = record.meta(&key);
            options.conditions.check(&meta)?;
            Ok(ObjectHead { meta, attributes: record.attributes()? })
        });
        head.await?.ok_or_else(Error::not_found)
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let key = key.clone();
        self.change(move |tables| {
            tables.allow(&key, &options.mode)?;
            let content = tables.store(&payload)?;
            let meta = tables.commit(&key, content, payload.len(), &options.attributes)?;
            Ok(PutResult::from(&meta))
        })
        .await
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        self.read(|_| Ok(())).await?;
        Ok(Box::new(RedbWriter::new(Arc::clone(&self.store), self.create, key.clone(), options)))
    }

    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>> {
        Ok(Box::new(RedbLister::new(Arc::clone(&self.store), self.create, options)?))
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        let (from, to) = (from.clone(), to.clone());
        self.change(move |tables| Ok(CopyResult::from(&tables.copy(&from, &to, &options, false)?))).await
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        let (from, to) = (from.clone(), to.clone());
        self.change(move |tables| Ok(CopyResult::from(&tables.copy(&from, &to, &options, true)?))).await
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        let key = key.clone();
        self.change(move |tables| tables.delete(&key, options.if_match.as_ref())).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        let mut results = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let (batch, count) = (batch.to_vec(), batch.len());
            // All of a batch, or none of it: redb fails as a whole.
            self.change(move |tables| batch.iter().try_for_each(|key| tables.delete(key, None))).await?;
            results.extend((0..count).map(|_| Ok(())));
        }
        Ok(results)
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        let mut deleted = 0;
        loop {
            let prefix = prefix.clone();
            let some = self.change(move |tables| tables.delete_some(&prefix)).await?;
            deleted += some as u64;
            if some < BATCH {
                return Ok(deleted);
            }
        }
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        let store = Arc::clone(&self.store);
        self.change(move |tables| writer::sweep(&store, tables, options.older_than)).await
    }

    async fn local_path(&self, _: &Key) -> Result<PathBuf> {
        Err(Error::unsupported("objects in redb are no files"))
    }

    async fn presign(&self, _: &Key, _: PresignOptions) -> Result<Presigned> {
        Err(Error::unsupported("objects in redb have no URLs"))
    }

    async fn list_versions(&self, _: ListOptions) -> Result<Box<dyn VersionLister>> {
        Err(Error::unsupported("objects in redb have no versions"))
    }

    async fn watch(&self, _: &Prefix, _: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        Err(Error::unsupported("redb tells nobody of its changes"))
    }
}
