//! A connection that is driven by whoever waits for it: no task of its own lives beside the caller's (rule S11), and none
//! has to be woken to pass bytes on.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::stream::{Activity, Stream};
use super::watch::{Silence, Watch};

/// Services bound the bytes of the headers, and not how many there are (rule M06).
const MAX_HEADERS: usize = 1000;

/// A request's content, without a copy.
pub(crate) struct Segments {
    segments: std::vec::IntoIter<Bytes>,
    left: u64,
    /// Lives as long as this.
    alive: Arc<()>,
}

impl Segments {
    pub(crate) fn new(segments: Vec<Bytes>) -> Self {
        let left = segments.iter().map(|segment| segment.len() as u64).sum();
        Self { segments: segments.into_iter(), left, alive: Arc::default() }
    }
}

impl Body for Segments {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.segments.find(|segment| !segment.is_empty());
        self.left -= next.as_ref().map_or(0, |segment| segment.len() as u64);
        Poll::Ready(next.map(|segment| Ok(Frame::data(segment))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// An HTTP/1.1 connection.
pub(crate) struct Connection {
    sender: SendRequest<Segments>,
    driver: Pin<Box<http1::Connection<TokioIo<Stream>, Segments>>>,
    dead: bool,
    /// The content of the latest request, as long as it is being sent.
    content: Weak<()>,
    pub(crate) activity: Arc<Activity>,
}

/// Why there was no answer.
pub(crate) enum Unanswered {
    /// No byte of the request left.
    Unsent(hyper::Error),
    /// The connection ended.
    Ended(Option<hyper::Error>),
    /// Nothing came.
    Silent(Silence),
}

impl Connection {
    pub(crate) async fn new(stream: Stream) -> hyper::Result<Self> {
        let activity = stream.activity();
        let (sender, driver) = http1::Builder::new().max_headers(MAX_HEADERS).handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: Box::pin(driver), dead: false, content: Weak::new(), activity })
    }

    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.dead && self.driver.as_mut().poll(cx).is_ready() {
            self.dead = true;
        }
    }

    /// Whether another request can go over it; `false` where the peer has closed it, or the last exchange has not ended.
    pub(crate) fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx);
        !self.dead && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }

    /// Whether the content of the latest request is still being sent: its answer came early.
    pub(crate) fn is_sending(&self) -> bool {
        self.content.strong_count() > 0 || self.activity.is_writing()
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Segments>,
        watch: &mut Watch<'_>,
    ) -> Result<Response<Incoming>, Unanswered> {
        self.activity.touch();
        self.content = Arc::downgrade(&request.body().alive);
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let (driver, dead) = (&mut self.driver, &mut self.dead);
        std::future::poll_fn(|cx| {
            if !*dead && driver.as_mut().poll(cx).is_ready() {
                *dead = true;
            }
            match answer.as_mut().poll(cx) {
                Poll::Ready(Ok(answer)) => return Poll::Ready(Ok(answer)),
                Poll::Ready(Err(mut failed)) => {
                    let unsent = failed.take_message().is_some();
                    let error = failed.into_error();
                    let why = if unsent { Unanswered::Unsent(error) } else { Unanswered::Ended(Some(error)) };
                    return Poll::Ready(Err(why));
                }
                Poll::Pending if *dead => return Poll::Ready(Err(Unanswered::Ended(None))),
                Poll::Pending => {}
            }
            watch.poll(cx, &self.activity).map(|silence| Err(Unanswered::Silent(silence)))
        })
        .await
    }
}
