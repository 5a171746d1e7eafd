//! Backends around backends. Each is a [`StorageBackend`](crate::StorageBackend) that forwards every method, so they
//! stack; errors pass through them untouched.
//!
//! From the inside out, the order that serves a host:
//!
//! 1. [`Timeout`], around the driver: it bounds one attempt. Outside of [`Retry`] it would bound all attempts together,
//!    and the one that hangs would leave no time for the others.
//! 2. [`Throttle`] and [`ConcurrencyLimit`]: they wait *before* an attempt, so that waiting for one's turn is no
//!    time-out, and inside of [`Retry`], so that repeated attempts are counted and a pause takes nobody's place.
//! 3. [`Retry`]: it repeats attempts, and what it gives up on comes out.
//! 4. [`ReadOnly`], [`Prefixed`]: they cost nothing, and refuse before anything is waited for.
//! 5. [`Metrics`], outermost: it reports what the host sees. A second one around the driver would report each attempt.
//!
//! [`Chaos`] takes the driver's side in tests: innermost. A wrapper of one's own is a [`Policy`] in [`Intercepted`].
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use storage_core::wrappers::{
//!     ConcurrencyLimit, ConcurrencyLimitOptions, Metrics, Retry, RetryOptions, Timeout, TimeoutOptions,
//! };
//! use storage_core::{Result, Storage, StorageBackend};
//! use storage_memory::Memory;
//!
//! fn stack(driver: impl StorageBackend) -> Storage {
//!     let timed = Timeout::new(Arc::new(driver), TimeoutOptions::new().operation(Duration::from_secs(20)));
//!     let limited = ConcurrencyLimit::new(Arc::new(timed), ConcurrencyLimitOptions::new().calls(32));
//!     let retried = Retry::new(Arc::new(limited), RetryOptions::new().attempts(5));
//!     Storage::new(Metrics::new(Arc::new(retried)))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! let root = stack(Memory::new());
//! root.put("note", "buy milk").await?;
//! assert_eq!(root.text("note").await?, "buy milk");
//! # Ok(()) }
//! ```

mod body;
mod chaos;
mod intercepted;
mod limit;
mod metrics;
mod prefixed;
mod read_only;
mod retry;
mod throttle;
mod timeout;

pub use chaos::{Chaos, ChaosOptions};
pub use intercepted::{Answer, Call, Intercepted, Policy, Tries};
pub use limit::{ConcurrencyLimit, ConcurrencyLimitOptions};
pub use metrics::Metrics;
pub use prefixed::Prefixed;
pub use read_only::ReadOnly;
pub use retry::{Retry, RetryOptions};
pub use throttle::{Throttle, ThrottleOptions};
pub use timeout::{Timeout, TimeoutOptions};
