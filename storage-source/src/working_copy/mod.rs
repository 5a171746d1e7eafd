//! An object as a file that any program may change, and back: [`WorkingCopy`].

mod change;
mod commit;
mod crash;
mod lease;
mod open;
mod pull;
mod state;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use storage_core::{Attributes, ETag, Key, ObjectMeta, PutResult, Result, Storage};

use lease::Heartbeat;
pub use lease::{Holder, Lease, Leased};
use state::{Lock, Place, Record};

/// An object as a local file. A program that needs a real file (SQLite, a graph database) opens [`WorkingCopy::path`]
/// and changes it; [`WorkingCopy::commit`] writes it back if nobody else has written the object in the meantime.
///
/// ```
/// # use storage_core::{Result, Storage};
/// # use storage_source::{Commit, Opened, WorkingCopy, WorkingCopyOptions};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let root = Storage::new(storage_memory::Memory::new());
/// # let cache = tempfile::tempdir()?;
/// let mut graph = WorkingCopy::open(&root, "graph.db", cache.path().join("graph.db"), WorkingCopyOptions::new()).await?;
/// assert_eq!(graph.opened(), Opened::New);
/// std::fs::write(graph.path(), "nodes and edges")?; // any program, for as long as it likes
/// match graph.commit().await? {
///     Commit::Committed(put) => println!("stored as {}", put.etag),
///     Commit::Unchanged => println!("nothing to store"),
///     Commit::Conflict { theirs } => println!("somebody stored {theirs:?} meanwhile; the file is kept"),
///     other => println!("not now: {other:?}"),
/// }
/// assert_eq!(graph.commit().await?, Commit::Unchanged);
/// assert_eq!(root.text("graph.db").await?, "nodes and edges");
/// # Ok(()) }
/// ```
///
/// # Guarantees
/// - A commit is one conditional write: if-match on what was pulled, create-only where there was nothing (rules C01, C02).
///   Of two who change one object one wins, and the other is told and keeps its file.
/// - The object is the old one or the new one, whole, at every moment; so is the file while it is pulled.
/// - A crash loses nothing that was committed, and no change of the file. What is under way is recorded beside the file
///   before it is done, and settled by the next [`WorkingCopy::open`], which goes on with a file that has changes.
/// - A lost answer is settled by reading the object back, never by a guess. Where that fails too the commit
///   is `OutcomeUnknown`, whatever failed last; calling `commit` again is safe then.
/// - The bytes that are committed are those of one state of the file: one that is written to while it is read is
///   `ObjectChanged`, and nothing is stored.
/// - Memory is bounded whatever the size of the file.
///
/// A backend without conditions is `Unsupported`, unless the caller vouches for being alone: [`WorkingCopyOptions::exclusive`].
///
/// # Journals
/// Changes of a database that is open, or whose program was killed, may lie beside the file: of SQLite in `<file>-wal` or
/// `<file>-journal`, of DuckDB and Kuzu in `<file>.wal`. While one of these holds changes `commit` answers [`Commit::Busy`]
/// and does nothing. Close all connections first, or have the program write its log into the file (`PRAGMA
/// wal_checkpoint(TRUNCATE)`, `CHECKPOINT`); after a crash, opening and closing the database recovers it. A journal whose
/// transaction has ended, with `journal_mode=PERSIST`, holds none.
///
/// # Beside the file
/// For the file `dir/name`: `dir/.name.working` records what was pulled, `dir/.name.pull` is a download under way,
/// `dir/.name.lock` is locked while the working copy is open, so that a second one of the same file is refused
/// (`Conflict`), in whichever process. A file that was there before is never taken for a working copy: `AlreadyExists`.
///
/// # Cost
/// Opening is one get: of the whole object, or of nothing where the file is current. A commit is one write, or none. Whether
/// the file has changed is told by its times, size and inode where these are two seconds older than the last look, else
/// by its SHA-256.
#[derive(Debug)]
pub struct WorkingCopy {
    storage: Storage,
    key: Key,
    place: Place,
    record: Record,
    options: WorkingCopyOptions,
    opened: Opened,
    heartbeat: Option<Heartbeat>,
    _lock: Lock,
}

/// How an object is worked on.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WorkingCopyOptions {
    /// Nobody else writes the object, so that a backend without conditions will do: a head stands in for the condition.
    pub exclusive: bool,
    /// Attributes for an object that is not there yet; one that is there keeps its own.
    pub attributes: Attributes,
    /// Work under a lease.
    pub lease: Option<LeaseOptions>,
}

/// How a lease is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseOptions {
    /// Who holds it, in words that help whoever has to wait.
    pub owner: String,
    /// How long it holds without a sign of life; one is given three times as often.
    pub duration: Duration,
}

impl WorkingCopyOptions {
    /// No lease, and a backend that keeps conditions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Vouches that nobody else writes the object.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// Stores these attributes with an object that is not there yet.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// Takes the lease `<key>.lease` first, so that two do not work in vain. Somebody else's makes `open` fail with
    /// `Conflict`, which names the owner.
    #[must_use]
    pub fn lease(mut self, owner: impl Into<String>, duration: Duration) -> Self {
        self.lease = Some(LeaseOptions { owner: owner.into(), duration });
        self
    }
}

/// What [`WorkingCopy::open`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opened {
    /// There is no object yet, and no file: the program makes the file.
    New,
    /// The object was pulled.
    Pulled,
    /// The file of an earlier session is the object still; nothing was pulled.
    Current,
    /// The file of an earlier session has changes that were never committed. It is as that session left it, whatever the
    /// object is now: `commit` tells whether they fit.
    Uncommitted,
    /// The object of an earlier session was deleted by somebody; its unchanged file is kept.
    Deleted,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Commit {
    /// The file is what was pulled or committed last. Nothing was written, and nothing asked.
    Unchanged,
    /// The object is what the file is.
    Committed(PutResult),
    /// Somebody else wrote or deleted the object since. Nothing was written, and the file is kept:
    /// [`WorkingCopy::commit_over`] writes it all the same, [`WorkingCopy::discard`] gives it up.
    Conflict {
        /// What is there now; `None` where nothing is.
        theirs: Option<ObjectMeta>,
    },
    /// A program still has changes beside the file, in a journal or write-ahead log. Nothing was written.
    Busy {
        /// The journal.
        journal: PathBuf,
    },
    /// The lease went to somebody else. Nothing was written; without the lease, `commit` would tell whether the object
    /// has changed.
    LeaseLost,
}

impl WorkingCopy {
    /// The file that programs may change.
    pub fn path(&self) -> &Path {
        &self.place.file
    }

    /// The key of the object.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What was found when it was opened.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// The etag of the object that the file was made from; `None` where there was none.
    pub fn base(&self) -> Option<&ETag> {
        self.record.base.as_ref().map(|base| &base.etag)
    }

    /// Whether the file holds what is not committed. No request.
    pub async fn is_changed(&mut self) -> Result<bool> {
        self.changed().await
    }

    /// Ends the work and gives the lease back, if there is one. The file stays, with what was not committed, for the next
    /// `open`. Dropping the working copy does the same, but leaves the lease to expire.
    pub async fn close(self) -> Result<()> {
        match self.heartbeat {
            Some(heartbeat) => heartbeat.release().await,
            None => Ok(()),
        }
    }
}
