//! Requests to the service: signed, sent, repeated where that is safe, and their answers taken apart.
//!
//! HTTP/1.1 on connections that the waiting task drives itself. What is signed is what goes over the wire, byte for byte;
//! each attempt is signed anew.

mod answer;
mod attempt;
mod connect;
mod connection;
mod credentials;
mod document;
pub(crate) mod encode;
mod failure;
mod metadata;
mod place;
mod pool;
mod region;
mod request;
mod retry;
mod sign;
mod stream;
mod tls;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use answer::{Answer, AnswerBody};
pub(crate) use connect::{Connector, dial};
pub(crate) use credentials::Identity;
pub(crate) use document::also;
pub(crate) use encode::path as encode_path;
pub(crate) use failure::{Cause, Effect, Failure, ServiceError};
pub(crate) use place::{Place, in_path as addressed_in_path, url as endpoint_url};
pub(crate) use request::{Expect, Request, Target};

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use storage_core::Result;
use tokio::time::{Instant, sleep, timeout_at};

use crate::options::{PayloadSigning, Retries, S3Options, Timeouts};
use attempt::{Attempt, Failed};
use credentials::Provider;
use place::Endpoint;
use pool::Pool;
use region::Whereabouts;
use retry::{Budget, Course};
use sign::{Head, Keys, Signer};

/// Sends requests. Cloning is cheap; clones share connections, credentials, the retry budget and the region.
///
/// At most [`S3Options::connections`] requests are under way at once, those counted whose body is still being read: a
/// caller that holds so many bodies and asks for one more before it reads or drops one waits until the operation's
/// deadline, and then gets a time-out.
#[derive(Clone)]
pub(crate) struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    connector: Arc<Connector>,
    pool: Arc<Pool>,
    signer: Signer,
    provider: Provider,
    whereabouts: Whereabouts,
    budget: Budget,
    retries: Retries,
    timeouts: Timeouts,
    payload_signing: PayloadSigning,
}

impl Client {
    /// Fails with `Configuration` where the options cannot be right: no request is made, no file but certificates read.
    pub(crate) fn new(options: &S3Options) -> Result<Self> {
        let endpoint = Endpoint::new(options)?;
        let place = endpoint.place()?;
        let connector = Arc::new(Connector::new(options, place.https)?);
        let provider = Provider::new(&options.credentials, &connector)?;
        Ok(Self {
            inner: Arc::new(Inner {
                connector,
                pool: Arc::new(Pool::new(options.connections)),
                signer: Signer::default(),
                provider,
                whereabouts: Whereabouts::new(endpoint, place),
                budget: Budget::new(options.retries.budget),
                retries: options.retries,
                timeouts: options.timeouts,
                payload_signing: options.payload_signing,
            }),
        })
    }

    /// Sends a request, and again where it failed in a way that can pass. Everything is repeated, writes too: the answer
    /// and the failure say whether an attempt is in doubt, and the caller settles what depends on it (rule C06).
    pub(crate) async fn send(&self, request: Request) -> Result<Answer, Failure> {
        self.inner.send(&request, self.inner.retries).await
    }

    /// Sends a request without repeating it, save to the region that the service names.
    pub(crate) async fn send_once(&self, request: Request) -> Result<Answer, Failure> {
        self.inner.send(&request, Retries { attempts: 1, ..self.inner.retries }).await
    }

    /// Where requests go now: the service may have named another region than the options did.
    pub(crate) fn place(&self) -> Arc<Place> {
        self.inner.whereabouts.place()
    }

    /// Whether the region is a guess that no answer has confirmed.
    pub(crate) fn guesses_region(&self) -> bool {
        self.inner.whereabouts.is_guess()
    }

    /// How connections are made.
    pub(crate) fn connector(&self) -> &Connector {
        &self.inner.connector
    }

    /// Whose keys requests are signed with; `None` is nobody.
    pub(crate) async fn identity(&self) -> Result<Option<Identity>, Cause> {
        self.inner.provider.identity().await
    }

    /// A URL by which its holder can make the request for a while, without keys. Its headers must be sent as they are
    /// here. No request is made, unless credentials have to be fetched. With nobody's credentials it is the plain URL.
    pub(crate) async fn presign(&self, request: Request, expires_in: Duration) -> Result<String, Failure> {
        let deadline = Instant::now() + self.inner.timeouts.operation;
        let keys = self.inner.keys(deadline).await;
        let keys = keys.map_err(|cause| Failure { operation: request.operation, cause, effect: Effect::Unsent })?;
        Ok(self.inner.url(&request, keys.as_ref(), expires_in))
    }
}

/// How much longer a request may take for its content: at 1 MiB a second a line is slow, and moves.
fn sending(body: &[Bytes]) -> Duration {
    let length: u64 = body.iter().map(|segment| segment.len() as u64).sum();
    Duration::from_secs(length >> 20)
}

/// Whether the service says that the keys have ended: those of a file may have been renewed since it was read.
fn has_ended(cause: &Cause) -> bool {
    matches!(cause, Cause::Answer(error) if matches!(error.code.as_str(), "ExpiredToken" | "TokenRefreshRequired"))
}

impl Inner {
    async fn send(&self, request: &Request, retries: Retries) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.timeouts.operation + sending(&request.body);
        let (mut course, mut attempts, mut followed) = (Course::new(), 0, false);
        let mut place = self.whereabouts.place();
        let payload = self.payload(request, &place);
        loop {
            attempts += 1;
            let failed = match self.attempt(request, &place, &payload, deadline, attempts).await {
                Ok(mut answer) => {
                    self.budget.give_back();
                    self.whereabouts.answered();
                    answer.earlier = course.before_success();
                    return Ok(answer);
                }
                Err(failed) => failed,
            };
            if !followed && let Some(next) = self.redirect(request, &place, &failed) {
                (place, followed, attempts) = (next, true, attempts - 1);
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match retry::pause(&retries, &self.budget, attempts, left, request, &failed.cause) {
                Some(pause) => {
                    course.add(request, &failed.cause, failed.effect);
                    sleep(pause).await;
                }
                None => {
                    let effect = course.with_last(&failed.cause, failed.effect);
                    return Err(Failure { operation: request.operation, cause: failed.cause, effect });
                }
            }
        }
    }

    async fn attempt(
        &self,
        request: &Request,
        place: &Arc<Place>,
        payload: &HeaderValue,
        deadline: Instant,
        attempt: u32,
    ) -> Result<Answer, Failed> {
        let start = Instant::now();
        let keys = self.keys(deadline).await.map_err(Failed::unsent)?;
        let sent = async |keys: Option<&Arc<Keys>>| {
            Attempt { client: self, request, place, keys, payload, deadline }.run().await
        };
        let mut result = sent(keys.as_ref()).await;
        if result.as_ref().is_err_and(|failed| has_ended(&failed.cause)) && self.provider.renew(keys.as_ref()) {
            let keys = self.keys(deadline).await.map_err(Failed::unsent)?;
            result = sent(keys.as_ref()).await;
        }
        let operation = request.operation;
        match &result {
            Ok(answer) => {
                let (status, elapsed) = (answer.status.as_u16(), start.elapsed());
                tracing::debug!(operation, attempt, status, ?elapsed, "answered");
            }
            Err(failed) => {
                let elapsed = start.elapsed();
                tracing::debug!(operation, attempt, cause = %failed.cause, effect = ?failed.effect, ?elapsed, "failed");
            }
        }
        result
    }

    async fn keys(&self, deadline: Instant) -> Result<Option<Arc<Keys>>, Cause> {
        if let Some(keys) = self.provider.at_hand() {
            return Ok(keys);
        }
        match timeout_at(deadline, self.provider.load()).await {
            Ok(loaded) => loaded.map(Some),
            Err(_) => Err(Cause::Timeout("loading credentials", self.timeouts.operation)),
        }
    }

    fn payload(&self, request: &Request, place: &Place) -> HeaderValue {
        let signed = match self.payload_signing {
            PayloadSigning::Auto => !place.https,
            PayloadSigning::Signed => true,
            PayloadSigning::Unsigned => false,
        };
        sign::payload(&request.body, signed)
    }

    fn redirect(&self, request: &Request, place: &Place, failed: &Failed) -> Option<Arc<Place>> {
        let mut path = String::new();
        attempt::path(&mut path, place, &request.target);
        self.whereabouts.follow(place, &path, &failed.cause, failed.location.as_deref())
    }

    fn url(&self, request: &Request, keys: Option<&Arc<Keys>>, expires_in: Duration) -> String {
        let place = self.whereabouts.place();
        let mut path = String::new();
        attempt::path(&mut path, &place, &request.target);
        let query = match keys {
            Some(keys) => {
                let head = Head { method: &request.method, authority: &place.authority, path: &path, query: "" };
                let stamp = self.signer.now(keys, &place.region);
                stamp.presign(&head, &request.query, &request.headers, expires_in)
            }
            None => encode::query(request.query.iter().map(|(name, value)| (*name, value.as_str()))),
        };
        let authority = place.authority.to_str().unwrap_or_default();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}://{authority}{path}{mark}{query}", place.scheme())
    }
}
