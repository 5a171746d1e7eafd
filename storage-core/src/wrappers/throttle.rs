//! A limit of requests and bytes per second.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::intercepted::{Answer, Call, Intercepted, Policy};
use crate::backend::StorageBackend;
use crate::error::{Operation, Result};

/// How much a backend is asked for in a second.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThrottleOptions {
    /// Requests per second. Default: no limit.
    pub requests: Option<u32>,
    /// Bytes of content per second, in and out together. Default: no limit.
    pub bytes: Option<u64>,
    /// How much of an idle time can be made up for at once: the rate of so long. Default: 1 s.
    pub burst: Duration,
}

impl Default for ThrottleOptions {
    fn default() -> Self {
        Self { requests: None, bytes: None, burst: Duration::from_secs(1) }
    }
}

impl ThrottleOptions {
    /// No limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests per second; at least 1.
    #[must_use]
    pub fn requests(mut self, per_second: u32) -> Self {
        self.requests = Some(per_second);
        self
    }

    /// Bytes of content per second, in and out together; at least 1.
    #[must_use]
    pub fn bytes(mut self, per_second: u64) -> Self {
        self.bytes = Some(per_second);
        self
    }

    /// How much of an idle time can be made up for at once; zero spaces all calls evenly.
    #[must_use]
    pub fn burst(mut self, time: Duration) -> Self {
        self.burst = time;
        self
    }
}

/// Slows calls down to a rate, by waiting before them.
///
/// Every method, page and call of a writer is a request; a piece of a streamed body is not, it only counts its bytes.
/// The rates are kept on average: a call may carry more bytes than a second allows, and those after it wait as much
/// longer. The bytes of a read are known when they have come, so it is the next call that waits for them. A call that
/// is dropped while it waits does not give its place back.
#[derive(Debug)]
pub struct Throttle {
    requests: Option<Rate>,
    bytes: Option<Rate>,
}

impl Throttle {
    /// Slows down the calls of a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>, options: ThrottleOptions) -> Intercepted<Self> {
        let rate = |per_second| Rate::new(per_second, options.burst);
        let policy = Self { requests: options.requests.map(|n| rate(n.into())), bytes: options.bytes.map(rate) };
        Intercepted::around(inner, policy)
    }
}

impl Policy for Throttle {
    async fn call<T: Answer>(&self, call: &Call<'_>, attempt: impl Future<Output = Result<T>> + Send) -> Result<T> {
        if let Some(requests) = &self.requests
            && call.operation != Operation::Read
        {
            tokio::time::sleep_until(requests.book(1)).await;
        }
        let Some(bytes) = &self.bytes else {
            return attempt.await;
        };
        tokio::time::sleep_until(bytes.book(call.bytes)).await;
        let answer = attempt.await?;
        bytes.book(answer.bytes());
        Ok(answer)
    }
}

/// A rate as a moment: when everything booked so far would be through, one unit after the other.
#[derive(Debug)]
struct Rate {
    per_second: f64,
    burst: Duration,
    through: Mutex<Instant>,
}

impl Rate {
    fn new(per_second: u64, burst: Duration) -> Self {
        Self { per_second: per_second.max(1) as f64, burst, through: Mutex::new(Instant::now()) }
    }

    /// Books units behind all others, and says when they may start.
    fn book(&self, units: u64) -> Instant {
        let now = Instant::now();
        let takes = Duration::try_from_secs_f64(units as f64 / self.per_second).unwrap_or(Duration::MAX);
        let mut through = self.through.lock().unwrap_or_else(PoisonError::into_inner);
        let start = (*through).max(now);
        *through = start.checked_add(takes).unwrap_or(start);
        start.checked_sub(self.burst).unwrap_or(now)
    }
}
