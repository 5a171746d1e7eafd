//! Times of a filter as text (RFC 3339).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        // What lies outside of what the text can say is said as its nearest end.
        Some(time) => serializer.collect_str(&humantime::format_rfc3339((*time).clamp(UNIX_EPOCH, last()))),
        None => serializer.serialize_none(),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let time = humantime::parse_rfc3339(&text);
    time.map(Some)
        .map_err(|error| D::Error::custom(format!("{text:?} is no time such as 2026-01-31T12:00:00Z: {error}")))
}

/// The last second of the year 9999.
fn last() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(253_402_300_799)
}
