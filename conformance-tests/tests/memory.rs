//! The suite on the memory driver.

#[path = "common/mod.rs"]
mod common;
#[path = "common/memory.rs"]
mod harness;

use conformance_tests::{SubRoot, Wrapped};

use harness::MemoryHarness;

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
