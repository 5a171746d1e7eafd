//! Mutants that list wrongly.

use std::sync::Mutex;

use conformance_tests::async_trait;
use storage_core::{ETag, Entry, ListOptions, Lister, Page, Prefix, Result};

use crate::lie::{Inner, Lie};

/// A listing whose pages are changed on their way.
struct Changed<F> {
    inner: Box<dyn Lister>,
    change: F,
}

#[async_trait]
impl<F: FnMut(Page) -> Option<Page> + Send> Lister for Changed<F> {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        Ok(self.inner.next_page().await?.and_then(&mut self.change))
    }
}

/// A listing that is known from the start.
struct Ready(std::vec::IntoIter<Page>);

#[async_trait]
impl Lister for Ready {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        Ok(self.0.next())
    }
}

async fn pages_of(inner: &Inner, options: ListOptions) -> Result<Vec<Page>> {
    let (mut lister, mut pages) = (inner.list(options).await?, Vec::new());
    while let Some(page) = lister.next_page().await? {
        pages.push(page);
    }
    Ok(pages)
}

/// A mutant that changes every page.
macro_rules! paging {
    ($($(#[$doc:meta])* $name:ident |$page:ident, $options:ident| $body:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Default)]
            pub(crate) struct $name;

            #[async_trait]
            impl Lie for $name {
                async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Box<dyn Lister>> {
                    let $options = options.clone();
                    let inner = inner.list(options).await?;
                    let change = move |#[allow(unused_mut)] mut $page: Page| -> Option<Page> {
                        let _ = &$options;
                        $body
                    };
                    Ok(Box::new(Changed { inner, change }))
                }
            }
        )+
    };
}

fn digest(text: &str) -> u32 {
    text.bytes().fold(7, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

paging! {
    /// Lists in the order of a hash table.
    Unordered |page, _options| {
        page.entries.sort_by_key(|entry| digest(entry.as_str()));
        Some(page)
    };
    /// Lists in the order that a person would choose.
    OrdersByCase |page, _options| {
        page.entries.sort_by_key(|entry| entry.as_str().to_lowercase());
        Some(page)
    };
    /// Loses the last entry of a full page.
    DropsTheThousandth |page, _options| {
        if page.entries.len() >= 1000 {
            page.entries.pop();
        }
        Some(page)
    };
    /// Says that the listing is complete when there are more pages.
    EndsShort |page, _options| {
        page.entries.truncate(3);
        page.resume = None;
        Some(page)
    };
    /// Lists common prefixes before objects.
    PrefixesFirst |page, _options| {
        page.entries.sort_by_key(|entry| matches!(entry, Entry::Object(_)));
        Some(page)
    };
    /// Lists what it means to be the directory.
    ListsDirectories |page, options| {
        if let (false, Some(slash)) = (options.delimited, page.entries.iter().position(|entry| entry.as_str().contains('/'))) {
            let level = page.entries[slash].as_str().split_inclusive('/').next().unwrap_or_default().to_owned();
            if let Ok(level) = Prefix::new(level) {
                page.entries.insert(slash, Entry::Prefix(level));
            }
        }
        Some(page)
    };
    /// Tells another etag than head does.
    ListsOtherEtags |page, _options| {
        page.entries.iter_mut().for_each(|entry| if let Entry::Object(meta) = entry {
            meta.etag = ETag::new(format!("{}", meta.size));
        });
        Some(page)
    };
    /// Tells no size.
    ListsNoSizes |page, _options| {
        page.entries.iter_mut().for_each(|entry| if let Entry::Object(meta) = entry {
            meta.size = 0;
        });
        Some(page)
    };
    /// Lists names that look temporary as if they were none of the caller's.
    HidesDots |page, _options| {
        page.entries.retain(|entry| !entry.as_str().starts_with('.'));
        Some(page)
    };
    /// Lists a lock of its own.
    ListsItsLock |page, options| {
        if let (true, Some(Entry::Object(first))) = (options.prefix.is_empty() && page.resume.is_none(), page.entries.first().cloned())
            && let Ok(key) = storage_core::Key::new("~lock")
        {
            page.entries.push(Entry::Object(storage_core::ObjectMeta { key, ..first }));
        }
        Some(page)
    };
}

/// Goes on with the wrong listing where a token is another one's.
#[derive(Default)]
pub(crate) struct TakesAnyToken;

#[async_trait]
impl Lie for TakesAnyToken {
    async fn list(&self, inner: &Inner, mut options: ListOptions) -> Result<Box<dyn Lister>> {
        let position = options.token.take().and_then(|token| token.as_str().strip_prefix("at ").map(str::to_owned));
        options.start_after = position.or(options.start_after);
        let inner = inner.list(options).await?;
        let change = |mut page: Page| {
            let last = page.entries.last().map(|entry| storage_core::Token::new(format!("at {}", entry.as_str())));
            page.resume = page.resume.and(last);
            Some(page)
        };
        Ok(Box::new(Changed { inner, change }))
    }
}

/// Lists what comes at the start, too.
#[derive(Default)]
pub(crate) struct IncludesTheStart;

#[async_trait]
impl Lie for IncludesTheStart {
    async fn list(&self, inner: &Inner, mut options: ListOptions) -> Result<Box<dyn Lister>> {
        if let Some(start) = options.start_after.take() {
            let mut before = start;
            before.pop();
            options.start_after = Some(before);
        }
        inner.list(options).await
    }
}

/// Gives pages as long as it likes.
#[derive(Default)]
pub(crate) struct IgnoresPageSize;

#[async_trait]
impl Lie for IgnoresPageSize {
    async fn list(&self, inner: &Inner, mut options: ListOptions) -> Result<Box<dyn Lister>> {
        options.page_size = None;
        inner.list(options).await
    }
}

/// Reads all of a listing before it gives the first page, and a page at every call: a common prefix comes on each page
/// that holds a key of it.
#[derive(Default)]
pub(crate) struct RepeatsPrefixes;

#[async_trait]
impl Lie for RepeatsPrefixes {
    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Box<dyn Lister>> {
        if !options.delimited {
            return inner.list(options).await;
        }
        let mut flat = options.clone();
        flat.delimited = false;
        flat.page_size = Some(3);
        let (start, prefix) = (options.prefix.as_str().len(), options.prefix.clone());
        let mut pages = pages_of(inner, flat).await?;
        for page in &mut pages {
            let rolled = page.entries.drain(..).map(|entry| match entry.as_str()[start..].find('/') {
                Some(slash) => Prefix::new(&entry.as_str()[..=start + slash]).map_or(entry, Entry::Prefix),
                None => entry,
            });
            page.entries = rolled.collect();
            page.entries.dedup_by(|a, b| a.as_str() == b.as_str() && a.as_str() != prefix.as_str());
            page.resume = None;
        }
        Ok(Box::new(Ready(pages.into_iter())))
    }
}

/// Lists nothing where there is no root.
#[derive(Default)]
pub(crate) struct NoRootIsEmpty;

#[async_trait]
impl Lie for NoRootIsEmpty {
    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Box<dyn Lister>> {
        match pages_of(inner, options).await {
            Ok(pages) => Ok(Box::new(Ready(pages.into_iter()))),
            Err(_) => Ok(Box::new(Ready(Vec::new().into_iter()))),
        }
    }
}

/// Goes on after so many entries, not after a key.
#[derive(Default)]
pub(crate) struct PagesByNumber;

#[async_trait]
impl Lie for PagesByNumber {
    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Box<dyn Lister>> {
        if options.token.is_some() || options.page_size.is_none_or(|size| size > 100) {
            return inner.list(options).await;
        }
        Ok(Box::new(Numbered { inner: std::sync::Arc::clone(inner), options, given: 0 }))
    }
}

struct Numbered {
    inner: Inner,
    options: ListOptions,
    given: usize,
}

#[async_trait]
impl Lister for Numbered {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        let size = self.options.page_size.unwrap_or(1000);
        let mut all = self.options.clone();
        all.page_size = Some(100_000);
        let page = pages_of(&self.inner, all).await?.into_iter().next().unwrap_or_default();
        let entries: Vec<Entry> = page.entries.into_iter().skip(self.given).take(size).collect();
        self.given += entries.len();
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        Ok((!entries.is_empty()).then(|| Page { entries, ..Page::default() }))
    }
}

/// Remembers the first page of a listing.
#[derive(Default)]
pub(crate) struct RemembersListings(Mutex<Vec<(ListOptions, Vec<Page>)>>);

#[async_trait]
impl Lie for RemembersListings {
    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Box<dyn Lister>> {
        let known = self.0.lock().unwrap().iter().find(|(known, _)| *known == options).map(|(_, pages)| pages.clone());
        let pages = match known {
            Some(pages) => pages,
            None => pages_of(inner, options.clone()).await?,
        };
        self.0.lock().unwrap().push((options, pages.clone()));
        Ok(Box::new(Ready(pages.into_iter())))
    }
}
