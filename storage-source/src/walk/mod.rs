//! A walk: the objects under a prefix that a filter takes, in order, with a report at the end.

mod ahead;
mod items;
mod report;

use storage_core::{IntoPrefix, Prefix, Result, Storage};

use crate::filter::Filter;
use crate::walk::ahead::Ahead;

pub use items::{WalkItem, WalkItems};
pub use report::{LeftOut, Outcome, WalkReport};

/// How many listings are asked ahead when nobody says otherwise.
const AHEAD: usize = 8;

/// What is to be walked: a prefix of a storage, through a filter.
///
/// The walk is lazy and in ascending order of the keys' bytes. Where the filter excludes whole directories it lists level
/// by level and leaves these out; else it lists flat, one request for each thousand objects. Some listings are asked
/// ahead of the order, so memory is bounded by these and by the levels that the walk is in, a page of a thousand entries
/// each.
///
/// ```
/// use futures::stream::TryStreamExt;
/// use storage_source::{Filter, Outcome, Reason, Walk};
/// # use storage_core::{Result, Storage};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let storage = Storage::new(storage_memory::Memory::new());
/// # for key in ["docs/a.md", "docs/b.png", "docs/.git/config", "docs2/c.md"] { storage.put(key, "text").await?; }
/// let filter = Filter::new().exclude("**/.git/**").extension("md");
/// let mut items = Walk::new(&storage).prefix("docs").filter(filter).items()?;
/// while let Some(item) = items.try_next().await? {
///     println!("{} {} {}", item.path, item.file.size().await?, item.file.text().await?);
/// }
/// let report = items.report();
/// assert_eq!((report.outcome, report.matched, report.pruned_directories), (Outcome::Complete, 1, 1));
/// assert_eq!(report.left_out[&Reason::WrongExtension], 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a walk does nothing until its items are asked for"]
pub struct Walk {
    storage: Storage,
    prefix: Result<Prefix>,
    filter: Filter,
    without: Vec<Result<Prefix>>,
    within: String,
    ahead: usize,
}

impl Walk {
    /// A walk over everything.
    pub fn new(storage: &Storage) -> Self {
        let prefix = Ok(Prefix::root());
        let (without, within) = (Vec::new(), String::new());
        Self { storage: storage.clone(), prefix, filter: Filter::new(), without, within, ahead: AHEAD }
    }

    /// Walks what lies under this prefix. A missing `/` at its end is added: `docs` never takes `docs2/x`, nor the object
    /// `docs`.
    pub fn prefix(mut self, prefix: impl IntoPrefix) -> Self {
        self.prefix = level(prefix);
        self
    }

    /// Takes only what passes this filter, which sees paths from the prefix on.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Lists nothing under this path, seen from the walk's prefix, whatever the filter says, its rescues included: a root of
    /// the host itself inside of what it walks. It is one of the report's pruned directories. The levels on the way to it
    /// are listed each by itself.
    pub fn without(mut self, path: impl IntoPrefix) -> Self {
        self.without.push(level(path));
        self
    }

    /// Walks only paths that begin with this text; they still count from the prefix on.
    pub(crate) fn within(mut self, start: impl Into<String>) -> Self {
        self.within = start.into();
        self
    }

    /// How many listings may be under way, or wait to be used, at once; at least 1.
    pub fn concurrency(mut self, listings: usize) -> Self {
        self.ahead = listings.max(1);
        self
    }

    /// The items, as a stream that begins to list when it is polled. Fails with `InvalidKey` where the prefix or a path
    /// to leave out, and with `InvalidInput` where the filter is wrong.
    pub fn items(self) -> Result<WalkItems> {
        let prefix = self.prefix?;
        let mut matcher = self.filter.compile()?;
        let without: Vec<Prefix> = self.without.into_iter().collect::<Result<_>>()?;
        matcher.pruning.without(without.iter().map(Prefix::to_string).collect());
        let pruning = matcher.pruning.clone();
        let ahead = Ahead::new(self.storage.clone(), prefix.clone(), &self.within, pruning, self.ahead);
        Ok(WalkItems::new(self.storage, prefix, matcher, ahead))
    }
}

/// The level of a prefix that may lack its `/`.
pub(crate) fn level(prefix: impl IntoPrefix) -> Result<Prefix> {
    let prefix = prefix.into_prefix()?;
    if prefix.is_level() { Ok(prefix) } else { Prefix::new(format!("{prefix}/")) }
}
