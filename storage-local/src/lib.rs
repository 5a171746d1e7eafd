//! A directory as storage: every key a file that other programs can read, crash-safe, and never outside the root.
//!
//! # Guarantees
//! Every put, copy, move and delete is one atomic step, for readers, for other processes and after a crash
//! ([`Durability`]). Conditions are atomic across processes. Symbolic links are followed as long as they stay inside the
//! root; one that leads out is `PermissionDenied`, and none is ever written through. A link to a directory is a way to what
//! is under it and no object: a write to its name is `Unsupported`. A move between two mounts is `Unsupported` as well.
//!
//! # Layout
//! The key `a/b` is the file `a/b`. Three kinds of names are the driver's own, and all begin with `.%`:
//! - `.%ctl/tmp/` in the root holds what is being written; [`Storage::sweep`](storage_core::Storage::sweep) removes what
//!   a crash left there;
//! - `.%self` holds the object `a` where there is a directory `a`;
//! - `.%-`, `.%+` and `.%=` begin escaped segments: those that begin with `.%`, and those over 255 bytes.
//!
//! Attributes are in the extended attribute `user.storage.attributes` of the file. An etag is made of inode, time and
//! size. Files that other programs put into the directory are objects too; names that no key can express are skipped by
//! listings, counted and named. A program that changes a file in place breaks the guarantee that a read sees one version.
//!
//! # Watching
//! On Linux every change is told while it is made, whichever program makes it, with one of the user's inotify watches
//! (`fs.inotify.max_user_watches`) for each directory under the prefix and one thread for each watch. Not where the portable
//! calls are taken, and so not on file systems of a network, whose other machines no kernel here hears of.
//!
//! # Cost
//! One hop to the blocking pool for each operation, page of a listing or mebibyte of a stream; none for get and head of
//! a small object in the page cache (on Linux): those do not notice that the root itself was moved away, everything else
//! does. A sweep looks into every directory. A listing reads a directory once for each 65,536 names in it. The
//! methods need a running tokio runtime.

mod attributes;
mod blocking;
mod clear;
mod commit;
pub mod diagnose;
mod driver;
mod errors;
mod folding;
mod level;
mod list;
mod local;
mod locate;
mod lock;
mod names;
mod options;
mod promote;
mod read;
mod root;
mod scan;
mod stat;
mod sweep;
mod sys;
mod temp;
mod walk;
#[cfg(target_os = "linux")]
mod watch;
mod writer;

pub use driver::LocalDriver;
pub use folding::FoldingProbe;
pub use local::Local;
pub use options::{Durability, LocalOptions};
