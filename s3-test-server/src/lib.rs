//! An S3 server inside the process, for the tests of any S3 client.
//!
//! It is written to the S3 API reference: what AWS documents. Signatures (Signature Version 4, in a header or presigned)
//! are checked and bodies decoded by `s3s`; everything else is here, in memory, on a port of 127.0.0.1:
//! ```
//! use s3_test_server::{Fault, FaultAction, S3Server, ServerOptions};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let server = S3Server::start(ServerOptions::new()).await?;
//! server.create_bucket("photos");
//! println!("{} {} {}", server.endpoint(), server.access_key(), server.secret_key());
//!
//! // Sizes and numbers that no test could hold cost nothing.
//! server.synthetic_object("photos", "film.mov", 5 << 40);
//! server.synthetic_objects("photos", "frames/", 10_000_000, 4096);
//!
//! // The third upload of a part is done, but its answer is lost.
//! let lost = server.inject(Fault::new(FaultAction::ResetAfterRequest).on("UploadPart").nth(3).times(1));
//!
//! // … the client's turn …
//! assert_eq!(lost.hits(), 0);
//! assert_eq!(server.counts().total(), 0);
//! # Ok(()) }
//! ```
//!
//! # What it knows
//! Buckets, objects, copies, uploads in parts, the three listings and versions, each with its conditions, ranges,
//! checksums and limits: [`ServerOptions`] says how it behaves, [`Limits`] and [`Conditions`] what it refuses and
//! ignores, [`Quirk`] where it deviates from the API reference as other servers do. Reads follow writes at once, and each condition is checked and acted upon in one step. Not there: access
//! lists, policies, tags, lifecycle, replication, object lock, form uploads; they are answered with `NotImplemented`.
//!
//! # Requests
//! Path style, and virtual-host style below `localhost` and [`ServerOptions::virtual_host`]. Keys are taken byte for byte.
//! Every request is counted by the name of its operation ([`S3Server::counts`]), also where its signature or a
//! [`Fault`] fails it, and recorded as it came ([`S3Server::requests`]).

mod answer;
mod auth;
mod checksum;
mod clock;
mod conditions;
mod connection;
mod counts;
mod error;
mod faults;
mod operation_name;
mod operations;
mod options;
mod quirk;
mod range;
mod record;
mod server;
mod service;
mod store;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod xml;

pub use counts::Counts;
pub use faults::{Fault, FaultAction, FaultHandle};
pub use options::{Conditions, Limits, MultipartDate, ServerOptions, User};
pub use quirk::Quirk;
pub use record::Recorded;
pub use server::S3Server;
pub use store::synthetic_bytes;
