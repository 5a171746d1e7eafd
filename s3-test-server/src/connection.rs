//! One connection: HTTP/1.1 over a socket that can be reset.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::answer::AnswerBody;
use crate::service::Service;

/// S3 bounds the bytes of the headers, and not how many there are.
const MAX_HEADERS: usize = 1000;

/// What a request can do to its connection.
#[derive(Debug, Default)]
pub(crate) struct Control {
    reset: AtomicBool,
    close: Notify,
}

impl Control {
    /// Makes the end of the connection a TCP reset.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }

    /// Ends the connection when the answer that is on its way is out.
    pub(crate) fn close(&self) {
        self.close.notify_one();
    }
}

/// A request that is not answered: its connection ends.
#[derive(Debug)]
pub(crate) struct Unanswered;

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the request is not answered")
    }
}

impl std::error::Error for Unanswered {}

/// A socket that ends as its control says.
pub(crate) struct Socket {
    stream: TcpStream,
    control: Arc<Control>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, control: Arc<Control>) -> Self {
        Self { stream, control }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::SeqCst) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Answers the requests of a connection until it ends; how it ends is the client's to find out.
pub(crate) async fn serve<S>(stream: S, control: Arc<Control>, service: Arc<Service>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = |request: Request<Incoming>| {
        let (service, control) = (Arc::clone(&service), Arc::clone(&control));
        boxed(async move { service.answer(request, &control).await })
    };
    let mut connection =
        pin!(http1::Builder::new().max_headers(MAX_HEADERS).serve_connection(TokioIo::new(stream), service_fn(answer)));
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = control.close.notified() => connection.as_mut().graceful_shutdown(),
        }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<AnswerBody>, Unanswered>> + Send>>;

fn boxed(answering: impl Future<Output = Result<Response<AnswerBody>, Unanswered>> + Send + 'static) -> Answering {
    Box::pin(answering)
}
