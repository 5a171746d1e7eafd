//! What the suite's runs on our drivers share.

use std::sync::Arc;
use std::time::Duration;

use storage_core::Storage;
use storage_core::wrappers::{
    ConcurrencyLimit, ConcurrencyLimitOptions, Metrics, Retry, RetryOptions, Timeout, TimeoutOptions,
};

/// The wrappers that a host stacks around a driver.
pub(crate) fn stacked(storage: Storage) -> Storage {
    let driver = Arc::clone(storage.backend());
    let timed = Timeout::new(driver, TimeoutOptions::new().operation(Duration::from_secs(60)));
    let limited = ConcurrencyLimit::new(Arc::new(timed), ConcurrencyLimitOptions::new().calls(64));
    let retried = Retry::new(Arc::new(limited), RetryOptions::new().attempts(3).base(Duration::from_millis(10)));
    Storage::new(Metrics::new(Arc::new(retried)))
}
