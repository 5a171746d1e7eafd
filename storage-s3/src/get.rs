//! Reading an object (rules R).

use std::ops::Range;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderMap, StatusCode};
use storage_core::*;

use crate::body::{Content, Reading};
use crate::checksum::{self, Check, Checksum};
use crate::client::{Answer, AnswerBody, Cause, Effect, Failure};
use crate::core::Core;
use crate::single::Call;
use crate::{head, meta};

/// Reads an object, or a range of it. One request; another one only where a range was refused.
pub(crate) async fn get(core: &Arc<Core>, key: &Key, options: GetOptions) -> Result<GetResult> {
    let found = read(core, key, &options.conditions, options.version.as_deref(), options.range).await?;
    let (meta, range) = (found.head.meta, found.range);
    let whole = range == (0..meta.size);
    let check = found.check.filter(|_| whole);
    let reading = Reading::new(core, &meta, options.version, range.clone(), found.content, check);
    let body = if options.buffered { reading.collect().await? } else { reading.stream() };
    Ok(GetResult { meta, attributes: found.head.attributes, range, body })
}

/// A good answer.
pub(crate) struct Found {
    head: ObjectHead,
    /// Which bytes of the object were asked for.
    range: Range<u64>,
    pub(crate) content: Content,
    /// The digest that was stored with the object.
    check: Option<Check>,
}

/// Asks for bytes of an object.
pub(crate) async fn read(
    core: &Arc<Core>,
    key: &Key,
    conditions: &Conditions,
    version: Option<&str>,
    range: Option<ByteRange>,
) -> Result<Found> {
    if let Some(range) = range {
        range.check()?;
    }
    head::check(conditions)?;
    match ask(core, key, conditions, version, range).await {
        Ok((found, answer)) => take_apart(core, key, conditions, range, found, answer),
        Err(failure) if failure.status() == Some(416) => match range {
            // Of an empty object there is no last byte to some services (rule R04); without a range there is an answer.
            Some(ByteRange::Suffix(_)) => {
                let (found, answer) = ask(core, key, conditions, version, None)
                    .await
                    .map_err(|failure| head::error(core, failure, version))?;
                take_apart(core, key, conditions, range, found, answer)
            }
            _ => Err(not_satisfiable(core, key, version, range, failure).await),
        },
        Err(failure) => Err(head::error(core, failure, version)),
    }
}

async fn ask(
    core: &Core,
    key: &Key,
    conditions: &Conditions,
    version: Option<&str>,
    range: Option<ByteRange>,
) -> Result<(opendal::Metadata, Answer), Failure> {
    let name = core.name(key);
    let mut headers = core.headers();
    if range.is_none() && Checksum::sent(core).is_some() {
        checksum::ask(&mut headers);
    }
    core.single.get(Call { client: &core.client, name: &name, version, headers }, range, conditions).await
}

/// The error of a range that starts past the end, with the object's size (rule R03).
async fn not_satisfiable(
    core: &Arc<Core>,
    key: &Key,
    version: Option<&str>,
    range: Option<ByteRange>,
    failure: Failure,
) -> Error {
    let told = match &failure.cause {
        Cause::Answer(error) => error.object_size,
        _ => None,
    };
    let size = match told {
        Some(size) => size,
        None => {
            let mut options = HeadOptions::new();
            options.version = version.map(str::to_owned);
            match head::head(core, key, options).await {
                Ok(head) => head.meta.size,
                Err(error) => return error,
            }
        }
    };
    match range.map(|range| range.resolve(size)) {
        Some(Err(error)) => error,
        _ => Error::new(ErrorKind::RangeNotSatisfiable { size }, format!("the object has {size} bytes"))
            .with_help("a range starts before the end of the object"),
    }
}

fn take_apart(
    core: &Core,
    key: &Key,
    conditions: &Conditions,
    range: Option<ByteRange>,
    found: opendal::Metadata,
    answer: Answer,
) -> Result<Found> {
    let malformed = |what: String| malformed(core, what);
    let head = meta::head(key, &found, &answer.headers).map_err(|what| malformed(what.to_owned()))?;
    // A service that ignores a condition is noticed here.
    conditions.check(&head.meta)?;
    let wanted = match range {
        Some(range) => range.resolve(head.meta.size)?,
        None => 0..head.meta.size,
    };
    let partial = is_partial(range, &answer);
    let sent = match partial {
        true => content_range(&answer.headers).map_err(malformed)?,
        false => 0..head.meta.size,
    };
    if partial && sent != wanted {
        return Err(malformed(format!("bytes {sent:?} came where {wanted:?} were asked for")));
    }
    let announced = answer.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length != sent.end - sent.start) {
        return Err(malformed(format!("its Content-Length is not that of bytes {sent:?}")));
    }
    let check = Check::read(&answer.headers);
    let AnswerBody::Content(stream) = answer.body else {
        return Err(malformed("it has no body".to_owned()));
    };
    let content = Content { stream, skip: wanted.start - sent.start };
    Ok(Found { head, range: wanted, content, check })
}

/// Whether the answer holds a part of the object. Some services send one with status 200, and say so in `Content-Range`.
fn is_partial(range: Option<ByteRange>, answer: &Answer) -> bool {
    answer.status == StatusCode::PARTIAL_CONTENT || (range.is_some() && answer.headers.contains_key(CONTENT_RANGE))
}

/// The bytes that a part of an object holds (RFC 9110, section 14.4).
fn content_range(headers: &HeaderMap) -> Result<Range<u64>, String> {
    let text = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parsed = || {
        let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        // Without the size nobody can tell whether the range is the one that was asked for.
        let size: u64 = size.parse().ok()?;
        // Of an empty object there is no last byte that could be named.
        if size == 0 {
            return Some(0..0);
        }
        Some(first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?)
    };
    parsed().ok_or_else(|| format!("its Content-Range is {text:?}"))
}

fn malformed(core: &Core, what: String) -> Error {
    core.error(Failure { operation: "GetObject", cause: Cause::Malformed(what), effect: Effect::None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_without_its_size_is_none() {
        let range = |text: &str| content_range(&[(CONTENT_RANGE, text.parse().unwrap())].into_iter().collect());
        assert_eq!(range("bytes 0-9/100"), Ok(0..10));
        assert_eq!(range("bytes 0-18446744073709551615/0"), Ok(0..0));
        for wrong in ["bytes 0-9/*", "bytes */100", "0-9/100", "bytes 9/100", "bytes 0-18446744073709551615/1"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
