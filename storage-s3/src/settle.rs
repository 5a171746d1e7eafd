//! What became of a conditional write whose answer was lost (rule C06).

use std::time::{Duration, Instant, SystemTime};

use http::header::{CONTENT_LENGTH, DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, Method};
use storage_core::{ETag, Error, ErrorKind, PutMode, PutResult, Result};

use crate::client::{Expect, Target};
use crate::core::Core;
use crate::meta::{self, VERSION};
use crate::write_id::WriteId;

/// When a write began.
///
/// Of its two clocks one is set back by hand or by the network, and the other stands still while a machine sleeps; each
/// makes an object that came later look older than the write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    steady: Instant,
    wall: SystemTime,
}

impl Began {
    pub(crate) fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// How long ago it was, and rather more than less.
    fn elapsed(self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

/// Says by one HEAD what became of a write with this mark, some attempt of which had no answer while a later one was
/// refused. `began` is when the first attempt began.
///
/// Ok where the object that is there now is this write's. `AlreadyExists` or `PreconditionFailed` where the write did
/// nothing: for any condition if the object there was last written before this write began, which is proof; for a
/// create-only write if the object was itself made by another create-only write, which is proof unless somebody deleted
/// this write's object in between. Else `OutcomeUnknown`: an object that came
/// later may have taken the place of this write's own.
pub(crate) async fn settle(core: &Core, name: &str, id: &WriteId, mode: &PutMode, began: Began) -> Result<PutResult> {
    let target = Target::Object(name.to_owned());
    let head = core.request("HeadObject", Method::HEAD, target, Expect::Nothing);
    let headers = match core.client.send(head).await {
        Ok(answer) => answer.headers,
        Err(failure) if failure.status() == Some(404) => return Err(unknown("no object is there now")),
        Err(failure) => {
            return Err(unknown("whether the object is there could not be asked").with_source(core.error(failure)));
        }
    };
    let there = WriteId::read(&headers);
    if there.as_ref() == Some(id) {
        return written(&headers).ok_or_else(|| unknown("the object's metadata cannot be read"));
    }
    let elapsed = began.elapsed();
    match mode {
        PutMode::CreateOnly if there.is_some_and(|there| there.created(name)) || older(&headers, elapsed) => {
            Err(Error::already_exists())
        }
        // The object that was asked for is still there: the attempt without an answer may yet land on it.
        PutMode::IfMatch(expected) if text(&headers, ETAG).and_then(meta::etag).as_ref() == Some(expected) => {
            Err(unknown("it has not landed up to now"))
        }
        PutMode::IfMatch(_) if older(&headers, elapsed) => {
            Err(Error::precondition_failed("the object is not the one that was asked for"))
        }
        _ => Err(unknown("another write has been there since")),
    }
}

/// That a write was sent, and what became of it cannot be told.
pub(crate) fn unknown(why: &'static str) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, format!("the write was sent, its answer was lost, and {why}"))
        .with_help("read the object to see what is there before writing it again")
}

fn written(headers: &HeaderMap) -> Option<PutResult> {
    Some(PutResult {
        etag: meta::etag(text(headers, ETAG)?)?,
        size: text(headers, CONTENT_LENGTH)?.parse().ok()?,
        version: text(headers, VERSION).map(str::to_owned),
    })
}

/// Whether the object was last written before a moment that is `elapsed` ago, by the service's clock alone: both dates
/// are its own, in whole seconds. An object that was uploaded in parts tells nothing, since some services date it by
/// the upload's start.
fn older(headers: &HeaderMap, elapsed: Duration) -> bool {
    let date = |name| text(headers, name).and_then(|text| httpdate::parse_http_date(text).ok());
    let (Some(written), Some(now)) = (date(LAST_MODIFIED), date(DATE)) else {
        return false;
    };
    let in_parts = text(headers, ETAG).and_then(meta::etag).is_none_or(|etag: ETag| etag.as_str().contains('-'));
    let began = now.checked_sub(elapsed);
    !in_parts && began.is_some_and(|began| written + Duration::from_secs(1) <= began)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(etag: &'static str, written: &'static str, now: &'static str) -> HeaderMap {
        let pairs = [(ETAG, etag), (LAST_MODIFIED, written), (DATE, now)];
        pairs.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
    }

    /// A clock that was set back makes no write look later than it was.
    #[test]
    fn a_clock_that_was_set_back_proves_nothing() {
        let began = Began { steady: Instant::now(), wall: SystemTime::now() + Duration::from_secs(60) };
        std::thread::sleep(Duration::from_millis(2));
        assert!(began.elapsed() >= Duration::from_millis(2));
        let slept = Began { steady: Instant::now(), wall: SystemTime::now() - Duration::from_secs(60) };
        assert!(slept.elapsed() >= Duration::from_secs(60));
    }

    #[test]
    fn only_a_whole_second_between_proves_that_an_object_is_older() {
        let at = |second| Duration::from_millis(second);
        let ten = headers("\"e\"", "Fri, 24 May 2013 00:00:10 GMT", "Fri, 24 May 2013 00:00:12 GMT");
        assert!(older(&ten, at(1000)), "begun at :11, written at :10 and a fraction at most");
        assert!(!older(&ten, at(1001)), "begun at :10.999, written at :10 and any fraction");
        let parts = headers("\"e-2\"", "Fri, 24 May 2013 00:00:10 GMT", "Fri, 24 May 2013 00:00:12 GMT");
        assert!(!older(&parts, at(0)), "an upload in parts may be dated by its start");
        assert!(!older(&HeaderMap::new(), at(0)));
    }
}
