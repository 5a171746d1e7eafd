//! A harness for a root that is in use: a directory, a bucket, whatever a host can open.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use storage_core::{
    DeleteOptions, Error, ErrorKind, ListOptions, Location, ObjectVersion, Result, Storage, Support, SweepOptions,
};

use crate::context::leave_out;
use crate::harness::{Fixture, Harness};
use crate::process::WorkerCommand;

/// How many versions are deleted at once.
const AT_ONCE: usize = 8;

/// How long a place has to answer one question before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(60);

type Open = Box<dyn Fn(&str) -> BoxFuture<'static, Result<Storage>> + Send + Sync>;
type OpenMissing = Box<dyn Fn() -> BoxFuture<'static, Result<Storage>> + Send + Sync>;

/// Holds a live root to the contract. It works below a scratch prefix of its own, `conformance-` and 16 random hexadecimal
/// digits, reads and writes nothing else, and removes what it made when a rule has ended and in [`clean_up`](Self::clean_up).
///
/// The closure opens the root that lies at a name below the live root, and makes it where it has to be made. Each is a root
/// like any other, so that a sweep of it finds what was left behind in it and nothing beside it: of a driver that has no
/// roots below a root, take [`Storage::sub`] where sweeping the whole root does no harm.
pub struct LiveHarness {
    open: Open,
    missing: Option<OpenMissing>,
    worker: Option<WorkerCommand>,
    location: Option<String>,
    scratch: String,
    made: AtomicUsize,
    leftover: Arc<Mutex<Vec<String>>>,
}

impl LiveHarness {
    /// Works below the root that `open` opens; its argument is the name of the root to open below it.
    pub fn new(open: impl Fn(&str) -> BoxFuture<'static, Result<Storage>> + Send + Sync + 'static) -> Self {
        let random = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0);
        Self {
            open: Box::new(open),
            missing: None,
            worker: None,
            location: None,
            scratch: format!("conformance-{random:016x}"),
            made: AtomicUsize::new(0),
            leftover: Arc::default(),
        }
    }

    /// Opens a root that does not exist, without making it. Rules on missing roots have nothing to ask otherwise.
    #[must_use]
    pub fn missing(mut self, open: impl Fn() -> BoxFuture<'static, Result<Storage>> + Send + Sync + 'static) -> Self {
        self.missing = Some(Box::new(open));
        self
    }

    /// How a process is started that calls [`serve_if_asked`](crate::serve_if_asked) with such a harness. Rules on several
    /// processes have nothing to ask otherwise.
    #[must_use]
    pub fn worker(mut self, command: WorkerCommand) -> Self {
        self.worker = Some(command);
        self
    }

    /// Where the live root lies, as the report says it.
    #[must_use]
    pub fn at(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// The name of everything that the suite makes.
    pub fn scratch(&self) -> &str {
        &self.scratch
    }

    /// Removes everything that the suite has made, also when a run was given up. To be awaited when no run is under way.
    pub async fn clean_up(&self) -> Result<()> {
        let made = self.made.load(Ordering::Relaxed);
        self.take_leftover();
        for number in 0..made {
            self.remove(&self.name(number)).await?;
        }
        if made > 0 {
            let scratch = (self.open)(&self.scratch).await?;
            empty(&scratch).await?;
            remove_directory(directory(&scratch).as_deref())?;
            self.made.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether there is nothing to clean up.
    pub fn is_clean(&self) -> bool {
        self.made.load(Ordering::Relaxed) == 0
    }

    fn name(&self, number: usize) -> String {
        format!("{}/{number}", self.scratch)
    }

    fn take_leftover(&self) -> Vec<String> {
        std::mem::take(&mut *self.leftover.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes one of the suite's roots with everything in it.
    async fn remove(&self, name: &str) -> Result<()> {
        let root = (self.open)(name).await?;
        empty(&root).await?;
        remove_directory(directory(&root).as_deref())
    }
}

#[async_trait]
impl Harness for LiveHarness {
    async fn fresh(&self) -> Fixture {
        let name = self.name(self.made.fetch_add(1, Ordering::Relaxed));
        let storage =
            (self.open)(&name).await.unwrap_or_else(|error| panic!("the root {name} cannot be made: {error}"));
        let mut fixture = Fixture::new(storage, &name).guard(Used { name, leftover: Arc::clone(&self.leftover) });
        fixture.directory = directory(&fixture.storage);
        fixture
    }

    async fn missing(&self) -> Storage {
        match &self.missing {
            Some(open) => open().await.unwrap_or_else(|error| panic!("a missing root is opened as any other: {error}")),
            None => leave_out("there is no root that does not exist"),
        }
    }

    async fn attach(&self, address: &str) -> Storage {
        (self.open)(address).await.unwrap_or_else(|error| panic!("the root {address} opens again: {error}"))
    }

    async fn finished(&self) {
        for name in self.take_leftover() {
            self.remove(&name).await.unwrap_or_else(|error| panic!("what the suite made is removed: {error}"));
        }
    }

    async fn answers(&self) -> Result<(), String> {
        let asked = async { (self.open)(&self.scratch).await?.exists("answers").await };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Err(error)) if is_gone(&error) => Err(error.to_string()),
            Ok(_) => Ok(()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    fn worker(&self) -> Option<WorkerCommand> {
        self.worker.clone()
    }

    fn location(&self) -> Option<String> {
        self.location.clone()
    }
}

/// A root that a rule uses; when the rule has ended, it is to be removed.
struct Used {
    name: String,
    leftover: Arc<Mutex<Vec<String>>>,
}

impl Drop for Used {
    fn drop(&mut self) {
        self.leftover.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.name));
    }
}

/// Whether an error says that there is nobody to ask.
fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

/// The directory that a root is.
fn directory(root: &Storage) -> Option<PathBuf> {
    match root.location() {
        Some(Location::File(path)) => Some(path),
        _ => None,
    }
}

/// Removes all objects and versions of a root, and what interrupted writes left in it.
async fn empty(root: &Storage) -> Result<()> {
    let emptied = async {
        root.delete_all().await?;
        match root.sweep(SweepOptions::default()).await {
            Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        match root.capabilities().versions {
            Support::No => Ok(()),
            Support::Yes => remove_versions(root).await,
            // Where it is not known whether there are any, there are none where they cannot be listed.
            Support::Unprobed => {
                remove_versions(root).await.unwrap_or_default();
                Ok(())
            }
        }
    };
    match emptied.await {
        Err(error) if error.kind() == ErrorKind::BackendNotFound => Ok(()),
        emptied => emptied,
    }
}

async fn remove_versions(root: &Storage) -> Result<()> {
    let mut pages = root.versions(ListOptions::new()).await?;
    while let Some(page) = pages.next_page().await? {
        let delete = |version: ObjectVersion| async move {
            let mut options = DeleteOptions::new();
            options.version = Some(version.id);
            root.delete_with(&version.key, options).await
        };
        stream::iter(page.versions).map(delete).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    }
    Ok(())
}

/// Removes a directory that the suite has made, with what no key expresses; links in it are removed and not followed.
fn remove_directory(directory: Option<&Path>) -> Result<()> {
    match directory.map(std::fs::remove_dir_all) {
        Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::from(error)),
        _ => Ok(()),
    }
}
