//! Buckets of AWS, and of every service that speaks its protocol, with the behaviour of the storage contract: keys byte for
//! byte, listings in order and complete, conditional writes that are kept or refused, errors that name the setting to look
//! at.
//!
//! # From settings
//! A host names a bucket, and gives its registry the driver; the facade crate has done so already. Which settings there are
//! says [`S3Options::from_settings`].
//! ```
//! use storage_core::{Location, OpenOptions, Registry, Settings};
//! use storage_s3::S3Driver;
//!
//! # async fn example() -> storage_core::Result<()> {
//! let settings = Settings::builder()
//!     .set("AWS_ACCESS_KEY_ID", "AKIA…")
//!     .set("AWS_SECRET_ACCESS_KEY", "…")
//!     .set("AWS_REGION", "eu-west-1")
//!     .build()?;
//! let registry = Registry::new().with(S3Driver::new())?;
//! let location = Location::parse("s3://bucket/app")?;
//! let notes = registry.open(&location, &OpenOptions::new().settings(settings)).await?;
//! notes.put("today.txt", "buy milk").await?;
//! # Ok(()) }
//! ```
//!
//! # From a program
//! ```no_run
//! use storage_core::Storage;
//! use storage_s3::{Credentials, S3, S3Options};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! let mut options = S3Options::new("bucket");
//! options.endpoint = Some("http://localhost:9000".to_owned());
//! options.credentials = Credentials::keys("minioadmin", "minioadmin");
//! let bucket = S3::new(options)?; // no request
//! bucket.create_bucket().await?;
//! bucket.check().await?; // one request: are endpoint, keys and bucket right?
//! let tenant = Storage::new(bucket.under("tenant-42")?);
//! tenant.put("notes/today.txt", "buy milk").await?;
//! # Ok(()) }
//! ```
//! With [`Credentials::Keys`] nothing but the options is read: no environment, no file but certificates, no metadata service
//! (rule S10). [`Credentials::Chain`] asks the machine as the AWS tools do.
//!
//! # What it costs
//! On success get, head, put, delete and copy are one request each, a listing and a bulk delete one for each 1,000 keys, a
//! streaming write one while it is small and then one for each part and two more (rule S13).
//!
//! # Conditional writes
//! Not every service keeps the conditions of the protocol, and some answer 200 and ignore them, which breaks a lock in
//! silence. What is known of a [`Service`] is taken from there; else the first conditional write asks the service, with
//! objects of its own that it removes, and the backend remembers the answer. What is not kept is `Unsupported`.
//! [`ConditionPolicy`] chooses otherwise.
//!
//! A request is repeated where that can help, writes too. A conditional write whose answer was lost is recognised by a mark
//! in its metadata, which hosts do not see; where it cannot be told what became of it, the answer is `OutcomeUnknown` and
//! never a guess (rule C06).
//!
//! # Names
//! A root is a bucket or any prefix of one, also one that holds what no key may: `s3://bucket/a//` (rule K04). Names that
//! no key can express are counted and named by listings. The driver's own probes use names that end in `/`, as no key does,
//! so that nothing is reserved.

mod access;
mod attributes;
mod body;
mod checksum;
mod client;
mod copy;
mod copy_parts;
mod core;
mod delete;
mod delete_many;
pub mod diagnose;
mod driver;
mod encoding;
mod errors;
mod get;
mod head;
mod list;
mod meta;
mod names;
mod options;
mod page;
mod part_plan;
mod parts;
mod presign;
mod probe;
mod put;
mod rename;
mod round;
mod s3;
mod service;
mod settings;
mod settle;
mod single;
mod sweep;
mod upload;
mod versions;
mod write_id;
mod writer;
mod xml;

pub use driver::S3Driver;
pub use options::{
    Addressing, ChainOptions, ChecksumPolicy, ConditionPolicy, Credentials, Encryption, PayloadSigning, Retries,
    S3Options, Timeouts, TlsOptions, TlsRoots,
};
pub use s3::S3;
pub use service::Service;
