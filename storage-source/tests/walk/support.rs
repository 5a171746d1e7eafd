//! Roots of every kind, and walks of them.

use futures::stream::TryStreamExt as _;
use s3_test_server::{S3Server, ServerOptions};
use storage_core::Storage;
use storage_local::{Durability, Local, LocalOptions};
use storage_memory::Memory;
use storage_s3::{Credentials, S3, S3Options};
use storage_source::{Filter, Walk, WalkItem, WalkReport};
use tempfile::TempDir;

pub(crate) const BUCKET: &str = "bucket";

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

    /// The names that listings were asked for since the last time, `LEVEL` behind those by level; S3 only.
    pub(crate) fn listings(&self) -> Vec<String> {
        let server = self.server.as_ref().unwrap();
        let lists = server.requests().into_iter().filter(|request| request.operation == "ListObjectsV2");
        let asked = lists.map(|request| {
            let parameter = |name: &str| {
                let start = request.target.find(&format!("{name}="))? + name.len() + 1;
                request.target[start..].split('&').next().map(|value| value.replace("%2F", "/"))
            };
            let level = if parameter("delimiter").is_some() { " LEVEL" } else { "" };
            format!("{}{level}", parameter("prefix").unwrap_or_default())
        });
        let mut asked: Vec<String> = asked.collect();
        asked.sort();
        server.reset_counts();
        asked
    }
}

/// A walk to its end.
pub(crate) async fn walked(storage: &Storage, prefix: &str, filter: &Filter) -> (Vec<WalkItem>, WalkReport) {
    let mut items = Walk::new(storage).prefix(prefix).filter(filter.clone()).items().unwrap();
    let mut found = Vec::new();
    while let Some(item) = items.try_next().await.unwrap() {
        found.push(item);
    }
    (found, items.into_report())
}

pub(crate) fn paths(items: &[WalkItem]) -> Vec<&str> {
    items.iter().map(|item| item.path.as_str()).collect()
}
