//! Filters, walks and files: on memory, on a directory and on the S3 test server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod compatible;
mod file;
mod filter;
mod hard_tree;
mod many;
mod pruning;
mod support;
mod walking;
