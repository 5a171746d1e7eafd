//! Conditional requests: RFC 9110 section 13 for reads, the S3 API reference for writes.

use hyper::HeaderMap;

use crate::clock::{Seconds, parse_http_date};
use crate::error::{Failure, Outcome};

/// What a condition is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validators<'a> {
    pub(crate) etag: &'a str,
    pub(crate) modified: Seconds,
}

/// The conditions of a GET or HEAD, in the order of RFC 9110 section 13.2.2: 412, or 304.
pub(crate) fn check_read(headers: &HeaderMap, object: Validators<'_>) -> Outcome<()> {
    if let Some(tags) = text(headers, "if-match") {
        if !matches(tags, object.etag, false) {
            return Err(Failure::precondition("If-Match"));
        }
    } else if date(headers, "if-unmodified-since").is_some_and(|date| object.modified > date) {
        return Err(Failure::precondition("If-Unmodified-Since"));
    }
    let unchanged = match text(headers, "if-none-match") {
        Some(tags) => matches(tags, object.etag, true),
        None => date(headers, "if-modified-since").is_some_and(|date| object.modified <= date),
    };
    if unchanged { Err(Failure::new(304, "NotModified", "Not Modified")) } else { Ok(()) }
}

/// The conditions that a copy puts on its source: all of them are 412.
pub(crate) fn check_source(headers: &HeaderMap, object: Validators<'_>) -> Outcome<()> {
    if let Some(tags) = text(headers, "x-amz-copy-source-if-match") {
        if !matches(tags, object.etag, false) {
            return Err(Failure::precondition("x-amz-copy-source-If-Match"));
        }
    } else if date(headers, "x-amz-copy-source-if-unmodified-since").is_some_and(|date| object.modified > date) {
        return Err(Failure::precondition("x-amz-copy-source-If-Unmodified-Since"));
    }
    if let Some(tags) = text(headers, "x-amz-copy-source-if-none-match") {
        if matches(tags, object.etag, true) {
            return Err(Failure::precondition("x-amz-copy-source-If-None-Match"));
        }
    } else if date(headers, "x-amz-copy-source-if-modified-since").is_some_and(|date| object.modified <= date) {
        return Err(Failure::precondition("x-amz-copy-source-If-Modified-Since"));
    }
    Ok(())
}

/// What a write demands of the object that it replaces.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteCondition {
    create_only: bool,
    if_match: Option<String>,
}

impl WriteCondition {
    /// Reads the headers, leaving out what the server does not keep. S3 knows `If-None-Match` on a write with `*` only.
    pub(crate) fn of(headers: &HeaderMap, create_only_kept: bool, if_match_kept: bool) -> Outcome<Self> {
        let create_only = match text(headers, "if-none-match") {
            Some("*") => create_only_kept,
            Some(_) if create_only_kept => return Err(Failure::not_implemented()),
            _ => false,
        };
        let if_match = text(headers, "if-match").filter(|_| if_match_kept).map(str::to_owned);
        Ok(Self { create_only, if_match })
    }

    /// Compares with the etag of the object that is there, if any. To be called where the write is made.
    pub(crate) fn check(&self, key: &str, current: Option<&str>) -> Outcome<()> {
        if self.create_only && current.is_some() {
            return Err(Failure::precondition("If-None-Match"));
        }
        match (&self.if_match, current) {
            (Some(_), None) => Err(Failure::no_such_key(key)),
            (Some(tags), Some(etag)) if !matches(tags, etag, false) => Err(Failure::precondition("If-Match")),
            _ => Ok(()),
        }
    }
}

/// Whether a list of entity tags, or `*`, or a tag without quotes (which S3 takes too) names this one.
pub(crate) fn matches(tags: &str, etag: &str, weakly: bool) -> bool {
    tags.split(',').map(str::trim).any(|tag| {
        let tag = match tag.strip_prefix("W/") {
            Some(_) if !weakly => return false,
            Some(tag) => tag,
            None => tag,
        };
        tag == "*" || tag.trim_matches('"') == etag
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn date(headers: &HeaderMap, name: &str) -> Option<Seconds> {
    text(headers, name).and_then(parse_http_date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::http_date;

    fn status(conditions: &[(&'static str, &str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in conditions {
            headers.insert(*name, value.parse().unwrap());
        }
        match check_read(&headers, Validators { etag: "a", modified: 1000 }) {
            Ok(()) => 200,
            Err(failure) => failure.status.as_u16(),
        }
    }

    #[test]
    fn reads_are_judged_in_the_order_of_rfc_9110() {
        let (before, same, after) = (http_date(999), http_date(1000), http_date(1001));
        for (conditions, expected) in [
            (vec![("if-match", "\"a\"")], 200),
            (vec![("if-match", "a")], 200),
            (vec![("if-match", "*")], 200),
            (vec![("if-match", "\"b\", \"a\"")], 200),
            (vec![("if-match", "W/\"a\"")], 412),
            (vec![("if-match", "\"b\"")], 412),
            (vec![("if-match", "\"a\""), ("if-unmodified-since", before.as_str())], 200),
            (vec![("if-unmodified-since", before.as_str())], 412),
            (vec![("if-unmodified-since", same.as_str())], 200),
            (vec![("if-none-match", "\"a\"")], 304),
            (vec![("if-none-match", "W/\"a\"")], 304),
            (vec![("if-none-match", "\"b\"")], 200),
            (vec![("if-none-match", "\"b\""), ("if-modified-since", after.as_str())], 200),
            (vec![("if-modified-since", same.as_str())], 304),
            (vec![("if-modified-since", before.as_str())], 200),
            (vec![("if-match", "\"b\""), ("if-none-match", "\"a\"")], 412),
            (vec![("if-modified-since", "yesterday")], 200),
        ] {
            assert_eq!(status(&conditions), expected, "{conditions:?}");
        }
    }
}
