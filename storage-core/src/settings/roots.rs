//! The three roots of a host, and where each lies.

use std::fmt;

use super::{CACHE_ROOT_DIRECTORY, DATA_ROOT_DIRECTORY, SYSTEM_ROOT_DIRECTORY, Source};
use crate::error::{Error, ErrorKind, Operation};
use crate::location::Location;

/// One of the roots that a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RootName {
    /// What users gave, and what was made of it.
    Data,
    /// What the host keeps for itself.
    System,
    /// What can be made again.
    Cache,
}

impl RootName {
    /// All roots.
    pub const ALL: [Self; 3] = [Self::Data, Self::System, Self::Cache];

    /// The name in lower case: `data`, `system`, `cache`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::System => "system",
            Self::Cache => "cache",
        }
    }

    /// The setting that says where the root lies.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Data => DATA_ROOT_DIRECTORY,
            Self::System => SYSTEM_ROOT_DIRECTORY,
            Self::Cache => CACHE_ROOT_DIRECTORY,
        }
    }
}

impl fmt::Display for RootName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a root lies, and why there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Root {
    /// Which root.
    pub name: RootName,
    /// Where it lies; a directory by its absolute path.
    pub location: Location,
    /// The name of the driver that opens it.
    pub driver: String,
    /// What put it there.
    pub origin: Origin,
}

impl Root {
    pub(crate) fn new(name: RootName, location: Location, driver: &str, origin: Origin) -> Self {
        Self { name, location, driver: driver.to_owned(), origin }
    }

    /// An error that came of this root, as one that names it and what put it there. A wrong setting that its driver met at
    /// the opening has been named, and stays as it is.
    pub fn blame(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Configuration && error.operation() == Some(Operation::Open) {
            return error;
        }
        let message = format!("the {} root ({}): {}", self.name, self.origin, error.message());
        error.with_message(message)
    }
}

/// What put a root where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The root's own setting.
    Setting {
        /// The name as its source spells it.
        name: String,
        /// Where it was set.
        source: Source,
    },
    /// The driver's default.
    Default {
        /// Where `STORAGE_BACKEND` named the driver; unset when nothing did.
        backend: Option<Source>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { name, source } => write!(f, "{name}, set in {source}"),
            Self::Default { backend: Some(source) } => write!(f, "the default for STORAGE_BACKEND, set in {source}"),
            Self::Default { backend: None } => f.write_str("the default, since no setting says otherwise"),
        }
    }
}
