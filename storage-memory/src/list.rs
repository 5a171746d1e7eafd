//! Listing: a page takes the read lock once and holds it for that page only.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use storage_core::{Entry, ListOptions, Lister, Page, Prefix, Result, Token, past_level};

use crate::store::{Objects, Store};

/// The entries of a page when nobody says otherwise.
const PAGE_SIZE: usize = 1000;

pub(crate) struct MemoryLister {
    store: Arc<Store>,
    query: ListOptions,
    /// Where the next page begins; `None` after the last one.
    next: Option<Bound<String>>,
}

impl MemoryLister {
    pub(crate) fn new(store: Arc<Store>, query: ListOptions) -> Result<Self> {
        let next = Some(query.first()?);
        Ok(Self { store, query, next })
    }
}

#[async_trait]
impl Lister for MemoryLister {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        let Some(from) = &self.next else {
            return Ok(None);
        };
        let (entries, next) = self.store.read(|objects| page(objects, &self.query, from))?;
        let resume = match (&next, entries.last()) {
            (Some(_), Some(last)) => Some(Token::seal(&self.query, last.as_str())),
            _ => None,
        };
        self.next = next;
        Ok(Some(Page { entries, skipped: Vec::new(), resume }))
    }
}

/// Entries from a bound on, and where to go on if there may be more.
fn page(objects: &Objects, query: &ListOptions, from: &Bound<String>) -> (Vec<Entry>, Option<Bound<String>>) {
    let most = query.page_size.unwrap_or(PAGE_SIZE).max(1);
    let prefix = query.prefix.as_str();
    let mut entries = Vec::new();
    let mut from = from.clone();
    loop {
        let mut level = None;
        for (key, object) in objects.range::<str, _>((from.as_ref().map(String::as_str), Bound::Unbounded)) {
            let Some(rest) = key.as_str().strip_prefix(prefix) else {
                return (entries, None);
            };
            if entries.len() == most {
                let next = match entries.last() {
                    Some(Entry::Object(meta)) => Bound::Excluded(meta.key.as_str().to_owned()),
                    _ => from,
                };
                return (entries, Some(next));
            }
            if query.delimited
                && let Some(slash) = rest.find('/')
            {
                level = Some(&key.as_str()[..=prefix.len() + slash]);
                break;
            }
            entries.push(Entry::Object(object.meta(key)));
        }
        // A common prefix: one entry, and on with what follows all of it.
        match level.map(|level| (Prefix::new(level), past_level(level))) {
            Some((Ok(level), past)) => {
                entries.push(Entry::Prefix(level));
                from = Bound::Included(past);
            }
            _ => return (entries, None),
        }
    }
}
