//! The XML of answers: a walk over the elements of a whole document, of which strings are borrowed.
//!
//! Answers of S3 use a small part of XML: elements, text, references and a declaration in front. A listing spends its time
//! here, so tags are found with `memchr`, a third of the cost of a reader that knows all of XML. What is beyond that part
//! (character data sections, a document type) is an error.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memchr::memchr;
use quick_xml::escape::{EscapeError, unescape};

use crate::client::also;

/// What is wrong with a document, in words.
pub(crate) type Malformed = String;

/// A walk over a document. After [`next`](Self::next) has named an element, exactly one of three follows:
/// [`text`](Self::text) and [`skip`](Self::skip) pass over it whole, and further calls of `next` name its children.
pub(crate) struct Elements<'a> {
    document: &'a str,
    at: usize,
    /// The element that was named last.
    name: &'a str,
    /// It has no content and no end tag: `<Prefix/>`.
    empty: bool,
}

impl<'a> Elements<'a> {
    /// A walk that stands within the root element, which must have this name.
    pub(crate) fn new(document: &'a [u8], root: &str) -> Result<Self, Malformed> {
        let document = std::str::from_utf8(document).map_err(|_| "the document is not UTF-8".to_owned())?;
        let mut elements = Self { document, at: 0, name: "", empty: false };
        match elements.next()? {
            Some(name) if name == root || also(root) == Some(name) => Ok(elements),
            Some(name) => Err(format!("the document is a {name:?}, not a {root:?}")),
            None => Err(format!("the document has no {root:?}")),
        }
    }

    /// The name of the next child; `None` at the end of the element that holds them.
    pub(crate) fn next(&mut self) -> Result<Option<&'a str>, Malformed> {
        if std::mem::take(&mut self.empty) {
            return Ok(None);
        }
        loop {
            let bytes = self.document.as_bytes();
            let start = self.find(b'<')? + 1;
            // Names are short: a plain search beats a vectorised one.
            let length =
                bytes[start..].iter().position(|byte| matches!(byte, b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n'));
            let end = start + length.ok_or_else(cut)?;
            self.at = end;
            let close = if bytes[end] == b'>' { end } else { self.find(b'>')? };
            let name = &self.document[start..end];
            let closed = bytes[close - 1] == b'/';
            self.at = close + 1;
            match name.as_bytes().first() {
                None => return Ok(None),
                Some(b'?') => {}
                Some(b'!') => return Err(format!("the document has <{name}> in it")),
                Some(_) => {
                    (self.name, self.empty) = (name, closed);
                    return Ok(Some(name));
                }
            }
        }
    }

    /// The text of the element that was named last, which has no children.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if std::mem::take(&mut self.empty) {
            return Ok(Cow::Borrowed(""));
        }
        let end = self.find(b'<')?;
        let text = &self.document[self.at..end];
        let closed = self.document.as_bytes()[end + 1..].strip_prefix(b"/");
        if !closed.and_then(|tag| tag.strip_prefix(self.name.as_bytes())).is_some_and(|rest| rest.starts_with(b">")) {
            return Err(format!("{} holds more than text", self.name));
        }
        // Behind "</name>".
        self.at = end + self.name.len() + 3;
        match memchr(b'&', text.as_bytes()) {
            None => Ok(Cow::Borrowed(text)),
            Some(_) => unescaped(text).map_err(|error| format!("{} {text:?}: {error}", self.name)),
        }
    }

    /// Passes over the element that was named last, with all that it holds.
    pub(crate) fn skip(&mut self) -> Result<(), Malformed> {
        let mut depth = 1;
        while depth > 0 {
            match self.next()? {
                Some(_) => depth += 1,
                None => depth -= 1,
            }
        }
        Ok(())
    }

    fn find(&self, byte: u8) -> Result<usize, Malformed> {
        let rest = self.document.as_bytes().get(self.at..).unwrap_or_default();
        memchr(byte, rest).map(|found| self.at + found).ok_or_else(cut)
    }
}

fn cut() -> Malformed {
    "the document is cut short".to_owned()
}

/// Text without its references. Most of those are the quotes around an etag.
fn unescaped(text: &str) -> Result<Cow<'_, str>, EscapeError> {
    const QUOTE: &str = "&quot;";
    match text.strip_prefix(QUOTE).and_then(|text| text.strip_suffix(QUOTE)) {
        Some(quoted) if memchr(b'&', quoted.as_bytes()).is_none() => Ok(["\"", quoted, "\""].concat().into()),
        _ => unescape(text),
    }
}

/// `true` or `false`.
pub(crate) fn boolean(name: &str, text: &str) -> Result<bool, Malformed> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{name} is {text:?}, not true or false")),
    }
}

/// A time of RFC 3339 in UTC, in whole seconds: a fraction is cut off (rule M04).
pub(crate) fn time(name: &str, text: &str) -> Result<SystemTime, Malformed> {
    let malformed = || format!("{name} is {text:?}, not a time like 2026-01-31T23:59:59.000Z");
    seconds(text.as_bytes()).map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)).ok_or_else(malformed)
}

/// Seconds since 1970.
fn seconds(text: &[u8]) -> Option<u64> {
    let (whole, rest) = text.split_at_checked(19)?;
    let number = |from: usize, digits: usize| {
        whole[from..from + digits].iter().try_fold(0_u64, |sum, digit| match digit {
            b'0'..=b'9' => Some(sum * 10 + u64::from(digit - b'0')),
            _ => None,
        })
    };
    let parted =
        [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')].iter().all(|(at, sign)| whole[*at] == *sign);
    let fraction = rest.iter().take_while(|byte| **byte == b'.' || byte.is_ascii_digit()).count();
    let utc = matches!(&rest[fraction..], b"Z" | b"+00:00" | b"+0000");
    let (month, day) = (number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let real = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !parted || !utc || !real {
        return None;
    }
    let days = days_since_1970(number(0, 4)?, month, day)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days from 1 January 1970 to a day of the Gregorian calendar, counted in years that begin in March, so that the leap
/// day is the last.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(document: &str) -> Result<Vec<(String, String)>, Malformed> {
        let mut elements = Elements::new(document.as_bytes(), "R")?;
        let mut found = Vec::new();
        while let Some(name) = elements.next()? {
            found.push((name.to_owned(), elements.text()?.into_owned()));
        }
        Ok(found)
    }

    #[test]
    fn texts_are_unescaped_and_kept_to_the_last_space() {
        let document =
            "<?xml version=\"1.0\"?>\n<R xmlns=\"x\">\n <A>&quot;a&amp;lt;&#x1F600;</A><B> b </B><C/><D a='1' /></R>";
        let expected = [("A", "\"a&lt;😀"), ("B", " b "), ("C", ""), ("D", "")];
        assert_eq!(texts(document).unwrap(), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn children_are_walked_and_skipped() {
        let document = b"<R><X><Y>1</Y><Z/></X><E/><P><Q>2</Q></P></R>";
        let mut elements = Elements::new(document, "R").unwrap();
        assert_eq!(elements.next(), Ok(Some("X")));
        elements.skip().unwrap();
        assert_eq!(elements.next(), Ok(Some("E")));
        assert_eq!(elements.next(), Ok(None), "an empty element has no children");
        assert_eq!(elements.next(), Ok(Some("P")));
        assert_eq!(elements.next(), Ok(Some("Q")));
        assert_eq!(elements.text().as_deref(), Ok("2"));
        assert_eq!(elements.next(), Ok(None), "the end of P");
        assert_eq!(elements.next(), Ok(None), "the end of R");
    }

    #[test]
    fn what_is_not_such_a_document_is_refused() {
        let cases = [
            ("", "cut short"),
            ("<Error></Error>", "not a \"R\""),
            ("</R>", "has no \"R\""),
            ("<R><A>1", "cut short"),
            ("<R><A>1</A>", "cut short"),
            ("<R><A>1</B></R>", "A holds more"),
            ("<R><A><B/></A></R>", "A holds more"),
            ("<R><A>&bad;</A></R>", "bad"),
            ("<!DOCTYPE html><R/>", "<!DOCTYPE>"),
            ("<R", "cut short"),
            ("<R a='1'", "cut short"),
            ("<R><A><![CDATA[x]]></A></R>", "A holds more"),
        ];
        for (document, expected) in cases {
            let error = texts(document).unwrap_err();
            assert!(error.contains(expected), "{document}: {error}");
        }
        assert!(Elements::new(b"<R>\xff</R>", "R").is_err());
    }

    #[test]
    fn times_are_whole_seconds() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1999-12-31T23:59:59.999Z", 946_684_799),
            ("2000-02-29T00:00:00.000Z", 951_782_400),
            ("2000-03-01T00:00:00+00:00", 951_868_800),
            ("2024-02-29T12:34:56.789012Z", 1_709_210_096),
            ("2100-03-01T00:00:00.000Z", 4_107_542_400),
        ];
        for (text, expected) in cases {
            assert_eq!(time("LastModified", text), Ok(UNIX_EPOCH + Duration::from_secs(expected)), "{text}");
        }
        for text in [
            "",
            "2000-01-01",
            "2000-13-01T00:00:00Z",
            "2000-01-01 00:00:00Z",
            "2000-01-01T00:00:00+01:00",
            "1969-12-31T00:00:00Z",
        ] {
            assert!(time("LastModified", text).is_err(), "{text}");
        }
    }
}
