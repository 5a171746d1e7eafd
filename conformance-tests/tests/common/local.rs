//! Roots of the local driver in temporary directories.

use std::path::PathBuf;

use conformance_tests::{Fixture, Harness, async_trait};
use storage_core::Storage;
use storage_local::{Durability, Local, LocalOptions};
use tempfile::TempDir;

/// Directories opened with one set of options.
pub(crate) struct LocalHarness {
    options: LocalOptions,
    /// Holds what must not exist.
    nowhere: TempDir,
}

impl LocalHarness {
    /// Roots that are opened with this durability, through Linux's own calls or the portable ones.
    pub(crate) fn new(durability: Durability, portable: bool) -> Self {
        let options = LocalOptions::new().durability(durability).portable(portable);
        Self { options, nowhere: TempDir::new().unwrap() }
    }

    fn open(&self, path: impl Into<PathBuf>) -> Storage {
        Storage::new(Local::open(path.into(), self.options.clone()).unwrap())
    }
}

#[async_trait]
impl Harness for LocalHarness {
    async fn fresh(&self) -> Fixture {
        let directory = TempDir::new().unwrap();
        let path = directory.path().to_owned();
        Fixture::new(self.open(&path), path.to_str().unwrap()).directory(path).guard(directory)
    }

    async fn missing(&self) -> Storage {
        self.open(self.nowhere.path().join("missing"))
    }

    async fn attach(&self, address: &str) -> Storage {
        self.open(address)
    }
}
