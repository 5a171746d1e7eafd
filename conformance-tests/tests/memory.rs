//! The suite on the memory driver.

#[path = "common/mod.rs"]
mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use conformance_tests::{Fixture, Harness, SubRoot, Wrapped, async_trait};
use storage_core::Storage;
use storage_memory::Stores;

#[derive(Default)]
struct MemoryHarness {
    stores: Stores,
    opened: AtomicUsize,
}

#[async_trait]
impl Harness for MemoryHarness {
    async fn fresh(&self) -> Fixture {
        let name = format!("root-{}", self.opened.fetch_add(1, Ordering::Relaxed));
        Fixture::new(Storage::new(self.stores.open(&name, true)), name)
    }

    async fn missing(&self) -> Storage {
        Storage::new(self.stores.open("missing", false))
    }

    async fn attach(&self, address: &str) -> Storage {
        Storage::new(self.stores.open(address, false))
    }
}

mod direct {
    use super::*;
    conformance_tests::conformance!(MemoryHarness::default());
}

mod sub_root {
    use super::*;
    conformance_tests::conformance!(SubRoot::new(MemoryHarness::default()));
}

mod wrapped {
    use super::*;
    conformance_tests::conformance!(Wrapped::new(MemoryHarness::default(), common::stacked));
}
