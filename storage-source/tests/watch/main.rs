//! Watches: on memory, on a directory and on the S3 test server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod acknowledged;
mod failing;
mod live;
mod many;
mod messages;
mod parts;
mod polling;
mod random;
mod s3_event;
mod support;
