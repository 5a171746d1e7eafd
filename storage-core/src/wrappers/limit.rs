//! A limit of calls at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::intercepted::{Answer, Call, Intercepted, Policy};
use crate::backend::StorageBackend;
use crate::error::{Error, ErrorKind, Result};

/// How many calls may be under way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConcurrencyLimitOptions {
    /// How many calls at once; at least 1. Default: 64.
    pub calls: usize,
    /// How long a call waits for its turn. Default: 60 s.
    pub wait: Duration,
}

impl Default for ConcurrencyLimitOptions {
    fn default() -> Self {
        Self { calls: 64, wait: Duration::from_secs(60) }
    }
}

impl ConcurrencyLimitOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls at once; at least 1.
    #[must_use]
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// How long a call waits for its turn.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }
}

/// Keeps at most so many calls of a backend under way; the others wait, first come first served.
///
/// A call gives its place back when it ends or is dropped. An open body, listing or writer has a place only while it is
/// asked for its next piece, so any number of them may be open. A call that finds no place in time is `Throttled` and
/// was not sent. That also ends what would wait for ever: calls that their caller began and polls no longer while it
/// waits for another one.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    permits: Semaphore,
    options: ConcurrencyLimitOptions,
}

impl ConcurrencyLimit {
    /// Limits the calls of a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>, mut options: ConcurrencyLimitOptions) -> Intercepted<Self> {
        options.calls = options.calls.clamp(1, Semaphore::MAX_PERMITS);
        let permits = Semaphore::new(options.calls);
        Intercepted::around(inner, Self { permits, options })
    }
}

impl Policy for ConcurrencyLimit {
    async fn call<T: Answer>(&self, _: &Call<'_>, attempt: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match tokio::time::timeout(self.options.wait, self.permits.acquire()).await {
            Ok(Ok(_permit)) => attempt.await,
            Ok(Err(_)) | Err(_) => {
                let wait = humantime::format_duration(self.options.wait);
                let message =
                    format!("all {} calls that are allowed at once stayed busy for {wait}", self.options.calls);
                Err(Error::new(ErrorKind::Throttled, message)
                    .with_help("allow more calls at once, or keep fewer reads under way")
                    .unsent())
            }
        }
    }
}
