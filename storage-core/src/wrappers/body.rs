//! A streamed body whose pieces go through a policy, and which goes on where it broke off when the policy says so.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::intercepted::{Call, Intercepted, Policy, repeated};
use crate::error::{ErrorKind, Result};
use crate::key::Key;
use crate::meta::{ETag, ObjectMeta};
use crate::options::{Conditions, GetOptions};

pub(super) struct Reading<P> {
    backend: Intercepted<P>,
    key: Key,
    options: GetOptions,
    etag: ETag,
    /// The bytes of the object that are still to come.
    left: Range<u64>,
    /// `None` after a failure.
    stream: Option<BoxStream<'static, Result<Bytes>>>,
    /// A piece that has come and is not handed on: a policy may lose the answer and ask again.
    held: Option<Option<Bytes>>,
}

impl<P: Policy> Reading<P> {
    pub(super) fn new(
        backend: Intercepted<P>,
        key: &Key,
        options: GetOptions,
        meta: &ObjectMeta,
        left: Range<u64>,
        stream: BoxStream<'static, Result<Bytes>>,
    ) -> Self {
        Self { backend, key: key.clone(), options, etag: meta.etag.clone(), left, stream: Some(stream), held: None }
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        let pieces = stream::try_unfold(self, async |mut reading| {
            let piece = reading.next().await?;
            Ok(piece.map(|piece| (piece, reading)))
        });
        pieces.boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let (policy, key) = (self.backend.policy.clone(), self.key.clone());
        let piece = repeated!(policy, Call::read(&key), self.attempt())?;
        self.held = None;
        Ok(piece)
    }

    async fn attempt(&mut self) -> Result<Option<Bytes>> {
        if let Some(held) = &self.held {
            return Ok(held.clone());
        }
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None if self.left.is_empty() => return Ok(None),
            None => self.reopened().await?,
        };
        let piece = stream.try_next().await?;
        if let Some(piece) = &piece {
            self.left.start += piece.len() as u64;
        }
        self.stream = Some(stream);
        Ok(self.held.insert(piece).clone())
    }

    /// The rest of the same version (rule R07).
    async fn reopened(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        let mut options = self.options.clone();
        options.range = Some(self.left.clone().into());
        options.conditions = Conditions { if_match: Some(self.etag.clone()), ..Conditions::default() };
        match self.backend.inner.get(&self.key, options).await {
            Ok(result) => Ok(self.backend.policy.opened(result).body.into_stream()),
            Err(error) if matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::NotFound) => {
                Err(error.with_kind(ErrorKind::ObjectChanged).with_help("read it again from the start"))
            }
            Err(error) => Err(error),
        }
    }
}
