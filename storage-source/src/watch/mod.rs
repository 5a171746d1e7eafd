//! A watch: what a walk would find, and then what becomes of it, until it is dropped.

mod event;
mod ledger;
mod level;
mod pause;
mod s3_event;
mod scan;
mod sender;
mod state;
mod watching;

use std::time::Duration;

use storage_core::{Error, IntoPrefix, Prefix, Result, Storage};

use self::ledger::Ledger;
use self::level::Level;
use self::pause::Pauses;
use self::watching::Source;
use crate::filter::Filter;
use crate::walk::level;

pub use event::{ScanReport, WatchChange, WatchEvent, Watched};
pub use ledger::WatchProgress;
pub use s3_event::{S3Event, S3EventKind};
pub use sender::{Notified, WatchSender};
pub use state::WatchState;
pub use watching::Watching;

/// Where a watch learns of changes, besides what is handed in through its [`WatchSender`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchMode {
    /// From the backend as changes are made, where it tells them (its capability `watch`). Else as [`Poll`](Self::Poll), also
    /// where it tells them in general and not here: that error is told once.
    #[default]
    Auto,
    /// From a listing every interval, which is compared with what is known.
    Poll,
    /// Only from what is handed in, after the first listing.
    Messages,
}

/// What is to be watched: a level of a storage, through a filter. One form of event, whatever the backend is.
///
/// A watch first tells what differs from a [`WatchState`]; against a new one, that is everything that a walk would find. Then
/// it tells changes as they come. Where the backend tells them, it was asked to before the first listing, so that nothing
/// falls between. Whatever told of a change, the object is looked at before it is told here: one head, and the answer of
/// the same filter. An object that the filter takes no longer is told as removed. A listing that failed or was not complete
/// makes nothing look removed.
///
/// ```
/// use storage_source::{Filter, Watch, WatchChange, Watched};
/// # use storage_core::{Result, Storage};
/// # async fn ingest(_: &str, _: String) {}
/// # async fn forget(_: &str) {}
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let storage = Storage::new(storage_memory::Memory::new());
/// # storage.put("docs/a.md", "text").await?;
/// # let mut turns = 0;
/// let mut watching = Watch::new(&storage).prefix("docs").filter(Filter::new().extension("md")).start()?;
/// loop {
/// #   turns += 1;
/// #   if turns > 2 { break Ok(()); }
///     match watching.next().await {
///         Ok(Watched::Event(event)) => {
///             match &event.change {
///                 WatchChange::Put(file) => ingest(event.path.as_str(), file.text().await?).await,
///                 WatchChange::Removed => forget(event.path.as_str()).await,
///             }
///             event.ack();
///         }
///         Ok(Watched::Scanned(report)) => assert!(report.walk.complete),
///         Err(error) => eprintln!("{error}"), // the watch goes on
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a watch does nothing until it is started"]
pub struct Watch {
    storage: Storage,
    prefix: Result<Prefix>,
    filter: Filter,
    without: Vec<Result<Prefix>>,
    mode: WatchMode,
    interval: Duration,
    pauses: Pauses,
    state: Option<WatchState>,
}

impl Watch {
    /// A watch of everything, against a new state.
    pub fn new(storage: &Storage) -> Self {
        Self {
            storage: storage.clone(),
            prefix: Ok(Prefix::root()),
            filter: Filter::new(),
            without: Vec::new(),
            mode: WatchMode::Auto,
            interval: Duration::from_secs(30),
            pauses: Pauses::new(Duration::from_secs(1), Duration::from_secs(60)),
            state: Some(WatchState::new()),
        }
    }

    /// Watches what lies under this prefix. A missing `/` at its end is added, as in a walk.
    pub fn prefix(mut self, prefix: impl IntoPrefix) -> Self {
        self.prefix = level(prefix);
        self
    }

    /// Takes only what passes this filter, which sees paths from the prefix on. It cannot have a limit.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Takes nothing under this path, seen from the prefix, whatever the filter says.
    pub fn without(mut self, path: impl IntoPrefix) -> Self {
        self.without.push(level(path));
        self
    }

    /// Says where the watch learns of changes.
    pub fn mode(mut self, mode: WatchMode) -> Self {
        self.mode = mode;
        self
    }

    /// How long after the end of a listing the next one begins, where the watch polls; a tenth more or less. Default: 30
    /// seconds.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long the watch waits after a failure before it tries again: the first time, and at most. Each pause is twice as
    /// long as the one before, up to half of it taken off at random. Default: 1 second to 60.
    pub fn pauses(mut self, first: Duration, most: Duration) -> Self {
        self.pauses = Pauses::new(first.min(most), most);
        self
    }

    /// Begins with what an earlier watch of the same level had acknowledged.
    pub fn state(mut self, state: WatchState) -> Self {
        self.state = Some(state);
        self
    }

    /// Knows nothing of any object, and lists nothing at its start: only changes are told, with no memory for each object.
    /// What was told cannot be told again, and what is told may be known. After a gap (the watch of the backend broke off,
    /// or told more than was read in time) all there is is told as put, and what was removed in the gap is not told.
    pub fn stateless(mut self) -> Self {
        self.state = None;
        self
    }

    /// Starts the watch, which does its first request when it is asked for what comes. Fails with `InvalidKey` where the
    /// prefix or a path to leave out is wrong, with `InvalidInput` where the filter or the interval is, or the state is
    /// that of another level, and with `Unsupported` where a watch without state would have to poll.
    pub fn start(self) -> Result<Watching> {
        let prefix = self.prefix?;
        let without = self.without.into_iter().collect::<Result<_>>()?;
        let source = match self.mode {
            WatchMode::Auto if self.storage.capabilities().watch => Source::Backend,
            WatchMode::Auto | WatchMode::Poll => Source::Listings,
            WatchMode::Messages => Source::Nowhere,
        };
        let state = self.state.map(|state| state.of(&self.storage, &prefix)).transpose()?;
        if self.filter.limit.is_some() {
            return Err(Error::invalid_input(
                "the filter of a watch has a limit: which objects come first changes all the time",
            )
            .with_help("leave the limit out"));
        }
        if self.interval.is_zero() {
            return Err(Error::invalid_input("the interval of a watch is zero").with_help("give it a second or more"));
        }
        if source == Source::Listings && state.is_none() {
            return Err(Error::unsupported(
                "this watch polls, and without a state there is nothing to compare a listing with",
            )
            .with_help("give it a state, or a backend that tells its changes, or hand in messages"));
        }
        let matcher = self.filter.compile()?;
        let level = Level { storage: self.storage, prefix, filter: self.filter, matcher, without };
        Ok(Watching::new(level, Ledger::new(state), source, self.interval, self.pauses))
    }
}
