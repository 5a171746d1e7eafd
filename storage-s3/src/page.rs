//! A page of a listing as the service answers it (S3 API, "ListObjectsV2"): names decoded, nothing judged yet.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::names::Name;
use crate::xml::{self, Elements, Malformed};

/// What a page holds.
#[derive(Debug, Default)]
pub(crate) struct ListPage<'a> {
    /// In the document's order.
    pub(crate) objects: Vec<ListedObject<'a>>,
    /// Common prefixes in the document's order.
    pub(crate) prefixes: Vec<Name<'a>>,
    /// Whether it says that its names are encoded; they are as they came until [`decode`](Self::decode).
    pub(crate) encoded: bool,
    /// Whether another page follows.
    pub(crate) truncated: bool,
    /// By what it is asked for.
    pub(crate) token: Option<String>,
}

/// An object of a page.
#[derive(Debug)]
pub(crate) struct ListedObject<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) size: u64,
    /// Some services give none.
    pub(crate) etag: Option<Cow<'a, str>>,
    pub(crate) last_modified: SystemTime,
}

impl<'a> ListPage<'a> {
    /// Reads a whole document.
    pub(crate) fn parse(document: &'a [u8]) -> Result<Self, Malformed> {
        let mut elements = Elements::new(document, "ListBucketResult")?;
        let mut page = Self { objects: Vec::with_capacity(1000), ..Self::default() };
        let mut truncated = None;
        while let Some(name) = elements.next()? {
            match name {
                "Contents" => page.objects.push(object(&mut elements)?),
                "CommonPrefixes" => prefixes(&mut elements, &mut page.prefixes)?,
                "IsTruncated" => truncated = Some(xml::boolean(name, &elements.text()?)?),
                "NextContinuationToken" => page.token = Some(elements.text()?.into_owned()),
                "EncodingType" => page.encoded = elements.text()? == "url",
                _ => elements.skip()?,
            }
        }
        page.truncated = truncated.ok_or("the page does not say whether it IsTruncated")?;
        Ok(page)
    }

    /// Takes back the encoding of the names.
    pub(crate) fn decode(&mut self) -> Result<(), Malformed> {
        let objects = self.objects.iter_mut().map(|object| &mut object.name);
        objects.chain(&mut self.prefixes).try_for_each(Name::decode)
    }
}

fn object<'a>(elements: &mut Elements<'a>) -> Result<ListedObject<'a>, Malformed> {
    let (mut name, mut size, mut etag, mut last_modified) = (None, None, None, None);
    while let Some(field) = elements.next()? {
        match field {
            "Key" => name = Some(elements.text()?),
            "Size" => size = Some(number(field, &elements.text()?)?),
            "ETag" => etag = Some(elements.text()?),
            "LastModified" => last_modified = Some(xml::time(field, &elements.text()?)?),
            _ => elements.skip()?,
        }
    }
    Ok(ListedObject {
        name: Name::new(name.ok_or("an object of the page has no Key")?),
        size: size.ok_or("an object of the page has no Size")?,
        etag: etag.filter(|etag| !etag.is_empty()),
        last_modified: last_modified.ok_or("an object of the page has no LastModified")?,
    })
}

fn prefixes<'a>(elements: &mut Elements<'a>, prefixes: &mut Vec<Name<'a>>) -> Result<(), Malformed> {
    while let Some(field) = elements.next()? {
        match field {
            "Prefix" => prefixes.push(Name::new(elements.text()?)),
            _ => elements.skip()?,
        }
    }
    Ok(())
}

/// A number of bytes.
pub(crate) fn number(name: &str, text: &str) -> Result<u64, Malformed> {
    text.parse().map_err(|_| format!("{name} is {text:?}, not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(rest: &str) -> String {
        format!("<ListBucketResult>{rest}</ListBucketResult>")
    }

    const OBJECT: &str = "<Contents><ETag>&quot;e&quot;</ETag><Key>a%2Bb+c%F0%9F%98%80%FF&amp;</Key>\
        <LastModified>2026-01-02T03:04:05.999Z</LastModified><Owner><ID>x</ID></Owner><Size>7</Size></Contents>";

    #[test]
    fn a_page_says_wherever_it_likes_whether_its_names_are_encoded() {
        let said = document(&format!("{OBJECT}<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"));
        let mut page = ListPage::parse(said.as_bytes()).unwrap();
        assert!(page.encoded);
        page.decode().unwrap();
        assert_eq!(page.objects[0].name.as_bytes(), b"a+b c\xf0\x9f\x98\x80\xff&");
        assert_eq!(page.objects[0].name.as_str(), None);
        assert_eq!((page.objects[0].size, page.objects[0].etag.as_deref()), (7, Some("\"e\"")));

        let unsaid = document(&format!("{OBJECT}<IsTruncated>false</IsTruncated>"));
        let page = ListPage::parse(unsaid.as_bytes()).unwrap();
        assert!(!page.encoded);
        assert_eq!(page.objects[0].name.as_bytes(), b"a%2Bb+c%F0%9F%98%80%FF&");
    }

    #[test]
    fn prefixes_and_the_token_are_read() {
        let page = document(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken>\
             <CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>",
        );
        let page = ListPage::parse(page.as_bytes()).unwrap();
        assert_eq!(page.prefixes.iter().filter_map(Name::as_str).collect::<Vec<_>>(), ["a/", "b/"]);
        assert_eq!((page.truncated, page.token.as_deref()), (true, Some("t&1")));
    }

    #[test]
    fn a_page_that_lacks_something_is_refused() {
        let cases = [
            (document(""), "IsTruncated"),
            (document("<IsTruncated>yes</IsTruncated>"), "yes"),
            (document("<IsTruncated/>"), "not true or false"),
            (document(&OBJECT.replace("Size", "Sighs")), "no Size"),
            (document(&OBJECT.replace("Key", "Quay")), "no Key"),
            (document(&OBJECT.replace(">7<", ">-7<")), "-7"),
            (
                document(&format!(
                    "{}<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>",
                    OBJECT.replace("%2B", "%2G")
                )),
                "URL-encoded",
            ),
        ];
        for (document, expected) in cases {
            let parsed = ListPage::parse(document.as_bytes());
            let error = parsed.and_then(|mut page| page.decode()).unwrap_err();
            assert!(error.contains(expected), "{document}: {error}");
        }
        assert!(ListPage::parse(b"<Error><Code>InternalError</Code></Error>").is_err());
    }
}
