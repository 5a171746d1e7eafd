//! Rules W on what a write leaves: visible, whole, as declared. Those on writers are in [`streaming`](super::streaming).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, BoxStream, StreamExt as _};
use storage_core::{
    Attributes, ErrorKind, GetOptions, MultipartOrder, Payload, PutOptions, PutResult, Result, Storage, Support,
};
use tokio::task::JoinSet;

use crate::Harness;
use crate::context::{nothing_to_ask, waive, waive_part};
use crate::process::{Job, Worker};
use crate::rule::rule;
use crate::support::{
    Snapshot, assert_absent, assert_listed, assert_reported, bytes, in_parts, interrupted, keys, kind, read_everywhere,
    snapshot, sweep, version, version_of, whole, write_streaming,
};

rule! {
    /// After a put has returned Ok, every later get, head and listing sees it, from any handle; from any process too
    /// where `shared` is declared.
    W01, w01_visible_at_once, "Visible at once",
    why: "A host that has stored something and does not find it stores it twice, or reports it as lost."
}
async fn w01_visible_at_once(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let (other, sub) = (harness.attach(&root.address).await, storage.sub("d").unwrap());
    for round in 0..8 {
        let text = format!("round {round}");
        storage.put("d/key", text.clone()).await.unwrap();
        assert_eq!(read_everywhere(storage, "d/key").await.unwrap(), text);
        assert_eq!(read_everywhere(&other, "d/key").await.unwrap(), text, "another handle");
        let text = format!("round {round}, the other way");
        other.put("d/key", text.clone()).await.unwrap();
        assert_eq!(read_everywhere(storage, "d/key").await.unwrap(), text, "written by another handle");
        assert_eq!(read_everywhere(&sub, "key").await.unwrap(), text, "read through a sub-root");
        other.delete("d/key").await.unwrap();
        assert_absent(storage, "d/key").await;
        if storage.capabilities().multipart_order == MultipartOrder::Finish {
            write_streaming(storage, "d/key", text.clone(), PutOptions::new()).await.unwrap();
            assert_eq!(read_everywhere(&other, "d/key").await.unwrap(), text, "a streaming write");
        }
    }
    if storage.capabilities().multipart_order == MultipartOrder::Start {
        waive_part("multipart_order", "a streaming write takes its place by its start");
    }
    let mut workers = Worker::start(harness, storage, &root.address, 2).await;
    if workers.is_empty() {
        return;
    }
    for round in 0..10 {
        let (near, far) = (round % 2, 1 - round % 2);
        let text = format!("round-{round}");
        storage.put("key", text.clone()).await.unwrap();
        assert_eq!(workers[near].ask(&Job::Read("key")).await, text, "another process reads");
        assert_eq!(workers[near].ask(&Job::Put("key", "from-a-worker")).await, "ok");
        assert_eq!(read_everywhere(storage, "key").await.unwrap(), "from-a-worker", "another process has written");
        assert_eq!(workers[far].ask(&Job::Read("key")).await, "from-a-worker", "between two others");
    }
}

rule! {
    /// A reader sees the old object whole or the new one whole: never a mix, never empty, never short, never missing.
    W02, w02_readers_see_whole_objects, "Whole objects only",
    why: "A reader that meets a half-written file takes it for the object; configuration and indexes break so."
}
async fn w02_readers_see_whole_objects(harness: &dyn Harness) {
    const VERSIONS: u32 = 40;
    let root = harness.fresh().await;
    let storage = &root.storage;
    storage.put("key", version(0)).await.unwrap();
    let writing = Arc::new(AtomicBool::new(true));
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        readers.spawn(read_while(storage.clone(), Arc::clone(&writing)));
    }
    let mut writers = JoinSet::new();
    for writer in 0..3 {
        let storage = storage.clone();
        writers.spawn(async move {
            for number in (1..VERSIONS).filter(|number| number % 3 == writer) {
                match writer {
                    0 => drop(storage.put("key", version(number)).await.unwrap()),
                    1 => drop(write_streaming(&storage, "key", version(number), PutOptions::new()).await.unwrap()),
                    _ => {
                        storage.put("source", version(number)).await.unwrap();
                        storage.copy("source", "key").await.unwrap();
                    }
                }
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    writing.store(false, Ordering::Relaxed);
    while let Some(whole_reads) = readers.join_next().await {
        assert!(whole_reads.unwrap() > 0, "a reader never got through");
    }
}

/// Reads `key` in every way until the writers have ended; how often it came whole.
async fn read_while(storage: Storage, writing: Arc<AtomicBool>) -> u32 {
    let mut whole_reads = 0;
    let mut last = false;
    while !last {
        // A driver that never waits would keep the writers from their turn.
        tokio::task::yield_now().await;
        // Once more when nobody writes.
        last = !writing.load(Ordering::Relaxed);
        let read = match storage.bytes("key").await {
            Err(error) => Err(error),
            Ok(content) => {
                version_of(&content);
                streamed(&storage, "key").await
            }
        };
        match read {
            Ok((size, content)) => {
                let number = version_of(&content);
                assert_eq!(size, content.len() as u64, "the size said of version {number}");
                whole_reads += 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::ObjectChanged, "a read during overwrites: {error}"),
        }
        let listed = storage.list_all("key").await.unwrap();
        assert_eq!(listed.len(), 1, "the object is listed once during overwrites");
        assert!(listed[0].size >= 8, "listed with a size of no version: {}", listed[0].size);
    }
    whole_reads
}

/// The object's size as get says it, and its content read piece by piece.
async fn streamed(storage: &Storage, key: &str) -> Result<(u64, Vec<u8>)> {
    let read = storage.get(key, GetOptions::new()).await?;
    let pieces: Vec<Bytes> = futures::TryStreamExt::try_collect(read.body.into_stream()).await?;
    Ok((read.meta.size, pieces.concat()))
}

rule! {
    /// A write that has failed has changed nothing. One that was dropped half-way leaves the old object or the new
    /// one, whole, and nothing changes any more once the drop has returned, unless `late_commit` is declared.
    W03, w03_failed_and_dropped_writes, "Failed and dropped writes",
    why: "A write that failed and took effect, or lands after it was given up, overwrites what came after it."
}
async fn w03_failed_and_dropped_writes(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    failed_writes_change_nothing(storage).await;
    let mut settled: Vec<(String, Option<Snapshot>)> = Vec::new();
    for change in Change::ALL {
        for polls in 0..200 {
            let mut completed = 0;
            for round in 0..ROUNDS {
                let key = format!("{change:?}/{polls}/{round}");
                completed += usize::from(change.dropped(storage, &key, polls, round).await);
                for key in [format!("{key}/source"), key] {
                    let now = snapshot(storage, &key).await;
                    settled.push((key, now));
                }
            }
            if completed == ROUNDS {
                break;
            }
        }
    }
    if storage.capabilities().late_commit {
        waive_part("late_commit", "a write that was dropped may still land");
    } else {
        for (key, then) in settled {
            assert_eq!(snapshot(storage, &key).await, then, "{key:?} has changed after the drop had returned");
        }
    }
    sweep(storage).await;
    assert_eq!(sweep(storage).await, 0, "a sweep removes all that dropped writes leave");
}

const ROUNDS: usize = 6;

async fn failed_writes_change_nothing(storage: &Storage) {
    storage.put("kept", "old").await.unwrap();
    let before = snapshot(storage, "kept").await;
    let bad = || PutOptions::new().attributes(Attributes::new().user("Not A Name", "x"));
    let file = std::env::current_exe().unwrap();
    let missing = file.join("no-such-file");
    assert_eq!(kind("bad attributes", storage.put_with("kept", "new", bad()).await), ErrorKind::InvalidInput);
    assert_eq!(kind("bad attributes", storage.writer_with("kept", bad()).await.map(drop)), ErrorKind::InvalidInput);
    assert!(storage.put_file("kept", missing, PutOptions::new()).await.is_err());
    assert!(storage.copy("no-source", "kept").await.is_err());
    assert!(storage.rename("no-source", "kept").await.is_err());
    assert_eq!(snapshot(storage, "kept").await, before, "failed writes");
}

/// The writes that can be dropped half-way.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Create,
    Overwrite,
    Stream,
    Copy,
    Rename,
    Delete,
}

impl Change {
    const ALL: [Self; 6] = [Self::Create, Self::Overwrite, Self::Stream, Self::Copy, Self::Rename, Self::Delete];

    /// Starts the change, polls it so many times, drops it, and looks that the object is old or new; whether the change
    /// has ended before it was dropped.
    async fn dropped(self, storage: &Storage, key: &str, polls: usize, round: usize) -> bool {
        let (old, new) = (version(1), version(2));
        let source = format!("{key}/source");
        if self != Self::Create {
            storage.put(key, old).await.unwrap();
        }
        if matches!(self, Self::Copy | Self::Rename) {
            storage.put(&source, new.clone()).await.unwrap();
        }
        let ended = interrupted(late(self.start(storage, key, &source, new), round), polls).await;
        if let Some(ended) = &ended {
            ended.as_ref().unwrap_or_else(|error| panic!("{self:?}: {error}"));
        }
        let now = match snapshot(storage, key).await {
            Some(now) => Some(version_of(&now.content)),
            None => None,
        };
        let (before, after) = match self {
            Self::Create => (None, Some(2)),
            Self::Delete => (Some(1), None),
            _ => (Some(1), Some(2)),
        };
        assert!(now == after || (now == before && ended.is_none()), "{self:?} left version {now:?}, ended: {ended:?}");
        if self == Self::Rename && now == before {
            assert_eq!(storage.bytes(&source).await.unwrap(), version(2), "a dropped move has lost its source");
        }
        ended.is_some()
    }

    fn start<'a>(self, storage: &'a Storage, key: &'a str, source: &'a str, new: Bytes) -> BoxFuture<'a, Result<()>> {
        async move {
            match self {
                Self::Create | Self::Overwrite => storage.put(key, new).await.map(drop),
                Self::Stream => write_streaming(storage, key, new, PutOptions::new()).await.map(drop),
                Self::Copy => storage.copy(source, key).await.map(drop),
                Self::Rename => storage.rename(source, key).await.map(drop),
                Self::Delete => storage.delete(key).await,
            }
        }
        .boxed()
    }
}

/// The future, with a moment after each poll that differs from round to round, so that a drop meets what runs in the
/// background at different points.
async fn late<T>(mut future: BoxFuture<'_, T>, round: usize) -> T {
    let moment = Duration::from_micros(30) * u32::try_from(round).unwrap();
    std::future::poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        let start = Instant::now();
        while start.elapsed() < moment {
            std::hint::spin_loop();
        }
        polled
    })
    .await
}

rule! {
    /// A put of no bytes, and a writer finished with nothing written, make an empty object.
    W07, w07_empty_objects, "Empty objects",
    why: "An empty object is a marker or a lock to many programs; drivers forget it, or take it for a directory."
}
async fn w07_empty_objects(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("empty");
    std::fs::write(&file, "").unwrap();
    let none = stream::empty::<Result<Bytes>>;
    for round in ["new", "overwritten"] {
        storage.put("put", "").await.unwrap();
        storage.put("segments", vec![Bytes::new(), Bytes::new()]).await.unwrap();
        storage.put_stream("stream", none(), PutOptions::new().length(0)).await.unwrap();
        storage.put_file("file", &file, PutOptions::new()).await.unwrap();
        storage.writer("writer").await.unwrap().finish().await.unwrap();
        write_streaming(storage, "writer-0", "", PutOptions::new().length(0)).await.unwrap();
        for key in ["put", "segments", "stream", "file", "writer", "writer-0"] {
            assert_eq!(read_everywhere(storage, key).await.unwrap(), "", "{key}, {round}");
            assert_eq!(storage.head(key).await.unwrap().meta.size, 0, "{key}, {round}");
            storage.put(key, "no longer empty").await.unwrap();
        }
    }
}

rule! {
    /// A length that was declared and does not match, too short or too long, is `LengthMismatch`; nothing is visible
    /// and nothing is left.
    W09, w09_declared_length, "Declared length",
    why: "A body that was cut on its way in and is stored all the same is a short object that looks whole."
}
async fn w09_declared_length(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    storage.put("old", "old").await.unwrap();
    let before = whole(storage, root.directory.as_deref()).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    // The longest goes through a writer, whichever way it is put.
    for length in [0, 10, 100_000, 9 << 20] {
        let data = bytes(9, length);
        std::fs::write(&file, &data).unwrap();
        let chunks = || stream::iter(chunks(&data).into_iter().map(Ok::<_, storage_core::Error>));
        let length = length as u64;
        for declared in [length.saturating_sub(1), length + 1, 0, 2 * length + 1000] {
            let options = || PutOptions::new().length(declared);
            for key in ["old", "new"].into_iter().filter(|_| declared != length) {
                let results = [
                    ("put", storage.put_with(key, data.clone(), options()).await),
                    ("put_stream", storage.put_stream(key, chunks(), options()).await),
                    ("put_file", storage.put_file(key, &file, options()).await),
                    ("writer", write_streaming(storage, key, data.clone(), options()).await),
                ];
                for (call, result) in results {
                    let what = format!("{call} of {length} bytes, declared {declared}");
                    assert_eq!(kind(what, result), ErrorKind::LengthMismatch);
                }
            }
        }
        storage.put_stream("right", chunks(), PutOptions::new().length(length)).await.unwrap();
        assert!(storage.bytes("right").await.unwrap() == data, "the declared length came");
        storage.delete("right").await.unwrap();
    }
    sweep(storage).await;
    assert_eq!(whole(storage, root.directory.as_deref()).await, before);
}

/// The bytes in pieces of at most 1 MiB.
pub(super) fn chunks(data: &Bytes) -> Vec<Bytes> {
    (0..data.len()).step_by(1 << 20).map(|start| data.slice(start..data.len().min(start + (1 << 20)))).collect()
}

rule! {
    /// A write returns etag and size, and the version where there is one, as an immediate head tells them.
    W13, w13_results_equal_head, "Results equal head",
    why: "A host swaps by the etag that the write returned; where head tells another one, its next swap fails or \
          loses."
}
async fn w13_results_equal_head(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let one = |data: Bytes| stream::iter([Ok::<_, storage_core::Error>(data)]);
    for length in [0, 1, 70_000] {
        let data = bytes(13, length);
        for round in ["new", "overwritten"] {
            assert_head(storage, "put", storage.put("put", data.clone()).await).await;
            let result = storage.put_stream("stream", one(data.clone()), PutOptions::new()).await;
            assert_head(storage, "stream", result).await;
            let result = write_streaming(storage, "writer", data.clone(), PutOptions::new()).await;
            assert_head(storage, "writer", result).await;
            let copy = storage.copy("put", "copy").await.unwrap();
            assert_reported("a copy", copy, &storage.head("copy").await.unwrap().meta);
            let moved = storage.rename("copy", "rename").await.unwrap();
            assert_reported("a move", moved, &storage.head("rename").await.unwrap().meta);
            let head = storage.head("put").await.unwrap().meta;
            assert_eq!(head.size, length as u64, "{round}");
            match storage.capabilities().versions {
                Support::Yes => assert!(head.version.is_some(), "{round}: a version is due"),
                Support::No => assert_eq!(head.version, None, "{round}"),
                Support::Unprobed => {}
            }
        }
    }
}

async fn assert_head(storage: &Storage, key: &str, result: Result<PutResult>) {
    let head = storage.head(key).await.unwrap();
    let result = result.unwrap();
    assert_eq!(result.size, head.meta.size, "the size of {key:?} as its write reports it");
    assert_reported(format!("a write of {key:?}"), result, &head.meta);
    let listed = storage.list_all(key).await.unwrap();
    assert_eq!(listed.len(), 1, "{key:?} as it is listed");
    assert_listed(key, listed.first(), &head.meta);
}

rule! {
    /// More bytes than the largest object has are `InvalidInput`, before any transfer where the length is known.
    W14, w14_largest_object, "Largest object",
    why: "Without a limit that is checked first, an upload of hours fails at its last part."
}
async fn w14_largest_object(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let Some(over) = storage.capabilities().max_object_size.checked_add(1) else {
        return nothing_to_ask("no length is too large for an object");
    };
    storage.put("old", "old").await.unwrap();
    for key in ["old", "new"] {
        let refused = storage.writer_with(key, PutOptions::new().length(over)).await.map(drop);
        assert_eq!(kind("a writer over the largest size", refused), ErrorKind::InvalidInput);
        let untouched = stream::once(async { panic!("the source is read, though it cannot fit") });
        let untouched: BoxStream<'_, Result<Bytes>> = untouched.boxed();
        let refused = storage.put_stream(key, untouched, PutOptions::new().length(over)).await;
        assert_eq!(kind("a stream over the largest size", refused), ErrorKind::InvalidInput);
    }
    assert_eq!(keys(storage).await, ["old"]);
    assert_eq!(storage.text("old").await.unwrap(), "old");
}

rule! {
    /// Attributes and content commit together, and an overwrite replaces all attributes.
    W15, w15_attributes_commit_with_content, "Attributes commit with content",
    why: "New content under the old content type, or old attributes on new content, is served wrongly to every reader \
          in between."
}
async fn w15_attributes_commit_with_content(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    if !storage.capabilities().attributes {
        let refused = storage.put_with("key", "x", labelled(1)).await;
        assert_eq!(kind("attributes that are not stored", refused), ErrorKind::Unsupported);
        assert_absent(storage, "key").await;
        return waive("attributes", "none are stored");
    }
    let language = Attributes { content_language: Some("de".into()), ..Attributes::new().user("only-old", "x") };
    storage.put_with("key", version(0), labelled(0).attributes(language)).await.unwrap();
    storage.put_with("key", version(1), labelled(1)).await.unwrap();
    assert_eq!(storage.head("key").await.unwrap().attributes, labelled(1).attributes, "the old attributes are gone");
    storage.put("key", version(2)).await.unwrap();
    assert_eq!(storage.head("key").await.unwrap().attributes, Attributes::new(), "a put without attributes has none");

    if let Some(data) = in_parts(harness, 15) {
        write_streaming(storage, "key", data.clone(), labelled(2)).await.unwrap();
        assert_eq!(storage.head("key").await.unwrap().attributes, labelled(2).attributes, "sent in parts");
        write_streaming(storage, "key", data, PutOptions::new()).await.unwrap();
        assert_eq!(
            storage.head("key").await.unwrap().attributes,
            Attributes::new(),
            "sent in parts, without attributes"
        );
    }
    storage.put_with("key", version(3), labelled(3)).await.unwrap();
    let writer = tokio::spawn(overwrite_labelled(storage.clone()));
    let mut last = false;
    while !last {
        last = writer.is_finished();
        let read = storage.get("key", GetOptions::new().buffered()).await.unwrap();
        let label = read.attributes.user.get("label").expect("a label beside the content").clone();
        assert_eq!(read.attributes.content_type, Some(format!("text/{label}")), "attributes of one write");
        let content = futures::TryStreamExt::try_collect::<Vec<Bytes>>(read.body.into_stream()).await;
        match content {
            Ok(content) => assert_eq!(version_of(&content.concat()).to_string(), label, "content and attributes"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ObjectChanged, "{error}"),
        }
    }
    writer.await.unwrap();
}

async fn overwrite_labelled(storage: Storage) {
    for number in 4..40 {
        match number % 2 {
            0 => storage.put_with("key", Payload::from(version(number)), labelled(number)).await.unwrap(),
            _ => write_streaming(&storage, "key", version(number), labelled(number)).await.unwrap(),
        };
    }
}

/// Options of a write whose attributes tell the version.
fn labelled(number: u32) -> PutOptions {
    let attributes = Attributes::new().content_type(format!("text/{number}")).user("label", number.to_string());
    PutOptions::new().attributes(attributes)
}
