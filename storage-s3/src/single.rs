//! GetObject, HeadObject and PutObject: built and read by opendal's S3 service, sent by our own client.
//!
//! The service is given a name that stands for every object, and a transport for each call, which knows the object's
//! whole name and puts it in the place of the other. So opendal neither trims nor collapses a key, and what is signed is
//! what is sent. The body of an answer does not go through opendal either.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, LAST_MODIFIED};
use opendal::options::{ReadOptions, StatOptions, WriteOptions};
use opendal::raw::oio::{ReadDyn, WriteDyn};
use opendal::raw::{OpRead, OpStat, OpWrite, Servicer, Timestamp};
use opendal::{
    Buffer, Builder, BytesRange, Capability, HttpBody, HttpTransport, HttpTransporter, Metadata, OperationContext,
    services,
};
use storage_core::{ByteRange, Conditions, ETag, Error, PutMode, Result};

use crate::client::{Answer, Cause, Client, Effect, Expect, Failure, Request, Target};
use crate::meta::VERSION;

/// The name under which opendal knows every object.
const ANY: &str = "object";

/// The longest etag that can stand in a condition.
const LONGEST_ETAG: usize = 1024;

/// Offsets from here on are written as "to the end": some services count in signed numbers.
const OPEN_END: u64 = i64::MAX as u64;

/// opendal's S3 service, with nothing of its own: no credentials, no connection, no retries.
#[derive(Clone)]
pub(crate) struct Single {
    service: Servicer,
    context: OperationContext,
}

/// One request for one object: what opendal does not know of it.
pub(crate) struct Call<'a> {
    pub(crate) client: &'a Client,
    /// The object's whole name in the bucket.
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
    /// Headers beside those that opendal sets.
    pub(crate) headers: HeaderMap,
}

impl Single {
    pub(crate) fn new() -> Result<Self> {
        let builder = services::S3::default()
            .bucket("bucket")
            .endpoint("http://service")
            .region("region")
            .skip_signature()
            .disable_config_load()
            .disable_ec2_metadata();
        let service = builder.build().map_err(|error| Error::configuration(error.to_string()))?;
        Ok(Self { service: Arc::new(service), context: OperationContext::new() })
    }

    /// GetObject.
    pub(crate) async fn get(
        &self,
        call: Call<'_>,
        range: Option<ByteRange>,
        conditions: &Conditions,
    ) -> Result<(Metadata, Answer), Failure> {
        let sent = Arc::new(Exchange::new("GetObject", call, Expect::Content));
        let options = ReadOptions {
            if_match: tag(&conditions.if_match),
            if_none_match: none_match(conditions),
            if_modified_since: date(&conditions.if_none_match, conditions.if_modified_since),
            if_unmodified_since: date(&conditions.if_match, conditions.if_unmodified_since),
            ..ReadOptions::default()
        };
        let (_, args, _): (_, OpRead, _) = options.into();
        let read = async {
            let reader = self.service.read_dyn(&self.through(&sent), ANY, args)?;
            let (reply, _) = reader.open_dyn(range.map_or_else(BytesRange::default, bytes_range)).await?;
            reply.into_metadata().ok_or_else(|| opendal::Error::new(opendal::ErrorKind::Unexpected, "no metadata"))
        };
        sent.outcome(read.await, Effect::None)
    }

    /// HeadObject.
    pub(crate) async fn head(&self, call: Call<'_>, conditions: &Conditions) -> Result<(Metadata, Answer), Failure> {
        let sent = Arc::new(Exchange::new("HeadObject", call, Expect::Nothing));
        let options = StatOptions {
            if_match: tag(&conditions.if_match),
            if_none_match: none_match(conditions),
            if_modified_since: date(&conditions.if_none_match, conditions.if_modified_since),
            if_unmodified_since: date(&conditions.if_match, conditions.if_unmodified_since),
            ..StatOptions::default()
        };
        let read = self.service.stat_dyn(&self.through(&sent), ANY, OpStat::from(options)).await;
        sent.outcome(read.map(|reply| reply.into_metadata()), Effect::None)
    }

    /// PutObject.
    pub(crate) async fn put(
        &self,
        call: Call<'_>,
        body: Vec<Bytes>,
        mode: &PutMode,
    ) -> Result<(Metadata, Answer), Failure> {
        let sent = Arc::new(Exchange::new("PutObject", call, Expect::Nothing));
        let options = WriteOptions {
            if_not_exists: *mode == PutMode::CreateOnly,
            if_match: match mode {
                PutMode::IfMatch(etag) => Some(etag.as_str().to_owned()),
                _ => None,
            },
            ..WriteOptions::default()
        };
        let written = async {
            let (args, _) = OpWrite::from_options(&Capability::default(), options)?;
            let mut writer = self.service.write_dyn(&self.through(&sent), ANY, args)?;
            let body = Buffer::from(body);
            if !body.is_empty() {
                writer.write_dyn(body).await?;
            }
            writer.close_dyn().await
        };
        sent.outcome(written.await, Effect::Unknown)
    }

    fn through(&self, exchange: &Arc<Exchange>) -> OperationContext {
        self.context.with_http_transport(HttpTransporter::new(Wire(Arc::clone(exchange))))
    }
}

/// Refuses an etag that no header can hold; no object has it.
pub(crate) fn check_etag(etag: &ETag) -> Result<()> {
    let text = etag.as_str();
    if text.len() > LONGEST_ETAG || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(Error::invalid_input("the etag is not one that a service has given")
            .with_help("take the etag from put, head, get or a listing"));
    }
    Ok(())
}

fn tag(etag: &Option<ETag>) -> Option<String> {
    etag.as_ref().map(|etag| etag.as_str().to_owned())
}

/// The etag that the object is not to have; none where it is to have another one, which decides that too and comes first
/// (rule C09), though not on every service. Whether the two are the same is looked at in the answer.
fn none_match(conditions: &Conditions) -> Option<String> {
    tag(&conditions.if_none_match).filter(|_| conditions.if_match.is_none())
}

/// A date condition; none where there is an etag condition, which wins (rule C10) and not on every service.
fn date(etag: &Option<ETag>, time: Option<SystemTime>) -> Option<Timestamp> {
    /// The last second of the year 9999, the last one that an HTTP date can hold.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let time = time.filter(|_| etag.is_none())?.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST);
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Timestamp::from_second(seconds.try_into().ok()?).ok()
}

fn bytes_range(range: ByteRange) -> BytesRange {
    match range {
        ByteRange::Bounded { start, end } if end < OPEN_END => BytesRange::new(start, Some(end.saturating_sub(start))),
        ByteRange::Bounded { start, .. } | ByteRange::From(start) => BytesRange::new(start, None),
        ByteRange::Suffix(bytes) => BytesRange::suffix(bytes.min(OPEN_END)),
    }
}

/// One request and what came of it.
struct Exchange {
    operation: &'static str,
    client: Client,
    request: Mutex<Option<Request>>,
    outcome: Mutex<Option<Result<Answer, Failure>>>,
}

impl Exchange {
    fn new(operation: &'static str, call: Call<'_>, expect: Expect) -> Self {
        let target = Target::Object(call.name.to_owned());
        let mut request = Request::new(operation, http::Method::GET, target, expect);
        request.headers = call.headers;
        if let Some(version) = call.version {
            request = request.query("versionId", version);
        }
        Self { operation, client: call.client.clone(), request: Mutex::new(Some(request)), outcome: Mutex::new(None) }
    }

    /// The answer with what opendal read from it, or why there is none. `unread` is what a request may have done whose
    /// answer could not be read.
    fn outcome(&self, read: opendal::Result<Metadata>, unread: Effect) -> Result<(Metadata, Answer), Failure> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        let malformed = |error: opendal::Error, effect| {
            let cause = Cause::Malformed(error.message().to_owned());
            Failure { operation: self.operation, cause, effect }
        };
        match (read, outcome) {
            (_, Some(Err(failure))) => Err(failure),
            (Ok(metadata), Some(Ok(answer))) => Ok((metadata, answer)),
            (Err(error), Some(Ok(_))) => Err(malformed(error, unread)),
            (Err(error), None) => Err(malformed(error, Effect::Unsent)),
            (Ok(_), None) => {
                Err(malformed(opendal::Error::new(opendal::ErrorKind::Unexpected, "no request"), Effect::Unsent))
            }
        }
    }

    async fn send(&self, built: http::Request<Buffer>) -> opendal::Result<http::Response<HttpBody>> {
        let request = self.request.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut request) = request else {
            return Err(opendal::Error::new(opendal::ErrorKind::Unexpected, "a call is one request"));
        };
        let (parts, body) = built.into_parts();
        request.method = parts.method;
        // The client counts the bytes that it sends.
        request.headers.extend(parts.headers.into_iter().filter(|(name, _)| *name != Some(CONTENT_LENGTH)));
        request.body = body.collect();
        let outcome = self.client.send(request).await;
        let read = match &outcome {
            Ok(answer) => Ok(for_opendal(answer)),
            Err(_) => Err(opendal::Error::new(opendal::ErrorKind::Unexpected, "the request failed")),
        };
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        read
    }
}

/// The answer as opendal sees it: what it is to read, and no body.
fn for_opendal(answer: &Answer) -> http::Response<HttpBody> {
    let mut response = http::Response::new(HttpBody::new(stream::empty(), None));
    *response.status_mut() = answer.status;
    for name in [CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED, VERSION] {
        if let Some(value) = answer.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

struct Wire(Arc<Exchange>);

impl HttpTransport for Wire {
    async fn fetch(&self, request: http::Request<Buffer>) -> opendal::Result<http::Response<HttpBody>> {
        self.0.send(request).await
    }
}
