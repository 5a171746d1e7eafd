//! A harness for a root that is in use: a directory, a bucket, whatever a host can open.

mod clear;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use storage_core::{Error, ErrorKind, Location, Result, Storage};

use crate::harness::{Fixture, Harness};
use crate::process::WorkerCommand;
use crate::report::CleanUp;
use clear::{AT_ONCE, Cleared, empty, is_empty, remove_directory};

/// How often everything is removed, since threads of a run that was given up may still have written something.
const ROUNDS: usize = 4;

/// How long a place has to answer one question before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(60);

type Open = Box<dyn Fn(&str) -> BoxFuture<'static, Result<Storage>> + Send + Sync>;
type OpenMissing = Box<dyn Fn() -> BoxFuture<'static, Result<Storage>> + Send + Sync>;

/// Holds a live root to the contract. It works below a scratch prefix of its own, `conformance-` and 16 random hexadecimal
/// digits, reads and writes nothing else, and removes what it made when a rule has ended and in [`clean_up`](Self::clean_up).
/// What cannot be removed is told by the latter alone, and is no failure of a rule.
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
    ended: Arc<Ended>,
    /// The first root, kept open: what is found out about a service is known as long as somebody uses it.
    first: OnceLock<Storage>,
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
            ended: Arc::default(),
            first: OnceLock::new(),
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

    /// Removes everything that the suite has made, also when a run was given up, and says how that ended. Where something
    /// cannot be removed, all else is. Threads of a run that was given up are waited for, for a minute at most, so that
    /// nothing comes after the end.
    pub async fn clean_up(&self) -> CleanUp {
        if self.is_clean() {
            return CleanUp::Done;
        }
        let mut cleared = Cleared::default();
        for _ in 0..ROUNDS {
            let still = self.uses_roots();
            let empty;
            (cleared, empty) = self.clear().await;
            if !still && (empty || cleared.error().is_some()) {
                break;
            }
            self.rest().await;
        }
        self.end(&cleared)
    }

    /// What a last round has come to.
    fn end(&self, cleared: &Cleared) -> CleanUp {
        let scratch = &self.scratch;
        if let Some(error) = cleared.error() {
            return CleanUp::Failed { reason: format!("{scratch} could not be removed whole: {error}") };
        }
        if self.uses_roots() {
            return CleanUp::Failed { reason: format!("a rule that was given up still works in {scratch}") };
        }
        self.made.store(0, Ordering::Relaxed);
        self.ended.count.store(0, Ordering::Release);
        if cleared.is_unseen() {
            let reason = format!("old versions of {scratch} may be left: this user may not know whether any are kept");
            return CleanUp::Unseen { reason };
        }
        CleanUp::Done
    }

    /// Whether there is nothing to clean up.
    pub fn is_clean(&self) -> bool {
        self.made.load(Ordering::Relaxed) == 0
    }

    fn name(&self, number: usize) -> String {
        format!("{}/{number}", self.scratch)
    }

    /// Whether a rule still uses a root, as a thread may that cannot be stopped.
    fn uses_roots(&self) -> bool {
        self.ended.count.load(Ordering::Acquire) < self.made.load(Ordering::Relaxed)
    }

    /// Waits until no rule uses a root.
    async fn rest(&self) {
        let start = Instant::now();
        while self.uses_roots() && start.elapsed() < PATIENCE / ROUNDS as u32 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Removes all that there is, and says whether nothing is to be seen any more.
    async fn clear(&self) -> (Cleared, bool) {
        self.ended.take();
        let roots = (0..self.made.load(Ordering::Relaxed)).map(|number| self.remove(self.name(number)));
        let mut cleared = Cleared::default();
        let removed = stream::iter(roots).buffer_unordered(AT_ONCE);
        removed.collect::<Vec<_>>().await.into_iter().for_each(|root| cleared.and(root));
        let scratch = match (self.open)(&self.scratch).await {
            Ok(scratch) => scratch,
            Err(error) => {
                cleared.tried(Err(error));
                return (cleared, false);
            }
        };
        cleared.and(empty(&scratch).await);
        let seen = is_empty(&scratch).await;
        let nothing = matches!(seen, Ok(true));
        cleared.tried(seen.map(drop));
        cleared.tried(remove_directory(directory(&scratch).as_deref()));
        (cleared, nothing)
    }

    /// Removes one of the suite's roots with everything in it.
    async fn remove(&self, name: String) -> Cleared {
        let root = match (self.open)(&name).await {
            Ok(root) => root,
            Err(error) => return Cleared::failed(error),
        };
        let mut cleared = empty(&root).await;
        cleared.tried(remove_directory(directory(&root).as_deref()));
        cleared
    }
}

#[async_trait]
impl Harness for LiveHarness {
    async fn fresh(&self) -> Fixture {
        let name = self.name(self.made.fetch_add(1, Ordering::Relaxed));
        let used = Used { name: name.clone(), ended: Arc::clone(&self.ended) };
        let storage =
            (self.open)(&name).await.unwrap_or_else(|error| panic!("the root {name} cannot be made: {error}"));
        self.first.get_or_init(|| storage.clone());
        let mut fixture = Fixture::new(storage, &name).guard(used);
        fixture.directory = directory(&fixture.storage);
        fixture
    }

    async fn missing(&self) -> Option<Storage> {
        let opened = (self.missing.as_ref()?)().await;
        Some(opened.unwrap_or_else(|error| panic!("a missing root is opened as any other: {error}")))
    }

    async fn attach(&self, address: &str) -> Storage {
        (self.open)(address).await.unwrap_or_else(|error| panic!("the root {address} opens again: {error}"))
    }

    /// What cannot be removed now is tried again at the end, and told there.
    async fn finished(&self) {
        let removed = stream::iter(self.ended.take()).for_each(|name| async { drop(self.remove(name).await) });
        let _ = tokio::time::timeout(PATIENCE, removed).await;
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

/// The roots that rules have done with.
#[derive(Default)]
struct Ended {
    /// All of them, ever.
    count: AtomicUsize,
    /// Those that are to be removed.
    names: Mutex<Vec<String>>,
}

impl Ended {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A root that a rule uses; when the rule has ended, it is to be removed.
struct Used {
    name: String,
    ended: Arc<Ended>,
}

impl Drop for Used {
    fn drop(&mut self) {
        self.ended.names.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.name));
        self.ended.count.fetch_add(1, Ordering::Release);
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

#[cfg(test)]
mod tests;
