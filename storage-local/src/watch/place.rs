//! What the names in a watched directory stand for.

use storage_core::{Key, Prefix};

use crate::level::join;
use crate::names::{self, Name, SELF};

/// A directory, and which keys lie in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// Its path in the root.
    pub(crate) path: String,
    /// What the keys in it begin with: empty, or ending in `/`.
    text: String,
    /// The pieces of a long segment whose rest lies in it.
    cut: String,
}

/// A name in a directory that a key is made of.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) path: String,
    /// The key of an object with this name.
    pub(crate) key: Option<Key>,
    /// The directory of this name, if it is one.
    pub(crate) level: Option<Place>,
}

impl Place {
    /// What all keys in it begin with.
    pub(crate) fn begins(&self) -> String {
        format!("{}{}", self.text, self.cut)
    }

    /// The same, where a prefix can say it.
    pub(crate) fn prefix(&self) -> Option<Prefix> {
        Prefix::new(self.begins()).ok()
    }

    /// What a name in it stands for; nothing where no key is made of it.
    pub(crate) fn named(&self, name: &str) -> Option<Named> {
        let path = join(&self.path, name);
        match names::read(name, &self.cut) {
            Name::Own if name == SELF && self.cut.is_empty() => {
                let key = Key::new(self.text.strip_suffix('/')?).ok()?;
                Some(Named { path, key: Some(key), level: None })
            }
            Name::Segment(segment) => {
                let key = Key::new(format!("{}{segment}", self.text)).ok()?;
                let level = Place { path: path.clone(), text: format!("{key}/"), cut: String::new() };
                Some(Named { path, key: Some(key), level: Some(level) })
            }
            Name::Piece(piece) => {
                let level = Place { path: path.clone(), text: self.text.clone(), cut: format!("{}{piece}", self.cut) };
                level.prefix()?;
                Some(Named { path, key: None, level: Some(level) })
            }
            Name::Own | Name::Foreign(_) => None,
        }
    }
}
