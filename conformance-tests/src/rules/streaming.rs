//! Rules W on writers: invisible until finished, gone when aborted, whatever the pieces.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use storage_core::{Error, ErrorKind, MultipartOrder, PutOptions, Storage, SweepOptions, Writer};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use super::writes::chunks;
use crate::Harness;
use crate::context::{NO_SERVICE, part_not_asked, seed, waive_part};
use crate::process::{Job, Worker};
use crate::rule::rule;
use crate::service::Request;
use crate::support::{
    Random, assert_absent, bytes, in_parts, keys, kind, read_everywhere, snapshot, sweep, version, version_of, whole,
    write_streaming,
};

/// How soon the parts of a writer that was dropped are discarded.
const DISCARDED: Duration = Duration::from_secs(5);

/// So many bytes are gathered by the handle before the driver sees them.
const GATHERED: usize = 64 * 1024;

rule! {
    /// Nothing of a streaming write is visible before `finish`.
    W04, w04_invisible_before_finish, "Invisible before finish",
    why: "An upload that is visible while it runs is read short by whoever lists it."
}
async fn w04_invisible_before_finish(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let other = harness.attach(&root.address).await;
    storage.put("d/old", "old").await.unwrap();
    let before = snapshot(storage, "d/old").await;
    let mut writers = [storage.writer("d/new").await.unwrap(), storage.writer("d/old").await.unwrap()];
    let begun = in_parts(harness, 4).unwrap_or_default();
    for writer in &mut writers {
        writer.write(begun.clone()).await.unwrap();
    }
    for _ in 0..6 {
        for writer in &mut writers {
            writer.write(bytes(4, 200_000)).await.unwrap();
        }
        for handle in [storage, &other] {
            assert_absent(handle, "d/new").await;
            assert_eq!(keys(handle).await, ["d/old"]);
            assert_eq!(handle.usage("").await.unwrap().objects, 1);
            assert_eq!(kind("a copy of it", handle.copy("d/new", "copy").await), ErrorKind::NotFound);
            assert_eq!(snapshot(handle, "d/old").await, before, "the object being overwritten");
        }
    }
    for (mut writer, key) in writers.into_iter().zip(["d/new", "d/old"]) {
        writer.finish().await.unwrap();
        assert_eq!(other.bytes(key).await.unwrap().len(), begun.len() + 1_200_000, "{key} is visible after finish");
    }
}

rule! {
    /// `abort` works at any point, twice too, and leaves no part and no temporary file.
    W05, w05_abort_leaves_nothing, "Abort leaves nothing",
    why: "Parts that nobody sees are stored and paid for until somebody sweeps them."
}
async fn w05_abort_leaves_nothing(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    storage.put("old", "old").await.unwrap();
    write_streaming(storage, "d/old", "old", PutOptions::new()).await.unwrap();
    let before = whole(storage, root.directory.as_deref()).await;
    for pieces in [&[][..], &[1], &[100], &[GATHERED], &[GATHERED + 1, 5], &[1 << 20, 1, 1 << 20], &[3; 50]] {
        for key in ["old", "d/old", "new", "d/new", "e/f/new"] {
            let mut writer = storage.writer(key).await.unwrap();
            write_pieces(&mut writer, pieces).await;
            writer.abort().await.unwrap();
            writer.abort().await.expect("a second abort");
            assert_eq!(whole(storage, root.directory.as_deref()).await, before, "after abort of {key}, {pieces:?}");
        }
    }
    if let Some(data) = in_parts(harness, 5) {
        for key in ["old", "d/new"] {
            let mut writer = storage.writer(key).await.unwrap();
            writer.write(data.clone()).await.unwrap();
            writer.abort().await.unwrap();
            assert_eq!(sweep(storage).await, 0, "an abort leaves no part of {key} for the sweep");
            assert_eq!(whole(storage, root.directory.as_deref()).await, before, "after abort of {key}, sent in parts");
        }
    }
    let mut writer = storage.writer_with("new", PutOptions::new().length(3)).await.unwrap();
    assert_eq!(kind("too long", writer.write("12345").await), ErrorKind::LengthMismatch);
    writer.abort().await.expect("an abort after a failure");
    drop(writer);
    assert_eq!(sweep(storage).await, 0, "an abort leaves nothing for the sweep");
    assert_eq!(whole(storage, root.directory.as_deref()).await, before);
}

async fn write_pieces(writer: &mut Writer, pieces: &[usize]) {
    for length in pieces {
        writer.write(bytes(5, *length)).await.unwrap();
    }
}

rule! {
    /// Dropping a writer is an abort. What a crash leaves is found and removed by `sweep`, which leaves alone what is
    /// younger than it is told and, where the medium can tell, what a living writer still uses.
    W06, w06_dropped_writers_and_sweep, "Dropped writers and sweep",
    why: "Crashes leave parts and temporary files; without a sweep they fill the disk or the bill."
}
async fn w06_dropped_writers_and_sweep(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    storage.put("old", "old").await.unwrap();
    let before = whole(storage, root.directory.as_deref()).await;
    let mut living = storage.writer("living").await.unwrap();
    write_pieces(&mut living, &[1 << 20, 10]).await;
    for key in ["old", "new", "d/new"] {
        for pieces in [&[][..], &[10], &[1 << 20], &[1 << 20, 1 << 20]] {
            let mut writer = storage.writer(key).await.unwrap();
            write_pieces(&mut writer, pieces).await;
            drop(writer);
        }
    }
    let mut workers = Worker::start(harness, storage, &root.address, 1).await;
    if let Some(worker) = workers.pop() {
        crash_is_swept(storage, root.directory.as_deref(), worker).await;
    }
    sweep(storage).await;
    assert_eq!(sweep(storage).await, 0, "a second sweep finds nothing");
    living.finish().await.expect("a sweep leaves a living writer alone");
    assert!(storage.bytes("living").await.unwrap() == [bytes(5, 1 << 20), bytes(5, 10)].concat());
    storage.delete("living").await.unwrap();
    younger_is_left(harness, storage).await;
    assert_eq!(whole(storage, root.directory.as_deref()).await, before);
    dropped_parts_are_discarded(harness).await;
}

/// A sweep of what is older than an hour takes nothing from a writer that was opened just now.
async fn younger_is_left(harness: &dyn Harness, storage: &Storage) {
    let data = in_parts(harness, 6).unwrap_or_else(|| bytes(6, 1 << 20));
    let mut writer = storage.writer("young").await.unwrap();
    writer.write(data.clone()).await.unwrap();
    let swept = storage.sweep(SweepOptions::older_than(Duration::from_secs(3600))).await.unwrap();
    assert_eq!(swept.removed, 0, "a sweep of what is older than an hour");
    writer.finish().await.expect("a sweep leaves alone what is younger than it is told");
    assert!(storage.bytes("young").await.unwrap() == data);
    storage.delete("young").await.unwrap();
}

/// Of a writer that is dropped, the parts that were sent are discarded without a sweep. Only the service can tell.
async fn dropped_parts_are_discarded(harness: &dyn Harness) {
    let Some(data) = in_parts(harness, 7) else { return };
    let Some(service) = harness.service().await else { return part_not_asked(NO_SERVICE) };
    let root = service.fresh().await;
    let mut writer = root.storage.writer("dropped").await.unwrap();
    writer.write(data).await.unwrap();
    drop(writer);
    let discarded = async {
        while service.take_requests().get(&Request::AbortUpload).is_none_or(|count| *count == 0) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(DISCARDED, discarded).await.expect("the parts of a dropped writer are discarded");
    assert_eq!(sweep(&root.storage).await, 0, "a dropped writer leaves no part");
}

/// What a killed process leaves is swept, and is no object before that.
async fn crash_is_swept(storage: &Storage, directory: Option<&Path>, mut worker: Worker) {
    sweep(storage).await;
    let before = whole(storage, directory).await;
    for key in ["old", "crashed", "d/crashed"] {
        assert_eq!(worker.ask(&Job::Leave(key)).await, "ok");
    }
    assert_eq!(sweep(storage).await, 0, "a sweep leaves writers of other processes alone");
    worker.kill().await;
    assert_absent(storage, "crashed").await;
    assert_eq!(read_everywhere(storage, "old").await.unwrap(), "old");
    let removed = sweep(storage).await;
    assert!(removed <= 3, "a sweep removed {removed} writes of a process that had 3");
    assert_eq!(whole(storage, directory).await, before, "what the killed process has left");
}

rule! {
    /// How content is cut into pieces never changes it: one byte at a time, at the edges of parts, at random.
    W08, w08_chunking_never_changes_content, "Chunking changes nothing",
    why: "Errors at the edges of parts corrupt only large objects, which nobody compares by eye."
}
async fn w08_chunking_never_changes_content(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    for edge in [GATHERED - 1, GATHERED, GATHERED + 1] {
        assert_chunked(storage, edge, |_| edge).await;
        assert_chunked(storage, edge * 3 + 1, |_| edge).await;
        assert_chunked(storage, edge * 2, |random| [1, edge - 1][random.below(2)]).await;
    }
    assert_chunked(storage, 2000, |_| 1).await;
    assert_chunked(storage, 300_000, |random| random.below(100_000)).await;
    assert_chunked(storage, 300_000, |random| random.below(3000)).await;
    // The edges of what `put_stream` sends in one request.
    for length in [8 << 20, (8 << 20) + 1] {
        let data = bytes(8, length);
        let pieces = stream::iter(chunks(&data).into_iter().map(Ok::<_, Error>));
        storage.put_stream("large", pieces, PutOptions::new()).await.unwrap();
        assert!(storage.bytes("large").await.unwrap() == data, "{length} bytes through put_stream");
    }
}

/// Writes so many bytes in pieces of the lengths that `next` gives, in every way, and reads them again.
async fn assert_chunked(storage: &Storage, length: usize, next: impl Fn(&mut Random) -> usize) {
    let data = bytes(8, length);
    let mut random = Random::new(length as u64 ^ seed());
    let mut pieces = Vec::new();
    let mut rest = data.clone();
    while !rest.is_empty() {
        pieces.push(rest.split_to(next(&mut random).min(rest.len())));
    }
    storage.put("segments", pieces.clone()).await.unwrap();
    let replayed = stream::iter(pieces.clone().into_iter().map(Ok::<_, Error>));
    storage.put_stream("stream", replayed, PutOptions::new().length(length as u64)).await.unwrap();
    let mut writer = storage.writer("writer").await.unwrap();
    let mut async_write = storage.writer("async-write").await.unwrap();
    for piece in pieces {
        async_write.write_all(&piece).await.unwrap();
        writer.write(piece).await.unwrap();
    }
    writer.finish().await.unwrap();
    async_write.shutdown().await.unwrap();
    for key in ["segments", "stream", "writer", "async-write"] {
        assert!(storage.bytes(key).await.unwrap() == data, "{length} bytes in pieces through {key}");
    }
}

rule! {
    /// When the source of a streaming write fails, that error comes back and nothing is visible.
    W10, w10_failing_source, "Failing source",
    why: "A widely used library committed the part of an object that had come before its source failed, over the \
          original."
}
async fn w10_failing_source(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    storage.put("old", "old").await.unwrap();
    let before = whole(storage, root.directory.as_deref()).await;
    // The longest has gone to a writer by the time that the source fails.
    for megabytes in [0, 1, 10] {
        for key in ["old", "new"] {
            let good = stream::iter((0..megabytes).map(|_| Ok(bytes(10, 1 << 20))));
            let failed = || Error::new(ErrorKind::Unavailable, "the source has run dry");
            let broken = good.chain(stream::iter([Err(failed()), Ok(Bytes::from_static(b"more"))]));
            let error = storage.put_stream(key, broken, PutOptions::new()).await.unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "the source has run dry"));
            assert_eq!(error.key(), Some(key), "the error names the key that was written");
        }
    }
    sweep(storage).await;
    assert_eq!(whole(storage, root.directory.as_deref()).await, before);
}

rule! {
    /// Two writers on one key never interleave; the last `finish` wins whole. Waived where `multipart_order` is
    /// `Start`.
    W11, w11_last_finish_wins, "The last finish wins",
    why: "Two uploads of one key whose parts mingle make an object that nobody wrote."
}
async fn w11_last_finish_wins(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let by_finish = storage.capabilities().multipart_order == MultipartOrder::Finish;
    if !by_finish {
        waive_part("multipart_order", "a streaming write takes its place by its start");
    }
    // Pieces that the handle does not gather, and once more than a part: they reach the driver in turns.
    let in_parts = harness.part_size().map(|size| (1, usize::try_from(size / 10 + 1).unwrap()));
    for (first, piece) in [(0, GATHERED), (1, GATHERED)].into_iter().chain(in_parts) {
        let mut writers = [storage.writer("key").await.unwrap(), storage.writer("key").await.unwrap()];
        let contents = [bytes(11, 10 * piece), bytes(12, 10 * piece)];
        for part in 0..10 {
            for (writer, content) in writers.iter_mut().zip(&contents) {
                writer.write(content.slice(part * piece..(part + 1) * piece)).await.unwrap();
            }
        }
        writers[first].finish().await.unwrap();
        if by_finish {
            storage.put("key", "a put in between").await.unwrap();
        }
        writers[1 - first].finish().await.unwrap();
        let left = storage.bytes("key").await.unwrap();
        let won = contents.iter().position(|content| *content == left).expect("one of the two writes, whole");
        assert!(!by_finish || won == 1 - first, "the last finish wins");
    }
    for _ in 0..5 {
        let mut racers = JoinSet::new();
        for number in 1..=8 {
            let storage = storage.clone();
            racers.spawn(
                async move { write_streaming(&storage, "key", version(number), PutOptions::new()).await.unwrap() },
            );
        }
        let results = racers.join_all().await;
        let left = storage.head("key").await.unwrap().meta.etag;
        version_of(&storage.bytes("key").await.unwrap());
        assert!(results.iter().any(|result| result.etag == left), "one of the writers has won");
    }
}

rule! {
    /// A use after `finish` or `abort` is the error `Closed`, never a panic.
    W12, w12_closed_writers, "Closed writers",
    why: "A panic in a storage call takes the host's whole task down where an error could be handled."
}
async fn w12_closed_writers(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let mut finished = storage.writer("finished").await.unwrap();
    finished.write("content").await.unwrap();
    let result = finished.finish().await.unwrap();
    assert_eq!(kind("abort after finish", finished.abort().await), ErrorKind::Closed);
    assert_eq!(finished.result(), Some(&result));

    let mut shut = storage.writer("shut").await.unwrap();
    shut.write_all(b"content").await.unwrap();
    shut.shutdown().await.unwrap();

    let mut aborted = storage.writer("aborted").await.unwrap();
    aborted.write(bytes(12, 100_000)).await.unwrap();
    aborted.abort().await.unwrap();

    let mut failed = storage.writer_with("failed", PutOptions::new().length(1)).await.unwrap();
    assert!(failed.write("too long").await.is_err());

    for (state, mut writer) in [("finished", finished), ("shut", shut), ("aborted", aborted), ("failed", failed)] {
        assert_eq!(kind(state, writer.write("more").await), ErrorKind::Closed);
        assert_eq!(kind(state, writer.write(bytes(12, 100_000)).await), ErrorKind::Closed);
        assert_eq!(kind(state, writer.finish().await), ErrorKind::Closed);
        let error = Error::from(writer.write_all(b"more").await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Closed, "{state}, through AsyncWrite");
    }
    assert_eq!(keys(storage).await, ["finished", "shut"]);
    for key in ["finished", "shut"] {
        assert_eq!(storage.text(key).await.unwrap(), "content", "later uses changed nothing");
    }
}
