//! A limit of time for every call.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::intercepted::{Answer, Call, Intercepted, Policy};
use crate::backend::StorageBackend;
use crate::error::{Error, ErrorKind, Operation, Result};

/// How long calls may take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeoutOptions {
    /// One operation: a get until its body begins, a head, a put, a copy, a writer's `finish`. Default: 60 s.
    pub operation: Duration,
    /// One piece of a longer piece of work: the next bytes of a body, a page of a listing, opening a writer, one write
    /// to it, `abort`. Default: 30 s.
    pub piece: Duration,
    /// `delete_many`, `delete_prefix`, `sweep` and opening a watch, whose duration grows with the number of objects.
    /// Default: 600 s.
    pub bulk: Duration,
}

impl Default for TimeoutOptions {
    fn default() -> Self {
        Self { operation: Duration::from_secs(60), piece: Duration::from_secs(30), bulk: Duration::from_secs(600) }
    }
}

impl TimeoutOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The limit of one operation.
    #[must_use]
    pub fn operation(mut self, limit: Duration) -> Self {
        self.operation = limit;
        self
    }

    /// The limit of a piece of a body, a page, or a call of a writer.
    #[must_use]
    pub fn piece(mut self, limit: Duration) -> Self {
        self.piece = limit;
        self
    }

    /// The limit of what grows with the number of objects.
    #[must_use]
    pub fn bulk(mut self, limit: Duration) -> Self {
        self.bulk = limit;
        self
    }

    fn limit(&self, call: &Call<'_>) -> (&'static str, Duration) {
        match call.operation {
            _ if call.bulk => ("bulk", self.bulk),
            Operation::Read | Operation::List | Operation::OpenWriter | Operation::Write | Operation::Abort => {
                ("piece", self.piece)
            }
            _ => ("operation", self.operation),
        }
    }
}

/// Ends calls that take too long, by dropping them.
///
/// A read that is out of time is `Timeout`. A change that is out of time (put, `finish`, copy, rename, delete, sweep) is
/// `OutcomeUnknown`: the object is the old or the new one, whole (rules C06, W03). A writer that is out of time while it
/// is opened or written to is `Timeout` and lost: nothing of it becomes visible. A body that is out of time ends. An open
/// watch may be silent as long as it will.
#[derive(Debug)]
pub struct Timeout {
    options: TimeoutOptions,
}

impl Timeout {
    /// Limits the time of every call of a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>, options: TimeoutOptions) -> Intercepted<Self> {
        Intercepted::around(inner, Self { options })
    }
}

impl Policy for Timeout {
    async fn call<T: Answer>(&self, call: &Call<'_>, attempt: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let (name, limit) = self.options.limit(call);
        if let Ok(result) = tokio::time::timeout(limit, attempt).await {
            return result;
        }
        let message = format!("no answer within {}", humantime::format_duration(limit));
        Err(match call.is_change() {
            true => Error::new(ErrorKind::OutcomeUnknown, message)
                .with_help("it may or may not have happened: look before you repeat it"),
            false => Error::new(ErrorKind::Timeout, message)
                .with_help(format!("try again later, or raise the time-out `{name}`")),
        })
    }
}
