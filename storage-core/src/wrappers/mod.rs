//! Backends around backends.

mod prefixed;

pub use prefixed::Prefixed;
