//! Uploads in parts that are not finished.

use std::collections::BTreeMap;

use hyper::HeaderMap;

use super::{Content, Object, PartInfo};
use crate::checksum::{Algorithm, Checksum, hex, md5};
use crate::clock::Seconds;
use crate::error::{Failure, Outcome};

/// An upload and the parts it has so far.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) initiated: Seconds,
    pub(crate) headers: HeaderMap,
    pub(crate) algorithm: Option<Algorithm>,
    /// Whether the object's checksum is to be made of those of its parts.
    pub(crate) composite: bool,
    pub(crate) parts: BTreeMap<u32, Part>,
}

/// A part.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) content: Content,
    pub(crate) modified: Seconds,
    pub(crate) checksum: Option<Checksum>,
}

/// A part as the request to complete an upload names it.
#[derive(Debug)]
pub(crate) struct NamedPart {
    pub(crate) number: u32,
    pub(crate) etag: String,
    /// An algorithm and a value, where the request gives one.
    pub(crate) checksum: Option<(Algorithm, String)>,
}

impl Upload {
    /// The object that these parts make; `modified` is for the caller to set.
    pub(crate) fn assemble(&self, id: &str, named: &[NamedPart], min_part_size: u64) -> Outcome<Object> {
        if named.is_sorted_by(|a, b| a.number < b.number) {
            let mut parts = Vec::with_capacity(named.len());
            for (index, name) in named.iter().enumerate() {
                let part = self.part(id, name)?;
                let size = part.content.size();
                if size < min_part_size && index + 1 < named.len() {
                    return Err(too_small(name, size, min_part_size));
                }
                parts.push((name.number, part));
            }
            return Ok(self.object(&parts));
        }
        let message = "The list of parts was not in ascending order. The parts list must be specified in order by part \
                       number.";
        Err(Failure::new(400, "InvalidPartOrder", message).detail("UploadId", id))
    }

    fn part(&self, id: &str, name: &NamedPart) -> Outcome<&Part> {
        self.parts
            .get(&name.number)
            .filter(|part| part.etag == name.etag)
            .filter(|part| match (&name.checksum, &part.checksum) {
                (Some((algorithm, value)), Some(kept)) => kept.algorithm == *algorithm && kept.value == *value,
                (Some(_), None) => false,
                (None, _) => true,
            })
            .ok_or_else(|| {
                let message = "One or more of the specified parts could not be found. The part may not have been \
                               uploaded, or the specified entity tag may not match the part's entity tag.";
                Failure::new(400, "InvalidPart", message)
                    .detail("UploadId", id)
                    .detail("PartNumber", name.number)
                    .detail("ETag", &name.etag)
            })
    }

    fn object(&self, parts: &[(u32, &Part)]) -> Object {
        let digests: Vec<_> = parts.iter().flat_map(|(_, part)| unhex(&part.etag)).collect();
        let content = Content::concat(parts.iter().map(|(_, part)| &part.content));
        Object {
            etag: format!("{}-{}", hex(&md5([digests.as_slice()])), parts.len()),
            checksum: self.checksum(parts, &content),
            content,
            headers: self.headers.clone(),
            parts: parts.iter().map(|(number, part)| info(*number, part)).collect(),
            ..Object::default()
        }
    }

    fn checksum(&self, parts: &[(u32, &Part)], content: &Content) -> Option<Checksum> {
        let algorithm = self.algorithm?;
        if self.composite {
            let values: Option<Vec<_>> =
                parts.iter().map(|(_, part)| part.checksum.as_ref().map(|checksum| checksum.value.as_str())).collect();
            return Some(Checksum::composite(algorithm, values?));
        }
        Some(Checksum::full(algorithm, &algorithm.digest(content.pieces()?)))
    }
}

fn info(number: u32, part: &Part) -> PartInfo {
    PartInfo { number, size: part.content.size(), checksum: part.checksum.clone() }
}

fn too_small(name: &NamedPart, size: u64, least: u64) -> Failure {
    Failure::new(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
        .detail("ProposedSize", size)
        .detail("MinSizeAllowed", least)
        .detail("PartNumber", name.number)
        .detail("ETag", &name.etag)
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len() / 2).filter_map(|index| digit(index * 2)).collect()
}
