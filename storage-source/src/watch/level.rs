//! What is watched: a level of a storage through a filter; and what one key of it is now.

use storage_core::{Change, Key, Location, Prefix, Result, Storage};

use crate::file::{RelativePath, SourceFile};
use crate::filter::{Candidate, Filter, Matcher};
use crate::walk::{Walk, WalkItems};

/// What is watched.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub(super) storage: Storage,
    pub(super) prefix: Prefix,
    pub(super) filter: Filter,
    pub(super) matcher: Matcher,
    /// Paths of levels that are left out whatever the filter says.
    pub(super) without: Vec<Prefix>,
}

/// What one path is.
pub(super) enum Found {
    /// An object that the filter takes, with its fingerprint.
    Taken(SourceFile, String),
    /// No object, or none that the filter takes.
    Gone,
}

impl Level {
    /// The path of a key; none where it is not on the level.
    pub(super) fn path(&self, key: &Key) -> Option<RelativePath> {
        key.strip_prefix(&self.prefix).map(RelativePath::new)
    }

    /// The part of the level that a prefix covers: what the paths in it begin with. None where it covers nothing of it.
    pub(super) fn part<'a>(&self, prefix: &'a Prefix) -> Option<&'a str> {
        if self.prefix.matches(prefix.as_str()) {
            return prefix.as_str().get(self.prefix.as_str().len()..);
        }
        prefix.matches(self.prefix.as_str()).then_some("")
    }

    /// The order to list everything again.
    pub(super) fn again(&self) -> Change {
        Change::ListAgain(self.prefix.clone())
    }

    /// A walk of what begins with a text.
    pub(super) fn walk(&self, within: &str) -> Result<WalkItems> {
        let walk = Walk::new(&self.storage).prefix(&self.prefix).filter(self.filter.clone()).within(within);
        self.without.iter().fold(walk, |walk, path| walk.without(path)).items()
    }

    /// Whether the filter may take a path, as far as that shows without asking.
    pub(super) fn may_take(&self, path: &RelativePath) -> bool {
        let is_left_out = self.without.iter().any(|level| level.matches(path.as_str()));
        !is_left_out && self.matcher.judge(&Candidate::new(path.as_str())).is_match()
    }

    /// What a key is now. One head; none where its path is enough to leave it out.
    pub(super) async fn look(&self, key: &Key, path: &RelativePath) -> Result<Found> {
        if !self.may_take(path) {
            return Ok(Found::Gone);
        }
        let head = match self.storage.head(key).await {
            Ok(head) => head,
            Err(error) if error.is_not_found() => return Ok(Found::Gone),
            Err(error) => return Err(error),
        };
        if !self.matcher.judge(&Candidate::of(path.as_str(), &head.meta)).is_match() {
            return Ok(Found::Gone);
        }
        let file = SourceFile::listed(self.storage.clone(), self.prefix.clone(), head.meta.clone());
        file.learn(&head.meta, head.attributes);
        let fingerprint = file.fingerprint().await?;
        Ok(Found::Taken(file, fingerprint))
    }

    /// The bucket that the storage is in, and what stands before its keys there; none where it has no address.
    pub(super) fn container(&self) -> Option<(String, String)> {
        let Some(Location::Object(place)) = self.storage.location() else {
            return None;
        };
        let slash = if place.path.is_empty() || place.path.ends_with('/') { "" } else { "/" };
        Some((place.container, format!("{}{slash}", place.path)))
    }
}
