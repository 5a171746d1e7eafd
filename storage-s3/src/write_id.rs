//! The mark by which a write is recognised after its answer was lost (rule C06): reserved user metadata, hidden from hosts.

use http::{HeaderMap, HeaderName, HeaderValue};
use ring::rand::{SecureRandom, SystemRandom};
use storage_core::PutMode;

/// The name of the user metadata that holds the mark. A user's own name that begins with it goes over the wire with one
/// more `-` behind this part, so that no name is taken from anybody.
pub(crate) const RESERVED: &str = "storage-write-id";

const HEADER: HeaderName = HeaderName::from_static("x-amz-meta-storage-write-id");

/// A mark of one write: a letter for what it asked of the object that was there, 128 random bits, and a digest of the
/// object's name, by which a mark that a copy carried along from another object is told from one that was made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteId(String);

impl WriteId {
    /// A new one, which no other write has.
    pub(crate) fn new(mode: &PutMode, name: &str) -> Self {
        let letter = match mode {
            PutMode::CreateOnly => CREATED,
            PutMode::IfMatch(_) => 's',
            PutMode::Overwrite => 'w',
        };
        Self(format!("{letter}{:032x}{}", random(), digest(name)))
    }

    /// Adds it to the headers of a write.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            headers.insert(HEADER, value);
        }
    }

    /// The mark of the object that an answer is about, where it has one.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        headers.get(HEADER).and_then(|value| value.to_str().ok()).map(|text| Self(text.to_owned()))
    }

    /// Whether the object of this name was made by a create-only write, so that there was none just before.
    pub(crate) fn created(&self, name: &str) -> bool {
        self.0.starts_with(CREATED) && self.0.ends_with(&digest(name))
    }
}

const CREATED: char = 'c';

fn digest(name: &str) -> String {
    format!("{:08x}", crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, name.as_bytes()))
}

/// From the system: processes that were started alike must not draw alike.
fn random() -> u128 {
    let mut bytes = [0; 16];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => u128::from_ne_bytes(bytes),
        Err(_) => fastrand::u128(..),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_differ_and_survive_the_wire() {
        let (one, other) = (WriteId::new(&PutMode::CreateOnly, "a"), WriteId::new(&PutMode::CreateOnly, "a"));
        assert_ne!(one, other);
        let mut headers = HeaderMap::new();
        one.write(&mut headers);
        assert_eq!(WriteId::read(&headers), Some(one));
        assert_eq!(WriteId::read(&HeaderMap::new()), None);
    }

    #[test]
    fn only_a_create_only_write_of_this_very_object_says_that_there_was_none() {
        assert!(WriteId::new(&PutMode::CreateOnly, "a").created("a"));
        assert!(!WriteId::new(&PutMode::CreateOnly, "a").created("b"), "a copy of it carries the mark along");
        assert!(!WriteId::new(&PutMode::Overwrite, "a").created("a"));
    }
}
