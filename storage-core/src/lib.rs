//! One contract for storage, whatever is behind it.
//!
//! The model is an object store: an ordered map from [`Key`]s to immutable objects. A host holds a [`Storage`] and
//! cannot tell what it points at; a driver implements [`StorageBackend`].

mod backend;
mod capabilities;
mod error;
mod key;
mod location;
mod meta;
mod options;
mod payload;
mod range;
mod registry;
pub mod settings;
mod storage;
mod token;
pub mod wrappers;

pub use backend::{
    BackendWriter, Body, Entry, GetResult, Lister, Page, PutResult, Skipped, StorageBackend, SweepReport,
};
pub use capabilities::{Capabilities, ETagKind, MultipartOrder, Support};
pub use error::{Error, ErrorKind, Operation, Result};
pub use key::{IntoKey, IntoPrefix, Key, MAX_KEY_LEN, Prefix};
pub use location::{Location, ObjectLocation};
pub use meta::{Attributes, ETag, MAX_STANDARD_ATTRIBUTES, MAX_USER_METADATA, ObjectHead, ObjectMeta};
pub use options::{
    Conditions, CopyOptions, DeleteOptions, GetOptions, HeadOptions, ListOptions, PutMode, PutOptions, SweepOptions,
    past_level,
};
pub use payload::{Payload, PayloadBuilder};
pub use range::ByteRange;
pub use registry::{Driver, OpenOptions, Registry};
pub use settings::{Root, RootName, Settings};
pub use storage::{DownloadOptions, Entries, ListReport, Pages, Put, Reader, Storage, Usage, Writer};
pub use token::Token;
