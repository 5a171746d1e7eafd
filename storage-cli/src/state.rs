//! Whether a root can be used, found out without writing anything.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use serde::Serialize;
use storage::{Error, ErrorKind, Location, Result, Root, Storage};

/// What a root is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It is there.
    Exists,
    /// It is there, and this user cannot write to it.
    ReadOnly,
    /// The first write will make it.
    Unmade,
    /// It can be neither used nor made.
    Unusable,
}

impl State {
    /// Looks at a root, opened without leave to make it. The error, which names the root, is why it cannot be used.
    pub(crate) async fn of(root: &Root, opened: &Storage) -> Result<Self> {
        let found = match opened.probe().await {
            Ok(_) => existing(&root.location),
            Err(error) if error.kind() == ErrorKind::BackendNotFound => unmade(&root.location),
            Err(error) => Err(error),
        };
        found.map_err(|error| root.blame(error))
    }

    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::ReadOnly => "exists; this user cannot write to it",
            Self::Unmade => "will be made by the first write",
            Self::Unusable => "cannot be used",
        }
    }
}

/// Whether this user can write where other places than directories ask nobody but their driver.
fn existing(location: &Location) -> Result<State> {
    match location {
        Location::File(path) if !writable(path) => Ok(State::ReadOnly),
        _ => Ok(State::Exists),
    }
}

fn unmade(location: &Location) -> Result<State> {
    let Location::File(path) = location else {
        return Ok(State::Unmade);
    };
    let above = nearest(path);
    if writable(&above) {
        return Ok(State::Unmade);
    }
    let message = format!("{} cannot be made: this user cannot write to {}", path.display(), above.display());
    Err(Error::new(ErrorKind::PermissionDenied, message)
        .with_help("give this user the right to write there, or choose another place"))
}

fn nearest(path: &Path) -> PathBuf {
    path.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn writable(directory: &Path) -> bool {
    access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
