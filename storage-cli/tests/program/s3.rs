//! The program on S3: against a server in this process, which counts what it is asked and fails on demand.

mod add;
mod conformance;
mod cut_short;
mod denied;
mod doctor;
mod endpoints;
mod loss;
mod names;
mod place;
mod presign;
mod same;
#[cfg(feature = "s3-server")]
mod server;
mod terminal;
mod walk;
mod watch;
mod within;
