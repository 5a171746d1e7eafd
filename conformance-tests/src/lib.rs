//! The storage contract as tests: one for each rule, for any driver.
//!
//! A driver implements [`Harness`], which makes empty roots, and calls [`conformance!`] in its tests. Every rule then
//! appears under its own name in the output of the test runner, and a failure cites the rule.
//!
//! ```
//! # use std::sync::Arc;
//! # use conformance_tests::{Fixture, Harness, async_trait};
//! # use storage_core::Storage;
//! # use storage_memory::Stores;
//! struct MemoryHarness(Stores);
//!
//! #[async_trait]
//! impl Harness for MemoryHarness {
//!     async fn fresh(&self) -> Fixture {
//!         Fixture::new(Storage::new(self.0.open("fresh", true)), "fresh")
//!     }
//!     async fn missing(&self) -> Option<Storage> {
//!         Some(Storage::new(self.0.open("missing", false)))
//!     }
//!     async fn attach(&self, address: &str) -> Storage {
//!         Storage::new(self.0.open(address, false))
//!     }
//! }
//!
//! mod direct {
//!     use super::*;
//!     conformance_tests::conformance!(MemoryHarness(Stores::new()));
//! }
//! # fn main() {}
//! ```
//!
//! [`SubRoot`] and [`Wrapped`] make further harnesses of one: every rule holds through a sub-root and through wrappers.
//!
//! Rules that only a remote service can break ask a [`Service`], which the harness of such a driver gives; they have
//! nothing to ask of others.
//!
//! Media that run out (rule S06) are made by [`Harness::cramped`].
//!
//! What is not here: durability (rule W16) and what a `kill -9` leaves (rule S04), which a driver proves by its system
//! calls.
//!
//! Rules that try at random (the histories of S01 and S02) take a second each. With `STORAGE_TEST_LONG=1` in the environment
//! they go on for a minute, by further seeds, and S03 drops long calls at every await instead of every fifth;
//! `CONFORMANCE_SEED` is the first seed. A failure tells the seed that finds it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test library: a broken rule is a panic that names it"
)]

mod apart;
mod capture;
mod context;
mod deep;
mod harness;
mod hostile;
mod live;
mod named;
mod process;
mod race;
mod report;
mod rule;
pub mod rules;
mod run;
mod selection;
mod service;
mod shortage;
mod spy;
mod support;
mod table;
mod variants;

pub use async_trait::async_trait;
pub use context::DEFAULT_SEED;
pub use deep::linear;
pub use harness::{Fixture, Harness};
pub use live::LiveHarness;
pub use named::{run_rule, run_worker};
pub use process::{WorkerCommand, serve_if_asked};
pub use report::{Backend, CleanUp, Note, Outcome, Report, RuleReport, Step, Totals};
pub use rule::{ELSEWHERE, Elsewhere, GROUPS, Rule};
pub use run::{Progress, run};
pub use selection::Selection;
pub use service::{Fault, Hits, Mistake, Patience, Request, Requests, Service, Trap};
pub use shortage::{Cramped, Shortage};
pub use table::rules;
pub use variants::{SubRoot, Wrapped};
