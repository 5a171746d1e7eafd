//! Roots of the local driver in temporary directories.

use std::path::PathBuf;
use std::sync::Arc;

use conformance_tests::{Cramped, Fixture, Harness, Shortage, async_trait};
use storage_core::Storage;
use storage_local::{Durability, Local, LocalOptions};
use tempfile::TempDir;

#[path = "cramping.rs"]
mod cramping;

use cramping::Cramping;

/// Directories opened with one set of options.
pub(crate) struct LocalHarness {
    options: LocalOptions,
    /// Where the directories are made.
    parent: PathBuf,
}

/// A file system in memory, on which listings meet other anomalies than on a disk; and the room that it must have.
const MEMORY: &str = "/dev/shm";
const ROOM: u64 = 1 << 30;

impl LocalHarness {
    /// Roots that are opened with this durability, through Linux's own calls or the portable ones.
    pub(crate) fn new(durability: Durability, portable: bool) -> Self {
        let options = LocalOptions::new().durability(durability).portable(portable);
        Self { options, parent: std::env::temp_dir() }
    }

    /// The same in memory, where the machine has a file system there with enough room and extended
    /// attributes.
    pub(crate) fn in_memory(mut self) -> Self {
        let room = rustix::fs::statvfs(MEMORY).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
        let keeps_attributes =
            |path| rustix::fs::getxattr(path, "user.none", &mut [0; 1][..]) != Err(rustix::io::Errno::OPNOTSUPP);
        if room >= ROOM && keeps_attributes(MEMORY) {
            self.parent = PathBuf::from(MEMORY);
        }
        self
    }

    fn open(&self, path: impl Into<PathBuf>) -> Storage {
        Storage::new(Local::open(path.into(), self.options.clone()).unwrap())
    }
}

#[async_trait]
impl Harness for LocalHarness {
    async fn fresh(&self) -> Fixture {
        let directory = TempDir::new_in(&self.parent).unwrap();
        let path = directory.path().to_owned();
        Fixture::new(self.open(&path), path.to_str().unwrap()).directory(path).guard(directory)
    }

    async fn missing(&self) -> Option<Storage> {
        let gone = TempDir::new().unwrap();
        Some(self.open(gone.path()))
    }

    async fn attach(&self, address: &str) -> Storage {
        self.open(address)
    }
    async fn cramped(&self, shortage: Shortage) -> Result<Cramped, String> {
        let cramping = Arc::new(Cramping::new(shortage, &std::env::temp_dir())?);
        let path = cramping.root();
        let root = Fixture::new(self.open(&path), path.to_str().unwrap()).directory(path).guard(Arc::clone(&cramping));
        Ok(Cramped::new(root, move |short| cramping.set(short)))
    }
}
