//! The program as its users run it: in a directory of its own, with an empty environment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod add;
mod bench;
mod conformance;
mod doctor;
mod interrupt;
mod look;
mod s3;
mod settings;
mod transfer;
mod unreadable;
mod walk;
mod watch;
