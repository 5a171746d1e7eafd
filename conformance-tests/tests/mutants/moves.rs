//! Mutants that delete, copy and move wrongly.

use conformance_tests::async_trait;
use storage_core::{
    CopyOptions, CopyResult, DeleteOptions, Entry, Error, GetOptions, HeadOptions, Key, ListOptions, Payload, Prefix,
    PutOptions, Result, VersionLister, VersionPage,
};

use crate::lie::{Inner, Lie};

/// Fails where there is nothing to delete.
#[derive(Default)]
pub(crate) struct DeleteNeedsAnObject;

#[async_trait]
impl Lie for DeleteNeedsAnObject {
    async fn delete(&self, inner: &Inner, key: &Key, options: DeleteOptions) -> Result<()> {
        inner.head(key, HeadOptions::new()).await?;
        inner.delete(key, options).await
    }
}

/// Deletes what is under the key with it.
#[derive(Default)]
pub(crate) struct DeletesTheTree;

#[async_trait]
impl Lie for DeletesTheTree {
    async fn delete(&self, inner: &Inner, key: &Key, options: DeleteOptions) -> Result<()> {
        inner.delete(key, options).await?;
        inner.delete_prefix(&Prefix::new(format!("{key}/"))?).await.map(drop)
    }
}

/// Deletes each key once, and gives as many results.
#[derive(Default)]
pub(crate) struct ForgetsDuplicates;

#[async_trait]
impl Lie for ForgetsDuplicates {
    async fn delete_many(&self, inner: &Inner, mut keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        keys.sort();
        keys.dedup();
        inner.delete_many(keys).await
    }
}

/// Deletes a thousand keys and says that it were all.
#[derive(Default)]
pub(crate) struct DeletesAThousand;

#[async_trait]
impl Lie for DeletesAThousand {
    async fn delete_many(&self, inner: &Inner, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        let count = keys.len();
        inner.delete_many(keys.into_iter().take(1000).collect()).await?;
        Ok((0..count).map(|_| Ok(())).collect())
    }
}

/// Takes a prefix for a beginning of names.
#[derive(Default)]
pub(crate) struct DeletesNeighbours;

#[async_trait]
impl Lie for DeletesNeighbours {
    async fn delete_prefix(&self, inner: &Inner, prefix: &Prefix) -> Result<u64> {
        let start = prefix.as_str().trim_end_matches('/');
        let all = storage_core::ListOptions::new().prefix(Prefix::new(start)?);
        let (mut lister, mut count) = (inner.list(all).await?, 0);
        while let Some(page) = lister.next_page().await? {
            for meta in page.entries.into_iter().filter_map(storage_core::Entry::object) {
                inner.delete(&meta.key, DeleteOptions::new()).await?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Does not say how many objects it deleted.
#[derive(Default)]
pub(crate) struct CountsNothing;

#[async_trait]
impl Lie for CountsNothing {
    async fn delete_prefix(&self, inner: &Inner, prefix: &Prefix) -> Result<u64> {
        inner.delete_prefix(prefix).await.map(|_| 0)
    }
}

/// Makes the root again where it is gone.
#[derive(Default)]
pub(crate) struct DeleteNeedsNoRoot;

#[async_trait]
impl Lie for DeleteNeedsNoRoot {
    async fn delete(&self, inner: &Inner, key: &Key, options: DeleteOptions) -> Result<()> {
        let unconditional = options.if_match.is_none();
        match inner.delete(key, options).await {
            Err(error) if unconditional && error.kind() == storage_core::ErrorKind::BackendNotFound => Ok(()),
            result => result,
        }
    }
}

/// Copies the content and nothing else.
#[derive(Default)]
pub(crate) struct CopiesContentOnly;

async fn content(inner: &Inner, key: &Key) -> Result<Payload> {
    match inner.get(key, GetOptions::new().buffered()).await?.body {
        storage_core::Body::Bytes(bytes) => Ok(bytes.into()),
        storage_core::Body::Stream(_) => Err(Error::invalid_input("a stream")),
    }
}

#[async_trait]
impl Lie for CopiesContentOnly {
    async fn copy(&self, inner: &Inner, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        inner.copy(from, to, options).await?;
        inner.put(to, content(inner, to).await?, PutOptions::new()).await.map(CopyResult::from)
    }
}

/// Deletes what is copied onto itself.
#[derive(Default)]
pub(crate) struct CopyOntoItselfDeletes;

#[async_trait]
impl Lie for CopyOntoItselfDeletes {
    async fn rename(&self, inner: &Inner, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        let result = inner.copy(from, to, options).await?;
        inner.delete(from, DeleteOptions::new()).await?;
        Ok(result)
    }
}

/// Clears the place of a move before it looks for what is to come there.
#[derive(Default)]
pub(crate) struct MoveClearsFirst;

#[async_trait]
impl Lie for MoveClearsFirst {
    async fn rename(&self, inner: &Inner, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        if from != to && !options.create_only {
            inner.delete(to, DeleteOptions::new()).await?;
        }
        inner.rename(from, to, options).await
    }
}

/// Moves by a copy, and leaves the source.
#[derive(Default)]
pub(crate) struct MoveLeavesTheSource;

#[async_trait]
impl Lie for MoveLeavesTheSource {
    async fn rename(&self, inner: &Inner, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        inner.copy(from, to, options).await
    }
}

/// Copies in two steps: half of it shows.
#[derive(Default)]
pub(crate) struct CopiesInSteps;

#[async_trait]
impl Lie for CopiesInSteps {
    async fn copy(&self, inner: &Inner, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        if from != to && !options.create_only && options.if_source_match.is_none() {
            let whole = content(inner, from).await?.into_bytes();
            inner.put(to, whole.slice(..whole.len() / 2).into(), PutOptions::new()).await?;
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        inner.copy(from, to, options).await
    }
}

/// Lists versions, the oldest of each key first.
#[derive(Default)]
pub(crate) struct OldestVersionFirst;

struct Backwards(Box<dyn VersionLister>);

#[async_trait]
impl VersionLister for Backwards {
    async fn next_page(&mut self) -> Result<Option<VersionPage>> {
        let mut page = self.0.next_page().await?;
        if let Some(page) = &mut page {
            page.versions.reverse();
        }
        Ok(page)
    }
}

#[async_trait]
impl Lie for OldestVersionFirst {
    async fn list_versions(&self, inner: &Inner, options: storage_core::ListOptions) -> Result<Box<dyn VersionLister>> {
        Ok(Box::new(Backwards(inner.list_versions(options).await?)))
    }
}

/// Leaves the directories of what was deleted.
#[derive(Default)]
pub(crate) struct LeavesDirectories;

#[async_trait]
impl Lie for LeavesDirectories {
    async fn delete(&self, inner: &Inner, key: &Key, options: DeleteOptions) -> Result<()> {
        let file = inner.local_path(key).await;
        inner.delete(key, options).await?;
        if let Some(directory) = file.ok().as_deref().and_then(std::path::Path::parent) {
            std::fs::create_dir_all(directory)?;
        }
        Ok(())
    }
}

/// Deletes by prefix what a listing shows, and leaves the rest.
#[derive(Default)]
pub(crate) struct DeletesWhatIsListed;

#[async_trait]
impl Lie for DeletesWhatIsListed {
    async fn delete_prefix(&self, inner: &Inner, prefix: &Prefix) -> Result<u64> {
        let mut pages = inner.list(ListOptions::new().prefix(prefix.clone())).await?;
        let mut deleted = 0;
        while let Some(page) = pages.next_page().await? {
            let keys: Vec<Key> = page.entries.into_iter().filter_map(Entry::object).map(|meta| meta.key).collect();
            for result in inner.delete_many(keys).await? {
                result?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}
