//! The host's writer over a driver's.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use tokio::io::AsyncWrite;

use super::Storage;
use super::write::check_declared;
use crate::backend::{BackendWriter, PutResult};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::Key;

/// Small writes are gathered to so many bytes before the driver sees them.
const GATHERED: usize = 64 * 1024;

/// A streaming write: `write`, then `finish` or `abort`; or through [`AsyncWrite`], where `shutdown` finishes.
///
/// Nothing is visible before `finish` (rule W04). Dropping the writer, or dropping one of its futures half-way, is an
/// abort (rule W06). After `finish` or `abort` every use but a further `abort` is the error `Closed` (rule W12).
pub struct Writer {
    storage: Storage,
    key: Key,
    declared: Option<u64>,
    /// Bytes taken so far, the gathered ones too.
    taken: u64,
    gathered: BytesMut,
    state: State,
}

enum State {
    Open(Box<dyn BackendWriter>),
    Writing(BoxFuture<'static, Result<Box<dyn BackendWriter>>>),
    Finishing(BoxFuture<'static, Result<PutResult>>),
    Finished(PutResult),
    Aborted,
    /// A call failed or was dropped half-way; the driver's writer is gone.
    Failed,
}

impl Writer {
    pub(super) fn new(storage: Storage, key: Key, inner: Box<dyn BackendWriter>, declared: Option<u64>) -> Self {
        Self { storage, key, declared, taken: 0, gathered: BytesMut::new(), state: State::Open(inner) }
    }

    /// Adds bytes. Fails with `LengthMismatch` as soon as they are more than declared; the write is then lost.
    pub async fn write(&mut self, data: impl Into<Bytes>) -> Result<()> {
        let mut call = HalfWay { writer: self, done: false };
        let result = call.writer.write_whole(data.into()).await;
        call.done = true;
        result
    }

    async fn write_whole(&mut self, data: Bytes) -> Result<()> {
        std::future::poll_fn(|cx| self.poll_open(cx)).await?;
        self.count(data.len())?;
        if data.len() < GATHERED {
            self.gathered.extend_from_slice(&data);
            if self.gathered.len() < GATHERED {
                return Ok(());
            }
            self.start_write(None);
        } else {
            self.start_write(Some(data));
        }
        std::future::poll_fn(|cx| self.poll_open(cx)).await
    }

    /// Commits. The bytes become visible in one step, with the attributes, if the condition holds.
    pub async fn finish(&mut self) -> Result<PutResult> {
        let mut call = HalfWay { writer: self, done: false };
        let result = std::future::poll_fn(|cx| call.writer.poll_finish(cx)).await;
        call.done = true;
        result
    }

    /// Discards everything. Works at any point, also twice; after a `finish` it is `Closed`.
    pub async fn abort(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.state, State::Aborted) {
            State::Open(inner) => self.storage.run(Operation::Abort, Some(&self.key), inner.abort()).await,
            State::Finished(result) => {
                self.state = State::Finished(result);
                Err(self.closed())
            }
            // Dropping the driver's writer with its call is its abort.
            State::Writing(_) | State::Finishing(_) | State::Aborted | State::Failed => Ok(()),
        }
    }

    /// What `finish`, or `shutdown` of the `AsyncWrite` side, has written.
    pub fn result(&self) -> Option<&PutResult> {
        match &self.state {
            State::Finished(result) => Some(result),
            _ => None,
        }
    }

    /// Waits until the driver's writer is free.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let State::Writing(call) = &mut self.state {
            let done = ready!(call.as_mut().poll(cx));
            match done {
                Ok(inner) => self.state = State::Open(inner),
                Err(error) => return Poll::Ready(Err(self.fail(error, Operation::Write))),
            }
        }
        Poll::Ready(match self.state {
            State::Open(_) => Ok(()),
            _ => Err(self.closed()),
        })
    }

    /// Hands the gathered bytes, then `data`, to the driver.
    fn start_write(&mut self, data: Option<Bytes>) {
        let gathered = self.gathered.split().freeze();
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::Open(mut inner) => State::Writing(Box::pin(async move {
                if !gathered.is_empty() {
                    inner.write(gathered).await?;
                }
                if let Some(data) = data {
                    inner.write(data).await?;
                }
                Ok(inner)
            })),
            other => other,
        };
    }

    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_open(cx))?;
        if !self.gathered.is_empty() {
            self.start_write(None);
            return self.poll_open(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<PutResult>> {
        if !matches!(self.state, State::Finishing(_)) {
            ready!(self.poll_flushed(cx))?;
            if let Err(error) = check_declared(self.declared, self.taken) {
                return Poll::Ready(Err(self.fail(error, Operation::Finish)));
            }
            if let State::Open(inner) = std::mem::replace(&mut self.state, State::Failed) {
                self.state = State::Finishing(inner.finish());
            }
        }
        let State::Finishing(call) = &mut self.state else {
            return Poll::Ready(Err(self.closed()));
        };
        Poll::Ready(match ready!(call.as_mut().poll(cx)) {
            Ok(result) => {
                self.state = State::Finished(result.clone());
                Ok(result)
            }
            Err(error) => Err(self.fail(error, Operation::Finish)),
        })
    }

    /// Counts bytes that come in, and refuses more than can be right.
    fn count(&mut self, more: usize) -> Result<()> {
        self.taken += more as u64;
        let most = self.storage.capabilities().max_object_size;
        let error = match self.declared {
            Some(declared) if self.taken > declared => Error::new(
                ErrorKind::LengthMismatch,
                format!("{declared} bytes were declared, at least {} came", self.taken),
            ),
            _ if self.taken > most => Error::invalid_input(format!("more than the largest object, {most} bytes")),
            _ => return Ok(()),
        };
        Err(self.fail(error, Operation::Write))
    }

    fn fail(&mut self, error: Error, operation: Operation) -> Error {
        self.state = State::Failed;
        self.storage.finish_context(error, operation, &self.key)
    }

    fn closed(&self) -> Error {
        let why = match self.state {
            State::Finished(_) => "the writer is finished",
            State::Aborted => "the writer was aborted",
            _ => "an earlier call of the writer failed, or was dropped half-way",
        };
        let error = Error::new(ErrorKind::Closed, why).with_help("open a new writer");
        self.storage.finish_context(error, Operation::Write, &self.key)
    }
}

/// A call under way. When it is dropped half-way its caller cannot know what was taken, so the write is lost.
struct HalfWay<'a> {
    writer: &'a mut Writer,
    done: bool,
}

impl Drop for HalfWay<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.writer.state = State::Failed;
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_open(cx))?;
        let amount = buf.len().min(GATHERED);
        this.count(amount)?;
        this.gathered.extend_from_slice(&buf[..amount]);
        if this.gathered.len() >= GATHERED {
            this.start_write(None);
        }
        Poll::Ready(Ok(amount))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flushed(cx).map_err(Into::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.state {
            State::Finished(_) => Poll::Ready(Ok(())),
            _ => this.poll_finish(cx).map_ok(|_| ()).map_err(Into::into),
        }
    }
}
