//! The conformance suite on the driver: direct, through a sub-root, and through the wrappers that hosts use.

#![allow(clippy::unwrap_used, reason = "a harness that cannot make a root is a failed test")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use conformance_tests::{Fixture, Harness, SubRoot, Wrapped, async_trait};
use storage_core::wrappers::{Metrics, Retry, RetryOptions, Timeout, TimeoutOptions};
use storage_core::{Driver as _, Location, OpenOptions, Settings, Storage};
use storage_redb::RedbDriver;
use tempfile::TempDir;

/// Files in temporary directories, opened through one driver as a host has it.
#[derive(Default)]
struct RedbHarness(RedbDriver);

impl RedbHarness {
    async fn open(&self, directory: &Path, create: bool) -> Storage {
        let settings = Settings::builder().set("REDB_DIRECTORY", directory.to_str().unwrap()).build().unwrap();
        let options = OpenOptions::new().create(create).settings(settings);
        // Named after its directory, so that two roots have two addresses.
        let name = directory.file_name().unwrap().to_str().unwrap().trim_start_matches('.');
        let location = Location::parse(&format!("redb://{name}")).unwrap();
        self.0.open(&location, &options).await.unwrap()
    }
}

#[async_trait]
impl Harness for RedbHarness {
    async fn fresh(&self) -> Fixture {
        let directory = TempDir::new().unwrap();
        let storage = self.open(directory.path(), true).await;
        Fixture::new(storage, directory.path().to_str().unwrap()).guard(directory)
    }

    async fn missing(&self) -> Option<Storage> {
        let gone = TempDir::new().unwrap();
        Some(self.open(gone.path(), false).await)
    }

    async fn attach(&self, address: &str) -> Storage {
        self.open(Path::new(address), true).await
    }
}

mod direct {
    use super::*;
    conformance_tests::conformance!(RedbHarness::default());
}

mod sub_root {
    use super::*;
    conformance_tests::conformance!(SubRoot::new(RedbHarness::default()));
}

mod wrapped {
    use super::*;
    conformance_tests::conformance!(Wrapped::new(RedbHarness::default(), stacked));
}

/// What a host stacks around a driver.
fn stacked(storage: Storage) -> Storage {
    let driver = Arc::clone(storage.backend());
    let timed = Timeout::new(driver, TimeoutOptions::new().operation(Duration::from_secs(60)));
    let retried = Retry::new(Arc::new(timed), RetryOptions::new().attempts(3));
    Storage::new(Metrics::new(Arc::new(retried)))
}
