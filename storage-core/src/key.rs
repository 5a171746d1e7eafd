//! Keys and prefixes: validated once, never rewritten (rules K01–K14).

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};

/// The longest key, in UTF-8 bytes, counted with every prefix in front of it inside its bucket or directory (rule K03).
pub const MAX_KEY_LEN: usize = 1024;

/// The name of an object: 1 to 1,024 bytes of UTF-8, kept byte for byte.
///
/// `/` separates segments. Refused are: an empty key or segment, a leading or trailing `/`, a segment `.` or `..`,
/// control characters (C0, DEL), U+FFFE and U+FFFF. Everything else is literal: nothing is trimmed, collapsed,
/// decoded or normalised. Keys order by their bytes. Cloning is cheap.
///
/// ```
/// use storage_core::Key;
/// assert!(Key::new("notes/100%25.txt").is_ok());
/// assert!(Key::new("a//b").is_err());
/// assert!(Key::new("../x").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// Checks a key. Fails with [`ErrorKind::InvalidKey`] and the reason.
    pub fn new(key: impl AsRef<str> + Into<Arc<str>>) -> Result<Self> {
        let text = key.as_ref();
        match check_key(text) {
            Ok(()) => Ok(Self(key.into())),
            Err(reason) => Err(invalid("key", text, reason)),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments between `/`; never empty, and none of them is empty.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The key without `prefix` in front; `None` when it is not under it, or is the prefix itself.
    pub fn strip_prefix(&self, prefix: &Prefix) -> Option<Key> {
        if prefix.is_empty() {
            return Some(self.clone());
        }
        let rest = self.0.strip_prefix(prefix.as_str())?;
        check_key(rest).is_ok().then(|| Self(rest.into()))
    }
}

/// A text that starts a key, matched as a string: `o/a` matches `o/a`, `o/ab` and `o/a/b` (rule K14).
///
/// It may be empty (everything) or end in `/`; its last, unfinished segment may be `.` or `..`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Checks a prefix. Fails with [`ErrorKind::InvalidKey`] and the reason.
    pub fn new(prefix: impl AsRef<str> + Into<Arc<str>>) -> Result<Self> {
        let text = prefix.as_ref();
        match check_prefix(text) {
            Ok(()) => Ok(Self(prefix.into())),
            Err(reason) => Err(invalid("prefix", text, reason)),
        }
    }

    /// The empty prefix, which matches every key.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is empty, and so matches everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it stands for a whole level: empty, or ending in `/`.
    pub fn is_level(&self) -> bool {
        self.0.is_empty() || self.0.ends_with('/')
    }

    /// Whether a key begins with this prefix.
    pub fn matches(&self, key: &str) -> bool {
        key.starts_with(&*self.0)
    }

    /// The key `prefix + key`. Fails with [`ErrorKind::InvalidKey`] when the two are too long together.
    pub fn key(&self, key: &Key) -> Result<Key> {
        if self.0.is_empty() {
            return Ok(key.clone());
        }
        Key::new(self.joined(&key.0))
    }

    /// The prefix `self + prefix`.
    pub fn join(&self, prefix: &Prefix) -> Result<Prefix> {
        if self.0.is_empty() {
            return Ok(prefix.clone());
        }
        Prefix::new(self.joined(&prefix.0))
    }

    fn joined(&self, rest: &str) -> String {
        let mut joined = String::with_capacity(self.0.len() + rest.len());
        joined.push_str(&self.0);
        joined.push_str(rest);
        joined
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self::root()
    }
}

fn check_key(key: &str) -> std::result::Result<(), &'static str> {
    if key.is_empty() {
        return Err("it is empty");
    }
    check_text(key)?;
    if key.ends_with('/') {
        return Err("it ends with '/'");
    }
    check_segments(key.split('/'))
}

fn check_prefix(prefix: &str) -> std::result::Result<(), &'static str> {
    check_text(prefix)?;
    match prefix.rsplit_once('/') {
        Some((finished, _)) => check_segments(finished.split('/')),
        None => Ok(()),
    }
}

fn check_text(text: &str) -> std::result::Result<(), &'static str> {
    if text.len() > MAX_KEY_LEN {
        return Err("it is longer than 1024 bytes");
    }
    if text.starts_with('/') {
        return Err("it starts with '/'");
    }
    // Byte by byte without a way out, so that it is vectorised: listings check a key for each object.
    if text.bytes().fold(false, |found, byte| found | (byte < b' ' || byte == 0x7f)) {
        return Err("it holds a control character");
    }
    // Both characters begin with the byte EF in UTF-8.
    if text.as_bytes().contains(&0xef) && text.contains(['\u{fffe}', '\u{ffff}']) {
        return Err("it holds U+FFFE or U+FFFF, which no listing can carry");
    }
    Ok(())
}

fn check_segments<'a>(segments: impl Iterator<Item = &'a str>) -> std::result::Result<(), &'static str> {
    for segment in segments {
        match segment {
            "" => return Err("it holds an empty segment ('//')"),
            "." | ".." => return Err("it holds a segment '.' or '..'"),
            _ => {}
        }
    }
    Ok(())
}

fn invalid(what: &str, text: &str, reason: &str) -> Error {
    Error::new(ErrorKind::InvalidKey, format!("the {what} is refused because {reason}"))
        .with_key(shortened(text))
        .with_help("a key is 1 to 1024 bytes of UTF-8 in segments parted by single '/'")
}

/// An offending text as an error names it: whole when short, else its beginning.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

macro_rules! text_type {
    ($type:ident, $into:ident, $method:ident, $what:literal) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = Error;
            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&String> for $type {
            type Error = Error;
            fn try_from(text: &String) -> Result<Self> {
                Self::new(text.as_str())
            }
        }

        impl From<&$type> for $type {
            fn from(same: &$type) -> Self {
                same.clone()
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }

        #[doc = concat!("What a handle takes as a ", $what, ": the checked type, or text that is checked on the way in.")]
        pub trait $into {
            /// Checks the text, where it is not checked yet.
            fn $method(self) -> Result<$type>;
        }

        impl<T: TryInto<$type, Error: Into<Error>>> $into for T {
            fn $method(self) -> Result<$type> {
                self.try_into().map_err(Into::into)
            }
        }
    };
}

text_type!(Key, IntoKey, into_key, "key");
text_type!(Prefix, IntoPrefix, into_prefix, "prefix");

/// A key is also a prefix: that of itself and of everything whose name goes on from it.
impl From<Key> for Prefix {
    fn from(key: Key) -> Self {
        Self(key.0)
    }
}
