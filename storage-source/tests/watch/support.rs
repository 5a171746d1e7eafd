//! Roots of every kind, and a host that follows a watch.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::TryStreamExt as _;
use s3_test_server::{S3Server, ServerOptions};
use storage_core::{Result, Storage};
use storage_local::{Durability, Local, LocalOptions};
use storage_memory::Memory;
use storage_s3::{Credentials, S3, S3Options};
use storage_source::{Filter, ScanReport, Walk, Watch, WatchChange, WatchEvent, Watched, Watching};
use tempfile::TempDir;

pub(crate) const BUCKET: &str = "bucket";

/// Longer than any wait of a test that succeeds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A root, and what has to live as long as it.
pub(crate) struct Root {
    pub(crate) name: &'static str,
    pub(crate) storage: Storage,
    pub(crate) server: Option<S3Server>,
    _directory: Option<TempDir>,
}

/// An empty root on each driver.
pub(crate) async fn roots() -> Vec<Root> {
    vec![memory(), local(), s3().await]
}

pub(crate) fn memory() -> Root {
    Root { name: "memory", storage: Storage::new(Memory::new()), server: None, _directory: None }
}

pub(crate) fn local() -> Root {
    let directory = tempfile::tempdir().unwrap();
    let options = LocalOptions::new().durability(Durability::Fast);
    let storage = Storage::new(Local::open(directory.path(), options).unwrap());
    Root { name: "local", storage, server: None, _directory: Some(directory) }
}

pub(crate) async fn s3() -> Root {
    let server = S3Server::start(ServerOptions::new()).await.unwrap();
    server.create_bucket(BUCKET);
    let storage = bucket(server.endpoint());
    Root { name: "s3", storage, server: Some(server), _directory: None }
}

/// The bucket of a test server.
pub(crate) fn bucket(endpoint: String) -> Storage {
    let mut options = S3Options::new(BUCKET);
    options.endpoint = Some(endpoint);
    options.region = Some("us-east-1".to_owned());
    options.credentials = Credentials::keys("test-access-key", "test-secret-key");
    Storage::new(S3::new(options).unwrap())
}

impl Root {
    pub(crate) async fn put(&self, keys: &[&str]) {
        for key in keys {
            self.storage.put(*key, key.as_bytes().to_vec()).await.unwrap();
        }
    }

    pub(crate) fn server(&self) -> &S3Server {
        self.server.as_ref().unwrap()
    }

    /// A watch that does not make a test wait.
    pub(crate) fn watch(&self) -> Watch {
        quick(&self.storage)
    }
}

pub(crate) fn quick(storage: &Storage) -> Watch {
    let moment = Duration::from_millis(5);
    Watch::new(storage).interval(moment).pauses(moment, 4 * moment)
}

/// What comes next, in time.
pub(crate) async fn next(watching: &mut Watching) -> Result<Watched> {
    tokio::time::timeout(PATIENCE, watching.next()).await.expect("the watch tells nothing")
}

/// The next event.
pub(crate) async fn event(watching: &mut Watching) -> WatchEvent {
    loop {
        if let Watched::Event(event) = next(watching).await.unwrap() {
            return event;
        }
    }
}

/// The next event in a word, acknowledged.
pub(crate) async fn told(watching: &mut Watching) -> String {
    let event = event(watching).await;
    let text = in_a_word(&event);
    event.ack();
    text
}

/// `+` or `-`, and the path.
pub(crate) fn in_a_word(event: &WatchEvent) -> String {
    let sign = if event.file().is_some() { '+' } else { '-' };
    format!("{sign}{}", event.path)
}

/// The events up to the end of a scan, acknowledged, and what the scan says.
pub(crate) async fn scanned(watching: &mut Watching) -> (Vec<String>, ScanReport) {
    let mut words = Vec::new();
    loop {
        match next(watching).await.unwrap() {
            Watched::Event(event) => {
                words.push(in_a_word(&event));
                event.ack();
            }
            Watched::Scanned(report) => return (words, report),
            other => panic!("{other:?}"),
        }
    }
}

/// What a host makes of the events: each path with its fingerprint.
pub(crate) type View = BTreeMap<String, String>;

/// Does the host's work for an event.
pub(crate) async fn work(view: &mut View, event: &WatchEvent) {
    match &event.change {
        WatchChange::Put(file) => view.insert(event.path.to_string(), file.fingerprint().await.unwrap()),
        WatchChange::Removed => view.remove(event.path.as_str()),
    };
}

/// What a walk finds.
pub(crate) async fn listing(storage: &Storage, prefix: &str, filter: &Filter) -> View {
    let mut items = Walk::new(storage).prefix(prefix).filter(filter.clone()).items().unwrap();
    let mut view = View::new();
    while let Some(item) = items.try_next().await.unwrap() {
        view.insert(item.path.to_string(), item.file.fingerprint().await.unwrap());
    }
    view
}

/// Follows a watch until the host sees what is expected.
pub(crate) async fn follow(watching: &mut Watching, view: &mut View, expected: &View) {
    while view != expected {
        match next(watching).await {
            Ok(Watched::Event(event)) => {
                work(view, &event).await;
                event.ack();
            }
            Ok(_) => {}
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}
