//! An object as `AsyncRead + AsyncSeek`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, ReadBuf, SeekFrom};

use super::Storage;
use super::read::Fetch;
use crate::meta::{ObjectHead, ObjectMeta};

/// The first window, and the one after a seek.
const FIRST_WINDOW: u64 = 64 * 1024;

/// The largest window; bounds the reader's memory.
const LAST_WINDOW: u64 = 4 * 1024 * 1024;

/// Reads one version of an object at any position (rules R07, R14).
///
/// Bytes are fetched in windows that start at 64 KiB and double, while reading goes straight on, up to 4 MiB. A seek
/// costs nothing until the next read. A change of the object is an error that holds `ObjectChanged`.
pub struct Reader {
    storage: Storage,
    head: ObjectHead,
    position: u64,
    /// Bytes fetched from the position on.
    ahead: Bytes,
    fetch: Option<Fetch>,
    window: u64,
}

impl Reader {
    pub(super) fn new(storage: Storage, head: ObjectHead) -> Self {
        Self { storage, head, position: 0, ahead: Bytes::new(), fetch: None, window: FIRST_WINDOW }
    }

    /// The metadata of the version that is read.
    pub fn meta(&self) -> &ObjectMeta {
        &self.head.meta
    }

    /// The size of the object in bytes.
    pub fn size(&self) -> u64 {
        self.head.meta.size
    }

    fn start_fetch(&mut self) {
        let end = self.position.saturating_add(self.window).min(self.size());
        let (storage, meta, range) = (self.storage.clone(), self.head.meta.clone(), self.position..end);
        self.fetch = Some(Box::pin(async move { storage.pinned(&meta.key, range, meta.etag).await }));
        self.window = (self.window * 2).min(LAST_WINDOW);
    }
}

impl AsyncBufRead for Reader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.ahead.is_empty() && this.position < this.size() {
            let Some(fetch) = &mut this.fetch else {
                this.start_fetch();
                continue;
            };
            let fetched = ready!(fetch.as_mut().poll(cx));
            this.fetch = None;
            this.ahead = fetched?;
        }
        Poll::Ready(Ok(&this.ahead))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.ahead.advance(amount);
        this.position += amount as u64;
    }
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let ahead = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = ahead.len().min(buf.remaining());
        buf.put_slice(&ahead[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Reader {
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let this = self.get_mut();
        let (base, offset) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::End(offset) => (this.size(), offset),
            SeekFrom::Current(offset) => (this.position, offset),
        };
        let position = base
            .checked_add_signed(offset)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a seek before the start, or beyond 64 bits"))?;
        if position == this.position {
            return Ok(());
        }
        match position.checked_sub(this.position).and_then(|skip| usize::try_from(skip).ok()) {
            Some(skip) if skip <= this.ahead.len() => this.ahead.advance(skip),
            _ => {
                this.ahead = Bytes::new();
                this.window = FIRST_WINDOW;
            }
        }
        this.fetch = None;
        this.position = position;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}
