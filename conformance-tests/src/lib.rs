//! The storage contract as tests.

mod harness;
pub mod rules;

pub use harness::{Fixture, Harness};
