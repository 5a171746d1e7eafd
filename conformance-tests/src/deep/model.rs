//! The reference: what every operation has to answer, whatever the driver. It is written after the contract and shares
//! no rule with the drivers, so that a mistake is not made twice.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use storage_core::{
    Attributes, ByteRange, Capabilities, CopyOptions, ETag, ETagKind, ErrorKind, ObjectMeta, PutMode, Support,
};

/// What an operation must answer: success, or one of these kinds. There are several only where several things are wrong
/// at once.
pub(crate) type Verdict<T = ()> = Result<T, Vec<ErrorKind>>;

/// An object as it must be.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) content: Bytes,
    pub(crate) attributes: Attributes,
    /// As the driver told it when the object was written.
    pub(crate) etag: ETag,
    /// As the driver told it then.
    pub(crate) last_modified: SystemTime,
}

/// A root as it must be.
pub(crate) struct Model {
    pub(crate) objects: BTreeMap<String, Object>,
    capabilities: Capabilities,
    /// Every etag that a key ever had, in order.
    etags: BTreeMap<String, Vec<ETag>>,
}

/// The conditions of a read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadIf {
    pub(crate) matches: Option<ETag>,
    pub(crate) differs: Option<ETag>,
}

impl Model {
    pub(crate) fn new(capabilities: Capabilities) -> Self {
        Self { objects: BTreeMap::new(), capabilities, etags: BTreeMap::new() }
    }

    /// The etags that a key ever had.
    pub(crate) fn etags(&self, key: &str) -> &[ETag] {
        self.etags.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a write may take place.
    pub(crate) fn may_write(&self, key: &str, mode: &PutMode, attributes: &Attributes, streaming: bool) -> Verdict {
        let known = self.capabilities;
        let support = match (mode, streaming) {
            (PutMode::Overwrite, _) => Support::Yes,
            (PutMode::CreateOnly, false) => known.put_create_only,
            (PutMode::CreateOnly, true) => known.writer_create_only,
            (PutMode::IfMatch(_), false) => known.put_if_match,
            (PutMode::IfMatch(_), true) => known.writer_if_match,
        };
        if support == Support::No || !known.attributes && !attributes.is_empty() {
            return Err(vec![ErrorKind::Unsupported]);
        }
        self.holds(key, mode)
    }

    /// Whether the condition of a write holds.
    pub(crate) fn holds(&self, key: &str, mode: &PutMode) -> Verdict {
        match (mode, self.objects.get(key)) {
            (PutMode::CreateOnly, Some(_)) => Err(vec![ErrorKind::AlreadyExists]),
            (PutMode::IfMatch(etag), object) if object.is_none_or(|object| object.etag != *etag) => {
                Err(vec![ErrorKind::PreconditionFailed])
            }
            _ => Ok(()),
        }
    }

    /// Whether a copy or a move may take place.
    pub(crate) fn may_copy(&self, from: &str, to: &str, options: &CopyOptions) -> Verdict {
        if options.create_only && self.capabilities.copy_create_only == Support::No {
            return Err(vec![ErrorKind::Unsupported]);
        }
        let Some(source) = self.objects.get(from) else {
            return Err(vec![ErrorKind::NotFound]);
        };
        let mut wrong = Vec::new();
        if options.if_source_match.as_ref().is_some_and(|etag| *etag != source.etag) {
            wrong.push(ErrorKind::PreconditionFailed);
        }
        if options.create_only && self.objects.contains_key(to) {
            wrong.push(ErrorKind::AlreadyExists);
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// Whether a delete may take place.
    pub(crate) fn may_delete(&self, key: &str, if_match: Option<&ETag>) -> Verdict {
        let Some(etag) = if_match else { return Ok(()) };
        if self.capabilities.delete_if_match == Support::No {
            return Err(vec![ErrorKind::Unsupported]);
        }
        self.holds(key, &PutMode::IfMatch(etag.clone()))
    }

    /// What a read finds: the object, and which of its bytes.
    pub(crate) fn read(
        &self,
        key: &str,
        range: Option<ByteRange>,
        read_if: &ReadIf,
    ) -> Verdict<(&Object, Range<usize>)> {
        let object = self.objects.get(key).ok_or_else(|| vec![ErrorKind::NotFound])?;
        if read_if.matches.as_ref().is_some_and(|etag| *etag != object.etag) {
            return Err(vec![ErrorKind::PreconditionFailed]);
        }
        if read_if.differs.as_ref().is_some_and(|etag| *etag == object.etag) {
            return Err(vec![ErrorKind::NotModified]);
        }
        let size = object.content.len();
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(size);
        let bytes = match range {
            None => 0..size,
            Some(ByteRange::Suffix(last)) => size - at(last)..size,
            Some(ByteRange::From(start) | ByteRange::Bounded { start, .. }) if at(start) == size => {
                return Err(vec![ErrorKind::RangeNotSatisfiable { size: size as u64 }]);
            }
            Some(ByteRange::From(start)) => at(start)..size,
            Some(ByteRange::Bounded { start, end }) => at(start)..at(end),
        };
        Ok((object, bytes))
    }

    /// Takes in a write that took place, as the driver describes it; says what is wrong with the description.
    pub(crate) fn written(&mut self, meta: &ObjectMeta, content: Bytes, attributes: Attributes) -> Result<(), String> {
        let (key, etag) = (meta.key.as_str().to_owned(), meta.etag.clone());
        let known = self.etags.entry(key.clone()).or_default();
        if self.capabilities.etag == ETagKind::Unique && known.contains(&etag) {
            return Err(format!("the etag {etag} is that of an earlier write, though etags are declared as unique"));
        }
        known.push(etag.clone());
        let object = Object { content, attributes, etag, last_modified: meta.last_modified };
        match self.objects.insert(key, object) {
            Some(old) if old.last_modified > meta.last_modified => {
                Err(format!("last_modified goes back from {:?} to {:?}", old.last_modified, meta.last_modified))
            }
            _ => Ok(()),
        }
    }

    /// Removes everything under a prefix, and says how much that was.
    pub(crate) fn delete_prefix(&mut self, prefix: &str) -> u64 {
        let before = self.objects.len();
        self.objects.retain(|key, _| !key.starts_with(prefix));
        (before - self.objects.len()) as u64
    }

    /// The entries of a listing: keys, and in a delimited one common prefixes.
    pub(crate) fn list(&self, prefix: &str, delimited: bool, start_after: Option<&str>) -> Vec<String> {
        let entry = |key: &String| {
            let rest = key.strip_prefix(prefix)?;
            Some(match rest.find('/').filter(|_| delimited) {
                Some(slash) => format!("{prefix}{}", &rest[..=slash]),
                None => key.clone(),
            })
        };
        let entries: BTreeSet<String> = self.objects.keys().filter_map(entry).collect();
        entries.into_iter().filter(|entry| start_after.is_none_or(|start| entry.as_str() > start)).collect()
    }

    /// What is wrong with an object's description.
    pub(crate) fn differs(&self, meta: &ObjectMeta) -> Option<String> {
        let Some(object) = self.objects.get(meta.key.as_str()) else {
            return Some(format!("{:?} is there and ought not to be", meta.key));
        };
        let must = (object.content.len() as u64, &object.etag, object.last_modified);
        let is = (meta.size, &meta.etag, meta.last_modified);
        (must != is).then(|| format!("size, etag and time of {:?} are {is:?} and ought to be {must:?}", meta.key))
    }
}
