//! What the suite needs to know of a driver: how to make an empty root, and how to point at one that is missing.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use storage_core::Storage;

/// Makes roots for the suite. A driver's tests implement it and call [`conformance!`](crate::conformance).
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// A fresh, empty root, of which no other rule knows.
    async fn fresh(&self) -> Fixture;

    /// A handle on a root that does not exist and that the handle does not create.
    async fn missing(&self) -> Storage;

    /// Opens, as a further handle and maybe in another process, the root that [`Fixture::address`] names.
    async fn attach(&self, address: &str) -> Storage;
}

/// A root for one rule.
pub struct Fixture {
    /// The handle under test.
    pub storage: Storage,
    /// The root's name for [`Harness::attach`].
    pub address: String,
    /// The directory behind the root, where there is one.
    pub directory: Option<PathBuf>,
    /// Kept until the rule has ended; removes what the root left behind.
    pub guard: Arc<dyn Any + Send + Sync>,
}
