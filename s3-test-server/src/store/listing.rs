//! Pages of a listing, in UTF-8 byte order. A page costs what it holds, however many keys are rolled up in it: the
//! listing seeks past a common prefix.

use std::ops::Bound;
use std::sync::Arc;

use super::{Bucket, Object};

/// What to list.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    pub(crate) from: Bound<String>,
    /// A common prefix that a page before this one has given, or that the listing is to start after.
    pub(crate) given: Option<&'a str>,
    pub(crate) limit: usize,
}

/// An entry of a page.
#[derive(Debug)]
pub(crate) enum Entry<T> {
    Item(String, T),
    Prefix(String),
}

impl<T> Entry<T> {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Item(name, _) | Self::Prefix(name) => name,
        }
    }

    pub(crate) fn is_prefix(&self) -> bool {
        matches!(self, Self::Prefix(_))
    }
}

/// A page, and whether there is more after it.
#[derive(Debug)]
pub(crate) struct Rolled<T> {
    pub(crate) entries: Vec<Entry<T>>,
    pub(crate) truncated: bool,
}

impl Listing<'_> {
    /// Current objects; `stale` shows the bucket as it was before its last change.
    pub(crate) fn objects(&self, bucket: &Bucket, stale: bool) -> Rolled<Arc<Object>> {
        self.roll(|bound| {
            let mut key = bucket.next_key(bound)?;
            loop {
                let object = if stale { bucket.current_before(&key) } else { bucket.current(&key) };
                if let Some(object) = object {
                    return Some((key, vec![object]));
                }
                key = bucket.next_key(Bound::Excluded(&key))?;
            }
        })
    }

    /// Versions, newest first, of each key; `after` leaves out those of the first key up to and with this id.
    pub(crate) fn versions(&self, bucket: &Bucket, after: Option<(&str, &str)>) -> Rolled<Arc<Object>> {
        self.roll(|bound| {
            let mut key = bucket.next_key(bound)?;
            loop {
                let mut versions = bucket.versions(&key);
                if let Some((_, id)) = after.filter(|(marker, _)| *marker == key) {
                    let seen = versions.iter().position(|version| version.version_id() == id);
                    versions.drain(..seen.map_or(versions.len(), |seen| seen + 1));
                }
                if !versions.is_empty() {
                    return Some((key, versions));
                }
                key = bucket.next_key(Bound::Excluded(&key))?;
            }
        })
    }

    /// Makes a page of what `next` gives: the first key from a bound on, with its items.
    pub(crate) fn roll<T>(&self, next: impl Fn(Bound<&str>) -> Option<(String, Vec<T>)>) -> Rolled<T> {
        let mut page = Rolled { entries: Vec::new(), truncated: false };
        let mut from = match &self.from {
            Bound::Included(key) | Bound::Excluded(key) if key.as_str() >= self.prefix => self.from.clone(),
            _ => Bound::Included(self.prefix.to_owned()),
        };
        while let Some((key, items)) = next(bound(&from)).filter(|(key, _)| key.starts_with(self.prefix)) {
            let rolled = common_prefix(&key, self.prefix, self.delimiter);
            if page.entries.len() == self.limit && (rolled.is_none() || rolled != self.given) {
                page.truncated = self.limit > 0;
                break;
            }
            let Some(prefix) = rolled else {
                for item in items {
                    if page.entries.len() == self.limit {
                        page.truncated = true;
                        return page;
                    }
                    page.entries.push(Entry::Item(key.clone(), item));
                }
                from = Bound::Excluded(key);
                continue;
            };
            if self.given != Some(prefix) {
                page.entries.push(Entry::Prefix(prefix.to_owned()));
            }
            match after_prefix(prefix) {
                Some(after) => from = Bound::Included(after),
                None => break,
            }
        }
        page
    }
}

/// What a key is rolled up into: all of it to the end of the first delimiter after the prefix.
fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let found = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + found + delimiter.len())
}

/// The least string above all that start with this one. UTF-8 sorts as the characters do.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

fn bound(bound: &Bound<String>) -> Bound<&str> {
    bound.as_ref().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SyntheticObjects;

    fn bucket(keys: &[&str]) -> Bucket {
        let mut bucket = Bucket::new("r".to_owned(), 0);
        keys.iter().for_each(|key| drop(bucket.put(key, Object::default(), String::new())));
        bucket
    }

    fn pages(bucket: &Bucket, prefix: &str, delimiter: Option<&str>, limit: usize) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let (mut from, mut given) = (Bound::Unbounded, None);
        loop {
            let listing = Listing { prefix, delimiter, from, given: given.as_deref(), limit };
            let page = listing.objects(bucket, false);
            assert!(page.entries.len() <= limit);
            names.extend(page.entries.iter().map(|entry| entry.name().to_owned()));
            let Some(last) = page.entries.last().filter(|_| page.truncated) else { return names };
            from = Bound::Excluded(last.name().to_owned());
            given = last.is_prefix().then(|| last.name().to_owned());
        }
    }

    #[test]
    fn pages_of_any_size_make_the_same_listing() {
        let bucket = bucket(&[
            "a",
            "a/b",
            "a/c",
            "a//",
            "a0",
            "b--c--d",
            "b--e",
            "c",
            "é/1",
            "\u{d7ff}/1",
            "\u{10ffff}/",
            "/x",
            "//",
        ]);
        for (prefix, delimiter) in [("", None), ("", Some("/")), ("a", Some("/")), ("a/", Some("/")), ("", Some("--"))]
        {
            let whole = pages(&bucket, prefix, delimiter, 1000);
            assert!(whole.is_sorted() && !whole.is_empty());
            for limit in 1..5 {
                assert_eq!(pages(&bucket, prefix, delimiter, limit), whole, "{prefix} {delimiter:?} {limit}");
            }
        }
        assert_eq!(pages(&bucket, "b", Some("--"), 9), ["b--"]);
    }

    #[test]
    fn millions_of_keys_below_a_prefix_cost_one_step() {
        let mut bucket = bucket(&["a", "z"]);
        bucket.synthetic.push(SyntheticObjects { prefix: "many/".to_owned(), count: 9_000_000, size: 1, modified: 0 });
        assert_eq!(pages(&bucket, "", Some("/"), 1), ["a", "many/", "z"]);
    }

    #[test]
    fn a_stale_page_lacks_the_last_change() {
        let mut bucket = bucket(&["a", "b"]);
        let listing = Listing { prefix: "", delimiter: None, from: Bound::Unbounded, given: None, limit: 10 };
        let names = |bucket: &Bucket, stale| {
            listing.objects(bucket, stale).entries.iter().map(|entry| entry.name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&bucket, true), ["a"]);
        bucket.delete("a", 0, String::new());
        assert_eq!(names(&bucket, true), ["a", "b"]);
        assert_eq!(names(&bucket, false), ["b"]);
    }
}
