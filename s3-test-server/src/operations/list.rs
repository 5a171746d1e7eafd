//! `ListObjectsV2`, `ListObjects` and `ListObjectVersions`.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::bucket::owner;
use super::{Operations, Request, attributes, document};
use crate::clock::listing_date;
use crate::error::{Failure, Outcome};
use crate::quirk::Quirk;
use crate::store::{Entry, Listing, Object, Rolled};
use crate::xml::Element;

/// What the parameters of every listing say.
pub(super) struct Asked<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: Option<&'a str>,
    pub(super) limit: usize,
    pub(super) encoded: bool,
    /// Names are given as they are, whatever the answer says.
    plain: bool,
}

impl<'a> Asked<'a> {
    /// Reads them; `most` is the parameter that limits a page, and `page` what it can't exceed.
    pub(super) fn of(request: &'a Request, most: &str, page: u32) -> Outcome<Self> {
        let limit = match request.query(most) {
            Some(text) => {
                let invalid = |message: &'static str| Failure::invalid_argument(message, most, text);
                let limit: i64 =
                    text.parse().map_err(|_| invalid("Provided max-keys not an integer or within integer range"))?;
                u32::try_from(limit)
                    .map_err(|_| invalid("Argument max-keys must be an integer between 0 and 2147483647"))?
            }
            None => page,
        };
        let encoded = match request.query("encoding-type") {
            None => false,
            Some("url") => true,
            Some(other) => {
                return Err(Failure::invalid_argument(
                    "Invalid Encoding Method specified in Request",
                    "encoding-type",
                    other,
                ));
            }
        };
        Ok(Self {
            prefix: request.query("prefix").unwrap_or_default(),
            delimiter: request.query("delimiter").filter(|delimiter| !delimiter.is_empty()),
            limit: limit.min(page) as usize,
            encoded,
            plain: false,
        })
    }

    /// A name as the answer gives it.
    pub(super) fn name(&self, name: &str) -> String {
        if self.encoded && !self.plain { url_encoded(name) } else { name.to_owned() }
    }

    pub(super) fn listing<'b>(&'b self, after: Option<&'b str>, given: Option<&'b str>) -> Listing<'b> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.to_owned()));
        Listing { prefix: self.prefix, delimiter: self.delimiter, from, given, limit: self.limit }
    }

    pub(super) fn push_prefixes<T>(&self, page: &Rolled<T>, root: &mut Element) {
        for entry in page.entries.iter().filter(|entry| entry.is_prefix()) {
            root.push(Element::new("CommonPrefixes").text("Prefix", self.name(entry.name())));
        }
    }
}

/// As S3 does with `encoding-type=url`: like a form, but slashes stay.
pub(super) fn url_encoded(name: &str) -> String {
    const ENCODED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');
    utf8_percent_encode(name, ENCODED).to_string().replace(' ', "+")
}

/// Where a page ended: the name of its last entry, and whether that is a common prefix.
struct Token {
    name: String,
    prefix: bool,
}

impl Token {
    fn of<T>(entry: &Entry<T>) -> String {
        URL_SAFE_NO_PAD.encode(format!("s3:{}:{}", if entry.is_prefix() { "p" } else { "o" }, entry.name()))
    }

    fn parse(text: &str) -> Outcome<Self> {
        let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let parsed = decoded.as_deref().and_then(|text| {
            let (kind, name) = text.strip_prefix("s3:")?.split_once(':')?;
            Some(Self { name: name.to_owned(), prefix: kind == "p" })
        });
        parsed.ok_or_else(|| {
            Failure::invalid_argument("The continuation token provided is incorrect", "continuation-token", text)
        })
    }
}

impl Operations {
    fn asked<'a>(&self, request: &'a Request) -> Outcome<Asked<'a>> {
        let asked = Asked::of(request, "max-keys", self.options.limits.page_size)?;
        Ok(Asked { plain: self.options.has(Quirk::NamesAsTheyAre), ..asked })
    }

    pub(super) fn list_v2(&self, request: &Request) -> Outcome {
        let asked = self.asked(request)?;
        let token = request.query("continuation-token").map(Token::parse).transpose()?;
        let start_after = request.query("start-after");
        let start_after = start_after.filter(|start| !start.is_empty() && !self.options.has(Quirk::StartAfterIgnored));
        let (after, given) = match &token {
            Some(token) => (Some(token.name.as_str()), token.prefix.then_some(token.name.as_str())),
            None => (start_after, start_after),
        };
        let page = self.store.bucket(request.bucket(), |bucket| {
            Ok(asked.listing(after, given).objects(bucket, request.info.stale_list))
        })?;

        let next = page.entries.last().filter(|_| page.truncated).map(Token::of);
        let mut root = Element::new("ListBucketResult")
            .text("Name", request.bucket())
            .text("Prefix", asked.name(asked.prefix))
            .maybe("StartAfter", start_after.map(|start| asked.name(start)))
            .maybe("ContinuationToken", request.query("continuation-token"))
            .maybe("NextContinuationToken", next)
            .text("KeyCount", page.entries.len())
            .text("MaxKeys", asked.limit)
            .maybe("Delimiter", asked.delimiter.map(|delimiter| asked.name(delimiter)))
            .maybe("EncodingType", asked.encoded.then_some("url"))
            .text("IsTruncated", page.truncated);
        self.push_contents(&asked, &page, request.query("fetch-owner") == Some("true"), &mut root);
        asked.push_prefixes(&page, &mut root);
        let mut response = document(root);
        attributes::charged(request, response.headers_mut());
        Ok(response)
    }

    pub(super) fn list_v1(&self, request: &Request) -> Outcome {
        let asked = self.asked(request)?;
        let marker = request.query("marker").filter(|marker| !marker.is_empty());
        let page = self.store.bucket(request.bucket(), |bucket| {
            Ok(asked.listing(marker, marker).objects(bucket, request.info.stale_list))
        })?;

        // NextMarker is answered to delimited listings only: others go on from the last key.
        let next = page.entries.last().filter(|_| page.truncated && asked.delimiter.is_some());
        let mut root = Element::new("ListBucketResult")
            .text("Name", request.bucket())
            .text("Prefix", asked.name(asked.prefix))
            .text("Marker", asked.name(marker.unwrap_or_default()))
            .maybe("NextMarker", next.map(|entry| asked.name(entry.name())))
            .text("MaxKeys", asked.limit)
            .maybe("Delimiter", asked.delimiter.map(|delimiter| asked.name(delimiter)))
            .maybe("EncodingType", asked.encoded.then_some("url"))
            .text("IsTruncated", page.truncated);
        self.push_contents(&asked, &page, true, &mut root);
        asked.push_prefixes(&page, &mut root);
        Ok(document(root))
    }

    pub(super) fn list_versions(&self, request: &Request) -> Outcome {
        let asked = self.asked(request)?;
        let key = request.query("key-marker").filter(|marker| !marker.is_empty());
        let version = request.query("version-id-marker").filter(|marker| !marker.is_empty());
        if key.is_none() && version.is_some() {
            let message = "A version-id marker cannot be specified without a key marker.";
            return Err(Failure::invalid_argument(message, "version-id-marker", version.unwrap_or_default()));
        }
        let after = key.zip(version);
        let (page, latest) = self.store.bucket(request.bucket(), |bucket| {
            let mut listing = asked.listing(key, key);
            if let (Some((key, _)), Bound::Excluded(_)) = (after, &listing.from) {
                listing.from = Bound::Included(key.to_owned());
            }
            let page = listing.versions(bucket, after);
            let latest: Vec<_> = page.entries.iter().map(|entry| bucket.latest(entry.name())).collect();
            Ok((page, latest))
        })?;

        let last = page.entries.last().filter(|_| page.truncated);
        let last_version = last.and_then(|entry| match entry {
            Entry::Item(_, object) => Some(object.version_id()),
            Entry::Prefix(_) => None,
        });
        let mut root = Element::new("ListVersionsResult")
            .text("Name", request.bucket())
            .text("Prefix", asked.name(asked.prefix))
            .text("KeyMarker", asked.name(key.unwrap_or_default()))
            .text("VersionIdMarker", version.unwrap_or_default())
            .maybe("NextKeyMarker", last.map(|entry| asked.name(entry.name())))
            .maybe("NextVersionIdMarker", last_version)
            .text("MaxKeys", asked.limit)
            .maybe("Delimiter", asked.delimiter.map(|delimiter| asked.name(delimiter)))
            .maybe("EncodingType", asked.encoded.then_some("url"))
            .text("IsTruncated", page.truncated);
        for (entry, latest) in page.entries.iter().zip(latest) {
            if let Entry::Item(key, object) = entry {
                let is_latest = latest.is_some_and(|latest| latest.version_id() == object.version_id());
                root.push(version_element(&asked.name(key), object, is_latest));
            }
        }
        asked.push_prefixes(&page, &mut root);
        Ok(document(root))
    }

    fn push_contents(&self, asked: &Asked<'_>, page: &Rolled<std::sync::Arc<Object>>, owned: bool, root: &mut Element) {
        for entry in &page.entries {
            let Entry::Item(key, object) = entry else { continue };
            let mut contents = Element::new("Contents")
                .text("Key", asked.name(key))
                .text("LastModified", listing_date(object.modified))
                .maybe("ETag", (!self.options.has(Quirk::NoListedETag)).then(|| object.quoted_etag()));
            contents = checksum_kind(contents, object).text("Size", object.content.size());
            if owned {
                contents.push(owner("Owner"));
            }
            root.push(contents.text("StorageClass", object.storage_class()));
        }
    }
}

fn version_element(key: &str, object: &Object, latest: bool) -> Element {
    let name = if object.delete_marker { "DeleteMarker" } else { "Version" };
    let element = Element::new(name)
        .text("Key", key)
        .text("VersionId", object.version_id())
        .text("IsLatest", latest)
        .text("LastModified", listing_date(object.modified));
    if object.delete_marker {
        return element.child(owner("Owner"));
    }
    let element = element.text("ETag", object.quoted_etag());
    checksum_kind(element, object)
        .text("Size", object.content.size())
        .child(owner("Owner"))
        .text("StorageClass", object.storage_class())
}

fn checksum_kind(element: Element, object: &Object) -> Element {
    match &object.checksum {
        Some(checksum) => {
            element.text("ChecksumAlgorithm", checksum.algorithm.name()).text("ChecksumType", checksum.kind())
        }
        None => element,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_as_s3_does() {
        assert_eq!(url_encoded("a/b c+d%é*~\u{1}"), "a/b+c%2Bd%25%C3%A9*%7E%01");
    }

    #[test]
    fn a_token_comes_back_and_nonsense_does_not() {
        let token = Token::parse(&Token::of(&Entry::<()>::Prefix("a:b/".to_owned()))).unwrap();
        assert!(token.prefix && token.name == "a:b/");
        assert!(["", "x", "czM6", "!"].iter().all(|text| Token::parse(text).is_err()));
    }
}
