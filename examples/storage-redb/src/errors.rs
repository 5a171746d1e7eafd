//! What redb's errors mean to a host.

use storage_core::{Error, ErrorKind};

/// Any of redb's errors by what the user should do about it.
pub(crate) fn failed(error: impl Into<redb::Error>) -> Error {
    let error: redb::Error = error.into();
    match error {
        // Keeps the kinds of I/O errors: a full disk, a missing right.
        redb::Error::Io(io) => Error::from(io),
        redb::Error::DatabaseAlreadyOpen => with(ErrorKind::Unavailable, "another process has the file open", error)
            .with_help("a redb file belongs to one process at a time: end the other, or share a directory or a bucket"),
        redb::Error::Corrupted(_) => {
            with(ErrorKind::Corrupted, "the file is damaged", error).with_help("restore it from a backup")
        }
        redb::Error::UpgradeRequired(_) => {
            with(ErrorKind::Configuration, "the file was written by another version of redb", error)
                .with_help("rewrite it with the version that it was written by")
        }
        redb::Error::PreviousIo => with(ErrorKind::Other, "an earlier failure of the disk has closed the file", error)
            .with_help("see to the disk, then open the root again"),
        _ => with(ErrorKind::Other, "the store failed", error),
    }
}

/// A commit that failed half-way: redb may find it done or not when it opens the file again.
pub(crate) fn commit_failed(error: redb::CommitError) -> Error {
    with(ErrorKind::OutcomeUnknown, "the commit failed half-way", error.into())
        .with_help("open the root again and look whether the change is there")
}

/// A record that our own code cannot have written.
pub(crate) fn damaged(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupted, what).with_help("restore the file from a backup")
}

fn with(kind: ErrorKind, message: &'static str, source: redb::Error) -> Error {
    Error::new(kind, format!("{message}: {source}")).with_source(source)
}
