//! What tells two files apart, wherever they come from.

use std::fmt;

use serde::{Deserialize, Serialize};
use storage_core::{Key, Location, Prefix, Storage};

/// Which file it is: equal for the same object reached in the same way, and for no two others. The same object under two
/// prefixes has two identities, so that two walks that overlap do not take each other's records for their own.
///
/// A private memory store has no address: files of two of them are told apart by nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Identity {
    /// The driver's name.
    pub backend: String,
    /// The bucket, the directory, or the store's name.
    pub container: String,
    /// What the file was looked for under, inside the container: the root's place in it, and the walk's prefix.
    pub prefix: String,
    /// The whole key inside the container.
    pub key: String,
}

impl Identity {
    pub(super) fn new(storage: &Storage, prefix: &Prefix, key: &Key) -> Self {
        let (container, root) = match storage.location() {
            Some(Location::Object(place)) => {
                let level = if place.path.is_empty() || place.path.ends_with('/') { "" } else { "/" };
                (place.container, format!("{}{level}", place.path))
            }
            Some(Location::File(path)) => (path.to_string_lossy().into_owned(), String::new()),
            _ => (String::new(), String::new()),
        };
        Self {
            backend: storage.name().to_owned(),
            container,
            prefix: format!("{root}{prefix}"),
            key: format!("{root}{key}"),
        }
    }
}

/// As a JSON array, in which no part can be taken for another.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", serde_json::json!([self.backend, self.container, self.prefix, self.key]))
    }
}
