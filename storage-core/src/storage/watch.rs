//! Watching a root.

use std::fmt;

use super::Storage;
use crate::error::{Error, Operation, Result};
use crate::key::IntoPrefix;
use crate::watch::{Change, ChangeFeed, WatchOptions};

impl Storage {
    /// Watches what begins with a prefix (rule V03): every change that is made after this has returned is told, at least
    /// once, whoever makes it. So whoever opens a watch first and lists then knows everything: what the listing shows and
    /// what is told after it. `Unsupported` where the backend cannot tell its changes.
    ///
    /// ```
    /// # use storage_core::{Change, Key, Result, Storage, WatchOptions};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let root = Storage::new(storage_memory::Memory::new());
    /// let mut watcher = root.watch("notes/", WatchOptions::new()).await?;
    /// root.put("notes/today.txt", "buy milk").await?;
    /// assert_eq!(watcher.next().await?, Some(Change::Changed(Key::new("notes/today.txt")?)));
    /// # Ok(()) }
    /// ```
    pub async fn watch(&self, prefix: impl IntoPrefix, options: WatchOptions) -> Result<Watcher> {
        let prefix = self.checked_prefix(Operation::Watch, prefix)?;
        let checked = || {
            if !self.capabilities().watch {
                return Err(Error::unsupported("this backend does not tell its changes")
                    .with_help("list again from time to time, and compare"));
            }
            if options.capacity == 0 {
                return Err(Error::invalid_input("a watch that holds no change is of no use")
                    .with_help("give it a capacity of 1 or more"));
            }
            Ok(())
        };
        checked().map_err(|error| self.context(error, Operation::Watch, None))?;
        let feed = self.run(Operation::Watch, None, self.backend.watch(&prefix, options)).await?;
        Ok(Watcher { backend: self.name().to_owned(), feed })
    }
}

/// A watch under way, which ends when this is dropped. It does not keep the root alive.
pub struct Watcher {
    backend: String,
    feed: Box<dyn ChangeFeed>,
}

impl Watcher {
    /// The next change; waits as long as there is none. `None` says that there will never be another one: the root is
    /// gone. After an error the watch is at its end as well: open it anew, and list.
    ///
    /// No order between keys is promised; of one key, what came last is told last. A future that is dropped has taken
    /// nothing, so this can stand in a `select!`.
    pub async fn next(&mut self) -> Result<Option<Change>> {
        self.feed.next().await.map_err(|error| error.in_context(Operation::Watch, &self.backend, None))
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("backend", &self.backend).finish_non_exhaustive()
    }
}
