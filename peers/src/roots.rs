//! Roots for the suite on each of the peers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use conformance_tests::{Fixture, Harness, Service, WorkerCommand, async_trait};
use s3_test_server::{S3Server, ServerOptions};
use storage_core::Storage;
use tempfile::TempDir;

use crate::opened::{self, ACCESS_KEY, Bucket, Library, SECRET_KEY};
use crate::service::S3Service;

/// Where a peer keeps objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    Directory,
    /// With `atomic_write_dir`, an option that only opendal has.
    AtomicDirectory,
    Memory,
    S3,
}

/// A library on a medium.
#[derive(Debug)]
pub struct Peer {
    pub library: Library,
    pub medium: Medium,
    /// The stores in memory that were made, for further handles on them.
    stores: Mutex<HashMap<String, Storage>>,
}

/// All of them, in the order of the table.
pub fn all() -> Vec<Arc<Peer>> {
    let peers = [
        (Library::OpenDal, Medium::Directory),
        (Library::OpenDal, Medium::AtomicDirectory),
        (Library::ObjectStore, Medium::Directory),
        (Library::OpenDal, Medium::Memory),
        (Library::ObjectStore, Medium::Memory),
        (Library::OpenDal, Medium::S3),
        (Library::ObjectStore, Medium::S3),
    ];
    peers.map(|(library, medium)| Arc::new(Peer { library, medium, stores: Mutex::default() })).into()
}

impl Peer {
    pub fn name(&self) -> &'static str {
        match (self.library, self.medium) {
            (Library::OpenDal, Medium::Directory) => "opendal fs",
            (Library::OpenDal, Medium::AtomicDirectory) => "opendal fs atomic",
            (Library::OpenDal, Medium::Memory) => "opendal memory",
            (Library::OpenDal, Medium::S3) => "opendal s3",
            (Library::ObjectStore, Medium::Directory | Medium::AtomicDirectory) => "object_store local",
            (Library::ObjectStore, Medium::Memory) => "object_store memory",
            (Library::ObjectStore, Medium::S3) => "object_store s3",
        }
    }

    fn open(&self, path: &Path) -> Storage {
        match self.medium {
            Medium::AtomicDirectory => opened::atomic_directory(path, &path.with_file_name("atomic")),
            _ => opened::directory(self.library, path),
        }
    }
}

#[async_trait]
impl Harness for Peer {
    async fn fresh(&self) -> Fixture {
        match self.medium {
            Medium::Directory | Medium::AtomicDirectory => {
                let directory = TempDir::new().expect("a temporary directory");
                let path = directory.path().join("root");
                std::fs::create_dir(&path).expect("a directory");
                let address = path.to_str().expect("a path of text").to_owned();
                Fixture::new(self.open(&path), address).directory(path).guard(directory)
            }
            Medium::Memory => {
                let (storage, name) = (opened::memory(self.library), number());
                let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
                stores.insert(name.clone(), storage.clone());
                Fixture::new(storage, name)
            }
            Medium::S3 => {
                let (server, name) = (server(), format!("suite-{}", number()));
                server.create_bucket(&name);
                let bucket = Bucket::new(server.endpoint(), name.clone());
                Fixture::new(opened::bucket(self.library, &bucket), bucket.address()).guard(Gone(name))
            }
        }
    }

    async fn missing(&self) -> Option<Storage> {
        Some(match self.medium {
            Medium::Directory | Medium::AtomicDirectory => {
                let gone = TempDir::new().expect("a temporary directory");
                std::fs::create_dir(gone.path().join("root")).expect("a directory");
                self.open(&gone.path().join("root"))
            }
            // A peer's store in memory cannot be missing. Ours stands in, so that the rest of such a rule counts.
            Medium::Memory => Storage::new(storage_memory::Stores::new().open("missing", false)),
            Medium::S3 => {
                let bucket = Bucket::new(server().endpoint(), "suite-no-such-bucket".to_owned());
                opened::bucket(self.library, &bucket)
            }
        })
    }

    async fn attach(&self, address: &str) -> Storage {
        match self.medium {
            Medium::Directory | Medium::AtomicDirectory => self.open(Path::new(address)),
            Medium::Memory => self.stores.lock().unwrap_or_else(PoisonError::into_inner)[address].clone(),
            Medium::S3 => opened::bucket(self.library, &address.parse().expect("a bucket")),
        }
    }

    async fn service(&self) -> Option<Arc<dyn Service>> {
        match self.medium {
            Medium::S3 => Some(Arc::new(S3Service::start(self.library).await)),
            _ => None,
        }
    }

    fn worker(&self) -> Option<WorkerCommand> {
        let program = std::env::current_exe().expect("a program has a path");
        Some(WorkerCommand { program, arguments: vec!["--peer".into(), self.name().into()] })
    }
}

/// A number that no other root of this process has.
pub fn number() -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    MADE.fetch_add(1, Ordering::Relaxed).to_string()
}

/// The server of all buckets but those that are made to fail.
fn server() -> &'static S3Server {
    static SERVER: OnceLock<S3Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let (send, receive) = std::sync::mpsc::channel();
        // A thread of its own: it outlives every rule's runtime.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let options = ServerOptions::new().credentials(ACCESS_KEY, SECRET_KEY);
                send.send(S3Server::start(options).await.expect("a free port")).expect("somebody waits");
                std::future::pending::<()>().await;
            });
        });
        receive.recv().expect("the server starts")
    })
}

/// A bucket that is deleted with everything in it when this is dropped.
struct Gone(String);

impl Drop for Gone {
    fn drop(&mut self) {
        server().delete_bucket(&self.0);
    }
}
