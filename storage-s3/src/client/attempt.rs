//! One attempt of a request: signed, sent, and its answer judged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, AnswerBody, Body};
use super::connection::{Connection, Segments, Unanswered};
use super::failure::{Cause, Effect};
use super::place::Place;
use super::pool::{Lease, Permit};
use super::request::{Expect, Request, Target};
use super::sign::{self, Head, Keys};
use super::watch::{Silence, Watch};
use super::{Inner, document, encode, retry};

/// A document of the service is not longer: a page of 1,000 keys of 1,024 bytes, each byte escaped, is far below.
const LONGEST_DOCUMENT: usize = 64 << 20;
/// What is read of an answer whose body does not count.
const LONGEST_ERROR: usize = 1 << 20;
/// The longest path and query that are built without growing.
const PATH: usize = 256;

/// Why an attempt has no good answer.
pub(crate) struct Failed {
    pub(crate) cause: Cause,
    /// What the attempt may have done.
    pub(crate) effect: Effect,
    /// Where the service says the bucket is.
    pub(crate) location: Option<String>,
}

impl Failed {
    pub(crate) fn unsent(cause: Cause) -> Self {
        Self { cause, effect: Effect::Unsent, location: None }
    }

    fn sent(cause: Cause, request: &Request) -> Self {
        let effect = if request.is_read() { Effect::None } else { Effect::Unknown };
        Self { cause, effect, location: None }
    }
}

/// What went wrong on a connection, and whether a fresh one may do better at once.
enum Lost {
    Again(Failed),
    Final(Failed),
}

/// Everything an attempt goes by.
pub(crate) struct Attempt<'a> {
    pub(crate) client: &'a Inner,
    pub(crate) request: &'a Request,
    pub(crate) place: &'a Arc<Place>,
    pub(crate) keys: Option<&'a Arc<Keys>>,
    pub(crate) payload: &'a HeaderValue,
    pub(crate) deadline: Instant,
}

impl Attempt<'_> {
    /// Sends the request once; a second time only where an idle connection turned out to be closed before the request could
    /// have been taken.
    pub(crate) async fn run(&self) -> Result<Answer, Failed> {
        let permit = self.permit().await?;
        if let Some(connection) = self.client.pool.idle(&permit, self.place).await {
            let lease = Lease::new(connection, self.place.clone(), permit, self.client.pool.clone());
            match self.on(lease, true).await {
                Ok(answer) => return Ok(answer),
                Err(Lost::Final(failed)) => return Err(failed),
                Err(Lost::Again(failed)) => tracing::trace!(cause = %failed.cause, "an idle connection was closed"),
            }
            let permit = self.permit().await?;
            return self.fresh(permit).await;
        }
        self.fresh(permit).await
    }

    async fn permit(&self) -> Result<Permit, Failed> {
        let waited = timeout_at(self.deadline, self.client.pool.permit()).await;
        let all_in_use = || Failed::unsent(Cause::Timeout("a free connection", self.client.timeouts.operation));
        waited.ok().flatten().ok_or_else(all_in_use)
    }

    async fn fresh(&self, permit: Permit) -> Result<Answer, Failed> {
        let connecting = self.client.connector.connect(self.place);
        let stream = match timeout_at(self.deadline, connecting).await {
            Ok(stream) => stream.map_err(Failed::unsent)?,
            Err(_) => {
                return Err(Failed::unsent(Cause::Timeout("a connection", self.client.timeouts.operation)));
            }
        };
        let connection = Connection::new(stream).await.map_err(|error| Failed::unsent(Cause::Broken(error.into())))?;
        let lease = Lease::new(connection, self.place.clone(), permit, self.client.pool.clone());
        match self.on(lease, false).await {
            Ok(answer) => Ok(answer),
            Err(Lost::Again(failed) | Lost::Final(failed)) => Err(failed),
        }
    }

    async fn on(&self, mut lease: Lease, reused: bool) -> Result<Answer, Lost> {
        let request = self.build().map_err(|cause| Lost::Final(Failed::unsent(cause)))?;
        let limit = self.client.timeouts.answer;
        let answer = {
            let timer = std::pin::pin!(Watch::timer(limit, Some(self.deadline)));
            lease.connection.exchange(request, &mut Watch::new(limit, Some(self.deadline), timer)).await
        };
        match answer {
            Ok(answer) => self.judge(answer, lease).await.map_err(Lost::Final),
            Err(why) => Err(self.unanswered(why, reused)),
        }
    }

    fn unanswered(&self, why: Unanswered, reused: bool) -> Lost {
        let silent = |what, limit: Duration| Lost::Final(Failed::sent(Cause::Timeout(what, limit), self.request));
        match why {
            Unanswered::Unsent(error) => Lost::Again(Failed::unsent(Cause::Broken(error.into()))),
            Unanswered::Silent(Silence::Answer) => silent("an answer", self.client.timeouts.answer),
            Unanswered::Silent(Silence::Operation) => silent("an answer", self.client.timeouts.operation),
            // What has never spoken HTTP has not done what was asked by HTTP.
            Unanswered::Ended(Some(error)) if is_not_http(&error) && !reused => {
                Lost::Final(Failed { cause: Cause::NotHttp(error.into()), effect: Effect::None, location: None })
            }
            Unanswered::Ended(error) => {
                let cause = error.map_or_else(|| "the connection was closed".into(), Into::into);
                let failed = Failed::sent(Cause::Broken(cause), self.request);
                if self.request.is_read() { Lost::Again(failed) } else { Lost::Final(failed) }
            }
        }
    }

    async fn judge(&self, answer: Response<Incoming>, lease: Lease) -> Result<Answer, Failed> {
        let (head, incoming) = answer.into_parts();
        let (status, headers) = (head.status, head.headers);
        let body = Body::new(incoming, lease, self.client.timeouts.answer, Some(self.deadline));
        if !status.is_success() {
            return Err(self.refused(status, headers, body).await);
        }
        let sent = |cause| Failed::sent(cause, self.request);
        let body = match self.request.expect {
            Expect::Content => AnswerBody::Content(Box::pin(body.stream(self.request.operation))),
            Expect::Nothing => {
                body.collect(LONGEST_ERROR).await.1.map_err(sent)?;
                AnswerBody::Nothing
            }
            Expect::Document(root) => {
                let (bytes, end) = body.collect(LONGEST_DOCUMENT).await;
                end.map_err(sent)?;
                document::check(root, status, &headers, &bytes).map_err(|cause| match &cause {
                    // The service says that it failed after it had said that it would not. What it refuses is not done.
                    Cause::Answer(error) => {
                        let effect = if error.status < 400 { self.effect(500) } else { self.effect(error.status) };
                        Failed { cause, effect, location: None }
                    }
                    _ => sent(cause),
                })?;
                AnswerBody::Document(bytes)
            }
        };
        Ok(Answer { status, headers, body, earlier: Effect::Unsent })
    }

    async fn refused(&self, status: StatusCode, headers: HeaderMap, body: Body) -> Failed {
        let (bytes, _) = body.collect(LONGEST_ERROR).await;
        let error = document::error(status, &headers, &bytes);
        // Gateways answer in the place of a service that may have done what it was asked.
        let in_its_place = matches!(error.status, 502 | 504) || retry::is_of_a_gateway(&error);
        let effect = if in_its_place { self.effect(error.status) } else { Effect::None };
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Failed { cause: Cause::Answer(Box::new(error)), effect, location }
    }

    fn effect(&self, status: u16) -> Effect {
        if self.request.is_read() || status < 500 { Effect::None } else { Effect::Unknown }
    }

    /// The request as it goes over the wire.
    fn build(&self) -> Result<http::Request<Segments>, Cause> {
        let (request, place) = (self.request, self.place);
        let mut wire = String::with_capacity(PATH);
        if self.client.connector.absolute_form(place) {
            wire.push_str("http://");
            wire.push_str(place.authority.to_str().unwrap_or_default());
        }
        let origin = wire.len();
        path(&mut wire, place, &request.target);
        let end = wire.len();
        if !request.query.is_empty() {
            wire.push('?');
            wire.push_str(&encode::query(request.query.iter().map(|(name, value)| (*name, value.as_str()))));
        }
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 8);
        headers.extend(request.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        headers.insert(HOST, place.authority.clone());
        if let Some(keys) = self.keys {
            let path = wire.get(origin..end).unwrap_or_default();
            let query = wire.get(end + 1..).unwrap_or_default();
            let head = Head { method: &request.method, authority: &place.authority, path, query };
            let stamp = self.client.signer.now(keys, &place.region);
            stamp.sign(&head, &mut headers, self.payload.clone(), sign::is_covered);
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("storage/", env!("CARGO_PKG_VERSION"))));
        let body = Segments::new(request.body.clone());
        if request.method != Method::GET && request.method != Method::HEAD {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(http_body::Body::size_hint(&body).lower()));
        }
        let uri = Uri::from_maybe_shared(Bytes::from(wire))
            .map_err(|error| Cause::Malformed(format!("the name cannot be asked for: {error}")))?;
        let mut built = http::Request::new(body);
        *built.method_mut() = request.method.clone();
        *built.uri_mut() = uri;
        *built.headers_mut() = headers;
        Ok(built)
    }
}

/// Whether what came does not even begin as HTTP: TLS, or another protocol. Other parts of a head that cannot be read tell
/// nothing of who sent them.
fn is_not_http(error: &hyper::Error) -> bool {
    error.is_parse() && error.to_string().contains("version")
}

/// The encoded path of a target.
pub(crate) fn path(out: &mut String, place: &Place, target: &Target) {
    out.push_str(&place.base);
    match target {
        Target::Object(name) => {
            out.push('/');
            encode::path(out, name);
        }
        Target::Bucket if place.base.is_empty() => out.push('/'),
        Target::Bucket => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::place::Endpoint;
    use crate::options::{Addressing, S3Options};

    fn wire(addressing: Addressing, target: Target) -> Uri {
        let mut options = S3Options::new("data");
        options.endpoint = Some("http://s3.lan".to_owned());
        options.addressing = addressing;
        let mut out = String::new();
        path(&mut out, &Endpoint::new(&options).unwrap().place().unwrap(), &target);
        Uri::from_maybe_shared(Bytes::from(out)).unwrap()
    }

    /// Rule K05: a name is not taken for a host, nor tidied up, where it begins the path.
    #[test]
    fn a_path_is_the_name_byte_for_byte() {
        for (name, path) in [("/a", "//a"), ("//a/", "///a/"), ("..", "/.."), ("a:b@c", "/a%3Ab%40c"), ("*", "/%2A")] {
            let uri = wire(Addressing::VirtualHost, Target::Object(name.to_owned()));
            assert_eq!((uri.path(), uri.authority()), (path, None), "{name}");
            let uri = wire(Addressing::Path, Target::Object(name.to_owned()));
            assert_eq!(uri.path(), format!("/data{path}"), "{name}");
        }
        assert_eq!(wire(Addressing::VirtualHost, Target::Bucket).path(), "/");
        assert_eq!(wire(Addressing::Path, Target::Bucket).path(), "/data");
    }
}
