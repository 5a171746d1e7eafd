//! Objects that exist by rule, and take no memory: bytes that are a function of their offset, keys of their number.

use std::ops::Bound;
use std::sync::Arc;

use super::content::Content;
use super::{Object, default_headers};
use crate::clock::Seconds;

/// The bytes of a synthetic object from `offset` on: the byte at offset `o` is byte `o % 8`, least significant first, of
/// the SplitMix64 output for the state `o / 8`.
///
/// ```
/// let whole = s3_test_server::synthetic_bytes(0, 100);
/// assert_eq!(s3_test_server::synthetic_bytes(13, 50), whole[13..63]);
/// ```
pub fn synthetic_bytes(offset: u64, len: usize) -> Vec<u8> {
    let skipped = (offset % 8) as usize;
    let mut bytes = Vec::with_capacity(len + 16);
    let mut word = offset / 8;
    while bytes.len() < len + skipped {
        bytes.extend_from_slice(&split_mix(word).to_le_bytes());
        word += 1;
    }
    bytes.truncate(len + skipped);
    bytes.drain(..skipped);
    bytes
}

/// One step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
fn split_mix(state: u64) -> u64 {
    let z = state.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const DIGITS: usize = 10;

/// Objects whose keys are a prefix and a number of ten digits.
#[derive(Debug)]
pub(crate) struct SyntheticObjects {
    pub(crate) prefix: String,
    pub(crate) count: u64,
    pub(crate) size: u64,
    pub(crate) modified: Seconds,
}

impl SyntheticObjects {
    fn key(&self, number: u64) -> String {
        format!("{}{number:0DIGITS$}", self.prefix)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Arc<Object>> {
        let digits = key.strip_prefix(&self.prefix)?;
        if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = digits.parse::<u64>().ok().filter(|number| *number < self.count)?;
        Some(Arc::new(Object {
            etag: format!("{number:032x}"),
            modified: self.modified,
            content: Content::synthetic(0, self.size),
            headers: default_headers(),
            ..Object::default()
        }))
    }

    /// The first key from a bound on.
    pub(crate) fn next(&self, bound: Bound<&str>) -> Option<String> {
        let number = match bound {
            Bound::Unbounded => 0,
            Bound::Included(key) => self.position(key, false)?,
            Bound::Excluded(key) => self.position(key, true)?,
        };
        (number < self.count).then(|| self.key(number))
    }

    /// The least number whose key is not below `key`, or is above it; `None` if all are below.
    fn position(&self, key: &str, above: bool) -> Option<u64> {
        let Some(rest) = key.strip_prefix(&self.prefix) else {
            return (key < self.prefix.as_str()).then_some(0);
        };
        let mut number = 0;
        for (place, byte) in rest.bytes().take(DIGITS).enumerate() {
            let unit = 10_u64.pow((DIGITS - place) as u32);
            match byte {
                b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
                0..b'0' => return Some(number * unit),
                _ => return Some((number + 1) * unit),
            }
        }
        let digits = rest.len().min(DIGITS);
        let number = number * 10_u64.pow((DIGITS - digits) as u32);
        let passed = rest.len() > DIGITS || (above && rest.len() == DIGITS);
        Some(number + u64::from(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_from_any_bound_as_in_a_sorted_list() {
        let objects = SyntheticObjects { prefix: "p/".to_owned(), count: 2500, size: 0, modified: 0 };
        let keys: Vec<_> = (0..2500).map(|number| objects.key(number)).collect();
        let bounds = [
            "",
            "a",
            "p",
            "p/",
            "p0",
            "q",
            "p/0",
            "p/00000000",
            "p/0000000100",
            "p/00000001000",
            "p/000000010",
            "p/000000010z",
            "p/000000010-",
            "p/0000002499",
            "p/0000002500",
            "p/9",
            "p/0000001é",
        ];
        for bound in bounds {
            let included = keys.iter().find(|key| key.as_str() >= bound).cloned();
            assert_eq!(objects.next(Bound::Included(bound)), included, "from {bound}");
            let excluded = keys.iter().find(|key| key.as_str() > bound).cloned();
            assert_eq!(objects.next(Bound::Excluded(bound)), excluded, "after {bound}");
        }
        assert!(keys.iter().all(|key| objects.get(key).is_some()));
        assert!(["p/", "p/0000002500", "p/00000000001", "p/+000000001"].iter().all(|key| objects.get(key).is_none()));
    }
}
