//! Listing versions (rule V01): one ListObjectVersions a page.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use http::Method;
use storage_core::{ETag, Error, ListOptions, ObjectVersion, Result, VersionContent, VersionLister, VersionPage};

use crate::client::{Expect, Request, Target};
use crate::core::Core;
use crate::list::{self, EMPTY_PAGES, PAGE_SIZE};
use crate::names::{Judged, Name};
use crate::page::number;
use crate::round::{CIRCLE, Round};
use crate::xml::{self, Elements, Malformed};

const OPERATION: &str = "ListObjectVersions";

pub(crate) fn open(core: &Arc<Core>, options: ListOptions) -> Result<Box<dyn VersionLister>> {
    list::check_ordered(core)?;
    if options.delimited || options.start_after.is_some() || options.token.is_some() {
        return Err(Error::invalid_input("a listing of versions takes a prefix and a page size only"));
    }
    let prefix = format!("{}{}", core.root, options.prefix);
    let size = options.page_size.unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE);
    let next = Some(Position { marker: None, last: Vec::new() });
    Ok(Box::new(S3VersionLister { core: core.clone(), prefix, size, next, round: Round::new() }))
}

struct S3VersionLister {
    core: Arc<Core>,
    prefix: String,
    size: usize,
    /// `None` after the last page.
    next: Option<Position>,
    round: Round<(String, String)>,
}

/// Where a page begins.
struct Position {
    /// The name and version id to go on after.
    marker: Option<(String, String)>,
    /// The last name before.
    last: Vec<u8>,
}

#[async_trait]
impl VersionLister for S3VersionLister {
    async fn next_page(&mut self) -> Result<Option<VersionPage>> {
        for _ in 0..EMPTY_PAGES {
            let Some(position) = &self.next else {
                return Ok(None);
            };
            let document = list::send(&self.core, self.request(position)).await?;
            let (page, next, names) = self.read(&document, position)?;
            if let Some(marker) = next.as_ref().and_then(|next| next.marker.as_ref())
                && self.round.closes(marker)
            {
                return Err(self.malformed(CIRCLE.to_owned()));
            }
            let ended = next.is_none();
            self.next = next;
            if names > 0 || ended {
                return Ok(Some(page));
            }
        }
        Err(self.malformed(format!("{EMPTY_PAGES} pages in a row are empty, and none is the last")))
    }
}

impl S3VersionLister {
    fn request(&self, position: &Position) -> Request {
        let request = self
            .core
            .request(OPERATION, Method::GET, Target::Bucket, Expect::Document("ListVersionsResult"))
            .query("versions", "")
            .query("encoding-type", "url")
            .query("max-keys", self.size.to_string())
            .query("prefix", &self.prefix);
        match &position.marker {
            Some((key, id)) if id.is_empty() => request.query("key-marker", key),
            Some((key, id)) => request.query("key-marker", key).query("version-id-marker", id),
            None => request,
        }
    }

    /// A page out of a document, the position after it, and how many names it held.
    fn read(&self, document: &[u8], position: &Position) -> Result<(VersionPage, Option<Position>, usize)> {
        let mut found = Page::parse(document).map_err(|what| self.malformed(what))?;
        found.put_in_order();
        let mut page = VersionPage::default();
        let mut last = position.last.as_slice();
        for listed in &found.listed {
            if !listed.name.as_bytes().starts_with(self.prefix.as_bytes()) {
                let what = format!("it lists {}, asked for names that begin with {:?}", listed.name, self.prefix);
                return Err(self.malformed(what));
            }
            if listed.name.as_bytes() < last {
                let before = String::from_utf8_lossy(last);
                return Err(list::unordered(format!("the service lists {} after {before:?}", listed.name)));
            }
            last = listed.name.as_bytes();
            match listed.version(self.core.root.len()) {
                Judged::Named(version) => page.versions.push(version),
                Judged::Hidden => {}
                Judged::Skipped(skipped) => page.skipped.push(skipped),
            }
        }
        let next = match found.truncated {
            true => Some(Position { marker: Some(self.marker_after(&found, position)?), last: last.to_vec() }),
            false => None,
        };
        Ok((page, next, found.listed.len()))
    }

    /// The marker after a page: what the page says, else its last name and version.
    fn marker_after(&self, page: &Page<'_>, now: &Position) -> Result<(String, String)> {
        let said =
            page.next_key.as_ref().and_then(Name::as_str).map(|key| (key, page.next_id.as_deref().unwrap_or("")));
        let last = || page.listed.last().and_then(|last| Some((last.name.as_str()?, &*last.id)));
        match said.or_else(last).map(|(key, id)| (key.to_owned(), id.to_owned())) {
            Some(marker) if now.marker.as_ref() != Some(&marker) => Ok(marker),
            _ => Err(self.malformed("the page is not the last, and does not say how to go on".to_owned())),
        }
    }

    fn malformed(&self, what: String) -> Error {
        list::malformed(&self.core, OPERATION, what)
    }
}

/// A page as the service answers it.
#[derive(Default)]
struct Page<'a> {
    listed: Vec<Listed<'a>>,
    truncated: bool,
    next_key: Option<Name<'a>>,
    next_id: Option<String>,
}

/// A version, or the mark of a delete.
struct Listed<'a> {
    name: Name<'a>,
    id: String,
    latest: bool,
    last_modified: SystemTime,
    /// `None` of the mark of a delete.
    content: Option<VersionContent>,
}

impl<'a> Page<'a> {
    fn parse(document: &'a [u8]) -> Result<Self, Malformed> {
        let mut elements = Elements::new(document, "ListVersionsResult")?;
        let (mut page, mut truncated, mut encoded) = (Self::default(), None, false);
        while let Some(name) = elements.next()? {
            match name {
                "Version" => page.listed.push(Listed::parse(&mut elements, true)?),
                "DeleteMarker" => page.listed.push(Listed::parse(&mut elements, false)?),
                "IsTruncated" => truncated = Some(xml::boolean(name, &elements.text()?)?),
                "NextKeyMarker" => {
                    page.next_key = Some(Name::new(elements.text()?)).filter(|key| !key.as_bytes().is_empty())
                }
                "NextVersionIdMarker" => page.next_id = Some(elements.text()?.into_owned()),
                "EncodingType" => encoded = elements.text()? == "url",
                _ => elements.skip()?,
            }
        }
        page.truncated = truncated.ok_or("the page does not say whether it IsTruncated")?;
        if encoded {
            let names = page.listed.iter_mut().map(|listed| &mut listed.name);
            names.chain(&mut page.next_key).try_for_each(Name::decode)?;
        }
        Ok(page)
    }

    /// S3 answers in the contract's order. Some services answer all versions before all marks of deletes, or the other way
    /// round: each of the two is in order, and so is what they make together.
    fn put_in_order(&mut self) {
        if self.listed.is_sorted_by(|a, b| a.name <= b.name) {
            return;
        }
        let (versions, marks): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.listed).into_iter().partition(|listed| listed.content.is_some());
        let (mut versions, mut marks) = (versions.into_iter().peekable(), marks.into_iter().peekable());
        loop {
            let next = match (versions.peek(), marks.peek()) {
                (Some(version), Some(mark)) if mark.precedes(version) => marks.next(),
                (Some(_), _) => versions.next(),
                (None, _) => marks.next(),
            };
            match next {
                Some(next) => self.listed.push(next),
                None => return,
            }
        }
    }
}

impl<'a> Listed<'a> {
    fn parse(elements: &mut Elements<'a>, has_content: bool) -> Result<Self, Malformed> {
        let (mut name, mut id, mut latest, mut last_modified) = (None, None, None, None);
        let (mut size, mut etag) = (None, None);
        while let Some(field) = elements.next()? {
            match field {
                "Key" => name = Some(Name::new(elements.text()?)),
                "VersionId" => id = Some(elements.text()?.into_owned()),
                "IsLatest" => latest = Some(xml::boolean(field, &elements.text()?)?),
                "LastModified" => last_modified = Some(xml::time(field, &elements.text()?)?),
                "Size" if has_content => size = Some(number(field, &elements.text()?)?),
                "ETag" if has_content => etag = Some(ETag::new(elements.text()?)),
                _ => elements.skip()?,
            }
        }
        let content = match has_content {
            true => Some(VersionContent {
                size: size.ok_or("a version of the page has no Size")?,
                etag: etag.ok_or("a version of the page has no ETag")?,
            }),
            false => None,
        };
        Ok(Self {
            name: name.ok_or("a version of the page has no Key")?,
            id: id.ok_or("a version of the page has no VersionId")?,
            latest: latest.ok_or("a version of the page does not say whether it IsLatest")?,
            last_modified: last_modified.ok_or("a version of the page has no LastModified")?,
            content,
        })
    }

    /// Whether it stands before another in the contract's order: by its key, then the newer first.
    fn precedes(&self, other: &Self) -> bool {
        match self.name.cmp(&other.name) {
            Ordering::Equal => self.latest || (!other.latest && self.last_modified > other.last_modified),
            order => order.is_lt(),
        }
    }

    fn version(&self, root: usize) -> Judged<ObjectVersion> {
        let size = self.content.as_ref().map_or(0, |content| content.size);
        self.name.as_key(root, size).map(|key| ObjectVersion {
            key,
            id: self.id.clone(),
            latest: self.latest,
            last_modified: self.last_modified,
            content: self.content.clone(),
        })
    }
}
