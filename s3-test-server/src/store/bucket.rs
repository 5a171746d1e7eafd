//! A bucket: versions of objects, by key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::{Object, SyntheticObjects, Upload};
use crate::clock::Seconds;

/// Whether a bucket keeps versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Versioning {
    /// It never did.
    #[default]
    Never,
    Enabled,
    Suspended,
}

/// What a deletion did.
#[derive(Debug, Default)]
pub(crate) struct Deleted {
    /// The version that was removed, or the marker that was made.
    pub(crate) version: Option<String>,
    /// Whether that version is a delete marker.
    pub(crate) marker: bool,
}

/// A bucket.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) created: Seconds,
    pub(crate) region: String,
    pub(crate) versioning: Versioning,
    pub(crate) synthetic: Vec<SyntheticObjects>,
    /// By key and id: ids ascend, so that those of a key are in the order in which they were started.
    pub(crate) uploads: BTreeMap<(String, String), Upload>,
    /// What completed uploads were answered, where they may be completed again.
    pub(crate) completed: HashMap<String, Arc<Object>>,
    /// Oldest version first; never empty.
    versions: BTreeMap<String, Vec<Arc<Object>>>,
    /// Synthetic objects that were written over or deleted.
    removed: BTreeSet<String>,
    /// The key that was written or deleted last, and what was there before.
    last_change: Option<(String, Option<Arc<Object>>)>,
}

impl Bucket {
    pub(crate) fn new(region: String, created: Seconds) -> Self {
        Self { region, created, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let synthetic = |objects| self.next_synthetic(objects, Bound::Unbounded);
        self.versions.is_empty() && self.synthetic.iter().find_map(synthetic).is_none()
    }

    /// The newest version, which may be a delete marker.
    pub(crate) fn latest(&self, key: &str) -> Option<Arc<Object>> {
        match self.versions.get(key) {
            Some(versions) => versions.last().cloned(),
            None if self.removed.contains(key) => None,
            None => self.synthetic.iter().find_map(|objects| objects.get(key)),
        }
    }

    /// The object that is there now.
    pub(crate) fn current(&self, key: &str) -> Option<Arc<Object>> {
        self.latest(key).filter(|object| !object.delete_marker)
    }

    /// The object that was there before the bucket was last changed.
    pub(crate) fn current_before(&self, key: &str) -> Option<Arc<Object>> {
        match &self.last_change {
            Some((changed, before)) if changed == key => before.clone(),
            _ => self.current(key),
        }
    }

    pub(crate) fn version(&self, key: &str, id: &str) -> Option<Arc<Object>> {
        self.versions(key).into_iter().find(|object| object.version_id() == id)
    }

    /// All versions, newest first.
    pub(crate) fn versions(&self, key: &str) -> Vec<Arc<Object>> {
        match self.versions.get(key) {
            Some(versions) => versions.iter().rev().cloned().collect(),
            None => self.latest(key).into_iter().collect(),
        }
    }

    /// The first key from a bound on that has, or just had, any version.
    pub(crate) fn next_key(&self, bound: Bound<&str>) -> Option<String> {
        let changed = self.last_change.as_ref().map(|(key, _)| key.clone()).filter(|key| match bound {
            Bound::Unbounded => true,
            Bound::Included(from) => key.as_str() >= from,
            Bound::Excluded(from) => key.as_str() > from,
        });
        let kept = self.versions.range::<str, _>((bound, Bound::Unbounded)).next().map(|(key, _)| key.clone());
        let synthetic = self.synthetic.iter().filter_map(|objects| self.next_synthetic(objects, bound));
        changed.into_iter().chain(kept).chain(synthetic).min()
    }

    fn next_synthetic(&self, objects: &SyntheticObjects, bound: Bound<&str>) -> Option<String> {
        let mut key = objects.next(bound)?;
        while self.removed.contains(&key) {
            key = objects.next(Bound::Excluded(&key))?;
        }
        Some(key)
    }

    /// Commits an object. A bucket that keeps versions gives it the id, another replaces what was there without one.
    pub(crate) fn put(&mut self, key: &str, mut object: Object, id: String) -> Arc<Object> {
        self.note_change(key);
        let versions = self.versions.entry(key.to_owned()).or_default();
        if self.versioning == Versioning::Enabled {
            object.version = Some(id);
        } else {
            object.version = None;
            versions.retain(|version| version.version.is_some());
        }
        let object = Arc::new(object);
        versions.push(Arc::clone(&object));
        object
    }

    /// Deletes the current object: removes it, or, where versions are kept, puts a marker above it.
    pub(crate) fn delete(&mut self, key: &str, now: Seconds, id: String) -> Deleted {
        if self.versioning == Versioning::Never {
            self.note_change(key);
            self.versions.remove(key);
            return Deleted::default();
        }
        let marker = Object { modified: now, delete_marker: true, ..Object::default() };
        let marker = self.put(key, marker, id);
        Deleted { version: Some(marker.version_id().to_owned()), marker: true }
    }

    /// Removes one version, for good; one that is not there is no failure.
    pub(crate) fn delete_version(&mut self, key: &str, id: &str) -> Deleted {
        let Some(found) = self.version(key, id) else {
            return Deleted { version: Some(id.to_owned()), marker: false };
        };
        self.note_change(key);
        if let Some(versions) = self.versions.get_mut(key) {
            versions.retain(|version| version.version_id() != id);
            if versions.is_empty() {
                self.versions.remove(key);
            }
        }
        Deleted { version: Some(id.to_owned()), marker: found.delete_marker }
    }

    fn note_change(&mut self, key: &str) {
        self.last_change = Some((key.to_owned(), self.current(key)));
        if self.synthetic.iter().any(|objects| objects.get(key).is_some()) {
            self.removed.insert(key.to_owned());
        }
    }
}
