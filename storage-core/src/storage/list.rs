//! Listing: as a stream of entries with a report at its end, page by page, or all at once.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::Stream;

use super::Storage;
use crate::backend::{Entry, Lister, Page, Skipped};
use crate::error::{Operation, Result};
use crate::key::IntoPrefix;
use crate::meta::ObjectMeta;
use crate::options::ListOptions;

/// How many skipped names a report keeps; all are counted.
const NAMES_KEPT: usize = 1000;

/// The entries of a page when nobody says otherwise.
const PAGE_SIZE: usize = 1000;

/// What a listing says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListReport {
    /// Every name there was has been listed or counted as skipped. False while the listing runs, after an error, and
    /// where the limit ended it.
    pub complete: bool,
    /// The limit ended the listing.
    pub limited: bool,
    /// How many entries came.
    pub entries: u64,
    /// How many names no key can express (rule L12).
    pub skipped: u64,
    /// The first thousand of these names, with the reason for each.
    pub skipped_names: Vec<Skipped>,
}

/// How much there is under a prefix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many objects.
    pub objects: u64,
    /// How many bytes they hold.
    pub bytes: u64,
    /// How many stored names are not among them, because no key can express them.
    pub skipped: u64,
}

impl Storage {
    /// A listing as a stream in ascending order of bytes (rules L). Lazy: one request for each page read.
    pub async fn list(&self, options: ListOptions) -> Result<Entries> {
        Ok(Entries { state: State::Idle(self.pages(options).await?), page: Vec::new().into_iter() })
    }

    /// A listing page by page, each with the token that goes on after it. One request a page.
    pub async fn pages(&self, mut options: ListOptions) -> Result<Pages> {
        options.prefix = self.checked_prefix(Operation::List, options.prefix)?;
        let limit = options.limit;
        let wanted = options.page_size.unwrap_or(PAGE_SIZE).max(1);
        options.page_size =
            Some(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(wanted).clamp(1, wanted));
        let lister = match limit {
            Some(0) => None,
            _ => Some(self.run(Operation::List, None, self.backend.list(options)).await?),
        };
        let report = ListReport { limited: lister.is_none(), ..ListReport::default() };
        Ok(Pages { storage: self.clone(), lister, left: limit, report })
    }

    /// All objects under a prefix, in order. Holds them all in memory; [`Storage::list`] does not.
    pub async fn list_all(&self, prefix: impl IntoPrefix) -> Result<Vec<ObjectMeta>> {
        let mut pages = self.pages(ListOptions::new().prefix(self.checked_prefix(Operation::List, prefix)?)).await?;
        let mut objects = Vec::new();
        while let Some(page) = pages.next_page().await? {
            objects.extend(page.entries.into_iter().filter_map(Entry::object));
        }
        Ok(objects)
    }

    /// How many objects and bytes there are under a prefix. One request a page.
    pub async fn usage(&self, prefix: impl IntoPrefix) -> Result<Usage> {
        let mut pages = self.pages(ListOptions::new().prefix(self.checked_prefix(Operation::List, prefix)?)).await?;
        let mut usage = Usage::default();
        while let Some(page) = pages.next_page().await? {
            for object in page.entries.into_iter().filter_map(Entry::object) {
                usage.objects += 1;
                usage.bytes += object.size;
            }
        }
        usage.skipped = pages.report().skipped;
        Ok(usage)
    }
}

/// A listing page by page.
pub struct Pages {
    storage: Storage,
    /// `None` once there is nothing more to ask for.
    lister: Option<Box<dyn Lister>>,
    left: Option<u64>,
    report: ListReport,
}

impl Pages {
    /// The next page; `None` at the end. After an error the same page may be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Page>> {
        let Some(lister) = &mut self.lister else {
            return Ok(None);
        };
        let page = self.storage.run(Operation::List, None, lister.next_page()).await?;
        let Some(mut page) = page else {
            self.lister = None;
            self.report.complete = true;
            return Ok(None);
        };
        self.count_skipped(&page.skipped);
        if let Some(left) = &mut self.left {
            let fits = usize::try_from(*left).unwrap_or(usize::MAX);
            if page.entries.len() > fits {
                page.entries.truncate(fits);
                // The backend's token stands after what was cut off.
                page.resume = None;
            }
            *left -= page.entries.len() as u64;
            if *left == 0 {
                self.lister = None;
                self.report.limited = true;
            }
        }
        self.report.entries += page.entries.len() as u64;
        Ok(Some(page))
    }

    /// What the listing says of itself so far.
    pub fn report(&self) -> &ListReport {
        &self.report
    }

    fn count_skipped(&mut self, skipped: &[Skipped]) {
        self.report.skipped += skipped.len() as u64;
        let room = NAMES_KEPT.saturating_sub(self.report.skipped_names.len());
        self.report.skipped_names.extend(skipped.iter().take(room).cloned());
    }
}

/// A listing as a stream of entries. A failure is an item of the stream and ends it (rule L13); whether everything was
/// listed is in [`Entries::report`].
pub struct Entries {
    state: State,
    page: std::vec::IntoIter<Entry>,
}

enum State {
    Idle(Pages),
    Busy(BoxFuture<'static, (Pages, Result<Option<Page>>)>),
    Ended(ListReport),
}

impl Entries {
    /// What the listing said at its end; `None` while it runs.
    pub fn report(&self) -> Option<&ListReport> {
        match &self.state {
            State::Ended(report) => Some(report),
            _ => None,
        }
    }
}

impl Stream for Entries {
    type Item = Result<Entry>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(entry) = this.page.next() {
                return Poll::Ready(Some(Ok(entry)));
            }
            match std::mem::replace(&mut this.state, State::Ended(ListReport::default())) {
                State::Ended(report) => {
                    this.state = State::Ended(report);
                    return Poll::Ready(None);
                }
                State::Idle(mut pages) => {
                    this.state = State::Busy(Box::pin(async move {
                        let page = pages.next_page().await;
                        (pages, page)
                    }));
                }
                State::Busy(mut asked) => {
                    let Poll::Ready((pages, page)) = asked.as_mut().poll(cx) else {
                        this.state = State::Busy(asked);
                        return Poll::Pending;
                    };
                    match page {
                        Ok(Some(page)) => {
                            this.page = page.entries.into_iter();
                            this.state = State::Idle(pages);
                        }
                        Ok(None) => this.state = State::Ended(pages.report),
                        Err(error) => {
                            this.state = State::Ended(pages.report);
                            return Poll::Ready(Some(Err(error)));
                        }
                    }
                }
            }
        }
    }
}
