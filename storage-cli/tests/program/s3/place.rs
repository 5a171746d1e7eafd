//! A directory to run the program in, whose roots lie on an S3 server.

use std::ops::Deref;
use std::process::Command;
use std::time::{Duration, Instant};

use s3_test_server::{S3Server, ServerOptions};
use tokio::runtime::Runtime;

use crate::bench::{Bench, Run};

/// The bucket of the roots.
pub(crate) const BUCKET: &str = "my-bucket";

/// A bench with a server, which has one bucket and lives as long.
pub(crate) struct Place {
    bench: Bench,
    pub(crate) server: S3Server,
    runtime: Runtime,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(ServerOptions::new())
    }

    pub(crate) fn with(options: ServerOptions) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(S3Server::start(options)).unwrap();
        server.create_bucket(BUCKET);
        Self { bench: Bench::with_files(), server, runtime }
    }

    /// The command with the settings that lead to the server.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bench.command(args);
        command.envs([
            ("STORAGE_BACKEND", "s3"),
            ("STORAGE_BUCKET_NAME", BUCKET),
            ("AWS_ENDPOINT_URL", &self.server.endpoint()),
            ("AWS_ACCESS_KEY_ID", self.server.access_key()),
            ("AWS_SECRET_ACCESS_KEY", self.server.secret_key()),
        ]);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.run_with(&[], args)
    }

    /// Runs the program with these settings beside those that lead to the server; an empty value takes one away.
    pub(crate) fn run_with(&self, environment: &[(&str, &str)], args: &[&str]) -> Run {
        let mut command = self.command(args);
        for (name, value) in environment {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        Run::of(command.output().unwrap())
    }

    /// Takes the server away; what is in the directory stays as long as what this returns.
    pub(crate) fn stop(self) -> Bench {
        self.runtime.block_on(self.server.stop());
        self.bench
    }

    /// All versions in the bucket: keys with their ids.
    pub(crate) fn versions(&self) -> Vec<(String, String)> {
        let mut options = storage::S3Options::new(BUCKET);
        options.endpoint = Some(self.server.endpoint());
        options.credentials = storage::s3::Credentials::keys(self.server.access_key(), self.server.secret_key());
        let bucket = storage::Storage::new(storage::S3::new(options).unwrap());
        self.runtime.block_on(async {
            let (mut pages, mut found) = (bucket.versions(storage::ListOptions::new()).await.unwrap(), Vec::new());
            while let Some(page) = pages.next_page().await.unwrap() {
                found.extend(page.versions.into_iter().map(|version| (version.key.to_string(), version.id)));
            }
            found
        })
    }

    /// How many requests the server has had of one operation.
    pub(crate) fn count(&self, operation: &str) -> u64 {
        self.server.counts().of(operation)
    }
}

impl Deref for Place {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: waited for in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}
