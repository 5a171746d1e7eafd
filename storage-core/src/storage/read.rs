//! Reading: whole, ranges, streams, parallel download, head.

use std::collections::BTreeMap;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use super::{Reader, Storage};
use crate::backend::{Body, GetResult};
use crate::capabilities::Support;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::{IntoKey, Key};
use crate::meta::{ETag, ObjectHead};
use crate::options::{GetOptions, HeadOptions};
use crate::range::ByteRange;

/// Ranges of one call that are at most so many bytes apart are read in one request.
const MERGE_GAP: u64 = 64 * 1024;

/// How many requests a call for many ranges keeps under way.
const RANGE_REQUESTS: usize = 8;

/// How a large object is read in parallel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadOptions {
    /// The bytes of one request.
    pub part_size: u64,
    /// How many requests are under way at once; `part_size × concurrency` bounds the memory.
    pub concurrency: usize,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self { part_size: 8 * 1024 * 1024, concurrency: 4 }
    }
}

impl DownloadOptions {
    /// Four parts of 8 MiB at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes of one request; at least 1.
    #[must_use]
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.part_size = bytes.max(1);
        self
    }

    /// How many requests are under way at once; at least 1.
    #[must_use]
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }
}

impl Storage {
    /// Reads with every option. One request.
    pub async fn get(&self, key: impl IntoKey, options: GetOptions) -> Result<GetResult> {
        let key = self.checked(Operation::Get, key)?;
        if let Some(range) = options.range {
            range.check().map_err(|error| self.context(error, Operation::Get, Some(&key)))?;
        }
        self.check_version(&options.version, Operation::Get, &key)?;
        let mut result = self.run(Operation::Get, Some(&key), self.backend.get(&key, options)).await?;
        let expected = result.range.end - result.range.start;
        result.body = match result.body {
            Body::Bytes(bytes) if bytes.len() as u64 == expected => Body::Bytes(bytes),
            Body::Bytes(bytes) => {
                return Err(self.context(wrong_length(expected, bytes.len() as u64), Operation::Get, Some(&key)));
            }
            Body::Stream(inner) => Body::Stream(
                Checked { inner, storage: self.clone(), key, left: expected, expected, done: false }.boxed(),
            ),
        };
        Ok(result)
    }

    /// The whole object in memory. One request; no copy where the driver has it in one piece.
    pub async fn bytes(&self, key: impl IntoKey) -> Result<Bytes> {
        let result = self.get(key, GetOptions::new().buffered()).await?;
        collect(result).await
    }

    /// The whole object in memory, refused with `InvalidInput` before its bytes are read when it has more than `limit`.
    pub async fn bytes_limited(&self, key: impl IntoKey, limit: u64) -> Result<Bytes> {
        let key = self.checked(Operation::Get, key)?;
        let result = self.get(&key, GetOptions::new()).await?;
        let size = result.meta.size;
        if size > limit {
            let error = Error::invalid_input(format!("the object has {size} bytes, over the limit of {limit}"))
                .with_help("raise the limit, or read it as a stream");
            return Err(self.context(error, Operation::Get, Some(&key)));
        }
        collect(result).await
    }

    /// The whole object as UTF-8 text; `InvalidInput` where it is not.
    pub async fn text(&self, key: impl IntoKey) -> Result<String> {
        let key = self.checked(Operation::Get, key)?;
        let bytes = self.bytes(&key).await?;
        String::from_utf8(bytes.into()).map_err(|error| {
            let error =
                Error::invalid_input("the object is not UTF-8 text").with_source(error).with_help("read its bytes");
            self.context(error, Operation::Get, Some(&key))
        })
    }

    /// A range of the object in memory (rules R01–R04). One request.
    pub async fn range(&self, key: impl IntoKey, range: impl Into<ByteRange>) -> Result<Bytes> {
        let result = self.get(key, GetOptions::new().range(range).buffered()).await?;
        collect(result).await
    }

    /// Many ranges of one version of the object, in the order asked for (rules R06, R07).
    ///
    /// Ranges that touch, overlap or lie at most 64 KiB apart share a request; eight requests are under way at once. An
    /// empty list is one head.
    pub async fn ranges(&self, key: impl IntoKey, ranges: &[ByteRange]) -> Result<Vec<Bytes>> {
        let key = self.checked(Operation::Get, key)?;
        for range in ranges {
            range.check().map_err(|error| self.context(error, Operation::Get, Some(&key)))?;
        }
        let Some(first) = first_span(ranges) else {
            return self.head(&key).await.map(|_| Vec::new());
        };
        let result = self.get(&key, GetOptions::new().range(first).buffered()).await?;
        let (etag, size, range) = (result.meta.etag.clone(), result.meta.size, result.range.clone());
        let mut pieces = BTreeMap::from([(range.start, collect(result).await?)]);

        let wanted = ranges.iter().map(|range| range.resolve(size)).collect::<Result<Vec<_>>>();
        let wanted = wanted.map_err(|error| self.context(error, Operation::Get, Some(&key)))?;
        let missing = wanted.iter().filter(|range| piece(&pieces, range).is_none()).cloned();
        let mut fetched = stream::iter(merged(missing).into_iter().map(|span| {
            let (key, etag) = (key.clone(), etag.clone());
            async move { Ok::<_, Error>((span.clone(), self.pinned(&key, span, etag).await?)) }
        }))
        .buffered(RANGE_REQUESTS);
        while let Some((span, bytes)) = fetched.try_next().await? {
            pieces.insert(span.start, bytes);
        }
        let slices = wanted.iter().map(|range| piece(&pieces, range).unwrap_or_default());
        Ok(slices.collect())
    }

    /// The object as a stream of bytes. One request; dropping the stream ends it (rule R12).
    pub async fn stream(&self, key: impl IntoKey) -> Result<BoxStream<'static, Result<Bytes>>> {
        Ok(self.get(key, GetOptions::new()).await?.body.into_stream())
    }

    /// A large object as a stream that several ranged requests fill at once, in order and of one version; the memory is
    /// bounded by `part_size × concurrency`. One request for each part. A change of the object meanwhile is `ObjectChanged`.
    pub async fn download(
        &self,
        key: impl IntoKey,
        options: DownloadOptions,
    ) -> Result<(ObjectHead, BoxStream<'static, Result<Bytes>>)> {
        let key = self.checked(Operation::Get, key)?;
        let part = options.part_size.max(1);
        let first = match self.get(&key, GetOptions::new().range(0..part).buffered()).await {
            Ok(first) => first,
            // No range of an empty object can be read. A whole read is of one version, even if it is no more empty.
            Err(error) if matches!(error.kind(), ErrorKind::RangeNotSatisfiable { size: 0 }) => {
                self.get(&key, GetOptions::new()).await?
            }
            Err(error) => return Err(error),
        };
        let head = ObjectHead { meta: first.meta.clone(), attributes: first.attributes.clone() };
        let (size, etag) = (head.meta.size, head.meta.etag.clone());
        let starts = std::iter::successors(Some(first.range.end), move |start| start.checked_add(part));
        let starts = starts.take_while(move |start| *start < size);
        let storage = self.clone();
        let rest = stream::iter(starts)
            .map(move |start| {
                let (storage, key, etag) = (storage.clone(), key.clone(), etag.clone());
                async move { storage.pinned(&key, start..start.saturating_add(part).min(size), etag).await }
            })
            .buffered(options.concurrency.max(1));
        Ok((head, first.body.into_stream().chain(rest).boxed()))
    }

    /// Opens the object as `AsyncRead + AsyncSeek` (rule R14). One head now, and a ranged request for each window read.
    pub async fn reader(&self, key: impl IntoKey) -> Result<Reader> {
        let key = self.checked(Operation::Head, key)?;
        let head = self.head(&key).await?;
        Ok(Reader::new(self.clone(), head))
    }

    /// The object's metadata and attributes. One request.
    pub async fn head(&self, key: impl IntoKey) -> Result<ObjectHead> {
        self.head_with(key, HeadOptions::new()).await
    }

    /// The object's metadata under conditions. One request.
    pub async fn head_with(&self, key: impl IntoKey, options: HeadOptions) -> Result<ObjectHead> {
        let key = self.checked(Operation::Head, key)?;
        self.check_version(&options.version, Operation::Head, &key)?;
        self.run(Operation::Head, Some(&key), self.backend.head(&key, options)).await
    }

    /// Whether there is an object of this key; a missing root is an error. One request.
    pub async fn exists(&self, key: impl IntoKey) -> Result<bool> {
        match self.head(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A range of the version with this etag; anything else there now is `ObjectChanged` (rules R07, R08).
    pub(super) async fn pinned(&self, key: &Key, range: Range<u64>, etag: ETag) -> Result<Bytes> {
        match self.get(key, GetOptions::new().range(range).if_match(etag).buffered()).await {
            Ok(result) => collect(result).await,
            Err(error) if matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::NotFound) => {
                Err(error.with_kind(ErrorKind::ObjectChanged).with_help("read it again from the start"))
            }
            Err(error) => Err(error),
        }
    }

    fn check_version(&self, version: &Option<String>, operation: Operation, key: &Key) -> Result<()> {
        if version.is_some() && self.capabilities().versions == Support::No {
            return Err(self.context(
                Error::unsupported("it keeps no versions").with_help("leave the version out"),
                operation,
                Some(key),
            ));
        }
        Ok(())
    }
}

/// All bytes of an answer; a copy only where they came in several pieces.
async fn collect(result: GetResult) -> Result<Bytes> {
    let mut stream = match result.body {
        Body::Bytes(bytes) => return Ok(bytes),
        Body::Stream(stream) => stream,
    };
    let Some(first) = stream.try_next().await? else {
        return Ok(Bytes::new());
    };
    let expected = usize::try_from(result.range.end - result.range.start).unwrap_or(usize::MAX);
    if first.len() == expected {
        // The stream checks its length only once it is asked for more.
        return stream.try_next().await.map(|_| first);
    }
    let mut all = BytesMut::with_capacity(expected);
    all.extend_from_slice(&first);
    while let Some(next) = stream.try_next().await? {
        all.extend_from_slice(&next);
    }
    Ok(all.freeze())
}

/// The first request of a call for many ranges. It must tell the object's size where a range needs it, so it is the
/// widest range without an end, with the bounded ones that lie near it; else the first merged span.
fn first_span(ranges: &[ByteRange]) -> Option<ByteRange> {
    let suffix = ranges.iter().filter_map(|range| match range {
        ByteRange::Suffix(bytes) => Some(*bytes),
        _ => None,
    });
    let spans = merged(ranges.iter().filter_map(|range| match range {
        ByteRange::Bounded { start, end } => Some(*start..*end),
        ByteRange::From(start) => Some(*start..u64::MAX),
        ByteRange::Suffix(_) => None,
    }));
    let open = spans.last().filter(|span| span.end == u64::MAX).map(|span| ByteRange::From(span.start));
    open.or(suffix.max().map(ByteRange::Suffix)).or(spans.first().cloned().map(ByteRange::from))
}

/// Spans that cover the ranges, in order, with near ones joined.
fn merged(ranges: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut spans: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match spans.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(MERGE_GAP) => last.end = last.end.max(range.end),
            _ => spans.push(range),
        }
    }
    spans
}

/// The bytes of a range, out of the piece that covers it: the last one that starts no later, since the pieces were
/// merged, and what overlaps the first one goes to the end of the object.
fn piece(pieces: &BTreeMap<u64, Bytes>, range: &Range<u64>) -> Option<Bytes> {
    let (start, bytes) = pieces.range(..=range.start).next_back()?;
    let from = usize::try_from(range.start - start).ok()?;
    let to = usize::try_from(range.end - start).ok()?;
    (to <= bytes.len()).then(|| bytes.slice(from..to))
}

fn wrong_length(expected: u64, got: u64) -> Error {
    Error::new(ErrorKind::LengthMismatch, format!("the body ended after {got} of {expected} bytes"))
        .with_help("read it again")
}

/// A body that must be as long as announced (rule R10), with errors that say where they came from.
struct Checked {
    inner: BoxStream<'static, Result<Bytes>>,
    storage: Storage,
    key: Key,
    expected: u64,
    left: u64,
    done: bool,
}

impl Stream for Checked {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        let next = match self.inner.poll_next_unpin(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(next) => next,
        };
        let error = match next {
            Some(Ok(bytes)) if bytes.len() as u64 <= self.left => {
                self.left -= bytes.len() as u64;
                return Poll::Ready(Some(Ok(bytes)));
            }
            Some(Ok(_)) => {
                Error::new(ErrorKind::LengthMismatch, format!("the body has more than {} bytes", self.expected))
                    .with_help("read it again")
            }
            None if self.left == 0 => {
                self.done = true;
                return Poll::Ready(None);
            }
            None => wrong_length(self.expected, self.expected - self.left),
            Some(Err(error)) => error,
        };
        self.done = true;
        Poll::Ready(Some(Err(self.storage.context(error, Operation::Read, Some(&self.key)))))
    }
}

/// A read under way, for the reader.
pub(super) type Fetch = BoxFuture<'static, Result<Bytes>>;
