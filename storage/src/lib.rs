//! Storage for host apps: one contract, whether the data lies in a directory, in memory or in a bucket.
//!
//! A host names its roots in settings, opens them once, and hands the handles to whatever reads and writes. It never
//! learns which driver is behind one:
//!
//! ```
//! use storage::{Registry, Result, Roots, Settings, Storage};
//!
//! async fn remember(notes: &Storage, name: &str, text: &str) -> Result<()> {
//!     notes.put(name, text.to_owned()).await.map(drop)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! let settings = Settings::builder().environment().set("STORAGE_BACKEND", "memory").build()?;
//! let roots = Roots::open(&storage::registry(), &settings).await?;
//! let tenant = roots.data.sub("tenant-42/notes")?;
//! remember(&tenant, "today.txt", "buy milk").await?;
//! assert_eq!(roots.data.text("tenant-42/notes/today.txt").await?, "buy milk");
//! # Ok(()) }
//! ```
//!
//! Without the line that sets the backend, the roots are directories: `.storage/data`, `.storage/system` and
//! `.storage/cache` under the current one, or wherever [`settings`] say: `STORAGE_BACKEND=s3` with `STORAGE_BUCKET_NAME`
//! puts them into a bucket, and `DATA_ROOT_DIRECTORY=s3://bucket/prefix` one of them.
//!
//! Everything of [`storage_core`] is here too, and its [front page](storage_core) is the tour: what the handle does, what
//! every backend promises, the kinds of errors, how to write a driver.
//!
//! # Features
//! `local` (directories), `memory` and `s3` (buckets of AWS and of every service that speaks its protocol), all on.

pub use storage_core::*;

#[cfg(feature = "local")]
pub use storage_local as local;
#[cfg(feature = "local")]
pub use storage_local::{Durability, Local, LocalDriver, LocalOptions};
#[cfg(feature = "memory")]
pub use storage_memory::{Memory, MemoryDriver, Stores};
#[cfg(feature = "s3")]
pub use storage_s3 as s3;
#[cfg(feature = "s3")]
pub use storage_s3::{S3, S3Driver, S3Options};

mod roots;

pub use roots::Roots;

/// A registry with the drivers of this build, directories first. Each has its own named memory stores, and its own
/// connections to buckets.
pub fn registry() -> Registry {
    let registry = Registry::new();
    #[cfg(feature = "local")]
    let registry = added(registry, LocalDriver::new());
    #[cfg(feature = "memory")]
    let registry = added(registry, MemoryDriver::new());
    #[cfg(feature = "s3")]
    let registry = added(registry, S3Driver::new());
    registry
}

/// Our drivers share neither name nor scheme, so adding one cannot fail.
#[cfg(any(feature = "local", feature = "memory", feature = "s3"))]
fn added(registry: Registry, driver: impl Driver) -> Registry {
    registry.clone().with(driver).unwrap_or(registry)
}

/// The README's host app compiles as it is written.
#[cfg(all(doctest, feature = "local", feature = "memory"))]
#[doc = include_str!("../../README.md")]
struct Readme;
