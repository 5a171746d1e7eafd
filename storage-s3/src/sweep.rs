//! Removing what interrupted writes left: multipart uploads that were neither completed nor aborted (rule W06). Their parts
//! are stored, and paid for, until then.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, Method, header};
use storage_core::{Result, SweepOptions, SweepReport};

use crate::client::{Expect, Request, Target};
use crate::core::Core;
use crate::names::Name;
use crate::round::{CIRCLE, Round};
use crate::xml::{self, Elements, Malformed};
use crate::{list, upload};

const OPERATION: &str = "ListMultipartUploads";

/// So many uploads are aborted at once.
const AT_ONCE: usize = 8;

/// Aborts the uploads under the root that began at least so long ago by the service's clock. One request for each thousand
/// uploads, and one for each that is aborted. The bytes of their parts are not told.
pub(crate) async fn sweep(core: &Arc<Core>, options: SweepOptions) -> Result<SweepReport> {
    let mut report = SweepReport::default();
    let (mut marker, mut round) = (None, Round::new());
    loop {
        let answer = core.client.send(request(core, marker.as_ref())).await.map_err(|failure| core.error(failure))?;
        let now = clock(&answer.headers);
        let document = list::document(answer);
        let page = Page::parse(&document).map_err(|what| list::malformed(core, OPERATION, what))?;
        let old = page.older_than(options.older_than, now, &core.root);
        let removed: Vec<bool> = stream::iter(old)
            .map(|(name, id)| async move { upload::discard(core, &name, &id).await })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        report.removed += removed.into_iter().filter(|removed| *removed).count() as u64;
        if !page.truncated {
            return Ok(report);
        }
        let next = page.marker_after(marker.as_ref()).map_err(|what| list::malformed(core, OPERATION, what))?;
        if round.closes(&next) {
            return Err(list::malformed(core, OPERATION, CIRCLE.to_owned()));
        }
        marker = Some(next);
    }
}

/// A name and an upload id.
type Marker = (String, String);

fn request(core: &Core, marker: Option<&Marker>) -> Request {
    let request = core
        .request(OPERATION, Method::GET, Target::Bucket, Expect::Document("ListMultipartUploadsResult"))
        .query("uploads", "")
        .query("encoding-type", "url")
        .query("max-uploads", "1000")
        .query("prefix", &core.root);
    match marker {
        Some((key, id)) => request.query("key-marker", key).query("upload-id-marker", id),
        None => request,
    }
}

/// The service's clock, by which it dates uploads; this machine's where it does not say.
fn clock(headers: &HeaderMap) -> SystemTime {
    let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
    date.and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or_else(SystemTime::now)
}

/// A page as the service answers it.
#[derive(Default)]
struct Page<'a> {
    uploads: Vec<Upload<'a>>,
    truncated: bool,
    next_key: Option<Name<'a>>,
    next_id: Option<String>,
}

struct Upload<'a> {
    name: Name<'a>,
    id: String,
    initiated: SystemTime,
}

impl<'a> Page<'a> {
    fn parse(document: &'a [u8]) -> Result<Self, Malformed> {
        let mut elements = Elements::new(document, "ListMultipartUploadsResult")?;
        let (mut page, mut truncated, mut encoded) = (Self::default(), None, false);
        while let Some(name) = elements.next()? {
            match name {
                "Upload" => page.uploads.push(Upload::parse(&mut elements)?),
                "IsTruncated" => truncated = Some(xml::boolean(name, &elements.text()?)?),
                "NextKeyMarker" => page.next_key = Some(Name::new(elements.text()?)),
                "NextUploadIdMarker" => page.next_id = Some(elements.text()?.into_owned()),
                "EncodingType" => encoded = elements.text()? == "url",
                _ => elements.skip()?,
            }
        }
        // A service that lists no uploads may answer no more than the document's name.
        page.truncated = truncated.unwrap_or(page.next_key.is_some());
        if encoded {
            let names = page.uploads.iter_mut().map(|upload| &mut upload.name);
            names.chain(&mut page.next_key).try_for_each(Name::decode)?;
        }
        Ok(page)
    }

    /// The uploads under a root that began at least so long ago.
    fn older_than(&self, age: Duration, now: SystemTime, root: &str) -> Vec<Marker> {
        let old = self.uploads.iter().filter(|upload| upload.age(now) >= age);
        let here = old.filter_map(|upload| upload.name.as_str().map(|name| (name, &upload.id)));
        let here = here.filter(|(name, _)| name.starts_with(root));
        here.map(|(name, id)| (name.to_owned(), id.clone())).collect()
    }

    /// The marker after this page: what it says, else its last upload.
    fn marker_after(&self, now: Option<&Marker>) -> Result<Marker, Malformed> {
        let said = self.next_key.as_ref().and_then(Name::as_str).zip(self.next_id.as_deref());
        let last = || self.uploads.last().and_then(|last| Some((last.name.as_str()?, &*last.id)));
        let next =
            said.filter(|(key, _)| !key.is_empty()).or_else(last).map(|(key, id)| (key.to_owned(), id.to_owned()));
        next.filter(|next| now.is_none_or(|now| next.0 >= now.0 && next != now))
            .ok_or_else(|| "the page is not the last, and does not say how to go on".to_owned())
    }
}

impl<'a> Upload<'a> {
    fn parse(elements: &mut Elements<'a>) -> Result<Self, Malformed> {
        let (mut name, mut id, mut initiated) = (None, None, None);
        while let Some(field) = elements.next()? {
            match field {
                "Key" => name = Some(Name::new(elements.text()?)),
                "UploadId" => id = Some(elements.text()?.into_owned()),
                "Initiated" => initiated = Some(xml::time(field, &elements.text()?)?),
                _ => elements.skip()?,
            }
        }
        Ok(Self {
            name: name.ok_or("an upload of the page has no Key")?,
            id: id.ok_or("an upload of the page has no UploadId")?,
            initiated: initiated.ok_or("an upload of the page has no date of its start (Initiated)")?,
        })
    }

    fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.initiated).unwrap_or_default()
    }
}
