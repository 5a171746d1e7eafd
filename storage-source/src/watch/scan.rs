//! A listing beside what is known: two sequences in one order, and what differs.

use std::collections::VecDeque;

use futures::stream::StreamExt as _;
use storage_core::{Error, Key, Prefix, Result};

use super::event::{ScanReport, WatchChange, WatchEvent};
use super::ledger::Ledger;
use super::level::Level;
use crate::file::RelativePath;
use crate::walk::{WalkItem, WalkItems, WalkReport};

/// A scan under way. It holds what the walk holds, and the paths that the listing has passed without showing them.
pub(super) struct Scan {
    prefix: Prefix,
    within: String,
    items: WalkItems,
    /// The item that is being judged.
    item: Option<WalkItem>,
    last: Option<Key>,
    missing: VecDeque<Key>,
    has_ended: bool,
    report: ScanReport,
}

/// What a scan comes to next.
pub(super) enum Step {
    Event(WatchEvent),
    Failed(Error),
    Ended(ScanReport),
}

impl Scan {
    /// A scan of what begins with `within` on a level, which is `prefix` as a whole.
    pub(super) fn new(level: &Level, prefix: Prefix, within: &str, first: bool) -> Result<Self> {
        let walk = WalkReport::default();
        let report = ScanReport { prefix: prefix.clone(), first, walk, put: 0, removed: 0, unchanged: 0, withheld: 0 };
        Ok(Self {
            prefix,
            within: within.to_owned(),
            items: level.walk(within)?,
            item: None,
            last: None,
            missing: VecDeque::new(),
            has_ended: false,
            report,
        })
    }

    pub(super) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Whether it is of everything that is watched.
    pub(super) fn is_whole(&self) -> bool {
        self.within.is_empty()
    }

    /// Goes on to the next event, or to the end. A future that is dropped has taken nothing.
    pub(super) async fn step(&mut self, level: &Level, ledger: &Ledger) -> Step {
        while !self.has_ended {
            match self.next_put(ledger).await {
                Ok(Some(event)) => return Step::Event(event),
                Ok(None) => {}
                Err(error) => return Step::Failed(error),
            }
        }
        while let Some(path) = self.missing.pop_front() {
            if let Some(event) = removal(level, ledger, RelativePath::new(path)) {
                self.report.removed += 1;
                return Step::Event(event);
            }
        }
        self.report.walk = self.items.report().clone();
        Step::Ended(self.report.clone())
    }

    /// Looks at one item of the listing.
    async fn next_put(&mut self, ledger: &Ledger) -> Result<Option<WatchEvent>> {
        if self.item.is_none() {
            self.item = self.items.next().await.transpose()?;
            self.pass(ledger);
        }
        let Some(item) = &self.item else { return Ok(None) };
        let fingerprint = item.file.fingerprint().await?;
        let receipt = ledger.tell(item.path.key(), Some(&fingerprint));
        match (self.item.take(), receipt) {
            (Some(WalkItem { path, file }), Some(receipt)) => {
                self.report.put += 1;
                Ok(Some(WatchEvent::new(path, file.key().clone(), WatchChange::Put(file), receipt)))
            }
            _ => {
                self.report.unchanged += 1;
                Ok(None)
            }
        }
    }

    /// Notes which known paths lie between the last item and this one, or the end, so that the listing does not show them.
    fn pass(&mut self, ledger: &Ledger) {
        let path = self.item.as_ref().map(|item| item.path.key().clone());
        self.missing.extend(ledger.between(&self.within, self.last.as_ref(), path.as_ref()));
        self.has_ended = path.is_none();
        self.last = path;
        if self.has_ended && !self.items.report().complete {
            self.report.withheld = self.missing.len() as u64;
            self.missing.clear();
        }
    }
}

/// The event of an object that is gone; none where the host does not know of it.
pub(super) fn removal(level: &Level, ledger: &Ledger, path: RelativePath) -> Option<WatchEvent> {
    let key = level.prefix.key(path.key()).ok()?;
    let receipt = ledger.tell(path.key(), None)?;
    Some(WatchEvent::new(path, key, WatchChange::Removed, receipt))
}
