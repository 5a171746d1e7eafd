//! The handle that a host holds. What every driver would otherwise repeat is here once: validation, defaults,
//! sub-roots, range merging, parallel download, context of errors, spans.

mod copy;
mod delete;
mod list;
mod read;
mod reader;
mod versions;
mod watch;
mod write;
mod writer;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::Instrument as _;

use crate::backend::{StorageBackend, SweepReport};
use crate::capabilities::Capabilities;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::{IntoKey, IntoPrefix, Key, Prefix};
use crate::location::Location;
use crate::options::{PresignOptions, SweepOptions};
use crate::presign::Presigned;
use crate::wrappers::Prefixed;

pub use list::{Entries, ListReport, Pages, Usage};
pub use read::DownloadOptions;
pub use reader::Reader;
pub use versions::VersionPages;
pub use watch::Watcher;
pub use write::Put;
pub use writer::Writer;

/// A root, or a sub-root of one: what a host reads and writes through. Cloning is cheap; clones and sub-roots share the
/// backend.
///
/// Every method takes keys as checked [`Key`]s or as text that it checks before any I/O. Errors name the operation, the
/// backend and the key.
///
/// ```
/// # use std::sync::Arc;
/// # use storage_core::{Result, Storage};
/// # use storage_memory::Memory;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let root = Storage::new(Memory::new());
/// let tenant = root.sub("tenant-42")?;
/// tenant.put("notes/today.txt", "buy milk").await?;
/// assert_eq!(root.text("tenant-42/notes/today.txt").await?, "buy milk");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Storage {
    /// The backend that was opened.
    root: Arc<dyn StorageBackend>,
    /// What stands before the keys of a sub-root in that.
    prefix: Prefix,
    /// The backend that every operation goes to: the root, or the root behind the prefix.
    backend: Arc<dyn StorageBackend>,
    /// By which two handles know that they can copy inside one backend.
    whole: Whole,
}

/// What a root is a part of; itself where its driver knows of nothing wider.
#[derive(Clone)]
struct Whole {
    backend: Arc<dyn StorageBackend>,
    /// Where in it the root lies.
    place: Prefix,
}

impl Storage {
    /// A handle on a backend's root.
    pub fn new(backend: impl StorageBackend) -> Self {
        Self::from_arc(Arc::new(backend))
    }

    /// A handle on a backend that others hold too.
    pub fn from_arc(backend: Arc<dyn StorageBackend>) -> Self {
        let whole = Whole { backend: Arc::clone(&backend), place: Prefix::root() };
        Self { root: Arc::clone(&backend), prefix: Prefix::root(), backend, whole }
    }

    /// For drivers: the handle of a root that holds what `whole` has under `place`, which is empty or ends in `/`. Handles
    /// on parts of one whole copy inside it (rule X07); everything else goes to the root's own backend.
    #[must_use]
    pub fn part_of(mut self, whole: Arc<dyn StorageBackend>, place: Prefix) -> Self {
        self.whole = Whole { backend: whole, place };
        self
    }

    /// The sub-root under a prefix; a missing `/` at its end is added. It sees its own keys and nothing else, and is as
    /// good a root as any (rule S07). Fails with `InvalidKey`.
    pub fn sub(&self, prefix: impl IntoPrefix) -> Result<Self> {
        let mut prefix = prefix.into_prefix()?;
        self.takes("prefix", prefix.as_str())?;
        if !prefix.is_level() {
            prefix = Prefix::new(format!("{prefix}/"))?;
        }
        let prefix = self.prefix.join(&prefix)?;
        let backend = Arc::new(Prefixed::new(Arc::clone(&self.root), prefix.clone())?);
        Ok(Self { root: Arc::clone(&self.root), prefix, backend, whole: self.whole.clone() })
    }

    /// The backend that operations go to, the sub-root's prefix included.
    pub fn backend(&self) -> &Arc<dyn StorageBackend> {
        &self.backend
    }

    /// The driver's name.
    pub fn name(&self) -> &str {
        self.backend.name()
    }

    /// What the backend can do, as far as it is known. No request.
    pub fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    /// The longest key that this handle takes, in bytes.
    pub fn max_key_len(&self) -> usize {
        self.backend.capabilities().max_key_len
    }

    /// Where the root lies, if it has an address.
    pub fn location(&self) -> Option<Location> {
        self.backend.location()
    }

    /// The address of a key, which opens the object again (rule K15). No request, and the object need not exist.
    /// `Unsupported` where the root has no address: a private memory store.
    pub fn uri(&self, key: impl IntoKey) -> Result<String> {
        let key = self.fitting(key)?;
        match self.backend.location() {
            Some(root) => Ok(root.uri(&key)),
            None => Err(Error::unsupported("this root has no address").with_key(key.as_str())),
        }
    }

    /// Asks the backend what is not known yet; fails where the root is missing or cannot be reached.
    pub async fn probe(&self) -> Result<Capabilities> {
        self.run(Operation::Probe, None, self.backend.probe()).await
    }

    /// The file that holds an object, for a program that needs a real one to read. `Unsupported` where objects are no
    /// files.
    pub async fn local_path(&self, key: impl IntoKey) -> Result<PathBuf> {
        let key = self.checked(Operation::LocalPath, key)?;
        if !self.capabilities().local_path {
            return Err(self.context(
                Error::unsupported("its objects are no files").with_help("read it, or download it to a file"),
                Operation::LocalPath,
                Some(&key),
            ));
        }
        self.run(Operation::LocalPath, Some(&key), self.backend.local_path(&key)).await
    }

    /// A URL that does one thing with an object for whoever holds it, until it expires. No request: whether the object
    /// exists shows when the URL is used. `Unsupported` where the backend has no such URLs, `InvalidInput` where it lasts no
    /// time at all.
    pub async fn presign(&self, key: impl IntoKey, mut options: PresignOptions) -> Result<Presigned> {
        let key = self.checked(Operation::Presign, key)?;
        let checked = || {
            if !self.capabilities().presign {
                return Err(Error::unsupported("its objects have no URLs that others can use"));
            }
            if options.expires_in.is_zero() {
                return Err(Error::invalid_input("a URL that lasts no time is of no use")
                    .with_help("give it a duration of a second or more"));
            }
            options.attributes.clone().checked()
        };
        options.attributes = checked().map_err(|error| self.context(error, Operation::Presign, Some(&key)))?;
        self.run(Operation::Presign, Some(&key), self.backend.presign(&key, options)).await
    }

    /// Removes what interrupted writes left behind, of the whole backend (rule W06). What a living writer still uses
    /// stays.
    pub async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        self.run(Operation::Sweep, None, self.backend.sweep(options)).await
    }

    /// A key that an operation is for, checked before any I/O.
    fn checked(&self, operation: Operation, key: impl IntoKey) -> Result<Key> {
        self.fitting(key).map_err(|error| self.context(error, operation, None))
    }

    /// A prefix that an operation is for, checked before any I/O.
    fn checked_prefix(&self, operation: Operation, prefix: impl IntoPrefix) -> Result<Prefix> {
        let fitting = || {
            let prefix = prefix.into_prefix()?;
            self.takes("prefix", prefix.as_str()).map(|()| prefix)
        };
        fitting().map_err(|error| self.context(error, operation, None))
    }

    /// A key that is one, and no longer than this root takes.
    fn fitting(&self, key: impl IntoKey) -> Result<Key> {
        let key = key.into_key()?;
        self.takes("key", key.as_str()).map(|()| key)
    }

    /// Whether what is to be a key or its beginning is no longer than this root takes (rules K03, K14).
    fn takes(&self, what: &str, text: &str) -> Result<()> {
        let (length, most) = (text.len(), self.max_key_len());
        if length <= most {
            return Ok(());
        }
        let message = format!("the {what} has {length} bytes, this root takes {most}");
        Err(Error::new(ErrorKind::InvalidKey, message).with_key(text).with_help("the root's own prefix counts too"))
    }

    /// A key as the whole has it.
    fn key_in_whole(&self, key: &Key) -> Result<Key> {
        self.whole.place.key(&self.prefix.key(key)?)
    }

    /// Runs a call in a span and names it in its error.
    async fn run<T>(
        &self,
        operation: Operation,
        key: Option<&Key>,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let span = tracing::debug_span!(
            "storage",
            operation = operation.as_str(),
            backend = self.name(),
            key = key.map(Key::as_str)
        );
        call.instrument(span).await.map_err(|error| self.context(error, operation, key))
    }

    fn context(&self, error: Error, operation: Operation, key: Option<&Key>) -> Error {
        error.in_context(operation, self.name(), key.map(Key::as_str))
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").field("root", &self.root).field("prefix", &self.prefix).finish()
    }
}
