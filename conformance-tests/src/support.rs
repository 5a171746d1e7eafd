//! What several rules need: bytes from a seed, reads that compare every way of reading, futures dropped half-way.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use storage_core::{
    CopyResult, ErrorKind, GetOptions, ListOptions, ObjectHead, ObjectMeta, Prefix, PutOptions, PutResult, Result,
    Storage, SweepOptions,
};

use crate::Harness;
use crate::context::part_not_asked;

/// So many bytes that look random and are the same for the same seed.
pub(crate) fn bytes(seed: u64, length: usize) -> Bytes {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// Content that tells which version it is, so that a mix of two is noticed; sizes differ from version to version.
pub(crate) fn version(number: u32) -> Bytes {
    let length = 8 + (u64::from(number) * 7919) % 50_000;
    let mut content = u64::from(number).to_le_bytes().to_vec();
    content.extend_from_slice(&bytes(number.into(), usize::try_from(length).unwrap()));
    content.into()
}

/// The number of the version that this content is; fails where it is none, or not all of it.
#[track_caller]
pub(crate) fn version_of(content: &[u8]) -> u32 {
    let number = content.first_chunk().map(|number| u64::from_le_bytes(*number));
    let number = number.and_then(|number| u32::try_from(number).ok());
    let Some(number) = number else {
        panic!("content of {} bytes is no version", content.len());
    };
    assert!(content == version(number), "content of {} bytes is not version {number} whole", content.len());
    number
}

/// The kind of the error that a call must give; fails with `what` where the call succeeded.
#[track_caller]
pub(crate) fn kind<T: Debug>(what: impl Display, result: Result<T>) -> ErrorKind {
    match result {
        Ok(value) => panic!("{what}: an error was due, but it succeeded with {value:?}"),
        Err(error) => error.kind(),
    }
}

/// All keys, in the order of the listing.
pub(crate) async fn keys(storage: &Storage) -> Vec<String> {
    keys_under(storage, "").await
}

/// All keys under a prefix, in the order of the listing.
pub(crate) async fn keys_under(storage: &Storage, prefix: &str) -> Vec<String> {
    storage.list_all(prefix).await.unwrap().into_iter().map(|meta| meta.key.to_string()).collect()
}

/// All entries of one level, in the order of the listing.
pub(crate) async fn level(storage: &Storage, prefix: &str) -> Vec<String> {
    let options = ListOptions::new().prefix(Prefix::new(prefix).unwrap()).delimited();
    let mut pages = storage.pages(options).await.unwrap();
    let mut entries = Vec::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        entries.extend(page.entries.iter().map(|entry| entry.as_str().to_owned()));
    }
    entries
}

/// The texts as a listing orders them, each once.
pub(crate) fn sorted<T: ToString>(texts: impl IntoIterator<Item = T>) -> Vec<String> {
    let set: BTreeSet<String> = texts.into_iter().map(|text| text.to_string()).collect();
    set.into_iter().collect()
}

/// More than a driver sends of a streaming write at a time, where it sends one in parts; not the same for two seeds.
pub(crate) fn in_parts(harness: &dyn Harness, seed: u64) -> Option<Bytes> {
    let size = usize::try_from(harness.part_size()?).unwrap();
    Some(bytes(seed, size + 1))
}

/// A root that does not exist. None, with the reason written down, where the harness has none, and where the place does not
/// tell whether it exists: S3 forbids a bucket that is another's.
pub(crate) async fn missing(harness: &dyn Harness) -> Option<Storage> {
    let Some(root) = harness.missing().await else {
        part_not_asked("there is no root that does not exist");
        return None;
    };
    if root.head("k").await.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        part_not_asked("this user is forbidden to learn that a root does not exist");
        return None;
    }
    // Not the handle that has asked: what a rule asks first is to be the first.
    harness.missing().await
}

/// Writes through a writer, in one piece.
pub(crate) async fn write_streaming(
    storage: &Storage,
    key: &str,
    data: impl Into<Bytes>,
    options: PutOptions,
) -> Result<PutResult> {
    let mut writer = storage.writer_with(key, options).await?;
    writer.write(data).await?;
    writer.finish().await
}

/// Puts a text of its own at every key, and finds it again by get, head, both kinds of listing and URI.
pub(crate) async fn round_trip<K: AsRef<str>>(storage: &Storage, all: impl IntoIterator<Item = K>) {
    let all = sorted(all.into_iter().map(|key| key.as_ref().to_owned()));
    for_all(&all, async |key| {
        storage.put(key, content_of(key)).await.unwrap_or_else(|error| panic!("put {key:?}: {error}"));
    })
    .await;
    assert_eq!(keys(storage).await, all, "the keys are listed byte for byte, in order");
    for_all(&all, async |key| assert_found(storage, key).await).await;
    let parents = sorted(all.iter().map(|key| parent(key)));
    for_all(&parents, async |parent| {
        let below = all.iter().filter_map(|key| key.strip_prefix(parent));
        let entries = below.map(|rest| format!("{parent}{}", rest.split_inclusive('/').next().unwrap_or_default()));
        assert_eq!(level(storage, parent).await, sorted(entries), "one level, that of {parent:?}");
    })
    .await;
}

/// What comes before a key's last segment: empty, or ending in `/`.
fn parent(key: &str) -> &str {
    key.rfind('/').map_or("", |slash| &key[..=slash])
}

/// Makes a call for each of the texts, several at once.
pub(crate) async fn for_all(texts: &[String], call: impl AsyncFn(&str)) {
    stream::iter(texts).map(|text| call(text)).buffer_unordered(8).collect::<()>().await;
}

/// The text that [`round_trip`] writes to a key.
pub(crate) fn content_of(key: &str) -> String {
    format!("the object {key:?}")
}

/// Finds at a key what [`round_trip`] has put there, by get, head, listing and URI.
pub(crate) async fn assert_found(storage: &Storage, key: &str) {
    let text = read_everywhere(storage, key).await.unwrap_or_else(|error| panic!("read {key:?}: {error}"));
    assert_eq!(text, content_of(key), "the content of {key:?}");
    assert_uri(storage, key);
}

/// The URI of a key leads back to it, where the root has one (rule K15).
#[track_caller]
pub(crate) fn assert_uri(storage: &Storage, key: &str) {
    let Some(root) = storage.location() else {
        assert_eq!(kind("a URI without an address", storage.uri(key)), ErrorKind::Unsupported);
        return;
    };
    let uri = storage.uri(key).unwrap();
    let parsed = storage_core::Location::parse(&uri).unwrap_or_else(|error| panic!("parse {uri:?}: {error}"));
    let back = parsed.key_under(&root);
    assert_eq!(back.as_ref().map(|key| key.as_str()), Some(key), "K15: the key of {uri:?}");
    assert_eq!(parsed.to_string(), uri, "K15: the URI, parsed and written again");
}

/// Reads a text by get, head and list, which must agree on it.
pub(crate) async fn read_everywhere(storage: &Storage, key: &str) -> Result<String> {
    let got = storage.get(key, GetOptions::new()).await?;
    let head = storage.head(key).await?;
    let listed = storage.list_all(key).await?.into_iter().find(|meta| meta.key.as_str() == key);
    assert_eq!(head.meta.key.as_str(), key, "the key as head names it");
    assert_eq!(got.meta, head.meta, "get and head of {key:?}");
    assert_listed(key, listed.as_ref(), &head.meta);
    storage.text(key).await
}

/// A listing tells of an object what head does. It may leave the version out, as a listing of S3 does; one that it tells
/// is the right one.
#[track_caller]
pub(crate) fn assert_listed(key: &str, listed: Option<&ObjectMeta>, head: &ObjectMeta) {
    let mut due = head.clone();
    if listed.is_some_and(|listed| listed.version.is_none()) {
        due.version = None;
    }
    assert_eq!(listed, Some(&due), "head and list of {key:?}");
}

/// A write reports what head tells of its object.
///
/// What a bucket stores that keeps versions no more has the version `null`: one answer names it, another leaves it out, and
/// both mean the same object.
#[track_caller]
pub(crate) fn assert_reported(what: impl Display, reported: impl Into<CopyResult>, head: &ObjectMeta) {
    let named = |mut result: CopyResult| {
        result.version = result.version.filter(|version| version != "null");
        result
    };
    assert_eq!(named(reported.into()), named(CopyResult::from(head)), "{what}: what it reports, and head");
}

/// Nothing of a key is visible, in any way of looking.
pub(crate) async fn assert_absent(storage: &Storage, key: &str) {
    assert_eq!(kind(format!("get {key:?}"), storage.bytes(key).await), ErrorKind::NotFound);
    assert_eq!(kind(format!("head {key:?}"), storage.head(key).await), ErrorKind::NotFound);
    let listed = keys_under(storage, key).await;
    assert!(!listed.iter().any(|listed| listed == key), "{key:?} is listed, but not there");
}

/// An object as it was at some time: metadata, attributes and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) head: ObjectHead,
    pub(crate) content: Bytes,
}

/// The object at a key; `None` where there is none.
pub(crate) async fn snapshot(storage: &Storage, key: &str) -> Option<Snapshot> {
    match storage.head(key).await {
        Ok(head) => match storage.bytes(key).await {
            Ok(content) => Some(Snapshot { head, content }),
            // A delete that was dropped has landed in between, as it may where `late_commit` is declared.
            Err(error) if error.is_not_found() && storage.capabilities().late_commit => None,
            Err(error) => panic!("get {key:?}: {error}"),
        },
        Err(error) if error.is_not_found() => None,
        Err(error) => panic!("head {key:?}: {error}"),
    }
}

/// What is stored under a root, so that a rule can say that nothing has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    objects: Vec<ObjectMeta>,
    files: BTreeSet<PathBuf>,
}

/// The objects of a root and the files of its directory, temporary ones too.
pub(crate) async fn whole(storage: &Storage, directory: Option<&Path>) -> Whole {
    let objects = storage.list_all("").await.unwrap();
    let mut files = BTreeSet::new();
    if let Some(directory) = directory {
        collect_files(directory, &mut files);
    }
    Whole { objects, files }
}

fn collect_files(directory: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => collect_files(&entry.path(), files),
            false => {
                files.insert(entry.path());
            }
        }
    }
}

/// Removes whatever interrupted writes left, and says how many that were.
pub(crate) async fn sweep(storage: &Storage) -> u64 {
    storage.sweep(SweepOptions::default()).await.unwrap().removed
}

/// Polls a future so many times, each when it is due, and drops it; its output, if it ended before that.
pub(crate) async fn interrupted<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
