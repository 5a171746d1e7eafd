//! Listings: a page is a range scan in a snapshot of its own, and nothing is kept between pages but a key.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use storage_core::{Entry, ListOptions, Lister, Page, Prefix, Result, Token, past_level};

use crate::gate::blocking;
use crate::store::Store;
use crate::tables::{From, Snapshot};

/// The entries of a page when nobody says otherwise.
const PAGE_SIZE: usize = 1000;

pub(crate) struct RedbLister {
    store: Arc<Store>,
    create: bool,
    query: Arc<ListOptions>,
    /// Where the next page begins; `None` after the last one.
    next: Option<From>,
}

impl RedbLister {
    pub(crate) fn new(store: Arc<Store>, create: bool, query: ListOptions) -> Result<Self> {
        let next = Some(query.first()?);
        Ok(Self { store, create, query: Arc::new(query), next })
    }
}

#[async_trait]
impl Lister for RedbLister {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        let Some(from) = self.next.clone() else {
            return Ok(None);
        };
        let (store, create, query) = (Arc::clone(&self.store), self.create, Arc::clone(&self.query));
        let scanned = blocking(move || store.read(create, |snapshot| page(&snapshot, &query, from))).await?;
        let (entries, next) = scanned.unwrap_or_default();
        let resume = match (&next, entries.last()) {
            (Some(_), Some(last)) => Some(Token::seal(&self.query, last.as_str())),
            _ => None,
        };
        // Only now: a call that was dropped or has failed asks for the same page again.
        self.next = next;
        Ok(Some(Page { entries, skipped: Vec::new(), resume }))
    }
}

/// Entries from a bound on, and where to go on if there may be more.
fn page(snapshot: &Snapshot, query: &ListOptions, mut from: From) -> Result<(Vec<Entry>, Option<From>)> {
    let most = query.page_size.unwrap_or(PAGE_SIZE).max(1);
    let prefix = query.prefix.as_str();
    let mut entries = Vec::new();
    'levels: loop {
        for object in snapshot.from(&from)? {
            let (key, record) = object?;
            let Some(rest) = key.as_str().strip_prefix(prefix) else {
                return Ok((entries, None));
            };
            if entries.len() == most {
                return Ok((entries, Some(from)));
            }
            if query.delimited
                && let Some(slash) = rest.find('/')
            {
                // A common prefix is one entry, and what follows all of it comes next.
                let level = &key.as_str()[..=prefix.len() + slash];
                entries.push(Entry::Prefix(Prefix::new(level)?));
                from = Bound::Included(past_level(level));
                continue 'levels;
            }
            entries.push(Entry::Object(record.meta(&key)));
            from = Bound::Excluded(key.as_str().to_owned());
        }
        return Ok((entries, None));
    }
}
