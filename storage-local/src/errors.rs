//! What a failed system call means in the contract's terms (rules E01, E02).

use rustix::io::Errno;
use storage_core::{Error, ErrorKind};

/// The error of a system call; `doing` says what it was for.
pub(crate) fn failed(doing: &str, errno: Errno) -> Error {
    let (kind, help) = match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => (ErrorKind::NotFound, None),
        Errno::ACCESS | Errno::PERM => {
            (ErrorKind::PermissionDenied, Some("check owner and mode: this user has no right to it"))
        }
        Errno::ROFS => (ErrorKind::PermissionDenied, Some("the file system is mounted read-only")),
        Errno::XDEV => (ErrorKind::PermissionDenied, Some("a symbolic link on the way leads out of the root")),
        Errno::NOSPC | Errno::DQUOT => (ErrorKind::OutOfSpace, Some("free some space, or raise the quota")),
        Errno::FBIG => (ErrorKind::InvalidInput, Some("the file system takes no file of that size")),
        Errno::NAMETOOLONG => (ErrorKind::InvalidKey, Some("the file system takes no name or path of that length")),
        Errno::MFILE | Errno::NFILE => (ErrorKind::Unavailable, Some("raise the limit of open files (ulimit -n)")),
        Errno::NOMEM | Errno::AGAIN => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Other, None),
    };
    let error = Error::new(kind, format!("{doing}: {errno}")).with_source(std::io::Error::from(errno));
    match help {
        Some(help) => error.with_help(help),
        None => error,
    }
}

/// For `map_err`: [`failed`] with what it was for.
pub(crate) fn doing(what: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| failed(what, errno)
}

/// Something of a commit failed after the change was made: it is visible, but may not survive a crash (rule W03).
pub(crate) fn unsynced(error: Error) -> Error {
    error
        .with_kind(ErrorKind::OutcomeUnknown)
        .with_help("the change is visible, but it is not known to survive a crash of the machine")
}

/// Whether the path leads nowhere: no such name, or a file where a directory is meant.
pub(crate) fn is_missing(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}
