//! The body of an answer, which a fault may cut short.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use s3s::Body;

use crate::connection::{Control, Unanswered};

/// A body on its way out.
pub(crate) struct AnswerBody {
    inner: Body,
    /// Bytes until the connection is closed.
    cut: Option<u64>,
    /// Whether what came before the cut had a chance to leave.
    flushed: bool,
    close: Option<Arc<Control>>,
}

impl AnswerBody {
    pub(crate) fn new(inner: Body) -> Self {
        Self { inner, cut: None, flushed: false, close: None }
    }

    pub(crate) fn cut(mut self, after: Option<u64>) -> Self {
        self.cut = after;
        self
    }

    /// Closes the connection when the body is out.
    pub(crate) fn closing(mut self, control: Arc<Control>) -> Self {
        self.close = Some(control);
        self
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if let Some(control) = &self.close {
            control.close();
        }
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, Box<dyn std::error::Error + Send + Sync>>>>;

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        if self.cut == Some(0) {
            if self.flushed {
                return Poll::Ready(Some(Err(Unanswered.into())));
            }
            // hyper flushes what it has when the body is not ready.
            self.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            other => return other,
        };
        let Some(left) = self.cut else { return Poll::Ready(Some(Ok(frame))) };
        let Ok(mut data) = frame.into_data() else { return Poll::Ready(None) };
        data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        self.cut = Some(left - data.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.inner)
    }
}

/// A request's body that can still be read to its end when an operation has given it up: otherwise the connection
/// would be reset while the client writes, and it might never see the answer.
#[derive(Clone)]
pub(crate) struct SharedBody {
    body: Arc<Mutex<Incoming>>,
    asked_for: Arc<AtomicBool>,
}

impl SharedBody {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body: Arc::new(Mutex::new(body)), asked_for: Arc::default() }
    }

    /// Whether any of it was read, so that a client which waits for `100 Continue` was told to send it.
    pub(crate) fn asked_for(&self) -> bool {
        self.asked_for.load(Ordering::SeqCst)
    }

    /// Reads what is left.
    pub(crate) async fn drain(mut self) {
        while let Some(Ok(_)) = std::future::poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {}
    }

    fn lock(&self) -> MutexGuard<'_, Incoming> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for SharedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.asked_for.store(true, Ordering::SeqCst);
        Pin::new(&mut *self.lock()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
    }
}
