//! A watch under way.

use std::fmt;
use std::time::Duration;

use storage_core::{
    Change, ChangeFeed as _, ChangeReceiver, Error, ErrorKind, Key, Result, WatchOptions, Watcher, change_queue,
};
use tokio::time::Instant;

use super::event::{ScanReport, WatchChange, WatchEvent, Watched};
use super::ledger::{Ledger, WatchProgress};
use super::level::{Found, Level};
use super::pause::{Pauses, interval_end, until};
use super::scan::{Scan, Step, removal};
use super::sender::WatchSender;

/// How much may wait for another attempt; with more, everything is listed again.
const MOST_LATER: usize = 4096;

/// Where changes come from, besides what is handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Backend,
    Listings,
    Nowhere,
}

/// A watch under way; dropping it ends it. It does one thing after the other, in [`next`](Self::next): while a listing
/// runs, changes wait, at most 4096 of them from each source; with more, what they touch is listed again.
pub struct Watching {
    level: Level,
    ledger: Ledger,
    /// What is to be looked at: what was handed in, what is tried again, what is due.
    work: ChangeReceiver,
    sender: WatchSender,
    /// None where the backend is not asked.
    live: Option<Live>,
    polling: Option<Polling>,
    interval: Duration,
    later: Later,
    scan: Option<Scan>,
    /// What is looked at now.
    change: Option<Change>,
    /// Everything was listed once.
    has_scanned: bool,
}

/// The backend's own watch.
struct Live {
    feed: Option<Watcher>,
    /// When to open it.
    due: Option<Instant>,
    was_open: bool,
    pauses: Pauses,
}

#[derive(Default)]
struct Polling {
    /// When to list; none while a listing is due or under way.
    due: Option<Instant>,
}

/// What failed, and is tried again.
struct Later {
    changes: Vec<Change>,
    due: Option<Instant>,
    pauses: Pauses,
}

/// What has come.
enum Woken {
    Change(Change),
    Feed(Result<Option<Change>>),
    Open,
    Poll,
    Retry,
}

impl Watching {
    pub(super) fn new(level: Level, ledger: Ledger, source: Source, interval: Duration, pauses: Pauses) -> Self {
        let (told, work) = change_queue(level.prefix.clone(), &WatchOptions::new());
        let sender = WatchSender::new(told, &level);
        let live = Live { feed: None, due: Some(Instant::now()), was_open: false, pauses: pauses.clone() };
        if source != Source::Backend && ledger.remembers() {
            sender.scan();
        }
        Self {
            level,
            ledger,
            work,
            sender,
            live: (source == Source::Backend).then_some(live),
            polling: (source == Source::Listings).then(Polling::default),
            interval,
            later: Later { changes: Vec::new(), due: None, pauses },
            scan: None,
            change: None,
            has_scanned: false,
        }
    }

    /// What comes next; waits as long as there is nothing. An error ends nothing: what failed is tried again after a pause,
    /// and what did not fail goes on. Its kind says whether that can help without anybody's doing.
    ///
    /// A future that is dropped has taken nothing, so this can stand in a `select!`.
    pub async fn next(&mut self) -> Result<Watched> {
        loop {
            if let Some(scan) = &mut self.scan {
                match scan.step(&self.level, &self.ledger).await {
                    Step::Event(event) => return Ok(Watched::Event(event)),
                    Step::Failed(error) => return Err(self.scan_failed(error)),
                    Step::Ended(report) => return Ok(Watched::Scanned(self.scan_ended(report))),
                }
            }
            match &self.change {
                Some(Change::ListAgain(_)) => self.begin_scan()?,
                Some(Change::Changed(key) | Change::Removed(key)) => {
                    let key = key.clone();
                    if let Some(event) = self.look(key).await? {
                        return Ok(Watched::Event(event));
                    }
                }
                None => self.change = self.wait().await?,
            }
        }
    }

    /// A handle by which others tell this watch what it should look at: messages of a service, keys, everything.
    pub fn sender(&self) -> WatchSender {
        self.sender.clone()
    }

    /// A handle on what was acknowledged, to save it.
    pub fn progress(&self) -> WatchProgress {
        WatchProgress::new(self.ledger.clone())
    }

    /// Whether the backend tells changes as they are made; else the watch polls or waits for messages.
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Begins to list what is to be listed again.
    fn begin_scan(&mut self) -> Result<()> {
        let Some(Change::ListAgain(prefix)) = self.change.take() else { return Ok(()) };
        let Some(within) = self.level.part(&prefix) else { return Ok(()) };
        let first = within.is_empty() && !self.has_scanned;
        self.scan = Some(Scan::new(&self.level, prefix.clone(), within, first)?);
        Ok(())
    }

    fn scan_failed(&mut self, error: Error) -> Error {
        if let Some(scan) = self.scan.take() {
            self.try_later(Change::ListAgain(scan.prefix().clone()));
        }
        error
    }

    fn scan_ended(&mut self, report: ScanReport) -> ScanReport {
        let is_whole = self.scan.take().is_some_and(|scan| scan.is_whole());
        self.later.pauses.reset();
        if is_whole {
            self.has_scanned = true;
            if let Some(polling) = &mut self.polling {
                polling.due = Some(interval_end(self.interval));
            }
        }
        report
    }

    /// Looks at one key, and says what became of it where the host does not know that.
    async fn look(&mut self, key: Key) -> Result<Option<WatchEvent>> {
        let path = self.level.path(&key).filter(|path| self.level.may_take(path) || self.ledger.knows(path.key()));
        let Some(path) = path else {
            self.change = None;
            return Ok(None);
        };
        let found = self.level.look(&key, &path).await;
        let change = self.change.take();
        match found {
            Ok(Found::Taken(file, fingerprint)) => {
                let receipt = self.ledger.tell(path.key(), Some(&fingerprint));
                Ok(receipt.map(|receipt| WatchEvent::new(path, key, WatchChange::Put(file), receipt)))
            }
            Ok(Found::Gone) => Ok(removal(&self.level, &self.ledger, path)),
            Err(error) => {
                change.into_iter().for_each(|change| self.try_later(change));
                Err(error)
            }
        }
    }

    fn try_later(&mut self, change: Change) {
        let later = &mut self.later;
        later.changes.push(change);
        if later.changes.len() > MOST_LATER {
            later.changes = vec![self.level.again()];
        }
        if later.due.is_none() {
            later.due = Some(later.pauses.after_failure());
        }
    }

    /// Waits for something to look at; `None` where something else was to be done.
    async fn wait(&mut self) -> Result<Option<Change>> {
        let woken = {
            let (feed, open) = match &mut self.live {
                Some(live) => (live.feed.as_mut(), live.due),
                None => (None, None),
            };
            tokio::select! {
                biased;
                // Before anything is listed.
                () = until(open) => Woken::Open,
                () = until(self.later.due) => Woken::Retry,
                () = until(self.polling.as_ref().and_then(|polling| polling.due)) => Woken::Poll,
                change = self.work.next() => Woken::Change(change?.unwrap_or_else(|| self.level.again())),
                told = told_by(feed) => Woken::Feed(told),
            }
        };
        match woken {
            Woken::Change(change) => return Ok(Some(change)),
            Woken::Feed(told) => return self.heard(told),
            Woken::Open => self.open_feed().await?,
            Woken::Retry => {
                self.later.due = None;
                for change in std::mem::take(&mut self.later.changes) {
                    self.sender.tell(change);
                }
            }
            Woken::Poll => {
                self.polling.iter_mut().for_each(|polling| polling.due = None);
                self.sender.scan();
            }
        }
        Ok(None)
    }

    /// Takes what the backend's watch said; one that has ended is opened anew.
    fn heard(&mut self, told: Result<Option<Change>>) -> Result<Option<Change>> {
        if matches!(told, Ok(Some(_))) {
            return told;
        }
        if let Some(live) = &mut self.live {
            live.feed = None;
            live.due = Some(live.pauses.after_failure());
        }
        told
    }

    /// Opens the backend's watch, and then lists: what changed before is in the listing, the rest will be told.
    async fn open_feed(&mut self) -> Result<()> {
        let options = WatchOptions::new().past_unreadable(true);
        let opened = self.level.storage.watch(&self.level.prefix, options).await;
        let Some(live) = &mut self.live else { return Ok(()) };
        match opened {
            Ok(feed) => {
                let may_differ = live.was_open || self.ledger.remembers();
                (live.feed, live.due, live.was_open) = (Some(feed), None, true);
                if may_differ {
                    self.sender.scan();
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Unsupported && self.ledger.remembers() => {
                self.poll_instead();
                Err(error)
            }
            Err(error) => {
                live.due = Some(live.pauses.after_failure());
                Err(error)
            }
        }
    }

    /// Polls where the backend tells its changes in general, and cannot here: a directory on a network's file system.
    fn poll_instead(&mut self) {
        self.live = None;
        self.polling = Some(Polling::default());
        self.sender.scan();
    }
}

/// What a feed tells; nothing ever where there is none.
async fn told_by(feed: Option<&mut Watcher>) -> Result<Option<Change>> {
    match feed {
        Some(feed) => feed.next().await,
        None => std::future::pending().await,
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching")
            .field("level", &self.level)
            .field("ledger", &self.ledger)
            .field("is_live", &self.is_live())
            .finish_non_exhaustive()
    }
}
