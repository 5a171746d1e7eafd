//! A place that the user named: a container, and a key or prefix in it.

use futures::stream::StreamExt as _;
use storage::{Error, ErrorKind, Key, ListOptions, Location, Prefix, Result, Storage};

/// Where a command reads or writes.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The root, directory or container.
    pub(crate) storage: Storage,
    /// A key, or a level: empty, or ending in `/`.
    text: String,
    /// As the user wrote it.
    pub(crate) written: String,
    /// Whether keys are told from this place on, and not from the container on.
    from_here: bool,
}

impl Place {
    /// A place in one of the roots: its keys are told from the root on.
    pub(crate) fn new(storage: Storage, text: String, written: &str) -> Self {
        Self { storage, text, written: written.to_owned(), from_here: false }
    }

    /// The place of a location: a directory is a container by itself and a prefix of a bucket is not, so that keys are
    /// told from the location on.
    pub(crate) fn located(storage: Storage, text: String, written: &str) -> Self {
        Self { from_here: true, ..Self::new(storage, text, written) }
    }

    /// A key or prefix of this place as it is told.
    pub(crate) fn told<'k>(&self, key: &'k str) -> &'k str {
        if !self.from_here {
            return key;
        }
        let below = key.strip_prefix(&self.text).unwrap_or(key);
        match below.strip_prefix('/') {
            _ if self.is_level() => below,
            Some(below) => below,
            // The object of this place itself: its name.
            None => key.rsplit('/').next().unwrap_or(key),
        }
    }

    /// Whether it is the whole container.
    pub(crate) fn is_whole(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether it is a level, and not what may be an object.
    pub(crate) fn is_level(&self) -> bool {
        self.is_whole() || self.text.ends_with('/')
    }

    /// The key of the object; a level is `InvalidInput`.
    pub(crate) fn key(&self) -> Result<Key> {
        if self.is_level() {
            return Err(Error::invalid_input(format!("{} is a level of keys, not an object", self.written))
                .with_help("name an object, or use -r where the command has it"));
        }
        Key::new(self.text.as_str())
    }

    /// The level that the place is, or that stands under its key.
    pub(crate) fn level(&self) -> Result<Prefix> {
        if self.is_level() { Prefix::new(self.text.as_str()) } else { Prefix::new(format!("{}/", self.text)) }
    }

    /// The key that an object of this name takes when it is put here.
    pub(crate) fn target(&self, name: &str) -> Result<Key> {
        if self.is_level() { Key::new(format!("{}{name}", self.text)) } else { self.key() }
    }

    /// The address of a key here, where there is one.
    pub(crate) fn uri(&self, key: &Key) -> Option<String> {
        self.storage.location().map(|root| root.uri(key))
    }

    /// The address of a level here, where there is one.
    pub(crate) fn level_uri(&self, level: &Prefix) -> Option<String> {
        self.storage.location().map(|root| root.join(level.as_str()).to_string())
    }

    /// Whether there is anything under its level. One listing of one name.
    pub(crate) async fn holds_any(&self) -> Result<bool> {
        let mut entries = self.storage.list(ListOptions::new().prefix(self.level()?).limit(1)).await?;
        let any = entries.next().await.transpose()?.is_some();
        Ok(any || entries.report().is_some_and(|report| report.skipped > 0))
    }

    /// The error of a place where there is nothing.
    pub(crate) fn nothing_there(&self) -> Error {
        let tried = match self.is_level() {
            true => format!("there is nothing under {}", self.written),
            false => format!("there is neither an object {} nor anything under it", self.written),
        };
        Error::new(ErrorKind::NotFound, tried).with_help("list what there is, or check the name")
    }

    /// What the keys under `other` begin with, seen from this place's level, where `other` lies in it.
    pub(crate) fn inside(&self, other: &Location) -> Option<String> {
        let whole = self.storage.location()?.join(self.level().ok()?.as_str());
        match (whole, other) {
            (Location::File(whole), Location::File(other)) => {
                let other = std::fs::canonicalize(other).unwrap_or_else(|_| other.clone());
                let rest = other.strip_prefix(whole).ok()?.to_str()?.to_owned();
                Some(if rest.is_empty() { rest } else { rest + "/" })
            }
            (Location::Object(whole), Location::Object(other)) => {
                let same = whole.scheme == other.scheme && whole.container == other.container;
                let mut path = other.path.clone();
                if !path.is_empty() && !path.ends_with('/') {
                    path.push('/');
                }
                path.strip_prefix(whole.path.as_str()).filter(|_| same).map(str::to_owned)
            }
            _ => None,
        }
    }
}
