//! An `ObjectStore` as a backend: each operation is the store's own, or those that its documentation names.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attribute, CopyMode, GetRange, ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutPayload, RenameTargetMode,
    UpdateVersion, WriteMultipart,
};
use storage_core::{
    Attributes, BackendWriter, Body, ByteRange, Capabilities, ChangeFeed, Conditions, CopyOptions, CopyResult,
    DeleteOptions, ETag, ETagKind, Entry, Error, ErrorKind, GetOptions, GetResult, HeadOptions, Key, ListOptions,
    Lister, Location, ObjectHead, ObjectMeta, Payload, Prefix, PresignMethod, PresignOptions, Presigned, PutMode,
    PutOptions, PutResult, Result, StorageBackend, SweepOptions, SweepReport, VersionLister, WatchOptions,
};

use crate::pages::{Pages, State, after};

pub struct Peer {
    pub name: &'static str,
    pub store: Arc<dyn ObjectStore>,
    pub signer: Option<Arc<dyn Signer>>,
    /// What its documentation says it can do.
    pub capabilities: Capabilities,
    /// Whether its documentation promises listings in order, so that the last name of a page says where to go on.
    pub ordered: bool,
}

/// How many parts of a streaming write are under way at once.
const PARTS: usize = 4;

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.name, self.store)
    }
}

impl Peer {
    async fn unless_other(&self, from: &Path, etag: Option<&ETag>) -> Result<()> {
        let Some(etag) = etag else { return Ok(()) };
        let asked = object_store::GetOptions { head: true, if_match: Some(etag.to_string()), ..Default::default() };
        self.store.get_opts(from, asked).await.map(drop).map_err(failed)
    }

    async fn written(&self, key: &Key) -> Result<CopyResult> {
        let found = self.store.head(&path(key.as_str())?).await.map_err(failed)?;
        Ok(CopyResult::from(&meta(&found)?))
    }

    async fn entries(&self, query: &ListOptions) -> Result<BoxStream<'static, Result<Entry>>> {
        let (text, after) = (query.prefix.as_str().to_owned(), after(query)?);
        // Its prefixes are whole segments: what comes after the last `/` is looked for here.
        let level = text.rfind('/').map_or("", |slash| &text[..slash]);
        let level = if level.is_empty() { None } else { Some(path(level)?) };
        if query.delimited {
            let listed = self.store.list_with_delimiter(level.as_ref()).await.map_err(failed)?;
            let entries = merged(&listed)?.into_iter().filter(move |entry| {
                entry.as_str().starts_with(&text) && after.as_deref().is_none_or(|after| entry.as_str() > after)
            });
            return Ok(stream::iter(entries.map(Ok).collect::<Vec<_>>()).boxed());
        }
        let listed = match after.as_deref() {
            // A start that is no path of its own cannot be asked for.
            Some(after) if Path::parse(after).is_ok_and(|path| path.as_ref() == after) => {
                self.store.list_with_offset(level.as_ref(), &path(after)?)
            }
            _ => self.store.list(level.as_ref()),
        };
        let wanted = move |name: &str| name.starts_with(&text) && after.as_deref().is_none_or(|after| name > after);
        let entries = listed.map_err(failed).try_filter_map(move |found| {
            let entry = match wanted(found.location.as_ref()) {
                true => meta(&found).map(|meta| Some(Entry::Object(meta))),
                false => Ok(None),
            };
            std::future::ready(entry)
        });
        Ok(entries.boxed())
    }
}

/// Objects and common prefixes in one order; it gives them as two whole lists.
fn merged(listed: &object_store::ListResult) -> Result<Vec<Entry>> {
    let prefixes = listed.common_prefixes.iter().map(|prefix| Prefix::new(format!("{prefix}/")).map(Entry::Prefix));
    let objects = listed.objects.iter().map(|object| meta(object).map(Entry::Object));
    let mut entries = prefixes.chain(objects).collect::<Result<Vec<_>>>()?;
    entries.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(entries)
}

#[async_trait]
impl StorageBackend for Peer {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn location(&self) -> Option<Location> {
        None
    }

    async fn probe(&self) -> Result<Capabilities> {
        self.store.list(None).next().await.transpose().map_err(failed)?;
        Ok(self.capabilities)
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let mut asked = conditions(&options.conditions);
        asked.range = options.range.map(|range| match range {
            ByteRange::Bounded { start, end } => GetRange::Bounded(start..end),
            ByteRange::From(start) => GetRange::Offset(start),
            ByteRange::Suffix(bytes) => GetRange::Suffix(bytes),
        });
        let path = path(key.as_str())?;
        let got = match (self.store.get_opts(&path, asked.clone()).await, options.range) {
            (Err(error), Some(range)) => {
                let error = failed(error);
                if error.kind() != ErrorKind::Other {
                    return Err(error);
                }
                // It has no kind of its own for a range outside the object: the size tells whether it is one.
                let head = object_store::GetOptions { head: true, range: None, ..asked };
                let meta = meta(&self.store.get_opts(&path, head).await.map_err(failed)?.meta)?;
                let range = range.resolve(meta.size)?;
                if !range.is_empty() {
                    return Err(error);
                }
                return Ok(GetResult { meta, attributes: Attributes::new(), range, body: Body::Bytes(Bytes::new()) });
            }
            (got, _) => got.map_err(failed)?,
        };
        let (meta, attributes, range) = (meta(&got.meta)?, attributes_out(&got.attributes), got.range.clone());
        let body = Body::Stream(got.into_stream().map_err(failed).boxed());
        Ok(GetResult { meta, attributes, range, body })
    }

    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        let asked = object_store::GetOptions { head: true, ..conditions(&options.conditions) };
        let got = self.store.get_opts(&path(key.as_str())?, asked).await.map_err(failed)?;
        Ok(ObjectHead { meta: meta(&got.meta)?, attributes: attributes_out(&got.attributes) })
    }

    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        let size = payload.len();
        let mode = match &options.mode {
            PutMode::Overwrite => object_store::PutMode::Overwrite,
            PutMode::CreateOnly => object_store::PutMode::Create,
            PutMode::IfMatch(etag) => {
                object_store::PutMode::Update(UpdateVersion { e_tag: Some(etag.to_string()), version: None })
            }
        };
        let asked =
            object_store::PutOptions { mode, attributes: attributes_in(&options.attributes), ..Default::default() };
        let payload: PutPayload = payload.into_segments().into_iter().collect();
        let put = self.store.put_opts(&path(key.as_str())?, payload, asked).await.map_err(failed)?;
        put_result(put, size)
    }

    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        if options.mode != PutMode::Overwrite {
            return Err(Error::unsupported("its multipart uploads have no conditions"));
        }
        let asked = PutMultipartOptions { attributes: attributes_in(&options.attributes), ..Default::default() };
        let upload = self.store.put_multipart_opts(&path(key.as_str())?, asked).await.map_err(failed)?;
        Ok(Box::new(Writing { upload: WriteMultipart::new(upload), size: 0 }))
    }

    async fn list(&self, query: ListOptions) -> Result<Box<dyn Lister>> {
        let entries = self.entries(&query).await?;
        Ok(Box::new(Pages { entries, query, resumes: self.ordered, state: State::Open }))
    }

    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        let source = path(from.as_str())?;
        self.unless_other(&source, options.if_source_match.as_ref()).await?;
        let mode = if options.create_only { CopyMode::Create } else { CopyMode::Overwrite };
        let asked = object_store::CopyOptions { mode, ..Default::default() };
        self.store.copy_opts(&source, &path(to.as_str())?, asked).await.map_err(failed)?;
        self.written(to).await
    }

    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        let source = path(from.as_str())?;
        self.unless_other(&source, options.if_source_match.as_ref()).await?;
        let target_mode = if options.create_only { RenameTargetMode::Create } else { RenameTargetMode::Overwrite };
        let asked = object_store::RenameOptions { target_mode, ..Default::default() };
        self.store.rename_opts(&source, &path(to.as_str())?, asked).await.map_err(failed)?;
        self.written(to).await
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        if options.if_match.is_some() {
            return Err(Error::unsupported("its deletes have no conditions"));
        }
        self.store.delete(&path(key.as_str())?).await.map_err(failed)
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        let paths = keys.iter().map(|key| Path::parse(key.as_str()).map_err(Into::into)).collect::<Vec<_>>();
        let results = self.store.delete_stream(stream::iter(paths).boxed()).map(|deleted| deleted.map(drop));
        Ok(results.map_err(failed).collect().await)
    }

    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        let level = if prefix.is_empty() { None } else { Some(path(prefix.as_str())?) };
        let found: Vec<_> = self.store.list(level.as_ref()).try_collect().await.map_err(failed)?;
        let paths = stream::iter(found.into_iter().map(|found| Ok(found.location)));
        let deleted: Vec<_> = self.store.delete_stream(paths.boxed()).try_collect().await.map_err(failed)?;
        Ok(deleted.len() as u64)
    }

    async fn sweep(&self, _: SweepOptions) -> Result<SweepReport> {
        // It has nothing of the kind, and so it finds nothing.
        Ok(SweepReport::default())
    }

    async fn local_path(&self, _: &Key) -> Result<PathBuf> {
        Err(Error::unsupported("the adapter names no files"))
    }

    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned> {
        let Some(signer) = &self.signer else {
            return Err(Error::unsupported("this store has no URLs"));
        };
        let method = match options.method {
            PresignMethod::Get => reqwest::Method::GET,
            PresignMethod::Head => reqwest::Method::HEAD,
            PresignMethod::Put => reqwest::Method::PUT,
            PresignMethod::Delete => reqwest::Method::DELETE,
        };
        let url = signer.signed_url(method, &path(key.as_str())?, options.expires_in).await.map_err(failed)?;
        Ok(Presigned {
            method: options.method,
            url: url.to_string(),
            headers: Vec::new(),
            expires: SystemTime::now() + options.expires_in,
        })
    }

    async fn list_versions(&self, _: ListOptions) -> Result<Box<dyn VersionLister>> {
        Err(Error::unsupported("it has no listing of versions"))
    }

    async fn watch(&self, _: &Prefix, _: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        Err(Error::unsupported("it does not tell its changes"))
    }
}

struct Writing {
    upload: WriteMultipart,
    size: u64,
}

#[async_trait]
impl BackendWriter for Writing {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.size += bytes.len() as u64;
        self.upload.wait_for_capacity(PARTS).await.map_err(failed)?;
        self.upload.put(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<PutResult> {
        let size = self.size;
        put_result(self.upload.finish().await.map_err(failed)?, size)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.upload.abort().await.map_err(failed)
    }
}

/// The path that means exactly this key, or why there is none.
fn path(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|error| failed(error.into()))
}

fn put_result(put: object_store::PutResult, size: u64) -> Result<PutResult> {
    let etag = put.e_tag.ok_or_else(|| Error::new(ErrorKind::Other, "the write answered without an etag"))?;
    Ok(PutResult { etag: ETag::new(etag), size, version: None })
}

fn meta(found: &object_store::ObjectMeta) -> Result<ObjectMeta> {
    let etag = found.e_tag.as_deref().ok_or_else(|| Error::new(ErrorKind::Other, "an object without an etag"))?;
    Ok(ObjectMeta {
        key: Key::new(found.location.as_ref())?,
        size: found.size,
        etag: ETag::new(etag),
        last_modified: found.last_modified.into(),
        version: None,
    })
}

fn conditions(ours: &Conditions) -> object_store::GetOptions {
    object_store::GetOptions {
        if_match: ours.if_match.as_ref().map(|etag| etag.to_string()),
        if_none_match: ours.if_none_match.as_ref().map(|etag| etag.to_string()),
        if_modified_since: ours.if_modified_since.map(DateTime::<Utc>::from),
        if_unmodified_since: ours.if_unmodified_since.map(DateTime::<Utc>::from),
        ..Default::default()
    }
}

fn attributes_in(ours: &Attributes) -> object_store::Attributes {
    let standard = [
        (Attribute::ContentType, &ours.content_type),
        (Attribute::CacheControl, &ours.cache_control),
        (Attribute::ContentDisposition, &ours.content_disposition),
        (Attribute::ContentEncoding, &ours.content_encoding),
        (Attribute::ContentLanguage, &ours.content_language),
    ];
    let standard = standard.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    let user = ours.user.iter().map(|(name, value)| (Attribute::Metadata(name.clone().into()), value.clone()));
    standard.chain(user).collect()
}

fn attributes_out(theirs: &object_store::Attributes) -> Attributes {
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
            _ => {}
        }
    }
    // A service's default type is none of the host's.
    ours.clone().checked().unwrap_or(ours)
}

fn failed(error: object_store::Error) -> Error {
    use object_store::Error as Theirs;
    let kind = match &error {
        Theirs::NotFound { .. } => ErrorKind::NotFound,
        Theirs::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        Theirs::Precondition { .. } => ErrorKind::PreconditionFailed,
        Theirs::NotModified { .. } => ErrorKind::NotModified,
        Theirs::NotSupported { .. } | Theirs::NotImplemented { .. } => ErrorKind::Unsupported,
        Theirs::PermissionDenied { .. } => ErrorKind::PermissionDenied,
        Theirs::Unauthenticated { .. } => ErrorKind::Unauthenticated,
        Theirs::InvalidPath { .. } => ErrorKind::InvalidKey,
        _ => ErrorKind::Other,
    };
    let said = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    Error::new(kind, said).with_help("see what object_store says").with_source(error)
}

/// What the documentation of a store says it can do; the rest is `Capabilities::none`.
pub fn documented(store: &'static str) -> Capabilities {
    let mut can = Capabilities::none();
    can.put_create_only = storage_core::Support::Yes;
    can.late_commit = true;
    match store {
        "LocalFileSystem" => {
            can.copy_create_only = storage_core::Support::Yes;
            can.etag = ETagKind::Unique;
            can.last_modified_precision = Duration::from_nanos(1);
            can.shared = true;
            can.persistent = true;
        }
        "InMemory" => {
            can.put_if_match = storage_core::Support::Yes;
            can.copy_create_only = storage_core::Support::Yes;
            can.etag = ETagKind::Unique;
            can.last_modified_precision = Duration::from_nanos(1);
            can.attributes = true;
        }
        _ => {
            can.put_if_match = storage_core::Support::Yes;
            can.attributes = true;
            can.shared = true;
            can.persistent = true;
            can.durable = true;
            can.presign = true;
        }
    }
    can
}
