//! Mutants that watch wrongly.

use conformance_tests::async_trait;
use storage_core::{Capabilities, Change, ChangeFeed, Prefix, Result, WatchOptions};

use crate::lie::{Inner, Lie};

/// A watch of which some changes are lost.
struct Filtered {
    inner: Box<dyn ChangeFeed>,
    told: fn(&Change) -> bool,
}

#[async_trait]
impl ChangeFeed for Filtered {
    async fn next(&mut self) -> Result<Option<Change>> {
        loop {
            match self.inner.next().await? {
                Some(change) if !(self.told)(&change) => {}
                told => return Ok(told),
            }
        }
    }
}

/// Does not tell of deletes.
#[derive(Default)]
pub(crate) struct ForgetsDeletes;

#[async_trait]
impl Lie for ForgetsDeletes {
    async fn watch(&self, inner: &Inner, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        let inner = inner.watch(prefix, options).await?;
        Ok(Box::new(Filtered { inner, told: |change| !matches!(change, Change::Removed(_)) }))
    }
}

/// Does not say that changes were lost.
#[derive(Default)]
pub(crate) struct SwallowsOverflows;

#[async_trait]
impl Lie for SwallowsOverflows {
    async fn watch(&self, inner: &Inner, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        let inner = inner.watch(prefix, options).await?;
        Ok(Box::new(Filtered { inner, told: |change| !matches!(change, Change::ListAgain(_)) }))
    }
}

/// Tells the changes of the whole root.
#[derive(Default)]
pub(crate) struct WatchesEverything;

#[async_trait]
impl Lie for WatchesEverything {
    async fn watch(&self, inner: &Inner, _: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        inner.watch(&Prefix::root(), options).await
    }
}

/// A watch that begins when it is first asked.
struct Late {
    source: Inner,
    prefix: Prefix,
    options: WatchOptions,
    feed: Option<Box<dyn ChangeFeed>>,
}

#[async_trait]
impl ChangeFeed for Late {
    async fn next(&mut self) -> Result<Option<Change>> {
        if self.feed.is_none() {
            self.feed = Some(self.source.watch(&self.prefix, self.options.clone()).await?);
        }
        match &mut self.feed {
            Some(feed) => feed.next().await,
            None => Ok(None),
        }
    }
}

/// Begins to watch when it is first asked for a change.
#[derive(Default)]
pub(crate) struct ArmsLate;

#[async_trait]
impl Lie for ArmsLate {
    async fn watch(&self, inner: &Inner, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        Ok(Box::new(Late { source: inner.clone(), prefix: prefix.clone(), options, feed: None }))
    }
}

/// Tells its changes, and does not declare that.
#[derive(Default)]
pub(crate) struct WatchesUndeclared;

#[async_trait]
impl Lie for WatchesUndeclared {
    fn declares(&self, inner: &Inner) -> Capabilities {
        let mut capabilities = inner.capabilities();
        capabilities.watch = false;
        capabilities
    }
}

/// Tells of the first change of a key only.
#[derive(Default)]
pub(crate) struct TellsOnce;

struct Once {
    inner: Box<dyn ChangeFeed>,
    told: Vec<Change>,
}

#[async_trait]
impl ChangeFeed for Once {
    async fn next(&mut self) -> Result<Option<Change>> {
        loop {
            let next = self.inner.next().await?;
            match &next {
                Some(change) if self.told.iter().any(|told| told.as_str() == change.as_str()) => {}
                Some(change) => {
                    self.told.push(change.clone());
                    return Ok(next);
                }
                None => return Ok(None),
            }
        }
    }
}

#[async_trait]
impl Lie for TellsOnce {
    async fn watch(&self, inner: &Inner, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        let inner = inner.watch(prefix, options).await?;
        Ok(Box::new(Once { inner, told: Vec::new() }))
    }
}
