//! Roots of the memory driver.

use std::sync::atomic::{AtomicU64, Ordering};

use conformance_tests::{Fixture, Harness, async_trait};
use storage_core::Storage;
use storage_memory::Stores;

/// Stores of its own, of which each root is one.
#[derive(Default)]
pub(crate) struct MemoryHarness {
    stores: Stores,
    opened: AtomicU64,
}

#[async_trait]
impl Harness for MemoryHarness {
    async fn fresh(&self) -> Fixture {
        let name = format!("root-{}", self.opened.fetch_add(1, Ordering::Relaxed));
        Fixture::new(Storage::new(self.stores.open(&name, true)), name)
    }

    async fn missing(&self) -> Option<Storage> {
        Some(Storage::new(self.stores.open("missing", false)))
    }

    async fn attach(&self, address: &str) -> Storage {
        Storage::new(self.stores.open(address, false))
    }
}
