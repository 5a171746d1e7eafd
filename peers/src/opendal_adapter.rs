//! An opendal `Operator` as a backend: each operation is the operator's own, or those that its documentation names.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use opendal::options::{self, ReaderOptions, StatOptions, WriteOptions};
use opendal::raw::Timestamp;
use opendal::{BytesRange, EntryMode, Metadata, Operator};
use storage_core::{
    Attributes, BackendWriter, Body, ByteRange, Capabilities, ChangeFeed, Conditions, CopyOptions, CopyResult,
    DeleteOptions, ETag, ETagKind, Entry, Error, ErrorKind, GetOptions, GetResult, HeadOptions, Key, ListOptions,
    Lister, Location, ObjectHead, ObjectMeta, Payload, Prefix, PresignMethod, PresignOptions, Presigned, PutMode,
    PutOptions, PutResult, Result, StorageBackend, Support, SweepOptions, SweepReport, VersionLister, WatchOptions,
};

use crate::pages::{Pages, State, after};

#[derive(Debug)]
pub struct OpenDal {
    pub name: &'static str,
    pub operator: Operator,
    /// What the documentation says beyond the operator's own capability record.
    pub persistent: bool,
}

impl OpenDal {
    fn can(&self) -> opendal::Capability {
        self.operator.info().capability()
    }

    /// Whether etags are the service's own.
    fn is_service(&self) -> bool {
        self.can().stat_with_if_match
    }

    async fn stat(&self, key: &str, conditions: &Conditions) -> Result<Metadata> {
        let mut asked = StatOptions::default();
        if self.is_service() {
            asked.if_match = conditions.if_match.as_ref().map(|etag| etag.to_string());
            asked.if_none_match = conditions.if_none_match.as_ref().map(|etag| etag.to_string());
            asked.if_modified_since = conditions.if_modified_since.map(timestamp).transpose()?;
            asked.if_unmodified_since = conditions.if_unmodified_since.map(timestamp).transpose()?;
        }
        let metadata = self.operator.stat_options(key, asked).await.map_err(|error| read_failed(error, conditions))?;
        // What it calls a directory is no object.
        if metadata.is_dir() { Err(Error::not_found()) } else { Ok(metadata) }
    }

    /// An object's metadata after a write that answered without.
    async fn written(&self, key: &Key) -> Result<ObjectMeta> {
        Ok(meta(key, &self.stat(key.as_str(), &Conditions::default()).await?))
    }

    async fn unless_other(&self, from: &Key, etag: Option<&ETag>) -> Result<()> {
        let Some(etag) = etag else { return Ok(()) };
        let conditions = Conditions { if_match: Some(etag.clone()), ..Conditions::default() };
        let metadata = self.stat(from.as_str(), &conditions).await?;
        conditions.check(&meta(from, &metadata))
    }
}

#[async_trait]
impl StorageBackend for OpenDal {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        let can = self.can();
        let yes = |yes: bool| if yes { Support::Yes } else { Support::No };
        let mut ours = Capabilities::none();
        ours.put_create_only = yes(can.write_with_if_not_exists);
        ours.put_if_match = yes(can.write_with_if_match);
        ours.writer_create_only = yes(can.write_with_if_not_exists);
        ours.writer_if_match = yes(can.write_with_if_match);
        ours.copy_create_only = yes(can.copy_with_if_not_exists && (!can.rename || can.rename_with_if_not_exists));
        ours.delete_if_match = yes(can.delete_with_if_match);
        ours.etag = if self.is_service() { ETagKind::Content } else { ETagKind::Unique };
        ours.last_modified_precision = Duration::from_nanos(if self.is_service() { 1_000_000_000 } else { 1 });
        // No service keeps all that the contract calls attributes: there is no Content-Language.
        ours.attributes = false;
        ours.shared = can.shared;
        ours.persistent = self.persistent;
        ours.durable = self.is_service();
        ours.late_commit = true;
        ours.presign = can.presign;
        ours
    }

    fn location(&self) -> Option<Location> {
        None
    }

    async fn probe(&self) -> Result<Capabilities> {
        self.operator.check().await.map_err(failed)?;
        Ok(self.capabilities())
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let conditions = &options.conditions;
        let mut asked = ReaderOptions::default();
        if self.can().read_with_if_match {
            asked.if_match = conditions.if_match.as_ref().map(|etag| etag.to_string());
            asked.if_none_match = conditions.if_none_match.as_ref().map(|etag| etag.to_string());
            asked.if_modified_since = conditions.if_modified_since.map(timestamp).transpose()?;
            asked.if_unmodified_since = conditions.if_unmodified_since.map(timestamp).transpose()?;
        } else {
            // No conditions of its own: looked at first, and read then.
            let metadata = self.stat(key.as_str(), conditions).await?;
            conditions.check(&meta(key, &metadata))?;
        }
        let range: BytesRange = match options.range {
            None => (..).into(),
            Some(ByteRange::Bounded { start, end }) => (start..end).into(),
            Some(ByteRange::From(start)) => (start..).into(),
            Some(ByteRange::Suffix(bytes)) => BytesRange::suffix(bytes),
        };
        let open = async {
            let reader = self.operator.reader_options(key.as_str(), asked).await?;
            let mut stream = reader.clone().into_bytes_stream(range).await?;
            let first = stream.try_next().await.map_err(|error| match error.downcast::<opendal::Error>() {
                Ok(theirs) => theirs,
                Err(io) => opendal::Error::new(opendal::ErrorKind::Unexpected, "read failed").set_source(io),
            })?;
            Ok::<_, opendal::Error>((reader, first, stream))
        };
        let opened = match open.await {
            Ok(opened) => Ok(opened),
            Err(error) if error.kind() == opendal::ErrorKind::RangeNotSatisfied => Err(error),
            Err(error) => return Err(read_failed(error, conditions)),
        };
        let metadata = match opened.as_ref().ok().and_then(|(reader, ..)| reader.metadata().cloned()) {
            Some(metadata) => metadata,
            None => self.stat(key.as_str(), conditions).await?,
        };
        let meta = meta(key, &metadata);
        let range = match options.range {
            Some(range) => range.resolve(meta.size)?,
            None => 0..meta.size,
        };
        let body = match opened {
            Ok((_, first, stream)) => {
                let rest = stream.map_err(storage_core::Error::from);
                Body::Stream(futures::stream::iter(first.map(Ok)).chain(rest).boxed())
            }
            Err(_) if range.is_empty() => Body::Bytes(Bytes::new()),
            Err(error) => return Err(failed(error)),
        };
        Ok(GetResult { meta, attributes: Attributes::new(), range, body })
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        let metadata = self.stat(key.as_str(), &options.conditions).await?;
        let meta = meta(key, &metadata);
        if !self.is_service() {
            options.conditions.check(&meta)?;
        }
        Ok(ObjectHead { meta, attributes: Attributes::new() })
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let (size, asked) = (payload.len(), write_options(&options));
        let written = self.operator.write_options(key.as_str(), payload.into_segments(), asked).await;
        let metadata = written.map_err(|error| write_failed(error, &options.mode))?;
        answer(self, key, &metadata, size).await
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        let writer = self.operator.writer_options(key.as_str(), write_options(&options)).await;
        let writer = writer.map_err(|error| write_failed(error, &options.mode))?;
        let backend = Self { name: self.name, operator: self.operator.clone(), persistent: self.persistent };
        Ok(Box::new(Writing { backend, key: key.clone(), writer, mode: options.mode, size: 0 }))
    }

    async fn list(&self, query: ListOptions) -> Result<Box<dyn Lister>> {
        let resumes = self.can().list_with_start_after;
        let after = after(&query)?;
        let mut asked = options::ListOptions::default();
        asked.recursive = !query.delimited;
        asked.start_after = after.clone().filter(|_| resumes);
        let listed = self.operator.lister_options(query.prefix.as_str(), asked).await.map_err(failed)?;
        let (prefix, delimited) = (query.prefix.clone(), query.delimited);
        let entries = listed.map_err(failed).try_filter_map(move |entry| {
            // The level itself, and directories in a flat listing, are no entries of ours.
            let directory = entry.metadata().mode() == EntryMode::DIR;
            let wanted = (!directory || (delimited && entry.path() != "/" && entry.path() != prefix.as_str()))
                && after.as_deref().is_none_or(|after| entry.path() > after);
            let entry = match (wanted, directory) {
                (false, _) => Ok(None),
                (true, true) => Prefix::new(entry.path()).map(|prefix| Some(Entry::Prefix(prefix))),
                (true, false) => Key::new(entry.path()).map(|key| Some(Entry::Object(meta(&key, entry.metadata())))),
            };
            std::future::ready(entry)
        });
        Ok(Box::new(Pages { entries: entries.boxed(), query, resumes, state: State::Open }))
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.unless_other(from, options.if_source_match.as_ref()).await?;
        let mut asked = options::CopyOptions::default();
        asked.if_not_exists = options.create_only;
        let mode = if options.create_only { PutMode::CreateOnly } else { PutMode::Overwrite };
        if !self.can().copy && !options.create_only {
            // What a host would do where there is no copy; onto itself there is nothing to do.
            if from == to {
                return Ok(CopyResult::from(&self.written(to).await?));
            }
            let content = self.operator.read(from.as_str()).await.map_err(failed)?;
            self.operator.write(to.as_str(), content).await.map_err(failed)?;
            return Ok(CopyResult::from(&self.written(to).await?));
        }
        let copied = self.operator.copy_options(from.as_str(), to.as_str(), asked).await;
        copied.map_err(|error| write_failed(error, &mode))?;
        Ok(CopyResult::from(&self.written(to).await?))
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        if !self.can().rename && from == to {
            return self.copy(from, to, options).await;
        }
        if !self.can().rename {
            let copied = self.copy(from, to, options).await?;
            self.operator.delete(from.as_str()).await.map_err(failed)?;
            return Ok(copied);
        }
        self.unless_other(from, options.if_source_match.as_ref()).await?;
        self.operator.rename(from.as_str(), to.as_str()).await.map_err(failed)?;
        Ok(CopyResult::from(&self.written(to).await?))
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        let mut asked = options::DeleteOptions::default();
        asked.if_match = options.if_match.map(|etag| etag.to_string());
        let deleted = self.operator.delete_options(key.as_str(), asked).await;
        deleted.map_err(|error| write_failed(error, &PutMode::Overwrite))
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        let paths: Vec<String> = keys.into_iter().map(|key| key.to_string()).collect();
        let count = paths.len();
        self.operator.delete_iter(paths).await.map_err(failed)?;
        Ok((0..count).map(|_| Ok(())).collect())
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        let mut asked = options::ListOptions::default();
        asked.recursive = true;
        let listed = self.operator.list_options(prefix.as_str(), asked).await.map_err(failed)?;
        let objects: Vec<_> = listed.into_iter().filter(|entry| entry.metadata().is_file()).collect();
        let count = objects.len() as u64;
        self.operator.delete_iter(objects).await.map_err(failed)?;
        Ok(count)
    }

    async fn sweep(&self, _: SweepOptions) -> Result<SweepReport> {
        // It has nothing of the kind, and so it finds nothing.
        Ok(SweepReport::default())
    }

    async fn local_path(&self, _: &Key) -> Result<PathBuf> {
        Err(Error::unsupported("opendal has no paths"))
    }

    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned> {
        if !self.can().presign {
            return Err(Error::unsupported("this service has no URLs"));
        }
        let (key, expires) = (key.as_str(), options.expires_in);
        let signed = match options.method {
            PresignMethod::Get => self.operator.presign_read(key, expires).await,
            PresignMethod::Head => self.operator.presign_stat(key, expires).await,
            PresignMethod::Put => self.operator.presign_write(key, expires).await,
            PresignMethod::Delete => self.operator.presign_delete(key, expires).await,
        };
        let signed = signed.map_err(failed)?;
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = signed.header().iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
        Ok(Presigned {
            method: options.method,
            url: signed.uri().to_string(),
            headers: headers.filter(|(name, _)| name != "host").collect(),
            expires: std::time::SystemTime::now() + expires,
        })
    }

    async fn list_versions(&self, _: ListOptions) -> Result<Box<dyn VersionLister>> {
        Err(Error::unsupported("the adapter does not speak of versions"))
    }

    async fn watch(&self, _: &Prefix, _: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        Err(Error::unsupported("it does not tell its changes"))
    }
}

struct Writing {
    backend: OpenDal,
    key: Key,
    writer: opendal::Writer,
    mode: PutMode,
    size: u64,
}

#[async_trait]
impl BackendWriter for Writing {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.size += bytes.len() as u64;
        self.writer.write(bytes).await.map_err(|error| write_failed(error, &self.mode))
    }

    async fn finish(mut self: Box<Self>) -> Result<PutResult> {
        let metadata = self.writer.close().await.map_err(|error| write_failed(error, &self.mode))?;
        answer(&self.backend, &self.key, &metadata, self.size).await
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        self.writer.abort().await.map_err(failed)
    }
}

/// What a write answered, or what a look at the object says where it answered without an etag.
async fn answer(backend: &OpenDal, key: &Key, metadata: &Metadata, size: u64) -> Result<PutResult> {
    match metadata.etag() {
        Some(etag) => Ok(PutResult { etag: ETag::new(etag), size, version: None }),
        None => match backend.written(key).await {
            // Somebody has deleted it since: then the write's own answer is all there is.
            Err(error) if error.is_not_found() => Ok(PutResult::from(&meta(key, metadata))),
            written => written.map(|written| PutResult::from(&written)),
        },
    }
}

fn write_options(options: &PutOptions) -> WriteOptions {
    let mut asked = WriteOptions::default();
    asked.user_metadata = None::<HashMap<_, _>>;
    match &options.mode {
        PutMode::Overwrite => {}
        PutMode::CreateOnly => asked.if_not_exists = true,
        PutMode::IfMatch(etag) => asked.if_match = Some(etag.to_string()),
    }
    asked
}

/// Where a service gives no etag, size and time stand for it.
fn meta(key: &Key, metadata: &Metadata) -> ObjectMeta {
    let last_modified = metadata.last_modified().map_or(UNIX_EPOCH, Into::into);
    let size = metadata.content_length();
    let nanos = last_modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let etag = metadata.etag().map_or_else(|| ETag::new(format!("{nanos:x}-{size:x}")), ETag::new);
    ObjectMeta { key: key.clone(), size, etag, last_modified, version: None }
}

fn timestamp(time: std::time::SystemTime) -> Result<Timestamp> {
    Timestamp::try_from(time).map_err(failed)
}

fn read_failed(error: opendal::Error, conditions: &Conditions) -> Error {
    let newer = conditions.if_none_match.is_some() || conditions.if_modified_since.is_some();
    let same = conditions.if_match.is_some() || conditions.if_unmodified_since.is_some();
    match error.kind() {
        opendal::ErrorKind::ConditionNotMatch if newer && !same => failed(error).with_kind(ErrorKind::NotModified),
        opendal::ErrorKind::IsADirectory | opendal::ErrorKind::NotADirectory => {
            failed(error).with_kind(ErrorKind::NotFound)
        }
        _ => failed(error),
    }
}

fn write_failed(error: opendal::Error, mode: &PutMode) -> Error {
    match error.kind() {
        opendal::ErrorKind::ConditionNotMatch if *mode == PutMode::CreateOnly => {
            failed(error).with_kind(ErrorKind::AlreadyExists)
        }
        _ => failed(error),
    }
}

fn failed(error: opendal::Error) -> Error {
    let kind = match error.kind() {
        opendal::ErrorKind::NotFound => ErrorKind::NotFound,
        opendal::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        opendal::ErrorKind::ConditionNotMatch => ErrorKind::PreconditionFailed,
        opendal::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        opendal::ErrorKind::RateLimited => ErrorKind::Throttled,
        opendal::ErrorKind::Unsupported => ErrorKind::Unsupported,
        opendal::ErrorKind::ConfigInvalid => ErrorKind::Configuration,
        opendal::ErrorKind::Conflict => ErrorKind::Conflict,
        _ if error.is_temporary() || error.is_persistent() => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    };
    let said = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    Error::new(kind, said).with_help("see what opendal says").with_source(error)
}
