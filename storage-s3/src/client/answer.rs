//! Answers: the head that a caller looks at, and a body that is read as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use futures::stream::BoxStream;
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use storage_core::Result;
use tokio::time::{Instant, Sleep};

use super::failure::{Cause, Effect, Failure};
use super::pool::Lease;
use super::watch::{Silence, Watch};

/// An answer that is a success.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: AnswerBody,
    /// Whether an earlier attempt of the same request was sent and its outcome is not known.
    pub(crate) earlier: Effect,
}

/// What an answer holds.
pub(crate) enum AnswerBody {
    /// Nothing that counts; it has been read to its end.
    Nothing,
    /// A document, whole.
    Document(Bytes),
    /// Bytes as they come; fewer than announced is a failure at the end.
    Content(BoxStream<'static, Result<Bytes, Failure>>),
}

/// A body on its connection. Read to its end, it gives the connection back; dropped before, it closes it (rule R12).
pub(crate) struct Body {
    incoming: Incoming,
    lease: Option<Lease>,
    limit: Duration,
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, lease: Lease, limit: Duration, deadline: Option<Instant>) -> Self {
        let mut body = Self { incoming, lease: Some(lease), limit, deadline, timer: None };
        if body.incoming.is_end_stream() {
            body.end();
        }
        body
    }

    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cause>>> {
        loop {
            let mut frame = Pin::new(&mut self.incoming).poll_frame(cx);
            if frame.is_pending()
                && let Some(lease) = &mut self.lease
            {
                lease.connection.drive(cx);
                frame = Pin::new(&mut self.incoming).poll_frame(cx);
            }
            if frame.is_pending()
                && let Some(silence) = self.poll_silence(cx)
            {
                self.lease = None;
                return Poll::Ready(Some(Err(silence)));
            }
            match ready!(frame) {
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
                Some(Err(error)) => {
                    self.lease = None;
                    return Poll::Ready(Some(Err(Cause::Broken(error.into()))));
                }
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data()
                        && !bytes.is_empty()
                    {
                        if self.incoming.is_end_stream() {
                            self.end();
                        }
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        }
    }

    /// What happened while nothing came: too long a silence, or the connection's end without the body's.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Option<Cause> {
        let lease = self.lease.as_ref()?;
        let (limit, deadline) = (self.limit, self.deadline);
        let timer = self.timer.get_or_insert_with(|| {
            lease.connection.activity.touch();
            Box::pin(Watch::timer(limit, deadline))
        });
        match Watch::new(limit, deadline, timer.as_mut()).poll(cx, &lease.connection.activity) {
            Poll::Ready(Silence::Answer) => Some(Cause::Timeout("the next byte of an answer", limit)),
            Poll::Ready(Silence::Operation) => Some(Cause::Timeout("the end of an answer", limit)),
            Poll::Pending => None,
        }
    }

    async fn chunk(&mut self) -> Option<Result<Bytes, Cause>> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// The whole body, if it is not longer than `limit` bytes. Where it fails, what came before is there too.
    pub(crate) async fn collect(mut self, limit: usize) -> (Bytes, Result<(), Cause>) {
        let first = match self.chunk().await {
            None => return (Bytes::new(), Ok(())),
            Some(Err(cause)) => return (Bytes::new(), Err(cause)),
            Some(Ok(first)) if self.lease.is_none() => return (first, Ok(())),
            Some(Ok(first)) => first,
        };
        let mut whole = BytesMut::from(first);
        loop {
            match self.chunk().await {
                None => return (whole.freeze(), Ok(())),
                Some(Err(cause)) => return (whole.freeze(), Err(cause)),
                Some(Ok(chunk)) if whole.len() + chunk.len() > limit => {
                    let cause = Cause::Malformed(format!("the answer is longer than {limit} bytes"));
                    return (whole.freeze(), Err(cause));
                }
                Some(Ok(chunk)) => whole.extend_from_slice(&chunk),
            }
        }
    }

    /// The body as it comes; a pause between two bytes is bounded, the whole is not.
    pub(crate) fn stream(mut self, operation: &'static str) -> Content {
        self.deadline = None;
        self.timer = None;
        Content { operation, body: Some(self) }
    }
}

/// A body as a stream, which ends after its first failure.
pub(crate) struct Content {
    operation: &'static str,
    body: Option<Body>,
}

impl Stream for Content {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        match ready!(body.poll_chunk(cx)) {
            Some(Ok(bytes)) => Poll::Ready(Some(Ok(bytes))),
            Some(Err(cause)) => {
                self.body = None;
                Poll::Ready(Some(Err(Failure { operation: self.operation, cause, effect: Effect::None })))
            }
            None => {
                self.body = None;
                Poll::Ready(None)
            }
        }
    }
}
