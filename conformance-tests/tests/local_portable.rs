//! The suite on the local driver with portable calls.

#![allow(clippy::unwrap_used, reason = "a harness that cannot make a root is a failed test")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/local.rs"]
mod harness;

use conformance_tests::{SubRoot, Wrapped};
use storage_local::Durability;

use common::stacked;
use harness::LocalHarness;

fn roots(durability: Durability) -> LocalHarness {
    LocalHarness::new(durability, true)
}

mod durable {
    use super::*;
    conformance_tests::conformance!(roots(Durability::Full));
}

mod fast {
    use super::*;
    conformance_tests::conformance!(roots(Durability::Fast));
}

mod sub_root {
    use super::*;
    conformance_tests::conformance!(SubRoot::new(roots(Durability::Fast).in_memory()));
}

mod wrapped {
    use super::*;
    conformance_tests::conformance!(Wrapped::new(roots(Durability::Fast).in_memory(), stacked));
}
