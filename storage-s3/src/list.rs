//! Listing objects (rules L01–L14): one ListObjectsV2 a page.
//!
//! Within one listing the service's own token goes on from page to page; a token for the host holds the last name instead,
//! so that it is good as long as the bucket is (rule L06).

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::Method;
use storage_core::{
    ETag, Entry, Error, ErrorKind, HeadOptions, Key, ListOptions, Lister, MAX_KEY_LEN, ObjectMeta, Page, Result, Token,
};

use crate::client::{Answer, AnswerBody, Cause, Effect, Expect, Failure, Request, Target};
use crate::core::Core;
use crate::names::{Judged, Name};
use crate::page::{ListPage, ListedObject};
use crate::round::{CIRCLE, Round};
use crate::{encoding, head};

/// The most entries of a page (S3 API, "ListObjectsV2": `max-keys`).
pub(crate) const PAGE_SIZE: usize = 1000;

/// So many pages in a row that say "go on" and name nothing are a service that will never end.
pub(crate) const EMPTY_PAGES: u32 = 1000;

/// How many etags are asked for at once where a listing has none.
const ETAGS_AT_ONCE: usize = 16;

const OPERATION: &str = "ListObjectsV2";

pub(crate) fn open(core: &Arc<Core>, options: ListOptions) -> Result<Box<dyn Lister>> {
    check_ordered(core)?;
    let from = options.first()?;
    let resume = match &options.token {
        Some(token) => token.open(&options)?,
        None => options.start_after.clone().unwrap_or_default(),
    };
    let next = Some(Position { token: None, from, last: Vec::new(), resume });
    Ok(Box::new(S3Lister { core: core.clone(), query: options, next, round: Round::new() }))
}

/// Fails where the bucket is of a type that lists in no order (rule L01).
pub(crate) fn check_ordered(core: &Core) -> Result<()> {
    if core.options.bucket.ends_with("--x-s3") {
        return Err(unordered(format!(
            "the bucket {} is a directory bucket, which lists in no order",
            core.options.bucket
        )));
    }
    Ok(())
}

pub(crate) fn unordered(message: String) -> Error {
    Error::unsupported(message).with_help("use a general purpose bucket, or a service that lists in order")
}

struct S3Lister {
    core: Arc<Core>,
    query: ListOptions,
    /// `None` after the last page.
    next: Option<Position>,
    round: Round<String>,
}

/// Where a page begins.
struct Position {
    /// What the service gave to go on with.
    token: Option<String>,
    /// What the caller wants, seen from the root. Where there is no token the service is asked for this.
    from: Bound<String>,
    /// The last name before, as it is in the bucket.
    last: Vec<u8>,
    /// The last name before that is text, seen from the root.
    resume: String,
}

#[async_trait]
impl Lister for S3Lister {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        for _ in 0..EMPTY_PAGES {
            let Some(position) = &self.next else {
                return Ok(None);
            };
            let document = self.ask(position).await?;
            let found = page(&self.core, &document).await?;
            let without_etag = found.objects.iter().any(|object| object.etag.is_none());
            let (mut page, next) = self.read(found, position)?;
            if without_etag {
                page.entries = self.with_etags(page.entries).await?;
            }
            if let Some(token) = next.as_ref().and_then(|next| next.token.as_ref())
                && self.round.closes(token)
            {
                return Err(malformed(&self.core, OPERATION, CIRCLE.to_owned()));
            }
            let ended = next.is_none();
            self.next = next;
            // A page of what was not asked for leads a host that goes on by tokens nowhere.
            if !page.entries.is_empty() || !page.skipped.is_empty() || ended {
                return Ok(Some(page));
            }
        }
        Err(malformed(&self.core, OPERATION, format!("{EMPTY_PAGES} pages in a row are empty, and none is the last")))
    }
}

impl S3Lister {
    async fn ask(&self, position: &Position) -> Result<Bytes> {
        let most = self.query.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_SIZE);
        let size = self.query.page_size.unwrap_or(PAGE_SIZE).min(most).clamp(1, PAGE_SIZE);
        let mut request = request(&self.core, &self.prefix(), size);
        if self.query.delimited {
            request = request.query("delimiter", "/");
        }
        request = match (&position.token, self.start_after(&position.from)) {
            (Some(token), _) => request.query("continuation-token", token),
            (None, Some(start)) => request.query("start-after", start),
            (None, None) => request,
        };
        send(&self.core, request).await
    }

    /// The entries with the etags that a service has left out. One request for each; what is gone by then is left out.
    async fn with_etags(&self, entries: Vec<Entry>) -> Result<Vec<Entry>> {
        let asked = stream::iter(entries).map(async |entry| match entry {
            Entry::Object(meta) if meta.etag == ETag::new("") => {
                match head::head(&self.core, &meta.key, HeadOptions::new()).await {
                    Ok(head) => Ok(Some(Entry::Object(ObjectMeta { version: None, ..head.meta }))),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            }
            entry => Ok(Some(entry)),
        });
        asked.buffered(ETAGS_AT_ONCE).try_filter_map(async |entry| Ok(entry)).try_collect().await
    }

    fn prefix(&self) -> String {
        format!("{}{}", self.core.root, self.query.prefix)
    }

    /// The name in the bucket after which everything wanted comes; what is not wanted may come as well.
    fn start_after(&self, from: &Bound<String>) -> Option<String> {
        let start = match from {
            Bound::Included(first) if first == self.query.prefix.as_str() => return None,
            // The first text past a level: go on behind all of the level but what begins with the last character there is.
            Bound::Included(past) => format!("{}/\u{10ffff}", past.strip_suffix('0').unwrap_or(past)),
            Bound::Excluded(start) if start.is_empty() => return None,
            Bound::Excluded(start) => start.clone(),
            Bound::Unbounded => return None,
        };
        let mut start = format!("{}{start}", self.core.root);
        // A service may refuse a name that no object can have.
        start.truncate(start.floor_char_boundary(MAX_KEY_LEN));
        Some(start)
    }

    /// A page out of what the service answered, and the position after it.
    fn read(&self, found: ListPage<'_>, position: &Position) -> Result<(Page, Option<Position>)> {
        let names = found.objects.len() + found.prefixes.len();
        let mut page = Page { entries: Vec::with_capacity(names), ..Page::default() };
        let (prefix, root) = (self.prefix(), self.core.root.len());
        let mut last = position.last.as_slice();
        let (mut objects, mut prefixes) = (found.objects.iter().peekable(), found.prefixes.iter().peekable());
        while let Some(next) = Next::of(&mut objects, &mut prefixes) {
            let name = next.name().as_bytes();
            if !name.starts_with(prefix.as_bytes()) {
                let what = format!("it lists {}, asked for names that begin with {prefix:?}", next.name());
                return Err(malformed(&self.core, OPERATION, what));
            }
            let next = if self.query.delimited { next.at_level(prefix.len()) } else { next };
            if self.query.delimited && next.is_below(prefix.len()) {
                let what = format!("it lists {}, asked for one level: it ignores the delimiter", next.name());
                return Err(malformed(&self.core, OPERATION, what));
            }
            if name < last {
                let before = String::from_utf8_lossy(last);
                return Err(unordered(format!("the service lists {} after {before:?}", next.name())));
            }
            // The same common prefix on two pages is still one entry (rule L02).
            if name > last && is_past(&position.from, &name[root..]) {
                next.add_to(&mut page, root);
            }
            last = name;
        }
        let resume = std::str::from_utf8(last.get(root..).unwrap_or_default());
        // Never back to what lies before: a service may list from elsewhere than it was asked to.
        let resume = resume.unwrap_or_default().max(&position.resume).to_owned();
        let next = self.after(&found, position, last, resume)?;
        page.resume = next.as_ref().map(|next| Token::seal(&self.query, &next.resume));
        Ok((page, next))
    }

    /// Where the listing goes on after a page.
    fn after(&self, page: &ListPage<'_>, now: &Position, last: &[u8], resume: String) -> Result<Option<Position>> {
        if !page.truncated {
            return Ok(None);
        }
        let token = page.token.clone().filter(|token| !token.is_empty());
        let from = match &token {
            Some(token) if now.token.as_ref() == Some(token) => {
                return Err(malformed(
                    &self.core,
                    OPERATION,
                    "the page is followed by itself: its token is its own".into(),
                ));
            }
            Some(_) => now.from.clone(),
            None if last > now.last.as_slice() => self.bound_after(&resume)?,
            None => {
                let what = "the page is not the last, and neither a token nor a name in it says how to go on";
                return Err(malformed(&self.core, OPERATION, what.to_owned()));
            }
        };
        Ok(Some(Position { token, from, last: last.to_vec(), resume }))
    }

    fn bound_after(&self, name: &str) -> Result<Bound<String>> {
        let mut query = self.query.clone();
        (query.token, query.start_after) = (None, Some(name.to_owned()));
        query.first()
    }
}

/// What comes next in a page, objects and common prefixes merged in the order of their bytes.
enum Next<'p> {
    Object(&'p ListedObject<'p>),
    Prefix(&'p Name<'p>),
}

impl<'p> Next<'p> {
    fn of(
        objects: &mut std::iter::Peekable<std::slice::Iter<'p, ListedObject<'p>>>,
        prefixes: &mut std::iter::Peekable<std::slice::Iter<'p, Name<'p>>>,
    ) -> Option<Self> {
        match (objects.peek(), prefixes.peek()) {
            (Some(object), Some(prefix)) if **prefix < object.name => prefixes.next().map(Self::Prefix),
            (Some(_), _) => objects.next().map(Self::Object),
            (None, _) => prefixes.next().map(Self::Prefix),
        }
    }

    fn name(&self) -> &'p Name<'p> {
        match self {
            Self::Object(object) => &object.name,
            Self::Prefix(name) => name,
        }
    }

    /// A directory marker of the level is listed as an object by some services, instead of the common prefix that it is of or
    /// beside it.
    fn at_level(self, prefix: usize) -> Self {
        match self {
            Self::Object(object) => match object.name.as_bytes()[prefix..].split_last() {
                Some((b'/', name)) if !name.is_empty() && !name.contains(&b'/') => Self::Prefix(&object.name),
                _ => Self::Object(object),
            },
            prefix => prefix,
        }
    }

    /// Whether it is an object below the level of a prefix of so many bytes.
    fn is_below(&self, prefix: usize) -> bool {
        matches!(self, Self::Object(object) if object.name.as_bytes()[prefix..].contains(&b'/'))
    }

    fn add_to(self, page: &mut Page, root: usize) {
        let judged = match self {
            Self::Object(object) => object.name.as_key(root, object.size).map(|key| Entry::Object(object.meta(key))),
            Self::Prefix(name) => name.as_prefix(root).map(Entry::Prefix),
        };
        match judged {
            Judged::Named(entry) => page.entries.push(entry),
            Judged::Hidden => {}
            Judged::Skipped(skipped) => page.skipped.push(skipped),
        }
    }
}

impl ListedObject<'_> {
    fn meta(&self, key: Key) -> ObjectMeta {
        let etag = self.etag.as_deref().unwrap_or_default();
        let etag = ETag::new(etag.strip_prefix("W/").unwrap_or(etag));
        ObjectMeta { key, size: self.size, etag, last_modified: self.last_modified, version: None }
    }
}

fn is_past(from: &Bound<String>, name: &[u8]) -> bool {
    match from {
        Bound::Included(first) => name >= first.as_bytes(),
        Bound::Excluded(start) => name > start.as_bytes(),
        Bound::Unbounded => true,
    }
}

/// A page of the names in the bucket as they are, for deleting them.
pub(crate) struct RawPage {
    /// In the service's order.
    pub(crate) names: Vec<String>,
    /// What to ask for the next page with; `None` after the last one.
    pub(crate) next: Option<String>,
}

/// Names in the bucket that begin with a prefix, whatever they are. Fails on a name that is not UTF-8, which no request can
/// carry. One request.
pub(crate) async fn raw_page(core: &Core, prefix: &str, token: Option<String>) -> Result<RawPage> {
    let mut request = request(core, prefix, PAGE_SIZE);
    // The first character says what follows: the service's token, or the name to go on after where it gives no token.
    match token.as_deref().and_then(|token| token.split_at_checked(1)) {
        Some(("t", token)) => request = request.query("continuation-token", token),
        Some((_, start)) => request = request.query("start-after", start),
        None => {}
    }
    let document = send(core, request).await?;
    let page = page(core, &document).await?;
    let names = page.objects.iter().map(|object| match object.name.as_str() {
        Some(name) if name.starts_with(prefix) => Ok(name.to_owned()),
        Some(name) => {
            Err(malformed(core, OPERATION, format!("it lists {name:?}, asked for names that begin with {prefix:?}")))
        }
        None => Err(Error::new(ErrorKind::Other, format!("the name {} in the bucket is not UTF-8", object.name))
            .with_help("remove it with a tool of the service")),
    });
    let names = names.collect::<Result<Vec<String>>>()?;
    let next = match (page.truncated, page.token.filter(|token| !token.is_empty()), names.last()) {
        (false, ..) => None,
        (true, Some(next), _) => Some(format!("t{next}")),
        (true, None, Some(last)) => Some(format!("n{last}")),
        (true, None, None) => Some(String::new()),
    };
    if next.is_some() && (next == token || next.as_deref() == Some("")) {
        return Err(malformed(core, OPERATION, "the page is not the last, and does not say how to go on".to_owned()));
    }
    Ok(RawPage { names, next })
}

/// What a document holds, its names decoded.
async fn page<'d>(core: &Core, document: &'d [u8]) -> Result<ListPage<'d>> {
    let mut page = ListPage::parse(document).map_err(|what| malformed(core, OPERATION, what))?;
    encoding::decode(core, &mut page).await?;
    Ok(page)
}

pub(crate) fn request(core: &Core, prefix: &str, size: usize) -> Request {
    core.request(OPERATION, Method::GET, Target::Bucket, Expect::Document("ListBucketResult"))
        .query("list-type", "2")
        .query("encoding-type", "url")
        .query("max-keys", size.to_string())
        .query("prefix", prefix)
}

/// Sends a request whose answer is a document.
pub(crate) async fn send(core: &Core, request: Request) -> Result<Bytes> {
    let answer = core.client.send(request).await.map_err(|failure| core.error(failure))?;
    Ok(document(answer))
}

/// The document of an answer; empty, and so refused by every parser, where there is none.
pub(crate) fn document(answer: Answer) -> Bytes {
    match answer.body {
        AnswerBody::Document(document) => document,
        AnswerBody::Nothing | AnswerBody::Content(_) => Bytes::new(),
    }
}

/// The error of an answer that is not what the S3 API says.
pub(crate) fn malformed(core: &Core, operation: &'static str, what: String) -> Error {
    core.error(Failure { operation, cause: Cause::Malformed(what), effect: Effect::None })
}
