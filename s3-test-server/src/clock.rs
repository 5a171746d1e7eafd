//! The server's clock, and S3's three ways to write a time. Times are whole seconds since 1970, as S3 keeps them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDateTime};

/// Whole seconds since 1970.
pub(crate) type Seconds = i64;

/// A clock that may be wrong on purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) offset: Seconds,
}

impl Clock {
    pub(crate) fn now(self) -> Seconds {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX).saturating_add(self.offset)
    }
}

/// As in `Last-Modified`.
pub(crate) fn http_date(seconds: Seconds) -> String {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// As in listings: to milliseconds, which are zero.
pub(crate) fn listing_date(seconds: Seconds) -> String {
    let date = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    date.format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// Reads a date of a conditional header.
pub(crate) fn parse_http_date(text: &str) -> Option<Seconds> {
    let date = httpdate::parse_http_date(text).ok()?;
    i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Reads `x-amz-date`.
pub(crate) fn parse_amz_date(text: &str) -> Option<Seconds> {
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok().map(|date| date.and_utc().timestamp())
}
