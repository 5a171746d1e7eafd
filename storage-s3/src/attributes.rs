//! Attributes as headers and back (rules M05, M06).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue,
};
use storage_core::Attributes;

use crate::write_id::RESERVED;

/// What the names of user metadata stand behind in headers.
const USER: &str = "x-amz-meta-";

/// The content type of an object that has none, as S3 itself gives it ("PutObject" in the S3 API reference).
const NO_TYPE: &str = "binary/octet-stream";

/// Adds attributes to the headers of a write; an object that has no content type gets the one that means none, before a
/// service makes up one of its own.
pub(crate) fn write_all(attributes: &Attributes, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(NO_TYPE));
    write(attributes, headers);
}

/// Adds those attributes that there are to the headers of a write. They have been checked by the handle; what a header cannot hold in spite of
/// that is left out.
pub(crate) fn write(attributes: &Attributes, headers: &mut HeaderMap) {
    let names = [CONTENT_TYPE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE];
    for (name, (_, value)) in names.into_iter().zip(attributes.standard()) {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    for (name, value) in &attributes.user {
        let name = HeaderName::try_from(format!("{USER}{}", escaped(name)));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&encoded(value))) {
            headers.insert(name, value);
        }
    }
}

/// The attributes that the headers of an answer hold, without what the driver keeps there for itself.
pub(crate) fn read(headers: &HeaderMap) -> Attributes {
    let mut attributes = Attributes {
        content_type: text(headers, CONTENT_TYPE).filter(|value| value != NO_TYPE),
        cache_control: text(headers, CACHE_CONTROL),
        content_disposition: text(headers, CONTENT_DISPOSITION),
        content_encoding: text(headers, CONTENT_ENCODING).and_then(without_chunks),
        content_language: text(headers, CONTENT_LANGUAGE),
        ..Attributes::default()
    };
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(USER).and_then(unescaped) else { continue };
        let value = decoded(value.as_bytes());
        match attributes.user.entry(name) {
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(value)),
            // A name that comes twice is one value, its parts joined (RFC 9110, section 5.3).
            std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().extend([",", &value]),
        }
    }
    attributes
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    (!value.is_empty()).then(|| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The content's own encoding: `aws-chunked` speaks of the upload alone, and some services hand it out again.
fn without_chunks(encoding: String) -> Option<String> {
    if !encoding.contains("aws-chunked") {
        return Some(encoding);
    }
    let own: Vec<_> = encoding.split(',').map(str::trim).filter(|token| *token != "aws-chunked").collect();
    (!own.is_empty()).then(|| own.join(", "))
}

/// A user's name on the wire: one that begins with the driver's own gets a `-` behind that part.
fn escaped(name: &str) -> String {
    match name.strip_prefix(RESERVED) {
        Some(rest) => format!("{RESERVED}-{rest}"),
        None => name.to_owned(),
    }
}

/// The user's name again; `None` where it is the driver's own.
fn unescaped(name: &str) -> Option<String> {
    match name.strip_prefix(RESERVED) {
        Some(rest) => rest.strip_prefix('-').map(|rest| format!("{RESERVED}{rest}")),
        None => Some(name.to_owned()),
    }
}

/// A value on the wire: itself where it can stand in a header as it is, else an encoded word (RFC 2047, section 2). Runs of
/// spaces are signed as one, which some services do not know.
fn encoded(value: &str) -> String {
    let plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !value.starts_with(' ')
        && !value.ends_with(' ')
        && !value.contains("  ")
        && !value.starts_with("=?");
    if plain { value.to_owned() } else { format!("=?UTF-8?B?{}?=", STANDARD.encode(value)) }
}

/// A value from the wire: encoded words decoded, whoever wrote them; text that is none stays as it is.
fn decoded(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    if !text.starts_with("=?") {
        return text.into_owned();
    }
    // White space between encoded words is not part of the value (RFC 2047, section 6.2).
    text.split_ascii_whitespace()
        .map(word)
        .collect::<Option<Vec<_>>>()
        .map_or_else(|| text.to_string(), |words| String::from_utf8_lossy(&words.concat()).into_owned())
}

/// The bytes of one encoded word in UTF-8.
fn word(word: &str) -> Option<Vec<u8>> {
    let mut parts = word.strip_prefix("=?")?.strip_suffix("?=")?.splitn(3, '?');
    let (charset, encoding, content) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    match encoding {
        "B" | "b" => STANDARD.decode(content).ok(),
        "Q" | "q" => Some(
            percent_encoding::percent_decode_str(&content.replace('_', " ").replace('%', "=25").replace('=', "%"))
                .collect(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(attributes: &Attributes) -> Attributes {
        let mut headers = HeaderMap::new();
        write(attributes, &mut headers);
        read(&headers)
    }

    #[test]
    fn attributes_come_back_as_they_were() {
        let mut attributes = Attributes::new().content_type("text/plain; charset=utf-8");
        attributes.cache_control = Some("max-age=60".to_owned());
        attributes.content_disposition = Some("attachment; filename=\"a b.txt\"".to_owned());
        attributes.content_encoding = Some("gzip".to_owned());
        attributes.content_language = Some("de, en".to_owned());
        for (name, value) in [
            ("plain", "value"),
            ("empty", ""),
            ("spaces", " both ends "),
            ("run", "a  b"),
            ("accents", "Grüße, 世界 🎉"),
            ("line", "a\r\nb\tc\u{7f}"),
            ("word", "=?UTF-8?B?Z3LDvG4=?="),
            ("a.b-c_d", "x"),
            ("storage-write-id", "mine"),
            ("storage-write-id-", "too"),
            ("storage-write-identity", "three"),
        ] {
            attributes = attributes.user(name, value);
        }
        assert_eq!(round_trip(&attributes), attributes);
        assert_eq!(round_trip(&Attributes::new()), Attributes::new());
    }

    #[test]
    fn what_the_driver_keeps_there_is_hidden() {
        let mut headers = HeaderMap::new();
        crate::write_id::WriteId::new(&storage_core::PutMode::CreateOnly, "a").write(&mut headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"));
        assert_eq!(read(&headers), Attributes::new());
    }

    #[test]
    fn what_others_wrote_is_read() {
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &[u8]| {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        };
        add("content-encoding", b"aws-chunked,gzip");
        add("x-amz-meta-quoted", b"=?utf-8?Q?100=25_gr=C3=BCn?= =?UTF-8?q?_=3D_ja?=");
        add("x-amz-meta-raw", "grün".as_bytes());
        add("x-amz-meta-latin", b"=?iso-8859-1?Q?gr=FCn?=");
        add("x-amz-meta-twice", b"a");
        add("x-amz-meta-twice", b"b");
        let read = read(&headers);
        assert_eq!(read.content_encoding.as_deref(), Some("gzip"));
        let value = |name: &str| read.user[name].as_str();
        assert_eq!(value("quoted"), "100% grün = ja");
        assert_eq!(value("raw"), "grün");
        assert_eq!(value("latin"), "=?iso-8859-1?Q?gr=FCn?=");
        assert_eq!(value("twice"), "a,b");
    }
}
