//! Repeats what is always safe to repeat.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::intercepted::{Call, Intercepted, Policy, Tries};
use crate::backend::StorageBackend;
use crate::error::Error;

/// How often and how fast calls are repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryOptions {
    /// How often a call is tried in all, the first attempt included. Default: 4.
    pub attempts: u32,
    /// The longest pause after the first failure; it doubles with each further one. Default: 100 ms.
    pub base: Duration,
    /// The longest pause at all. Default: 5 s.
    pub longest: Duration,
    /// No attempt begins later than this after the first one did. Default: 30 s.
    pub budget: Duration,
    /// Makes the pauses repeatable, for tests. Default: none, each instance has its own.
    pub seed: Option<u64>,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(100),
            longest: Duration::from_secs(5),
            budget: Duration::from_secs(30),
            seed: None,
        }
    }
}

impl RetryOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often a call is tried in all; at least once.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The longest pause after the first failure.
    #[must_use]
    pub fn base(mut self, pause: Duration) -> Self {
        self.base = pause;
        self
    }

    /// The longest pause at all.
    #[must_use]
    pub fn longest(mut self, pause: Duration) -> Self {
        self.longest = pause;
        self
    }

    /// How long after the first attempt the last one may begin.
    #[must_use]
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Makes the pauses repeatable.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// Repeats calls that failed in passing, where that is always safe (rule C06).
///
/// Repeated are reads (get, the rest of a body that broke off, head, a page of a listing, probe, opening a watch)
/// whose error [is retryable](Error::is_retryable), and changes only if the error also says that nothing of the request
/// was sent ([`Error::is_unsent`]). So a write whose answer was lost, or that ran out of time, never happens twice. A
/// body goes on at the byte where it broke off, of the same version, else it is `ObjectChanged` (rule R07). Calls of an
/// open writer are never repeated.
///
/// The pauses grow exponentially with full jitter: each is random between zero and the bound. Attempts and total time
/// are bounded; for a body they count from its last piece on. The last error comes back untouched.
#[derive(Debug)]
pub struct Retry {
    options: RetryOptions,
    random: Mutex<fastrand::Rng>,
}

impl Retry {
    /// Repeats calls of a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>, options: RetryOptions) -> Intercepted<Self> {
        let random = Mutex::new(options.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed));
        Intercepted::around(inner, Self { options, random })
    }

    /// The longest pause after so many failures.
    fn bound(&self, failed: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
        self.options.base.saturating_mul(doubled).min(self.options.longest)
    }
}

impl Policy for Retry {
    fn pause(&self, call: &Call<'_>, tries: &Tries, error: &Error) -> Option<Duration> {
        let safe = error.is_retryable() && (call.operation.is_read() || error.is_unsent());
        if !safe || tries.failed >= self.options.attempts {
            return None;
        }
        let share = self.random.lock().unwrap_or_else(PoisonError::into_inner).f64();
        let pause = self.bound(tries.failed).mul_f64(share);
        (tries.since.elapsed() + pause <= self.options.budget).then_some(pause)
    }
}
