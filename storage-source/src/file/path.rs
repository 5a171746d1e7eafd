//! A path below a prefix, and its parts.

use std::fmt;

use serde::Serialize;
use storage_core::Key;

/// A file's path from the prefix of a walk on. Its parts are those of Python's `pathlib`; a name that only begins with a
/// dot, such as `.env`, has no suffix.
///
/// ```
/// # use storage_core::{Key, Result};
/// # use storage_source::RelativePath;
/// let path = RelativePath::new(Key::new("docs/2026/report.tar.gz")?);
/// assert_eq!((path.name(), path.stem(), path.suffix()), ("report.tar.gz", "report.tar", ".gz"));
/// assert_eq!(path.suffixes(), [".tar", ".gz"]);
/// assert_eq!(path.parents().collect::<Vec<_>>(), ["docs/2026", "docs"]);
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RelativePath(Key);

impl RelativePath {
    /// The path of a key that counts from the prefix on.
    pub fn new(key: Key) -> Self {
        Self(key)
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The path as a key.
    pub fn key(&self) -> &Key {
        &self.0
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The name without its last suffix.
    pub fn stem(&self) -> &str {
        let name = self.name();
        &name[..name.len() - self.suffix().len()]
    }

    /// The last suffix with its dot; empty where there is none.
    pub fn suffix(&self) -> &str {
        let name = self.name();
        match name.rfind('.') {
            Some(dot) if dot + 1 < name.len() && !name[..dot].trim_start_matches('.').is_empty() => &name[dot..],
            _ => "",
        }
    }

    /// All suffixes in order, each with its dot.
    pub fn suffixes(&self) -> Vec<&str> {
        if self.suffix().is_empty() {
            return Vec::new();
        }
        let name = self.name().trim_start_matches('.');
        let dots: Vec<usize> = name.match_indices('.').map(|(dot, _)| dot).collect();
        let ends = dots.iter().skip(1).copied().chain([name.len()]);
        dots.iter().zip(ends).map(|(start, end)| &name[*start..end]).collect()
    }

    /// The paths of the levels that it lies in, the nearest first; none at the top.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        let path = self.as_str();
        path.rmatch_indices('/').map(|(slash, _)| &path[..slash])
    }
}

impl AsRef<str> for RelativePath {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
