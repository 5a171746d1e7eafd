//! What the suite needs to know of a driver: how to make an empty root, and how to point at one that is missing.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use storage_core::Storage;

use crate::process::WorkerCommand;
use crate::service::Service;
use crate::shortage::{Cramped, Shortage};

/// Makes roots for the suite. A driver's tests implement it and call [`conformance!`](crate::conformance).
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// A fresh, empty root, of which no other rule knows.
    async fn fresh(&self) -> Fixture;

    /// A handle on a root that does not exist and that the handle does not create; rules leave out what they say of such
    /// where there is none.
    async fn missing(&self) -> Option<Storage>;

    /// Opens, as a further handle and maybe in another process, the root that [`Fixture::address`] names.
    async fn attach(&self, address: &str) -> Storage;

    /// Called once when a rule has held; for harnesses around others, which check here that nothing beside their roots
    /// was touched.
    async fn finished(&self) {}

    /// A service of its own that fails when it is told to; rules on services have nothing to ask where there is none.
    async fn service(&self) -> Option<Arc<dyn Service>> {
        None
    }

    /// A fresh, empty root that keeps versions, where the driver's medium can be told to.
    async fn versioned(&self) -> Option<Fixture> {
        None
    }

    /// A fresh, empty root whose medium can be made short of something; else why there is none.
    async fn cramped(&self, _shortage: Shortage) -> Result<Cramped, String> {
        Err("the harness has no medium that runs out when it is told to".to_owned())
    }

    /// Asked after a rule has failed: whether the place answers at all, else what is wrong. Nothing can be said of the
    /// rules that are left on one that has gone.
    async fn answers(&self) -> Result<(), String> {
        Ok(())
    }

    /// The size in bytes of what the driver sends at a time of a streaming write, where one that is longer than this goes to
    /// its service in several requests. Rules on streaming writes then also make one that is longer.
    fn part_size(&self) -> Option<u64> {
        None
    }

    /// How a process is started that opens roots of this harness, as [`conformance!`](crate::conformance) sets it; rules
    /// on several processes have nothing to ask where there is none.
    fn worker(&self) -> Option<WorkerCommand> {
        None
    }

    /// Where the suite works, for the report; where there is none, it is the address of a root.
    fn location(&self) -> Option<String> {
        None
    }
}

/// A root for one rule.
pub struct Fixture {
    /// The handle under test.
    pub storage: Storage,
    /// The root's name for [`Harness::attach`].
    pub address: String,
    /// The directory that holds the root's objects, where there is one; it exists.
    pub directory: Option<PathBuf>,
    /// Whether the root is a part of a greater one, so that it is not gone with its directory.
    pub sub_root: bool,
    /// Kept until the rule has ended; removes what the root left behind.
    pub guard: Arc<dyn Any + Send + Sync>,
}

impl Fixture {
    /// A root that is no directory and leaves nothing behind.
    pub fn new(storage: Storage, address: impl Into<String>) -> Self {
        Self { storage, address: address.into(), directory: None, sub_root: false, guard: Arc::new(()) }
    }

    /// Names the directory behind the root.
    #[must_use]
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// Keeps a value as long as the root is needed.
    #[must_use]
    pub fn guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Arc::new(guard);
        self
    }
}
