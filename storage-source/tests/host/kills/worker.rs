//! The process that is killed: it opens the working copy, changes the database, commits, and begins again.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use storage_core::{ErrorKind, Result, Storage};
use storage_local::{Local, LocalOptions};
use storage_s3::{Credentials, S3, S3Options, Service};
use storage_source::{Commit, WorkingCopy, WorkingCopyOptions};

use super::KEY;
use super::database::{Database, Kind};
use crate::support::Root;

/// Where a process finds what it is to do.
pub(super) const JOB: &str = "STORAGE_SOURCE_TEST_COMMITTER";

/// What a process is to do.
#[derive(Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) place: Place,
    pub(super) copy: PathBuf,
    pub(super) kind: Kind,
    pub(super) ballast: usize,
    pub(super) lease_ms: Option<u64>,
    /// What its labels begin with.
    pub(super) name: String,
}

/// A root as another process opens it.
#[derive(Serialize, Deserialize)]
pub(super) enum Place {
    Local(PathBuf),
    S3 { endpoint: String, access_key: String, secret_key: String },
}

impl Place {
    pub(super) fn of(root: &Root) -> Self {
        match &root.server {
            Some(server) => Self::S3 {
                endpoint: server.endpoint(),
                access_key: server.access_key().to_owned(),
                secret_key: server.secret_key().to_owned(),
            },
            None => Self::Local(root.directory().to_owned()),
        }
    }

    fn open(&self) -> Storage {
        match self {
            Self::Local(root) => Storage::new(Local::open(root, LocalOptions::new()).unwrap()),
            Self::S3 { endpoint, access_key, secret_key } => {
                let mut options = S3Options::new("bucket");
                options.endpoint = Some(endpoint.clone());
                options.region = Some("us-east-1".to_owned());
                options.credentials = Credentials::keys(access_key, secret_key);
                options.service = Some(Service::Aws);
                Storage::new(S3::new(options).unwrap())
            }
        }
    }
}

/// How long a process waits for another's lease or lock, which end by themselves.
pub(super) const RETRIES: Retries = Retries { most: Duration::from_secs(30) };

pub(super) struct Retries {
    most: Duration,
}

impl Retries {
    /// Tries until nobody else has it.
    pub(super) async fn until_free<T>(&self, mut attempt: impl AsyncFnMut() -> Result<T>) -> T {
        let start = Instant::now();
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(error) if error.kind() == ErrorKind::Conflict && start.elapsed() < self.most => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Not a test: what the processes run, until they are killed.
#[tokio::test]
async fn committer() {
    let Ok(job) = std::env::var(JOB) else { return };
    let job: Job = serde_json::from_str(&job).unwrap();
    let root = job.place.open();
    let mut database = Database::start(job.kind);
    for number in 0.. {
        let label = format!("{}-{number}", job.name);
        let options = match job.lease_ms {
            Some(lease) => WorkingCopyOptions::new().lease(job.name.as_str(), Duration::from_millis(lease)),
            None => WorkingCopyOptions::new(),
        };
        let mut copy =
            RETRIES.until_free(async || WorkingCopy::open(&root, KEY, &job.copy, options.clone()).await).await;
        say("opened", &label);
        commit(&mut copy, &mut database, &label, job.ballast).await;
        copy.close().await.unwrap();
    }
}

/// Adds the label and commits, over whatever others have committed; or leaves it, with the lease gone.
async fn commit(copy: &mut WorkingCopy, database: &mut Database, label: &str, ballast: usize) {
    loop {
        database.add(copy.path(), label, ballast);
        match copy.commit().await.unwrap() {
            Commit::Committed(_) => return say("committed", label),
            Commit::Conflict { .. } => {
                say("conflict", label);
                copy.discard().await.unwrap();
            }
            Commit::LeaseLost => return say("lease lost", label),
            other => panic!("{other:?}"),
        }
    }
}

fn say(what: &str, label: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{what} {label}").unwrap();
    out.flush().unwrap();
}
