//! A directory as storage.

mod options;

pub use options::{Durability, LocalOptions};
