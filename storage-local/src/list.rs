//! Listing: a page in one hop, and the way to begin again where an error or a dropped call left off.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use storage_core::{ListOptions, Lister, Page, Result};

use crate::blocking;
use crate::root::Root;
use crate::walk::Walk;

/// Opens a listing; a root that the first write will make is empty.
pub(crate) async fn list(root: &Arc<Root>, query: ListOptions) -> Result<Box<dyn Lister>> {
    let mut lister = LocalLister { root: Arc::clone(root), next: Some(query.first()?), query, walk: None };
    lister.walk = lister.begin().await?;
    if lister.walk.is_none() {
        lister.next = None;
    }
    Ok(Box::new(lister))
}

struct LocalLister {
    root: Arc<Root>,
    query: ListOptions,
    /// From where on the next page lists; `None` once the listing is complete.
    next: Option<Bound<String>>,
    /// The walk under way; away after an error, and begun again at `next`.
    walk: Option<Walk>,
}

impl LocalLister {
    async fn begin(&self) -> Result<Option<Walk>> {
        let (root, query, next) = (Arc::clone(&self.root), self.query.clone(), self.next.clone());
        blocking::read(move || match (root.current()?, next) {
            (Some(root), Some(from)) => Walk::begin(root, query, from).map(Some),
            _ => Ok(None),
        })
        .await
    }
}

#[async_trait]
impl Lister for LocalLister {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        if self.next.is_none() {
            return Ok(None);
        }
        let walk = match self.walk.take() {
            Some(walk) => Some(walk),
            None => self.begin().await?,
        };
        let Some(mut walk) = walk else {
            return Ok(None);
        };
        let (walk, page) = blocking::read(move || walk.page().map(|page| (walk, page))).await?;
        self.next = walk.next();
        self.walk = Some(walk);
        Ok(Some(page))
    }
}
