//! Rules K: keys.

use crate::Harness;

/// K01: What is no key is refused as `InvalidKey`, with the reason and before any I/O, on every driver alike.
pub async fn k01_invalid_keys_do_no_io(harness: &dyn Harness) {
    let _ = harness.missing().await;
}
