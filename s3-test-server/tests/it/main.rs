//! The server as a client sees it over the wire.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod client;
mod faults;
mod server;
#[cfg(feature = "tls")]
mod tls;
