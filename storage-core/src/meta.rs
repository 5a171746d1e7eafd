//! What is known of an object besides its bytes: [`ObjectMeta`], [`ETag`], [`Attributes`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::key::Key;

/// The most bytes of user metadata, names and values together, counted as they go over the wire (rule M06).
pub const MAX_USER_METADATA: usize = 1900;

/// The most bytes of the five standard attributes together.
pub const MAX_STANDARD_ATTRIBUTES: usize = 1500;

/// The content type that services give an object which has none; it reads as none (rule M05).
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// A token that changes whenever the object does (rules M02, M03): opaque, in double quotes, compared for equality only.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ETag(Arc<str>);

impl ETag {
    /// An etag from a driver or from a caller's record of one; quotes are added where they are missing.
    pub fn new(etag: impl AsRef<str>) -> Self {
        let text = etag.as_ref();
        if text.len() >= 2 && text.starts_with('"') && text.ends_with('"') {
            Self(text.into())
        } else {
            Self(format!("\"{text}\"").into())
        }
    }

    /// The etag with its quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What head, get and a listing know of an object alike (rules M01, M02, M04, L10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The object's key, as seen from the handle that was asked.
    pub key: Key,
    /// The size of the whole object in bytes.
    pub size: u64,
    /// The etag of this version.
    pub etag: ETag,
    /// When this version was written, at the precision that the capabilities declare.
    pub last_modified: SystemTime,
    /// The version's id, where the backend has versions.
    pub version: Option<String>,
}

/// The answer of head: metadata and attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Size, etag, time, version.
    pub meta: ObjectMeta,
    /// What was stored with the object.
    pub attributes: Attributes,
}

/// What a writer may store with an object; an overwrite replaces all of it (rules W15, M05, M06).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// The media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How caches may keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// How a browser presents it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// How the bytes are encoded; a label only, nothing is decoded on the way (rule R11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// The language of the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// User metadata: names of `[a-z0-9_.-]`, values of any UTF-8.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
}

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the media type.
    #[must_use]
    pub fn content_type(mut self, value: impl Into<String>) -> Self {
        self.content_type = Some(value.into());
        self
    }

    /// Adds one name and value of user metadata.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.user.insert(name.into(), value.into());
        self
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.standard().iter().all(|(_, value)| value.is_none()) && self.user.is_empty()
    }

    /// The five standard attributes by their HTTP names.
    pub fn standard(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("Content-Type", self.content_type.as_deref()),
            ("Cache-Control", self.cache_control.as_deref()),
            ("Content-Disposition", self.content_disposition.as_deref()),
            ("Content-Encoding", self.content_encoding.as_deref()),
            ("Content-Language", self.content_language.as_deref()),
        ]
    }

    /// Checks names, values and sizes, the same for every driver, and drops what reads as none.
    /// Fails with [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput).
    pub fn checked(mut self) -> Result<Self> {
        if self.content_type.as_deref() == Some(DEFAULT_CONTENT_TYPE) {
            self.content_type = None;
        }
        let mut total = 0;
        for (name, value) in self.standard() {
            if let Some(value) = value {
                check_standard(name, value)?;
                total += value.len();
            }
        }
        if total > MAX_STANDARD_ATTRIBUTES {
            return Err(Error::invalid_input(format!(
                "the standard attributes take {total} bytes, over the limit of {MAX_STANDARD_ATTRIBUTES}"
            )));
        }
        self.check_user()?;
        Ok(self)
    }

    fn check_user(&self) -> Result<()> {
        let mut total = 0;
        for (name, value) in &self.user {
            let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
            if name.is_empty() || !name.bytes().all(ok) {
                return Err(Error::invalid_input(format!("the user metadata name {name:?} is refused"))
                    .with_help("a name is of lower-case letters, digits, '_', '.' and '-'"));
            }
            total += name.len() + wire_len(value);
        }
        if total > MAX_USER_METADATA {
            return Err(Error::invalid_input(format!(
                "the user metadata takes {total} bytes as encoded for the wire, over the limit of {MAX_USER_METADATA}"
            ))
            .with_help("store large values as objects of their own"));
        }
        Ok(())
    }
}

fn check_standard(name: &str, value: &str) -> Result<()> {
    let visible = |b: u8| (b' '..=b'~').contains(&b);
    let why = if value.is_empty() {
        "it is empty; leave it unset instead"
    } else if !value.bytes().all(visible) {
        "it may hold visible ASCII only (RFC 9110, section 5.5)"
    } else if value.starts_with(' ') || value.ends_with(' ') {
        "spaces at its ends are lost on the wire"
    } else {
        return Ok(());
    };
    Err(Error::invalid_input(format!("the attribute {name} is refused: {why}")))
}

/// The bytes that a user metadata value takes on the wire: itself when it can stand in a header as it is, else an
/// RFC 2047 base64 word.
fn wire_len(value: &str) -> usize {
    let plain = value.bytes().all(|b| (b' '..=b'~').contains(&b))
        && !value.starts_with(' ')
        && !value.ends_with(' ')
        && !value.contains("  ")
        && !value.starts_with("=?");
    if plain { value.len() } else { "=?UTF-8?B??=".len() + value.len().div_ceil(3) * 4 }
}
