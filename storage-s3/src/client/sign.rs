//! Signature Version 4 ("Authenticating Requests (AWS Signature Version 4)" in the S3 API reference).

use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::{digest, hmac};

use super::encode;

/// The SHA-256 of no bytes.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Whose signature it is. `Debug` shows no secret.
pub(crate) struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<HeaderValue>,
}

impl Keys {
    /// `None` where the token cannot stand in a header.
    pub(crate) fn new(access_key_id: String, secret_access_key: String, session_token: Option<&str>) -> Option<Self> {
        let session_token = match session_token {
            Some(token) => {
                let mut token = HeaderValue::from_str(token).ok()?;
                token.set_sensitive(true);
                Some(token)
            }
            None => None,
        };
        HeaderValue::from_str(&access_key_id).ok()?;
        Some(Self { access_key_id, secret_access_key, session_token })
    }

    pub(crate) fn access_key_id(&self) -> &str {
        &self.access_key_id
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// What is signed of a request's content.
pub(crate) fn payload(segments: &[Bytes], signed: bool) -> HeaderValue {
    if !signed {
        return HeaderValue::from_static(UNSIGNED);
    }
    if segments.iter().all(Bytes::is_empty) {
        return HeaderValue::from_static(EMPTY);
    }
    let mut sha256 = digest::Context::new(&digest::SHA256);
    segments.iter().for_each(|segment| sha256.update(segment));
    let mut text = String::with_capacity(64);
    hex(&mut text, sha256.finish().as_ref());
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(UNSIGNED))
}

/// A request as it is signed: everything as it goes over the wire.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a http::Method,
    pub(crate) authority: &'a HeaderValue,
    /// Encoded.
    pub(crate) path: &'a str,
    /// Encoded and sorted.
    pub(crate) query: &'a str,
}

/// Keeps what signatures of one day and second have in common: deriving a day's key costs more than a signature.
#[derive(Default)]
pub(crate) struct Signer {
    latest: Mutex<Option<Arc<Stamp>>>,
}

/// A moment, for one owner of keys in one region.
pub(crate) struct Stamp {
    second: u64,
    keys: Arc<Keys>,
    region: String,
    key: hmac::Key,
    /// `20130524T000000Z`.
    date: HeaderValue,
    date_text: String,
    /// `20130524/us-east-1/s3/aws4_request`.
    scope: String,
}

impl Signer {
    pub(crate) fn now(&self, keys: &Arc<Keys>, region: &str) -> Arc<Stamp> {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.at(keys, region, second)
    }

    fn at(&self, keys: &Arc<Keys>, region: &str, second: u64) -> Arc<Stamp> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let same = latest.as_ref().filter(|stamp| Arc::ptr_eq(&stamp.keys, keys) && stamp.region == region);
        let stamp = match same {
            Some(stamp) if stamp.second == second => return stamp.clone(),
            Some(stamp) if stamp.second / 86_400 == second / 86_400 => {
                Stamp::new(keys, region, second, stamp.key.clone())
            }
            _ => Stamp::new(keys, region, second, derive(keys, region, second)),
        };
        let stamp = Arc::new(stamp);
        *latest = Some(stamp.clone());
        stamp
    }
}

fn derive(keys: &Keys, region: &str, second: u64) -> hmac::Key {
    let step = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let first = format!("AWS4{}", keys.secret_access_key);
    let day = step(first.as_bytes(), &day(second));
    let region = step(day.as_ref(), region);
    let service = step(region.as_ref(), "s3");
    hmac::Key::new(hmac::HMAC_SHA256, step(service.as_ref(), "aws4_request").as_ref())
}

/// The date of a moment in the Gregorian calendar, as `20130524`. A year is counted from its March, so that the day of a
/// leap year is its last.
fn day(second: u64) -> String {
    let days = second / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}")
}

fn hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Which headers a signature covers: those that it must. A header whose inner spaces servers normalise each in their
/// own way is better left out.
pub(crate) fn is_covered(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-amz-") || name == CONTENT_TYPE || name.as_str() == "content-md5"
}

impl Stamp {
    fn new(keys: &Arc<Keys>, region: &str, second: u64, key: hmac::Key) -> Self {
        let (day, rest) = (day(second), second % 86_400);
        let date_text = format!("{day}T{:02}{:02}{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60);
        let date = HeaderValue::from_str(&date_text).unwrap_or(HeaderValue::from_static(""));
        let scope = format!("{day}/{region}/s3/aws4_request");
        Self { second, keys: keys.clone(), region: region.to_owned(), key, date, date_text, scope }
    }

    /// Adds the headers of a signature that covers host, date, content and the headers that `covered` says.
    pub(crate) fn sign(
        &self,
        head: &Head<'_>,
        headers: &mut HeaderMap,
        payload: HeaderValue,
        covered: impl Fn(&HeaderName) -> bool,
    ) {
        headers.insert(X_AMZ_DATE, self.date.clone());
        if let Some(token) = &self.keys.session_token {
            headers.insert(X_AMZ_SECURITY_TOKEN, token.clone());
        }
        headers.insert(X_AMZ_CONTENT_SHA256, payload.clone());
        let (canonical, names) = canonical(head, headers, payload.as_bytes(), covered);
        let mut value = String::with_capacity(256);
        let _ = write!(
            value,
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature=",
            self.keys.access_key_id, self.scope
        );
        self.signature(&mut value, &canonical);
        if let Ok(mut value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
    }

    /// The query that makes a URL good for a while, with what the request has in its query already. The signature covers
    /// the host and all the headers given: whoever uses the URL must send them.
    pub(crate) fn presign(
        &self,
        head: &Head<'_>,
        pairs: &[(&'static str, String)],
        headers: &HeaderMap,
        expires_in: Duration,
    ) -> String {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).chain(["host"]).collect();
        names.sort_unstable();
        let (names, credential) = (names.join(";"), format!("{}/{}", self.keys.access_key_id, self.scope));
        let expires = expires_in.as_secs().to_string();
        let token = self.keys.session_token.as_ref().and_then(|token| token.to_str().ok());
        let own = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &self.date_text),
            ("X-Amz-Expires", &expires),
            ("X-Amz-SignedHeaders", &names),
        ];
        let token = token.map(|token| ("X-Amz-Security-Token", token));
        let given = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        let mut query = encode::query(given.chain(own).chain(token));
        let head = Head { query: &query, ..*head };
        let (canonical, _) = canonical(&head, headers, UNSIGNED.as_bytes(), |_| true);
        query.push_str("&X-Amz-Signature=");
        self.signature(&mut query, &canonical);
        query
    }

    fn signature(&self, out: &mut String, canonical: &[u8]) {
        let mut text = String::with_capacity(192);
        let _ = write!(text, "AWS4-HMAC-SHA256\n{}\n{}\n", self.date_text, self.scope);
        hex(&mut text, digest::digest(&digest::SHA256, canonical).as_ref());
        hex(out, hmac::sign(&self.key, text.as_bytes()).as_ref());
    }
}

/// The canonical request, and the names of the headers in it.
fn canonical(
    head: &Head<'_>,
    headers: &HeaderMap,
    payload: &[u8],
    covered: impl Fn(&HeaderName) -> bool,
) -> (Vec<u8>, String) {
    let mut signed: Vec<(&str, &[u8])> = Vec::with_capacity(headers.len() + 1);
    signed.push(("host", head.authority.as_bytes()));
    signed.extend(
        headers.iter().filter(|(name, _)| covered(name)).map(|(name, value)| (name.as_str(), value.as_bytes())),
    );
    signed.sort_unstable();
    let mut out = Vec::with_capacity(512);
    for part in [head.method.as_str(), head.path, head.query] {
        out.extend_from_slice(part.as_bytes());
        out.push(b'\n');
    }
    let mut names = String::with_capacity(96);
    for (name, value) in signed {
        if !names.is_empty() {
            names.push(';');
        }
        names.push_str(name);
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        trimmed(&mut out, value);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(names.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload);
    (out, names)
}

/// A header's value without spaces around it, and with one where there are several.
fn trimmed(out: &mut Vec<u8>, value: &[u8]) {
    let value = value.trim_ascii();
    if !value.windows(2).any(|pair| pair == b"  ") {
        return out.extend_from_slice(value);
    }
    let mut space = false;
    for &byte in value {
        if !(space && byte == b' ') {
            out.push(byte);
        }
        space = byte == b' ';
    }
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
