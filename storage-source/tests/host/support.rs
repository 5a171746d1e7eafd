//! A root of every kind.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;

use s3_test_server::{Conditions, S3Server, ServerOptions};
use storage_core::Storage;
use storage_local::{Local, LocalOptions};
use storage_memory::Memory;
use storage_s3::{Credentials, S3, S3Options, Service};
use tempfile::TempDir;

/// A root, and what has to live as long as it.
pub(crate) struct Root {
    pub(crate) name: &'static str,
    pub(crate) storage: Storage,
    pub(crate) server: Option<S3Server>,
    directory: Option<TempDir>,
}

impl Root {
    /// The directory of a local root.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.as_ref().unwrap().path()
    }
}

/// An empty root on each driver.
pub(crate) async fn roots() -> Vec<Root> {
    let memory = Root { name: "memory", storage: Storage::new(Memory::new()), server: None, directory: None };
    vec![memory, local(), s3().await]
}

pub(crate) fn local() -> Root {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::new(Local::open(directory.path(), LocalOptions::new()).unwrap());
    Root { name: "local", storage, server: None, directory: Some(directory) }
}

/// An empty bucket of a server that behaves as AWS does, and is known to.
pub(crate) async fn s3() -> Root {
    s3_with(ServerOptions::new(), |options| options.service = Some(Service::Aws)).await
}

/// An empty bucket of a server that answers 200 to a conditional write and ignores the condition.
pub(crate) async fn s3_without_conditions() -> Root {
    let conditions = Conditions {
        put_create_only: false,
        put_if_match: false,
        complete_create_only: false,
        complete_if_match: false,
        ..Conditions::default()
    };
    s3_with(ServerOptions::new().conditions(conditions), |_| {}).await
}

async fn s3_with(server: ServerOptions, change: impl FnOnce(&mut S3Options)) -> Root {
    let server = S3Server::start(server).await.unwrap();
    server.create_bucket("bucket");
    let mut options = options(&server);
    change(&mut options);
    let storage = Storage::new(S3::new(options).unwrap());
    Root { name: "s3", storage, server: Some(server), directory: None }
}

/// The options of a server's bucket.
pub(crate) fn options(server: &S3Server) -> S3Options {
    let mut options = S3Options::new("bucket");
    options.endpoint = Some(server.endpoint());
    options.region = Some("us-east-1".to_owned());
    options.credentials = Credentials::keys(server.access_key(), server.secret_key());
    options.retries.base = std::time::Duration::from_millis(1);
    options
}
