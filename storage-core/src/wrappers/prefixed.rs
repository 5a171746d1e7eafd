//! A sub-root: a backend whose keys all stand under a prefix of another's.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::backend::{
    BackendWriter, CopyResult, Entry, GetResult, Lister, Page, PutResult, Skipped, StorageBackend, SweepReport,
};
use crate::capabilities::Capabilities;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Key, Prefix};
use crate::location::Location;
use crate::meta::{ObjectHead, ObjectMeta};
use crate::options::{
    CopyOptions, DeleteOptions, GetOptions, HeadOptions, ListOptions, PresignOptions, PutOptions, SweepOptions,
};
use crate::payload::Payload;
use crate::presign::Presigned;
use crate::versions::{ObjectVersion, VersionLister, VersionPage};
use crate::watch::{Change, ChangeFeed, WatchOptions};

/// A backend that sees of another what stands under a prefix, and nothing else (rule S07).
///
/// [`sweep`](StorageBackend::sweep) is the exception: it removes dead leftovers of the whole backend.
#[derive(Debug, Clone)]
pub struct Prefixed {
    inner: Arc<dyn StorageBackend>,
    prefix: Prefix,
}

impl Prefixed {
    /// A sub-root of `inner`. Fails with `InvalidKey` unless the prefix is empty or ends in `/`, and leaves room for keys.
    pub fn new(inner: Arc<dyn StorageBackend>, prefix: Prefix) -> Result<Self> {
        if !prefix.is_level() {
            return Err(Error::new(ErrorKind::InvalidKey, "a sub-root's prefix ends in '/'").with_key(prefix.as_str()));
        }
        let room = inner.capabilities().max_key_len;
        if prefix.as_str().len() >= room {
            return Err(Error::new(ErrorKind::InvalidKey, format!("no key fits behind it: keys have {room} bytes"))
                .with_key(prefix.as_str()));
        }
        Ok(Self { inner, prefix })
    }

    fn full(&self, key: &Key) -> Result<Key> {
        self.prefix.key(key)
    }

    fn meta(&self, mut meta: ObjectMeta) -> Result<ObjectMeta> {
        meta.key = self.stripped(&meta.key)?;
        Ok(meta)
    }

    /// Names that no key can express, without the prefix.
    fn skipped(&self, names: Vec<Skipped>) -> Vec<Skipped> {
        let own = |skipped: Skipped| match skipped.name.strip_prefix(self.prefix.as_str()) {
            Some(name) => Skipped { name: name.to_owned(), reason: skipped.reason },
            None => skipped,
        };
        names.into_iter().map(own).collect()
    }

    fn stripped(&self, key: &Key) -> Result<Key> {
        key.strip_prefix(&self.prefix).ok_or_else(|| {
            Error::new(ErrorKind::Other, format!("the backend answered with the key {key:?}, which was not asked for"))
        })
    }
}

#[async_trait]
impl StorageBackend for Prefixed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        capabilities.max_key_len = capabilities.max_key_len.saturating_sub(self.prefix.as_str().len());
        capabilities
    }

    fn location(&self) -> Option<Location> {
        self.inner.location().map(|root| root.join(self.prefix.as_str()))
    }

    async fn probe(&self) -> Result<Capabilities> {
        self.inner.probe().await?;
        Ok(self.capabilities())
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let mut result = self.inner.get(&self.full(key)?, options).await?;
        result.meta.key = key.clone();
        Ok(result)
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        let mut head = self.inner.head(&self.full(key)?, options).await?;
        head.meta.key = key.clone();
        Ok(head)
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        self.inner.put(&self.full(key)?, payload, options).await
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        self.inner.writer(&self.full(key)?, options).await
    }

    async fn list(&self, mut options: ListOptions) -> Result<Box<dyn Lister>> {
        options.prefix = self.prefix.join(&options.prefix)?;
        options.start_after = options.start_after.map(|start| format!("{}{start}", self.prefix));
        let inner = self.inner.list(options).await?;
        Ok(Box::new(PrefixedLister { inner, root: self.clone() }))
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.inner.copy(&self.full(from)?, &self.full(to)?, options).await
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.inner.rename(&self.full(from)?, &self.full(to)?, options).await
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.inner.delete(&self.full(key)?, options).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        let keys = keys.iter().map(|key| self.full(key)).collect::<Result<_>>()?;
        self.inner.delete_many(keys).await
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        self.inner.delete_prefix(&self.prefix.join(prefix)?).await
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        self.inner.sweep(options).await
    }

    async fn local_path(&self, key: &Key) -> Result<PathBuf> {
        self.inner.local_path(&self.full(key)?).await
    }

    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned> {
        self.inner.presign(&self.full(key)?, options).await
    }

    async fn list_versions(&self, mut options: ListOptions) -> Result<Box<dyn VersionLister>> {
        options.prefix = self.prefix.join(&options.prefix)?;
        let inner = self.inner.list_versions(options).await?;
        Ok(Box::new(PrefixedVersions { inner, root: self.clone() }))
    }

    async fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        let inner = self.inner.watch(&self.prefix.join(prefix)?, options).await?;
        Ok(Box::new(PrefixedFeed { inner, prefix: self.prefix.clone() }))
    }
}

struct PrefixedFeed {
    inner: Box<dyn ChangeFeed>,
    prefix: Prefix,
}

impl PrefixedFeed {
    /// The change as the sub-root sees it, which sees none that is not its own.
    fn own(&self, change: Change) -> Option<Change> {
        match change {
            Change::Changed(key) => key.strip_prefix(&self.prefix).map(Change::Changed),
            Change::Removed(key) => key.strip_prefix(&self.prefix).map(Change::Removed),
            Change::ListAgain(wider) if wider.matches(self.prefix.as_str()) => Some(Change::ListAgain(Prefix::root())),
            Change::ListAgain(prefix) => {
                let rest = prefix.as_str().strip_prefix(self.prefix.as_str())?;
                Prefix::new(rest).ok().map(Change::ListAgain)
            }
        }
    }
}

#[async_trait]
impl ChangeFeed for PrefixedFeed {
    async fn next(&mut self) -> Result<Option<Change>> {
        while let Some(change) = self.inner.next().await? {
            if let Some(own) = self.own(change) {
                return Ok(Some(own));
            }
        }
        Ok(None)
    }
}

struct PrefixedVersions {
    inner: Box<dyn VersionLister>,
    root: Prefixed,
}

#[async_trait]
impl VersionLister for PrefixedVersions {
    async fn next_page(&mut self) -> Result<Option<VersionPage>> {
        let Some(page) = self.inner.next_page().await? else {
            return Ok(None);
        };
        let root = &self.root;
        let own = |version: ObjectVersion| Ok(ObjectVersion { key: root.stripped(&version.key)?, ..version });
        let versions = page.versions.into_iter().map(own).collect::<Result<_>>()?;
        Ok(Some(VersionPage { versions, skipped: root.skipped(page.skipped) }))
    }
}

struct PrefixedLister {
    inner: Box<dyn Lister>,
    root: Prefixed,
}

#[async_trait]
impl Lister for PrefixedLister {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        let Some(page) = self.inner.next_page().await? else {
            return Ok(None);
        };
        let root = &self.root;
        let entries = page.entries.into_iter().map(|entry| match entry {
            Entry::Object(meta) => root.meta(meta).map(Entry::Object),
            Entry::Prefix(prefix) => {
                let rest = prefix.as_str().strip_prefix(root.prefix.as_str()).unwrap_or_default();
                Prefix::new(rest).map(Entry::Prefix)
            }
        });
        Ok(Some(Page {
            entries: entries.collect::<Result<_>>()?,
            skipped: root.skipped(page.skipped),
            resume: page.resume,
        }))
    }
}
