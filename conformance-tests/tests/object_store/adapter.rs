//! [`Storage`] as an `object_store::ObjectStore`: keys one to one, errors by kind, nothing else in between.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attribute, CopyMode, Error, GetRange, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutPayload, RenameTargetMode, Result, UploadPart,
};
use storage_core::{
    Attributes, ByteRange, Conditions, CopyOptions, ETag, Entry, ErrorKind, GetOptions, HeadOptions, ListOptions,
    Payload, Prefix, PutOptions, PutResult, Storage, Writer,
};

/// How many keys go into one bulk delete.
const DELETED_AT_ONCE: usize = 100;

/// A root as an object store.
#[derive(Debug)]
pub(crate) struct Adapter(pub(crate) Storage);

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

#[async_trait]
impl ObjectStore for Adapter {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: object_store::PutOptions,
    ) -> Result<object_store::PutResult> {
        refuse(!options.tags.encoded().is_empty(), "tags")?;
        let attributes = attributes_in(&options.attributes)?;
        let mut write = PutOptions::new().attributes(attributes);
        match options.mode {
            object_store::PutMode::Overwrite => {}
            object_store::PutMode::Create => write = write.create_only(),
            object_store::PutMode::Update(version) => {
                let Some(etag) = version.e_tag else {
                    return Err(not_implemented("an update without an etag"));
                };
                write = write.if_match(ETag::new(etag));
            }
        }
        let payload = Payload::from(payload.into_iter().collect::<Vec<Bytes>>());
        self.0.put_with(location.as_ref(), payload, write).await.map(put_result).map_err(error)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: object_store::PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        refuse(!options.tags.encoded().is_empty(), "tags")?;
        let write = PutOptions::new().attributes(attributes_in(&options.attributes)?);
        let writer = self.0.writer_with(location.as_ref(), write).await.map_err(error)?;
        Ok(Box::new(Upload { writer: Arc::new(tokio::sync::Mutex::new(writer)), parts: Arc::default() }))
    }

    async fn get_opts(&self, location: &Path, options: object_store::GetOptions) -> Result<object_store::GetResult> {
        let conditions = Conditions {
            if_match: options.if_match.map(ETag::new),
            if_none_match: options.if_none_match.map(ETag::new),
            if_modified_since: options.if_modified_since.map(SystemTime::from),
            if_unmodified_since: options.if_unmodified_since.map(SystemTime::from),
        };
        if options.head {
            let mut head = HeadOptions::new().conditions(conditions);
            head.version = options.version;
            let head = self.0.head_with(location.as_ref(), head).await.map_err(error)?;
            return Ok(object_store::GetResult {
                payload: GetResultPayload::Stream(stream::empty().boxed()),
                range: 0..head.meta.size,
                meta: meta(head.meta)?,
                attributes: attributes_out(head.attributes),
                extensions: Default::default(),
            });
        }
        let mut read = GetOptions::new();
        read.conditions = conditions;
        read.version = options.version;
        read.range = options.range.map(|range| match range {
            GetRange::Bounded(range) => ByteRange::from(range),
            GetRange::Offset(start) => ByteRange::From(start),
            GetRange::Suffix(bytes) => ByteRange::Suffix(bytes),
        });
        let result = self.0.get(location.as_ref(), read).await.map_err(error)?;
        Ok(object_store::GetResult {
            payload: GetResultPayload::Stream(result.body.into_stream().map_err(error).boxed()),
            range: result.range,
            meta: meta(result.meta)?,
            attributes: attributes_out(result.attributes),
            extensions: Default::default(),
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let ranges: Vec<_> = ranges.iter().cloned().map(ByteRange::from).collect();
        self.0.ranges(location.as_ref(), &ranges).await.map_err(error)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let storage = self.0.clone();
        let deleted = locations.try_chunks(DELETED_AT_ONCE).map_err(|failed| failed.1).and_then(move |paths| {
            let storage = storage.clone();
            async move {
                let results = storage.delete_many(paths.iter().map(Path::as_ref)).await.map_err(error)?;
                let results = paths.into_iter().zip(results).map(|(path, done)| done.map(|()| path).map_err(error));
                Ok(stream::iter(results.collect::<Vec<_>>()))
            }
        });
        deleted.try_flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        objects(self.0.clone(), level(prefix).map(|prefix| ListOptions::new().prefix(prefix)))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let options = level(prefix).map(|prefix| ListOptions::new().prefix(prefix).start_after(offset.as_ref()));
        objects(self.0.clone(), options)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let options = ListOptions::new().prefix(level(prefix)?).delimited();
        let mut entries = self.0.list(options).await.map_err(error)?;
        let (mut common_prefixes, mut objects) = (Vec::new(), Vec::new());
        while let Some(entry) = entries.try_next().await.map_err(error)? {
            match entry {
                Entry::Object(object) => objects.push(meta(object)?),
                Entry::Prefix(prefix) => common_prefixes.push(Path::parse(prefix.as_str().trim_end_matches('/'))?),
            }
        }
        Ok(ListResult { common_prefixes, objects, extensions: Default::default() })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: object_store::CopyOptions) -> Result<()> {
        let create_only = matches!(options.mode, CopyMode::Create);
        let done = self.0.copy_with(from.as_ref(), to.as_ref(), copy_options(create_only)).await;
        done.map(drop).map_err(error)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: object_store::RenameOptions) -> Result<()> {
        let create_only = matches!(options.target_mode, RenameTargetMode::Create);
        let done = self.0.rename_with(from.as_ref(), to.as_ref(), copy_options(create_only)).await;
        done.map(drop).map_err(error)
    }
}

/// A writer as a multipart upload. Parts count in the order in which they were handed in, whichever future is awaited
/// first, so each future writes whatever stands before its own part too.
struct Upload {
    writer: Arc<tokio::sync::Mutex<Writer>>,
    parts: Arc<Mutex<VecDeque<PutPayload>>>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upload")
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push_back(part);
        let (writer, parts) = (Arc::clone(&self.writer), Arc::clone(&self.parts));
        Box::pin(async move {
            let mut writer = writer.lock().await;
            let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            while let Some(part) = next() {
                for segment in part {
                    writer.write(segment).await.map_err(error)?;
                }
            }
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<object_store::PutResult> {
        self.writer.lock().await.finish().await.map(put_result).map_err(error)
    }

    async fn abort(&mut self) -> Result<()> {
        self.writer.lock().await.abort().await.map_err(error)
    }
}

fn copy_options(create_only: bool) -> CopyOptions {
    if create_only { CopyOptions::new().create_only() } else { CopyOptions::new() }
}

/// Their prefix is a whole path; ours is text, so that of a level ends in `/`.
fn level(prefix: Option<&Path>) -> Result<Prefix> {
    match prefix.map(Path::as_ref) {
        None | Some("") => Ok(Prefix::root()),
        Some(path) => Prefix::new(format!("{path}/")).map_err(error),
    }
}

fn objects(storage: Storage, options: Result<ListOptions>) -> BoxStream<'static, Result<ObjectMeta>> {
    let listing = async move { storage.list(options?).await.map_err(error) };
    let objects = stream::once(listing).map_ok(|entries| entries.map_err(error)).try_flatten();
    objects.try_filter_map(|entry| async move { entry.object().map(meta).transpose() }).boxed()
}

fn meta(meta: storage_core::ObjectMeta) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location: Path::parse(meta.key.as_str())?,
        last_modified: DateTime::<Utc>::from(meta.last_modified),
        size: meta.size,
        e_tag: Some(meta.etag.to_string()),
        version: meta.version,
    })
}

fn put_result(result: PutResult) -> object_store::PutResult {
    object_store::PutResult {
        e_tag: Some(result.etag.to_string()),
        version: result.version,
        extensions: Default::default(),
    }
}

fn attributes_in(theirs: &object_store::Attributes) -> Result<Attributes> {
    let mut ours = Attributes::new();
    for (name, value) in theirs {
        let value = value.to_string();
        match name {
            Attribute::ContentType => ours.content_type = Some(value),
            Attribute::CacheControl => ours.cache_control = Some(value),
            Attribute::ContentDisposition => ours.content_disposition = Some(value),
            Attribute::ContentEncoding => ours.content_encoding = Some(value),
            Attribute::ContentLanguage => ours.content_language = Some(value),
            Attribute::Metadata(name) => ours = ours.user(name.as_ref(), value),
            _ => return Err(not_implemented("this attribute")),
        }
    }
    Ok(ours)
}

fn attributes_out(ours: Attributes) -> object_store::Attributes {
    let standard = [
        (Attribute::ContentType, ours.content_type),
        (Attribute::CacheControl, ours.cache_control),
        (Attribute::ContentDisposition, ours.content_disposition),
        (Attribute::ContentEncoding, ours.content_encoding),
        (Attribute::ContentLanguage, ours.content_language),
    ];
    let standard = standard.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let user = ours.user.into_iter().map(|(name, value)| (Attribute::Metadata(name.into()), value));
    standard.chain(user).collect()
}

fn refuse(condition: bool, what: &str) -> Result<()> {
    if condition { Err(not_implemented(what)) } else { Ok(()) }
}

fn not_implemented(what: &str) -> Error {
    Error::NotImplemented { operation: what.to_owned(), implementer: "storage".to_owned() }
}

fn error(error: storage_core::Error) -> Error {
    let path = error.key().unwrap_or_default().to_owned();
    let kind = error.kind();
    let source = Box::new(error);
    match kind {
        ErrorKind::NotFound => Error::NotFound { path, source },
        ErrorKind::AlreadyExists => Error::AlreadyExists { path, source },
        ErrorKind::PreconditionFailed => Error::Precondition { path, source },
        ErrorKind::NotModified => Error::NotModified { path, source },
        ErrorKind::PermissionDenied => Error::PermissionDenied { path, source },
        ErrorKind::Unauthenticated => Error::Unauthenticated { path, source },
        ErrorKind::Unsupported => Error::NotSupported { source },
        _ => Error::Generic { store: "storage", source },
    }
}
