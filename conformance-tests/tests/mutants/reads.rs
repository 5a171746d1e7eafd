//! Mutants that read wrongly.

use std::time::Duration;

use bytes::Bytes;
use conformance_tests::async_trait;
use futures::stream::StreamExt as _;
use storage_core::{
    Attributes, Body, ByteRange, ETag, Error, ErrorKind, GetOptions, GetResult, HeadOptions, Key, ObjectHead, Payload,
    PutOptions, PutResult, Result,
};

use crate::lie::{Inner, Lie};

/// A mutant whose get is another one.
macro_rules! getting {
    ($($(#[$doc:meta])* $name:ident($inner:ident, $key:ident, $options:ident) $body:block)+) => {
        $(
            $(#[$doc])*
            #[derive(Default)]
            pub(crate) struct $name;

            #[allow(unused_mut, reason = "not every one changes the options")]
            #[async_trait]
            impl Lie for $name {
                async fn get(&self, $inner: &Inner, $key: &Key, mut $options: GetOptions) -> Result<GetResult> $body
            }
        )+
    };
}

fn nothing_of(mut read: GetResult) -> GetResult {
    read.range = 0..0;
    read.body = Body::Bytes(Bytes::new());
    read
}

getting! {
    /// Takes the end of a range as the last byte.
    EndsOneLater(inner, key, options) {
        if let Some(ByteRange::Bounded { start, end }) = options.range {
            options.range = Some(ByteRange::Bounded { start, end: end.saturating_add(1) });
        }
        inner.get(key, options).await
    }
    /// Fails where a suffix is longer than the object.
    RefusesLongSuffixes(inner, key, options) {
        let size = inner.head(key, HeadOptions::new()).await?.meta.size;
        match options.range {
            Some(ByteRange::Suffix(last)) if last > size => Err(Error::new(ErrorKind::RangeNotSatisfiable { size }, "too long")),
            _ => inner.get(key, options).await,
        }
    }
    /// Fails where a range ends past the object.
    RefusesLongRanges(inner, key, options) {
        let size = inner.head(key, HeadOptions::new()).await?.meta.size;
        match options.range {
            Some(ByteRange::Bounded { end, .. }) if end > size => Err(Error::new(ErrorKind::RangeNotSatisfiable { size }, "too long")),
            _ => inner.get(key, options).await,
        }
    }
    /// Gives nothing where a range begins past the object.
    NothingPastTheEnd(inner, key, options) {
        let whole = inner.get(key, GetOptions::new()).await?;
        match inner.get(key, options).await {
            Err(error) if matches!(error.kind(), ErrorKind::RangeNotSatisfiable { .. }) => Ok(nothing_of(whole)),
            result => result,
        }
    }
    /// Says that a range is the whole object.
    HidesTheRange(inner, key, options) {
        let mut read = inner.get(key, options).await?;
        read.meta.size = read.range.end - read.range.start;
        read.range = 0..read.meta.size;
        Ok(read)
    }
    /// Counts offsets in 32 bits.
    CountsIn32Bits(inner, key, options) {
        if let Some(ByteRange::Bounded { start, end }) = options.range {
            let wrapped = u64::from(start as u32);
            options.range = Some(ByteRange::Bounded { start: wrapped, end: wrapped + (end - start) });
        }
        inner.get(key, options).await
    }
    /// Gives an empty object where there is none.
    MissingIsEmpty(inner, key, options) {
        match inner.get(key, options).await {
            Err(error) if error.is_not_found() => {
                let meta = storage_core::ObjectMeta {
                    key: key.clone(),
                    size: 0,
                    etag: ETag::new("none"),
                    last_modified: std::time::UNIX_EPOCH,
                    version: None,
                };
                Ok(GetResult { meta, attributes: Attributes::new(), range: 0..0, body: Body::Bytes(Bytes::new()) })
            }
            result => result,
        }
    }
    /// Takes what is read as text, as a client that unzips would change it.
    ChangesBytes(inner, key, options) {
        let mut read = inner.get(key, options).await?;
        if let Body::Bytes(bytes) = &read.body {
            let text = String::from_utf8_lossy(bytes).into_owned();
            if text.len() != bytes.len() {
                read.range = 0..text.len() as u64;
            }
            read.body = Body::Bytes(text.into());
        }
        Ok(read)
    }
    /// Reads the second half of a body when it is asked for, whatever is there then.
    MixesVersions(inner, key, options) {
        let mut read = inner.get(key, options).await?;
        let (inner, key, range) = (std::sync::Arc::clone(inner), key.clone(), read.range.clone());
        if range.end - range.start < 2 {
            return Ok(read);
        }
        let middle = (range.start + range.end) / 2;
        let half = move |inner: Inner, key: Key, range: std::ops::Range<u64>| async move {
            match inner.get(&key, GetOptions::new().range(range)).await?.body {
                Body::Bytes(bytes) => Ok(bytes),
                Body::Stream(_) => Err(Error::new(ErrorKind::Other, "a stream")),
            }
        };
        let halves = [range.start..middle, middle..range.end];
        let halves = halves.map(|range| half(std::sync::Arc::clone(&inner), key.clone(), range));
        read.body = Body::Stream(futures::stream::iter(halves).then(|half| half).boxed());
        Ok(read)
    }
    /// Leaves a task behind for each read, which ends with the runtime.
    LeavesTasks(inner, key, options) {
        tokio::spawn(tokio::time::sleep(Duration::from_secs(3600)));
        inner.get(key, options).await
    }
    /// Gives no attributes with a get.
    GetLosesAttributes(inner, key, options) {
        let mut read = inner.get(key, options).await?;
        read.attributes = Attributes::new();
        Ok(read)
    }
    /// Names other keys and operations in its errors than the caller's.
    NamesItsOwnKey(inner, key, options) {
        inner.get(key, options).await.map_err(|error| error.with_key("objects/0001").with_operation(storage_core::Operation::Open))
    }
    /// Says that a missing object may be there soon.
    MissingMayCome(inner, key, options) {
        inner.get(key, options).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::BackendNotFound => error.with_kind(ErrorKind::Unavailable),
            _ => error,
        })
    }
    /// Takes a missing root for a missing object.
    RootIsAnObject(inner, key, options) {
        inner.get(key, options).await.map_err(|error| match error.kind() {
            ErrorKind::BackendNotFound => error.with_kind(ErrorKind::NotFound),
            _ => error,
        })
    }
    /// Reads whatever version is there.
    UnpinsVersions(inner, key, options) {
        options.conditions.if_match = None;
        inner.get(key, options).await
    }
    /// Tells nobody why it fails.
    FailsForNoReason(inner, key, options) {
        inner.get(key, options).await.map_err(|error| match error.kind() {
            ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => error.with_kind(ErrorKind::Other),
            _ => error,
        })
    }
    /// Tells of a service that fails as if it were the caller's mistake.
    BlamesTheCaller(inner, key, options) {
        inner.get(key, options).await.map_err(|error| match error.is_retryable() {
            true => error.with_kind(ErrorKind::InvalidInput),
            false => error,
        })
    }
    /// Reads through symbolic links, wherever they lead.
    FollowsLinks(inner, key, options) {
        let Some(storage_core::Location::File(root)) = inner.location() else {
            return inner.get(key, options).await;
        };
        match std::fs::read(root.join(key.as_str())) {
            Ok(content) if options.range.is_none() && !content.is_empty() => {
                let meta = storage_core::ObjectMeta {
                    key: key.clone(),
                    size: content.len() as u64,
                    etag: ETag::new("followed"),
                    last_modified: std::time::UNIX_EPOCH,
                    version: None,
                };
                let (range, body) = (0..meta.size, Body::Bytes(content.into()));
                Ok(GetResult { meta, attributes: Attributes::new(), range, body })
            }
            _ => inner.get(key, options).await,
        }
    }
    /// Refuses every symbolic link.
    RefusesLinks(inner, key, options) {
        if let Some(storage_core::Location::File(root)) = inner.location() {
            let mut path = root;
            for segment in key.as_str().split('/') {
                path.push(segment);
                if path.is_symlink() {
                    return Err(Error::new(ErrorKind::PermissionDenied, "a link"));
                }
            }
        }
        inner.get(key, options).await
    }
    /// Makes a request more than there need be.
    LooksFirst(inner, key, options) {
        inner.head(key, HeadOptions::new()).await?;
        inner.get(key, options).await
    }
}

/// A mutant that changes what head says.
macro_rules! heading {
    ($($(#[$doc:meta])* $name:ident($head:ident) $body:block)+) => {
        $(
            $(#[$doc])*
            #[derive(Default)]
            pub(crate) struct $name;

            #[async_trait]
            impl Lie for $name {
                async fn head(&self, inner: &Inner, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
                    let mut $head = inner.head(key, options).await?;
                    $body;
                    Ok($head)
                }
            }
        )+
    };
}

heading! {
    /// Tells a size that is not that of the bytes.
    TellsWrongSizes(head) {
        head.meta.size = head.meta.size.next_multiple_of(512);
    }
    /// Tells a time that goes back and forth.
    TimeGoesBack(head) {
        let now = std::time::SystemTime::now();
        head.meta.last_modified = now - now.duration_since(head.meta.last_modified).unwrap_or_default() * 2 - Duration::from_secs(1);
    }
    /// Tells a type where there is none.
    InventsATypeOfContent(head) {
        head.attributes.content_type.get_or_insert("binary/octet-stream".to_owned());
    }
    /// Tells names of metadata as headers are sometimes written.
    UppercasesNames(head) {
        head.attributes.user = head.attributes.user.into_iter().map(|(name, value)| (name.to_uppercase(), value)).collect();
    }
}

/// Finds an object where there is a prefix.
#[derive(Default)]
pub(crate) struct PrefixesAreObjects;

#[async_trait]
impl Lie for PrefixesAreObjects {
    async fn head(&self, inner: &Inner, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        let found = inner.head(key, options).await;
        let under = storage_core::ListOptions::new().prefix(storage_core::Prefix::new(format!("{key}/"))?);
        match (found, inner.list(under).await?.next_page().await?) {
            (Err(error), Some(page)) if error.is_not_found() && !page.entries.is_empty() => {
                let mut head = ObjectHead {
                    meta: page.entries[0].clone().object().expect("an object"),
                    attributes: Attributes::new(),
                };
                head.meta.key = key.clone();
                Ok(head)
            }
            (found, _) => found,
        }
    }
}

/// Tells the etag of the first version for ever.
#[derive(Default)]
pub(crate) struct EtagsStay;

impl EtagsStay {
    fn etag(key: &Key) -> ETag {
        ETag::new(format!("{:x}", key.as_str().len()))
    }
}

#[async_trait]
impl Lie for EtagsStay {
    async fn head(&self, inner: &Inner, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        let mut head = inner.head(key, options).await?;
        head.meta.etag = Self::etag(key);
        Ok(head)
    }
    async fn get(&self, inner: &Inner, key: &Key, options: GetOptions) -> Result<GetResult> {
        let mut read = inner.get(key, options).await?;
        read.meta.etag = Self::etag(key);
        Ok(read)
    }
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let mut result = inner.put(key, payload, options).await?;
        result.etag = Self::etag(key);
        Ok(result)
    }
}

/// Shows a secret to whoever prints it.
#[derive(Default)]
pub(crate) struct ShowsItsSecret;

/// As the suite's service has it.
pub(crate) const SECRET: &str = "canary/SecretKey+of.the+suite/0123456789";

#[async_trait]
impl Lie for ShowsItsSecret {
    fn shows(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client {{ secret: {SECRET:?} }}")
    }
}

/// Has another name at every handle.
#[derive(Default)]
pub(crate) struct NamesItself(std::sync::OnceLock<String>);

#[async_trait]
impl Lie for NamesItself {
    fn name<'a>(&'a self, _: &'a Inner) -> &'a str {
        static MADE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        self.0.get_or_init(|| format!("mutant-{}", MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
    }
}

/// Writes into the file that a link names.
#[derive(Default)]
pub(crate) struct WritesThroughLinks;

#[async_trait]
impl Lie for WritesThroughLinks {
    async fn put(&self, inner: &Inner, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        if let Some(storage_core::Location::File(root)) = inner.location() {
            let path = root.join(key.as_str());
            if path.is_symlink() {
                std::fs::write(path, payload.clone().into_bytes())?;
            }
        }
        inner.put(key, payload, options).await
    }
}
