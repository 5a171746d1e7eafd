//! One contract for storage, whatever is behind it.
//!
//! The model is an object store: an ordered map from [`Key`]s to immutable objects, each with [`Attributes`], an
//! [`ETag`] and a time. `/` means something in delimited listings and sub-roots only; there are no directories. A host
//! holds a [`Storage`] and cannot tell what it points at; a driver implements [`StorageBackend`] and knows no host.
//!
//! # What to read first
//! - To **use** storage: [`Storage`], the handle, whose methods are all there is. What they take is in [`GetOptions`],
//!   [`PutOptions`], [`ListOptions`] and [`CopyOptions`], what a watch tells in [`Change`], what goes wrong in [`Error`]. Where roots lie is read from
//!   [`Settings`] and opened by a [`Registry`].
//! - To **write a driver**: [`StorageBackend`], what it promises in [`Capabilities`], and [`Driver`], which opens it from
//!   a [`Location`].
//! - To **put something around a backend** (retries, limits, metrics, or your own): [`wrappers`].
//!
//! # A host
//! ```
//! use storage_core::{ErrorKind, GetOptions, ListOptions, PutOptions, Result, Storage};
//!
//! async fn work(root: &Storage) -> Result<()> {
//!     let notes = root.sub("tenant-42/notes")?; // its own keys, and nothing else
//!     let first = notes.put("today.txt", "buy milk").await?; // atomic; overwrites
//!     assert_eq!(notes.range("today.txt", 4..).await?, "milk");
//!
//!     // Of many at once, one wins; the others are told so.
//!     let again = notes.put_with("today.txt", "me too", PutOptions::new().create_only()).await;
//!     assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
//!     notes.put_with("today.txt", "buy bread", PutOptions::new().if_match(first.etag.clone())).await?;
//!     let stale = notes.get("today.txt", GetOptions::new().if_match(first.etag)).await;
//!     assert_eq!(stale.unwrap_err().status(), 412);
//!
//!     let mut large = notes.writer("large.bin").await?; // bounded memory, nothing visible before `finish`
//!     large.write("piece by piece").await?;
//!     large.finish().await?;
//!
//!     let mut pages = root.pages(ListOptions::new().page_size(100)).await?; // in ascending order of bytes
//!     while let Some(page) = pages.next_page().await? {
//!         page.entries.iter().for_each(|entry| println!("{}", entry.as_str()));
//!     }
//!     assert!(pages.report().complete);
//!     Ok(())
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! #     work(&Storage::new(storage_memory::Memory::new())).await
//! # }
//! ```
//!
//! # A driver
//! A backend is a value with the methods of [`StorageBackend`]; `storage-memory` is the shortest whole one, and the
//! conformance suite says whether another is right. A [`Driver`] makes it reachable by a scheme:
//! ```
//! use storage_core::{Driver, Error, Location, OpenOptions, Registry, Result, RootName, Settings, Storage};
//! # use storage_memory::Memory as Vault;
//!
//! #[derive(Debug)]
//! struct VaultDriver;
//!
//! #[async_trait::async_trait]
//! impl Driver for VaultDriver {
//!     fn name(&self) -> &str {
//!         "vault" // STORAGE_BACKEND=vault
//!     }
//!     fn schemes(&self) -> &[&str] {
//!         &["vault"]
//!     }
//!     fn default_root(&self, root: RootName, _: &Settings) -> Result<Location> {
//!         Location::parse(&format!("vault://main/{root}"))
//!     }
//!     async fn open(&self, location: &Location, options: &OpenOptions) -> Result<Storage> {
//!         let Location::Object(place) = location else {
//!             return Err(Error::invalid_input(format!("{location} is no vault")));
//!         };
//!         let Some(_token) = options.settings.get("VAULT_TOKEN")? else {
//!             return Err(Error::configuration("VAULT_TOKEN is not set").with_help("set it to the vault's token"));
//!         };
//!         Storage::new(Vault::new()).sub(place.path.as_str())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! let registry = Registry::new().with(VaultDriver)?;
//! let settings = Settings::builder().set("VAULT_TOKEN", "…").build()?;
//! let options = OpenOptions::new().create(true).settings(settings);
//! let notes = registry.open(&Location::parse("vault://main/notes")?, &options).await?;
//! notes.put("today.txt", "buy milk").await?;
//! # Ok(()) }
//! ```
//!
//! # What every backend promises
//! - A put, a copy, a `finish` is one step: a reader sees the old object whole or the new one whole, and after Ok every
//!   handle sees the new one. An error other than `OutcomeUnknown` changed nothing.
//! - A read is of one version; one that needs several requests fails with `ObjectChanged` rather than mix two.
//! - Keys are kept byte for byte, and a listing is in ascending order of their bytes and complete, or says that it is
//!   not.
//! - What a medium cannot do is in its [`Capabilities`]; asked for it all the same, it answers `Unsupported` and changes
//!   nothing.
//! - A future that is dropped leaves the object old or new, whole.
//!
//! The rules in full have ids, such as W03, which docs, tests and reports cite.
//!
//! # Kinds of errors
//! The same failure has the same [`ErrorKind`] on every backend. Retryable means that the same call may succeed later;
//! whether a write may be repeated depends on [`Error::is_unsent`] too.
//!
//! | kind | status | retryable |
//! |---|---|---|
//! | `NotModified` | 304 | |
//! | `InvalidKey`, `InvalidInput`, `LengthMismatch` | 400 | |
//! | `Unauthenticated` | 401 | |
//! | `PermissionDenied` | 403 | |
//! | `NotFound` (the object), `BackendNotFound` (its root) | 404 | |
//! | `AlreadyExists`, `Conflict`, `ObjectChanged` | 409 | |
//! | `PreconditionFailed` | 412 | |
//! | `RangeNotSatisfiable` | 416 | |
//! | `Throttled` | 429 | yes |
//! | `Corrupted`, `Closed`, `Configuration`, `Other` | 500 | |
//! | `Unsupported` | 501 | |
//! | `OutcomeUnknown` | 502 | |
//! | `Unavailable` | 503 | yes |
//! | `Timeout` | 504 | yes |
//! | `OutOfSpace` | 507 | |

mod access;
mod backend;
mod capabilities;
pub mod diagnosis;
mod error;
mod key;
mod location;
mod meta;
mod options;
mod payload;
mod presign;
mod range;
mod registry;
pub mod settings;
mod storage;
mod token;
mod versions;
mod watch;
pub mod wrappers;

pub use access::{Access, AccessCredentials, ServiceAccess};
pub use backend::{
    BackendWriter, Body, CopyResult, Entry, GetResult, Lister, Page, PutResult, Skipped, StorageBackend, SweepReport,
};
pub use capabilities::{Capabilities, ETagKind, MultipartOrder, Support};
pub use error::{Error, ErrorKind, Operation, Result};
pub use key::{IntoKey, IntoPrefix, Key, MAX_KEY_LEN, Prefix};
pub use location::{Location, ObjectLocation};
pub use meta::{Attributes, ETag, MAX_STANDARD_ATTRIBUTES, MAX_USER_METADATA, ObjectHead, ObjectMeta};
pub use options::{
    Conditions, CopyOptions, DeleteOptions, GetOptions, HeadOptions, ListOptions, PresignMethod, PresignOptions,
    PutMode, PutOptions, SweepOptions, past_level,
};
pub use payload::{Payload, PayloadBuilder};
pub use presign::Presigned;
pub use range::ByteRange;
pub use registry::{Driver, OpenOptions, Registry};
pub use settings::{Root, RootName, Settings};
pub use storage::{
    DownloadOptions, Entries, ListReport, Pages, Put, Reader, Storage, Usage, VersionPages, Watcher, Writer,
};
pub use token::Token;
pub use versions::{ObjectVersion, VersionContent, VersionLister, VersionPage};
pub use watch::{Change, ChangeFeed, ChangeReceiver, ChangeSender, WatchOptions, change_queue};
