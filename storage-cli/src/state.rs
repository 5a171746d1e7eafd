//! Whether a root can be used, found out without writing anything.

use std::path::{Path, PathBuf};

use futures::stream::TryStreamExt as _;
use rustix::fs::{Access, access};
use serde::Serialize;
use storage::{Error, ErrorKind, ListOptions, Location, Result, Storage};

/// What a root is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It is there.
    Exists,
    /// It is there, and this user cannot write to it.
    ReadOnly,
    /// It is there, and this user may not list what it holds.
    Unlisted,
    /// The first write will make it.
    Unmade,
    /// It can be neither used nor made.
    Unusable,
}

impl State {
    /// Looks at what lies at a location, opened without leave to make it. The error is why it cannot be used.
    pub(crate) async fn of(location: &Location, opened: &Storage) -> Result<Self> {
        match look(location, opened).await {
            Ok(()) => existing(location),
            Err(error) if error.kind() == ErrorKind::BackendNotFound => unmade(location),
            Err(error) => Err(error),
        }
    }

    /// What a root is of which the look failed with this error.
    pub(crate) fn failed(location: &Location, error: &Error) -> Self {
        match (location, error.kind()) {
            (Location::Object(_), ErrorKind::PermissionDenied) => Self::Unlisted,
            _ => Self::Unusable,
        }
    }

    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::ReadOnly => "exists; this user cannot write to it",
            Self::Unlisted => "exists; this user may not list it",
            Self::Unmade => "will be made by the first write",
            Self::Unusable => "cannot be used",
        }
    }
}

/// One request at most, and none that writes: the probe of a service would try its conditions out.
async fn look(location: &Location, opened: &Storage) -> Result<()> {
    match location {
        Location::Object(_) => opened.list(ListOptions::new().limit(1)).await?.try_next().await.map(drop),
        _ => opened.probe().await.map(drop),
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
