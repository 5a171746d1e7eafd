//! Names in the bucket, and what they are to a listing (rules L03, L12).

use std::borrow::Cow;
use std::fmt;

use memchr::memchr2;
use storage_core::{Key, MAX_KEY_LEN, Prefix, Result, Skipped};

use crate::xml::Malformed;

/// A name in the bucket. It orders by its bytes, which need not be text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name<'a>(Cow<'a, [u8]>);

impl<'a> Name<'a> {
    /// A name as it stands in the document.
    pub(crate) fn new(text: Cow<'a, str>) -> Self {
        Self(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    /// Takes back the encoding that `encoding-type=url` asked for: `%XX`, and `+` for a space.
    pub(crate) fn decode(&mut self) -> Result<(), Malformed> {
        let mut rest = &*self.0;
        let mut decoded = Vec::new();
        while let Some(at) = memchr2(b'%', b'+', rest) {
            decoded.reserve(rest.len());
            decoded.extend_from_slice(&rest[..at]);
            if rest[at] == b'+' {
                decoded.push(b' ');
                rest = &rest[at + 1..];
            } else {
                let byte = hex(rest.get(at + 1)).zip(hex(rest.get(at + 2)));
                let (high, low) =
                    byte.ok_or_else(|| format!("the name {self} is not URL-encoded, though the page says so"))?;
                decoded.push(high << 4 | low);
                rest = &rest[at + 3..];
            }
        }
        if !decoded.is_empty() {
            decoded.extend_from_slice(rest);
            self.0 = Cow::Owned(decoded);
        }
        Ok(())
    }

    /// Whether it can be what the encoding makes of a name: ASCII without spaces and controls, and two digits after each `%`.
    pub(crate) fn may_be_encoded(&self) -> bool {
        let digits = |at: usize| hex(self.0.get(at + 1)).and(hex(self.0.get(at + 2))).is_some();
        self.0.iter().enumerate().all(|(at, byte)| byte.is_ascii_graphic() && (*byte != b'%' || digits(at)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text, if it is UTF-8.
    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    match *digit? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
        digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// What a name is to a listing.
pub(crate) enum Judged<T> {
    /// A key, or a common prefix of keys.
    Named(T),
    /// A directory marker, or an object by which the driver probes the service: not the caller's.
    Hidden,
    /// Something that no key can express.
    Skipped(Skipped),
}

impl<T> Judged<T> {
    pub(crate) fn map<U>(self, make: impl FnOnce(T) -> U) -> Judged<U> {
        match self {
            Self::Named(checked) => Judged::Named(make(checked)),
            Self::Hidden => Judged::Hidden,
            Self::Skipped(skipped) => Judged::Skipped(skipped),
        }
    }
}

impl Name<'_> {
    /// What the name of an object is, seen from a root of so many bytes.
    pub(crate) fn as_key(&self, root: usize, size: u64) -> Judged<Key> {
        if self.0.ends_with(b"/") && (size == 0 || is_probe(&self.0)) {
            Judged::Hidden
        } else {
            self.judge(root, Key::new)
        }
    }

    /// What a common prefix is, seen from a root of so many bytes.
    pub(crate) fn as_prefix(&self, root: usize) -> Judged<Prefix> {
        if is_probe(&self.0) { Judged::Hidden } else { self.judge(root, Prefix::new) }
    }

    fn judge<'n, T>(&'n self, root: usize, check: impl FnOnce(&'n str) -> Result<T>) -> Judged<T> {
        let seen = self.0.get(root..).unwrap_or_default();
        let Ok(text) = std::str::from_utf8(seen) else {
            return skipped(String::from_utf8_lossy(seen), "it is not UTF-8");
        };
        if self.0.len() > MAX_KEY_LEN {
            return skipped(text.into(), "it is longer than 1024 bytes with what the root puts in front");
        }
        match check(text) {
            Ok(checked) => Judged::Named(checked),
            Err(error) => skipped(text.into(), error.message()),
        }
    }
}

fn skipped<T>(name: Cow<'_, str>, reason: &str) -> Judged<T> {
    Judged::Skipped(Skipped { name: name.into_owned(), reason: reason.to_owned() })
}

/// Whether it ends in `storage-probe-`, 32 hexadecimal digits and a `/`.
fn is_probe(name: &[u8]) -> bool {
    const MARK: &[u8] = b"storage-probe-";
    let Some((front, id)) = name.strip_suffix(b"/").and_then(|name| name.split_at_checked(name.len().checked_sub(32)?))
    else {
        return false;
    };
    front.ends_with(MARK) && id.iter().all(u8::is_ascii_hexdigit)
}
