//! What a host that takes things in needs, on any storage.
//!
//! - [`Inputs`] makes one lazy stream of a mixed list of paths, locations, text, bytes and readers, within an
//!   [`InputPolicy`] that allows nothing of the machine until it is told to.
//! - [`Walk`] and [`Filter`] yield what lies under a prefix, as a [`SourceFile`] each.
//! - [`Watch`] tells what differs from the last time, and then what changes, on every backend in one form.
//! - [`ContentStore`] keeps content under its digest, so that the same bytes are stored once.
//! - [`WorkingCopy`] makes an object a file that any program may change, and commits it if nobody else did; a [`Lease`]
//!   keeps two from working in vain.
//! - [`Native`] says how LanceDB, DuckDB or a Python program reaches a root by itself; [`tenant`] gives each tenant a root
//!   of its own.
//!
//! # From a bucket to documents
//! A [`Walk`] yields what lies under a prefix and passes a [`Filter`], in the order of keys, whatever is behind the
//! storage. Each item is a path that stays the same wherever the tree lies, and a [`SourceFile`]: what the listing told
//! costs nothing, and what it reads is the version that was listed. At the end a [`WalkReport`] says whether anything is
//! missing, and counts what was left out by [`Reason`]. A single key, or an event, is judged by the same
//! [`Matcher`]:
//! ```
//! use futures::stream::TryStreamExt;
//! use storage_source::{Candidate, Filter, SourceFile, Walk};
//! # use storage_core::{Result, Storage};
//! # async fn ingest(_: &str, _: String) {}
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! # let storage = Storage::new(storage_memory::Memory::new());
//! # storage.put("docs/a/b.md", "text").await?;
//! let filter = Filter::new().include("**/*.{md,txt}").exclude("**/node_modules/**").max_size(10_000_000);
//! let mut items = Walk::new(&storage).prefix("docs").filter(filter.clone()).items()?;
//! while let Some(item) = items.try_next().await? {
//!     ingest(item.path.as_str(), item.file.text().await?).await;
//! }
//! assert!(items.report().complete);
//!
//! // Later, an event tells of one key.
//! let verdict = filter.compile()?.judge(&Candidate::new("a/b.md"));
//! if verdict.is_match() {
//!     ingest("a/b.md", SourceFile::at(&storage, "docs/a/b.md").await?.text().await?).await;
//! }
//! # Ok(()) }
//! ```

mod content;
mod file;
mod filter;
mod inputs;
mod native;
mod prune;
mod tenant;
mod walk;
mod watch;
mod working_copy;

/// The pages on this crate, whose examples compile.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../docs/sources.md")]
    struct Sources;
    #[doc = include_str!("../../docs/watching.md")]
    struct Watches;
    #[doc = include_str!("../../docs/working-copy.md")]
    struct WorkingCopies;
}

pub use content::{Algorithm, ContentStore, Digest, Layout, Stored};
pub use file::{Identity, RelativePath, SourceFile, TempFile};
pub use filter::{Candidate, Filter, Matcher, PatternError, Reason, Verdict};
pub use inputs::{Given, Input, InputPolicy, Inputs, Item, Items, Origin, Place, Reading};
pub use native::Native;
pub use tenant::tenant;
pub use walk::{LeftOut, Outcome, Walk, WalkItem, WalkItems, WalkReport};
pub use watch::{
    Notified, S3Event, S3EventKind, ScanReport, Watch, WatchChange, WatchEvent, WatchMode, WatchProgress, WatchSender,
    WatchState, Watched, Watching,
};
pub use working_copy::{Commit, Holder, Lease, LeaseOptions, Leased, Opened, WorkingCopy, WorkingCopyOptions};
