//! The driver's face: each method of the contract, in one hop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use storage_core::{
    BackendWriter, Capabilities, ChangeFeed, CopyOptions, CopyResult, DeleteOptions, ETagKind, Error, GetOptions,
    GetResult, HeadOptions, Key, ListOptions, Lister, Location, ObjectHead, Payload, Prefix, PresignOptions, Presigned,
    PutOptions, PutResult, Result, StorageBackend, SweepOptions, SweepReport, VersionLister, WatchOptions,
};

use crate::blocking::{self, Gate};
use crate::clear;
use crate::commit;
use crate::list;
use crate::names;
use crate::options::{Durability, LocalOptions};
use crate::read;
use crate::root::{OpenRoot, Root};
use crate::sweep;
#[cfg(target_os = "linux")]
use crate::watch;
use crate::writer::{self, LocalWriter};

/// A directory as storage. Cloning is cheap, and clones share the open directory.
#[derive(Debug, Clone)]
pub struct Local {
    root: Arc<Root>,
}

impl Local {
    /// A backend on a directory. Nothing is read or made yet: whether the directory is there shows at the first
    /// operation. A relative path counts from the current directory, now.
    pub fn open(path: impl AsRef<Path>, options: LocalOptions) -> Result<Self> {
        let path = std::path::absolute(path.as_ref()).map_err(|error| {
            Error::configuration(format!("the path {} cannot be made absolute", path.as_ref().display()))
                .with_source(error)
        })?;
        Ok(Self { root: Arc::new(Root::new(path, options)) })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.root.path
    }

    /// Changes the existing root in one hop; `unmade` is the answer of a root that the first write will make.
    async fn change<T: Send + 'static>(
        &self,
        unmade: Result<T>,
        operation: impl FnOnce(&Gate, &OpenRoot) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = Arc::clone(&self.root);
        blocking::change(move |gate| match root.current()? {
            Some(open) => operation(gate, &open),
            None => unmade,
        })
        .await
    }
}

fn path_of(key: &Key) -> String {
    names::path(key.as_str()).into_owned()
}

#[async_trait]
impl StorageBackend for Local {
    fn name(&self) -> &str {
        "local"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::none().with_all_conditions();
        capabilities.max_object_size = i64::MAX as u64;
        capabilities.etag = ETagKind::Unique;
        capabilities.last_modified_precision = Duration::from_nanos(1);
        // Taken for granted until the directory has been opened, which `probe` does.
        capabilities.attributes = self.root.cached().is_none_or(|open| open.attributes);
        capabilities.atomic_rename = true;
        capabilities.shared = true;
        capabilities.durable = self.root.options.durability == Durability::Full;
        capabilities.persistent = true;
        capabilities.local_path = true;
        // Only the kernel that all changes go through can tell them, which that of one client of a network cannot.
        capabilities.watch = cfg!(target_os = "linux")
            && !self.root.options.portable
            && self.root.cached().is_none_or(|open| !open.sys.has_gaps());
        capabilities
    }

    fn location(&self) -> Option<Location> {
        Some(Location::File(self.root.path.clone()))
    }

    async fn probe(&self) -> Result<Capabilities> {
        let root = Arc::clone(&self.root);
        blocking::read(move || root.current()).await?;
        Ok(self.capabilities())
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        read::get(&self.root, key, options).await
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        read::head(&self.root, key, options).await
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        writer::put(&self.root, path_of(key), payload, options).await
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        Ok(Box::new(LocalWriter::open(&self.root, path_of(key), options).await?))
    }

    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>> {
        list::list(&self.root, options).await
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        let (from, to) = (path_of(from), path_of(to));
        let copied =
            self.change(Err(Error::not_found()), move |gate, root| commit::copy(gate, root, &from, &to, &options));
        copied.await.map(CopyResult::from)
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        let (from, to) = (path_of(from), path_of(to));
        let moved =
            self.change(Err(Error::not_found()), move |gate, root| commit::rename(gate, root, &from, &to, &options));
        moved.await.map(CopyResult::from)
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        let path = path_of(key);
        let unmade = match options.if_match {
            Some(_) => Err(Error::precondition_failed("there is no object")),
            None => Ok(()),
        };
        self.change(unmade, move |gate, root| commit::delete(gate, root, &path, &options).map(|_| ())).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        let unmade = Ok(keys.iter().map(|_| Ok(())).collect());
        self.change(unmade, move |gate, root| {
            let one = |key| commit::delete(gate, root, &path_of(key), &DeleteOptions::new()).map(|_| ());
            Ok(keys.iter().map(one).collect())
        })
        .await
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        let (root, prefix) = (Arc::clone(&self.root), prefix.clone());
        blocking::change(move |gate| match root.current()? {
            Some(open) => clear::delete_prefix(gate, &open, &prefix),
            None => Ok(0),
        })
        .await
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        self.change(Ok(SweepReport::default()), move |_, root| sweep::sweep(root, &options)).await
    }

    async fn local_path(&self, key: &Key) -> Result<PathBuf> {
        let (root, key) = (Arc::clone(&self.root), path_of(key));
        blocking::read(move || read::local_path(&root, &key)).await
    }

    async fn presign(&self, _: &Key, _: PresignOptions) -> Result<Presigned> {
        Err(Error::unsupported("objects in directories have no URLs that others can use"))
    }

    async fn list_versions(&self, _: ListOptions) -> Result<Box<dyn VersionLister>> {
        Err(Error::unsupported("objects in directories have no versions"))
    }

    #[cfg(target_os = "linux")]
    async fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        let (root, prefix) = (Arc::clone(&self.root), prefix.clone());
        Ok(Box::new(blocking::read(move || watch::open(&root, prefix, &options)).await?))
    }

    #[cfg(not(target_os = "linux"))]
    async fn watch(&self, _: &Prefix, _: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        Err(Error::unsupported("the changes of directories are told on Linux only"))
    }
}
