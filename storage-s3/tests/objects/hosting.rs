//! A server with one bucket, and handles on it.
#![allow(clippy::unwrap_used, dead_code, reason = "a test fails by it; not every test uses all of it")]

use std::time::Duration;

use bytes::Bytes;
use s3_test_server::{Fault, FaultAction, FaultHandle, S3Server, ServerOptions};
use storage_core::{Error, ErrorKind, Result, Storage};
use storage_s3::{ConditionPolicy, Credentials, PayloadSigning, S3, S3Options};

pub(crate) const BUCKET: &str = "bucket";

/// A server, and a handle on its bucket.
pub(crate) struct Host {
    pub(crate) server: S3Server,
    pub(crate) root: Storage,
}

impl Host {
    pub(crate) async fn new() -> Self {
        Self::with(ServerOptions::new(), |_| {}).await
    }

    pub(crate) async fn with(server: ServerOptions, change: impl FnOnce(&mut S3Options)) -> Self {
        let server = S3Server::start(server).await.unwrap();
        server.create_bucket(BUCKET);
        let mut options = options(&server);
        change(&mut options);
        Self { root: Storage::new(S3::new(options).unwrap()), server }
    }

    /// The requests of one operation, by their names in the S3 API and in their order.
    pub(crate) async fn requests<T>(&self, call: impl Future<Output = T>) -> (T, Vec<&'static str>) {
        self.server.reset_counts();
        let done = call.await;
        (done, self.server.requests().iter().map(|request| request.operation).collect())
    }

    pub(crate) fn fault(&self, action: FaultAction, operation: &str) -> FaultHandle {
        self.server.inject(Fault::new(action).on(operation))
    }

    /// A fault that befalls the next request of the operation only.
    pub(crate) fn once(&self, action: FaultAction, operation: &str) -> FaultHandle {
        self.server.inject(Fault::new(action).on(operation).times(1))
    }
}

/// A handle's options: conditions trusted, so that no probe is counted, and short times.
pub(crate) fn options(server: &S3Server) -> S3Options {
    let mut options = S3Options::new(BUCKET);
    options.endpoint = Some(server.endpoint());
    options.region = Some("us-east-1".to_owned());
    options.credentials = Credentials::keys(server.access_key(), server.secret_key());
    options.conditions = ConditionPolicy::All;
    options.payload_signing = PayloadSigning::Unsigned;
    options.retries.base = Duration::from_millis(1);
    options.timeouts.answer = Duration::from_millis(500);
    options
}

/// Bytes in which every place differs from its neighbours.
pub(crate) fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// The text of an error names all of this.
pub(crate) fn says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}
