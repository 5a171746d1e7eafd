//! The bytes of a read: exactly those that were announced, resumed where the connection breaks, checked at their end.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{self, BoxStream, StreamExt};
use storage_core::{Body, ByteRange, Conditions, Error, ErrorKind, Key, ObjectMeta, Payload, PayloadBuilder, Result};

use crate::checksum::Check;
use crate::client::{Cause, Failure};
use crate::core::Core;
use crate::get;

/// A read that was resumed and has brought so many bytes since may be resumed as often again.
const PROGRESS: u64 = 8 << 20;

/// The bytes of one answer.
pub(crate) struct Content {
    pub(crate) stream: BoxStream<'static, Result<Bytes, Failure>>,
    /// How many bytes come before those that were asked for, where the service ignored the range.
    pub(crate) skip: u64,
}

/// A read under way.
pub(crate) struct Reading {
    core: Arc<Core>,
    meta: ObjectMeta,
    /// The version that was asked for.
    version: Option<String>,
    content: Content,
    /// What is still to come.
    left: Range<u64>,
    check: Option<Check>,
    /// How often it has been resumed, and how many bytes came since.
    resumed: u32,
    since: u64,
}

impl Reading {
    pub(crate) fn new(
        core: &Arc<Core>,
        meta: &ObjectMeta,
        version: Option<String>,
        range: Range<u64>,
        content: Content,
        check: Option<Check>,
    ) -> Self {
        let (core, meta) = (Arc::clone(core), meta.clone());
        Self { core, meta, version, content, left: range, check, resumed: 0, since: 0 }
    }

    /// The bytes as they come.
    pub(crate) fn stream(self) -> Body {
        let pieces = stream::try_unfold(self, |mut reading| async move {
            Ok::<_, Error>(reading.next().await?.map(|bytes| (bytes, reading)))
        });
        Body::Stream(pieces.boxed())
    }

    /// All bytes in memory; no copy where they came in one piece.
    pub(crate) async fn collect(mut self) -> Result<Body> {
        let mut pieces = PayloadBuilder::new();
        while let Some(bytes) = self.next().await? {
            if pieces.is_empty() && self.left.is_empty() {
                return Ok(Body::Bytes(bytes));
            }
            pieces.push(bytes);
        }
        Ok(Body::Bytes(Payload::into_bytes(pieces.finish())))
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.left.is_empty() {
            match self.content.stream.next().await {
                Some(Ok(bytes)) => {
                    let bytes = self.wanted(bytes);
                    if !bytes.is_empty() {
                        self.pass(&bytes)?;
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(failure)) => self.resume(failure).await?,
                None => self.resume(self.short()).await?,
            }
        }
        Ok(None)
    }

    /// What of some bytes was asked for.
    fn wanted(&mut self, mut bytes: Bytes) -> Bytes {
        let skipped = usize::try_from(self.content.skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
        self.content.skip -= skipped as u64;
        let _ = bytes.split_to(skipped);
        let left = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX);
        bytes.truncate(left);
        bytes
    }

    /// Counts bytes that go to the caller; the last ones do only when all of them are right.
    fn pass(&mut self, bytes: &Bytes) -> Result<()> {
        self.left.start += bytes.len() as u64;
        self.since += bytes.len() as u64;
        if let Some(check) = &mut self.check {
            check.update(bytes);
        }
        if !self.left.is_empty() {
            return Ok(());
        }
        // The connection is free for the next request once its answer has been read to the end.
        let _ = self.content.stream.next().now_or_never();
        match self.check.as_ref().and_then(Check::wrong) {
            None => Ok(()),
            Some(wrong) => Err(Error::new(ErrorKind::Corrupted, wrong)
                .with_help("read it again; if that fails too, the stored object is damaged")),
        }
    }

    fn short(&self) -> Failure {
        let missing = self.left.end - self.left.start;
        let cause = Cause::Broken(format!("the answer ended {missing} bytes early").into());
        Failure { operation: "GetObject", cause, effect: crate::client::Effect::None }
    }

    /// Goes on where the answer broke, with the same version of the object (rules R07, R10).
    async fn resume(&mut self, failure: Failure) -> Result<()> {
        if self.since >= PROGRESS {
            self.resumed = 0;
        }
        let passing = matches!(failure.cause, Cause::Broken(_) | Cause::Timeout(..));
        if !passing || self.resumed + 1 >= self.core.options.retries.attempts {
            return Err(self.core.error(failure));
        }
        pause(&self.core, self.resumed).await;
        (self.resumed, self.since) = (self.resumed + 1, 0);
        let pinned = Conditions { if_match: Some(self.meta.etag.clone()), ..Conditions::default() };
        let rest = Some(ByteRange::from(self.left.clone()));
        let key: &Key = &self.meta.key;
        let again = get::read(&self.core, key, &pinned, self.version.as_deref(), rest).await;
        self.content = again.map_err(changed)?.content;
        Ok(())
    }
}

/// A pause before a repetition: a random one, up to twice as long each time.
pub(crate) async fn pause(core: &Core, repetitions: u32) {
    let retries = &core.options.retries;
    let bound = retries.base.saturating_mul(2u32.saturating_pow(repetitions)).min(retries.longest);
    tokio::time::sleep(Duration::from_secs_f64(bound.as_secs_f64() * fastrand::f64())).await;
}

/// The object is no longer the one whose first bytes were read.
fn changed(error: Error) -> Error {
    match error.kind() {
        ErrorKind::PreconditionFailed | ErrorKind::NotFound | ErrorKind::RangeNotSatisfiable { .. } => {
            error.with_kind(ErrorKind::ObjectChanged).with_help("read it again from the start")
        }
        _ => error,
    }
}
