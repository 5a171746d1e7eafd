//! Get and head: without leaving the async thread where everything is in memory, else in one hop.

use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use rustix::fs::{Stat, fstat};
use rustix::io::{pread, retry_on_intr};
use storage_core::{Body, Conditions, Error, ErrorKind, GetOptions, GetResult, HeadOptions, Key, ObjectHead, Result};

use crate::attributes;
use crate::blocking;
use crate::errors::doing;
use crate::level::open_level;
use crate::locate::{OBJECT, open_object};
use crate::names::{self, SELF};
use crate::root::{OpenRoot, Root};
use crate::stat;

/// Up to so many bytes are tried from the page cache on the async thread.
const CACHED_MAX: u64 = 64 * 1024;

/// Up to so many bytes come in one piece even if nobody asked for it.
const PIECE_MAX: u64 = 1024 * 1024;

/// The bytes that a streamed body reads in one hop.
const CHUNK: u64 = 1024 * 1024;

/// An open object and what is known of it.
struct Opened {
    file: OwnedFd,
    head: ObjectHead,
    range: Range<u64>,
}

pub(crate) async fn get(root: &Arc<Root>, key: &Key, options: GetOptions) -> Result<GetResult> {
    if let Some(result) = get_cached(root, key, &options) {
        return result;
    }
    let (root, key) = (Arc::clone(root), key.clone());
    blocking::read(move || {
        let opened = open(&*root.existing()?, &key, &options)?;
        let length = opened.range.end - opened.range.start;
        let body = match options.buffered || length <= PIECE_MAX {
            true => Body::Bytes(read_range(&opened.file, opened.range.clone())?),
            false => stream(opened.file, opened.range.clone()),
        };
        Ok(answer(opened.head, opened.range, body))
    })
    .await
}

pub(crate) async fn head(root: &Arc<Root>, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
    if let Some((file, stat)) = root.cached().and_then(|open| open_cached(&open, key)) {
        return head_of(&file, &stat, key, &options.conditions);
    }
    let (root, key) = (Arc::clone(root), key.clone());
    blocking::read(move || {
        let (file, stat) = find(&*root.existing()?, &key)?;
        head_of(&file, &stat, &key, &options.conditions)
    })
    .await
}

/// Everything out of the system's caches, or nothing.
fn get_cached(root: &Root, key: &Key, options: &GetOptions) -> Option<Result<GetResult>> {
    let open = root.cached()?;
    let (file, stat) = open_cached(&open, key)?;
    let opened = match opened(file, &stat, key, options) {
        Ok(opened) => opened,
        Err(error) => return Some(Err(error)),
    };
    let length = opened.range.end - opened.range.start;
    if length > CACHED_MAX {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    if !bytes.is_empty() && open.sys.read_cached(opened.file.as_fd(), &mut bytes, opened.range.start)? != bytes.len() {
        return None;
    }
    Some(Ok(answer(opened.head, opened.range, Body::Bytes(bytes.into()))))
}

/// A plain file that opens without waiting; anything unusual takes the other way.
fn open_cached(root: &OpenRoot, key: &Key) -> Option<(OwnedFd, Stat)> {
    let file = root.sys.open_cached(root.fd.as_fd(), &names::path(key.as_str()), OBJECT)?;
    let stat = fstat(&file).ok()?;
    stat::is_file(&stat).then_some((file, stat))
}

fn find(root: &OpenRoot, key: &Key) -> Result<(OwnedFd, Stat)> {
    let path = names::path(key.as_str());
    open_object(root, &path).map_err(doing("cannot open the object"))?.ok_or_else(Error::not_found)
}

fn open(root: &OpenRoot, key: &Key, options: &GetOptions) -> Result<Opened> {
    let (file, stat) = find(root, key)?;
    opened(file, &stat, key, options)
}

fn opened(file: OwnedFd, stat: &Stat, key: &Key, options: &GetOptions) -> Result<Opened> {
    let head = head_of(&file, stat, key, &options.conditions)?;
    let range = match options.range {
        Some(range) => range.resolve(head.meta.size)?,
        None => 0..head.meta.size,
    };
    Ok(Opened { file, head, range })
}

fn head_of(file: &OwnedFd, stat: &Stat, key: &Key, conditions: &Conditions) -> Result<ObjectHead> {
    let meta = stat::meta(key, stat);
    conditions.check(&meta)?;
    Ok(ObjectHead { meta, attributes: attributes::load(file.as_fd())? })
}

fn answer(head: ObjectHead, range: Range<u64>, body: Body) -> GetResult {
    GetResult { meta: head.meta, attributes: head.attributes, range, body }
}

/// The bytes of a range; fewer only where somebody else has cut the file.
fn read_range(file: &OwnedFd, range: Range<u64>) -> Result<Bytes> {
    let too_large = |_| Error::invalid_input("the range does not fit into memory").with_help("read it as a stream");
    let length = usize::try_from(range.end - range.start).map_err(too_large)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| {
        Error::invalid_input(format!("there is no memory for {length} bytes")).with_help("read it as a stream")
    })?;
    while bytes.len() < length {
        let at = range.start + bytes.len() as u64;
        let read = retry_on_intr(|| pread(file, rustix::buffer::spare_capacity(&mut bytes), at));
        if read.map_err(doing("cannot read"))? == 0 {
            break;
        }
    }
    bytes.truncate(length);
    Ok(bytes.into())
}

/// The range piece by piece, each in one hop; an end before it is all there is an error (rule R10).
fn stream(file: OwnedFd, range: Range<u64>) -> Body {
    let file = Arc::new(file);
    let pieces = futures::stream::try_unfold(range.start, move |at| {
        let (file, end) = (Arc::clone(&file), range.end);
        async move {
            if at == end {
                return Ok(None);
            }
            let bytes = blocking::read(move || read_range(&file, at..end.min(at + CHUNK))).await?;
            if bytes.is_empty() {
                return Err(Error::new(ErrorKind::LengthMismatch, format!("the file ended {} bytes early", end - at)));
            }
            let next = at + bytes.len() as u64;
            Ok(Some((bytes, next)))
        }
    });
    Body::Stream(pieces.boxed())
}

/// The path of the file that holds an object.
pub(crate) fn local_path(root: &Root, path: &str) -> Result<PathBuf> {
    let open = root.existing()?;
    let looking = doing("cannot look at the object");
    open_object(&open, path).map_err(&looking)?.ok_or_else(Error::not_found)?;
    let file = root.path.join(path);
    Ok(match open_level(&open, path).map_err(looking)? {
        Some(_) => file.join(SELF),
        None => file,
    })
}
