//! Rules X: copy and move.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use storage_core::{
    Attributes, BackendWriter, CopyOptions, ETagKind, ErrorKind, Operation, PutOptions, PutResult, Result, Storage,
    Support,
};

use crate::Harness;
use crate::context::{waive, waive_part};
use crate::race::assert_one;
use crate::rule::rule;
use crate::spy::{Spy, in_pieces};
use crate::support::{assert_reported, bytes, keys, kind};

/// How long the clock that dates objects may take to show a later time, beyond its precision.
const CLOCK_TURNS: Duration = Duration::from_secs(30);

/// What is stored with `text`, where attributes are.
fn options(storage: &Storage, text: &str) -> PutOptions {
    match storage.capabilities().attributes {
        true => PutOptions::new().attributes(Attributes::new().content_type("text/plain").user("text", text)),
        false => PutOptions::new(),
    }
}

rule! {
    /// A copy has the content and attributes of its source and its own time, and what happens to one does not touch
    /// the other.
    X01, x01_copy_is_independent, "Copies are independent",
    why: "A copy that is a link to the same file changes when the original does."
}
async fn x01_copy_is_independent(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let data = bytes(1, 300_000);
    storage.put_with("source", data.clone(), options(storage, "old")).await.unwrap();
    storage.put_with("target/b", "before", options(storage, "before")).await.unwrap();
    let source = storage.head("source").await.unwrap();
    wait_until_after(storage, source.meta.last_modified).await;
    for target in ["target/a", "target/b", "source/below", "target"] {
        let result = storage.copy("source", target).await.unwrap();
        let copy = storage.head(target).await.unwrap();
        assert_reported(format!("a copy to {target}"), result, &copy.meta);
        assert_eq!(copy.attributes, source.attributes, "{target}: the attributes");
        assert!(storage.bytes(target).await.unwrap() == data, "{target}: the content");
        assert!(copy.meta.last_modified > source.meta.last_modified, "{target}: a copy has a time of its own");
        if storage.capabilities().local_path {
            let [a, b] = [storage.local_path("source").await.unwrap(), storage.local_path(target).await.unwrap()]
                .map(|path| std::fs::metadata(path).unwrap().ino());
            assert_ne!(a, b, "{target}: a copy is a file of its own");
        }
    }
    assert_eq!(storage.head("source").await.unwrap(), source, "the source is untouched");
    storage.put_with("target/a", "new", options(storage, "new")).await.unwrap();
    assert_eq!(storage.head("source").await.unwrap(), source, "an overwritten copy leaves its source");
    storage.put("source", "new").await.unwrap();
    assert!(storage.bytes("target/b").await.unwrap() == data, "an overwritten source leaves its copy");
    storage.delete("source").await.unwrap();
    assert!(storage.bytes("target").await.unwrap() == data, "a deleted source leaves its copy");
    assert!(storage.bytes("source/below").await.unwrap() == data, "and the copy below it");
}

/// Waits until what is written is dated later than this, by the clock that dates it.
async fn wait_until_after(storage: &Storage, time: SystemTime) {
    let patience = storage.capabilities().last_modified_precision + CLOCK_TURNS;
    let later = async {
        loop {
            storage.put("clock", "").await.unwrap();
            if storage.head("clock").await.unwrap().meta.last_modified > time {
                return storage.delete("clock").await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(patience, later).await.expect("the clock that dates objects goes on");
}

rule! {
    /// A copy or a move of an object onto itself is Ok and changes nothing; of a missing one it is `NotFound`.
    X02, x02_onto_itself, "Onto itself",
    why: "A move onto itself deletes the object in a widely used library."
}
async fn x02_onto_itself(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put_with("t/k", "text", options(storage, "text")).await.unwrap();
    let before = storage.head("t/k").await.unwrap();
    let key = storage_core::Key::new("t/k").unwrap();
    let sub = storage.sub("t").unwrap();
    let (backend, plain) = (storage.backend(), CopyOptions::new());
    let results = [
        ("copy", storage.copy("t/k", "t/k").await),
        ("move", storage.rename("t/k", "t/k").await),
        ("the driver's copy", backend.copy(&key, &key, plain.clone()).await),
        ("the driver's move", backend.rename(&key, &key, plain.clone()).await),
        ("copy_to the same handle", storage.copy_to("t/k", storage, "t/k", plain.clone()).await),
        ("copy_to a sub-root", storage.copy_to("t/k", &sub, "k", plain.clone()).await),
        ("copy_to from a sub-root", sub.copy_to("k", storage, "t/k", plain.clone()).await),
    ];
    for (what, result) in results {
        assert_reported(format!("{what} onto itself"), result.unwrap(), &before.meta);
        assert_eq!(storage.head("t/k").await.unwrap(), before, "after a {what} onto itself");
        assert_eq!(storage.text("t/k").await.unwrap(), "text", "after a {what} onto itself");
    }
    let other = harness.attach(&fixture.address).await;
    storage.copy_to("t/k", &other, "t/k", plain).await.unwrap();
    assert_eq!(storage.text("t/k").await.unwrap(), "text", "after a copy onto itself through another handle");
    assert_eq!(storage.head("t/k").await.unwrap().attributes, before.attributes);
    if storage.capabilities().copy_create_only == Support::Yes {
        let only = storage.copy_with("t/k", "t/k", CopyOptions::new().create_only()).await;
        assert_eq!(kind("create-only onto itself", only), ErrorKind::AlreadyExists);
        let only = storage.rename_with("t/k", "t/k", CopyOptions::new().create_only()).await;
        assert_eq!(kind("create-only onto itself", only), ErrorKind::AlreadyExists);
    }
    for missing in ["no-such", "t", "t/k/x"] {
        assert_eq!(kind(missing, storage.copy(missing, missing).await), ErrorKind::NotFound, "{missing}");
        assert_eq!(kind(missing, storage.rename(missing, missing).await), ErrorKind::NotFound, "{missing}");
    }
    assert_eq!(keys(storage).await, ["t/k"]);
}

rule! {
    /// With a missing source a copy and a move are `NotFound`, and the destination is unchanged; so it is where the
    /// source is another version than the one asked for.
    X03, x03_missing_source, "Missing source",
    why: "A destination that is truncated before the source is found to be missing is lost."
}
async fn x03_missing_source(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let second = harness.fresh().await;
    let storage = &fixture.storage;
    let stale = storage.put("level/x", "old").await.unwrap().etag;
    storage.put("level/x", "text").await.unwrap();
    storage.put_with("k", "before", options(storage, "before")).await.unwrap();
    second.storage.put("k", "before").await.unwrap();
    let before = storage.head("k").await.unwrap();
    for source in ["no-such", "level", "level/x/y", "k/x"] {
        for target in ["k", "new", "new/deep/er"] {
            let what = format!("{source} to {target}");
            assert_eq!(kind(&what, storage.copy(source, target).await), ErrorKind::NotFound, "a copy of {what}");
            assert_eq!(kind(&what, storage.rename(source, target).await), ErrorKind::NotFound, "a move of {what}");
            let across = storage.copy_to(source, &second.storage, target, CopyOptions::new()).await;
            assert_eq!(kind(&what, across), ErrorKind::NotFound, "a copy to another root of {what}");
        }
    }
    let pinned = CopyOptions::new().if_source_match(stale);
    for target in ["k", "new"] {
        let due = ErrorKind::PreconditionFailed;
        assert_eq!(kind(target, storage.copy_with("level/x", target, pinned.clone()).await), due, "copy to {target}");
        assert_eq!(kind(target, storage.rename_with("level/x", target, pinned.clone()).await), due, "move to {target}");
        let across = storage.copy_to("level/x", &second.storage, target, pinned.clone()).await;
        assert_eq!(kind(target, across), due, "copy to another root, {target}");
    }
    assert_eq!(storage.head("k").await.unwrap(), before, "the destination");
    assert_eq!(storage.text("k").await.unwrap(), "before");
    assert_eq!(second.storage.text("k").await.unwrap(), "before");
    assert_eq!(keys(storage).await, ["k", "level/x"]);
    assert_eq!(keys(&second.storage).await, ["k"]);
}

rule! {
    /// Of many create-only copies, or moves, to one key exactly one succeeds; the others are `AlreadyExists` and
    /// change nothing. Where they are not supported they are `Unsupported`.
    X04, x04_create_only_race, "Create-only copies",
    why: "A check before the copy is no condition: two racers both pass it, and one result is lost."
}
async fn x04_create_only_race(harness: &dyn Harness) {
    const RACERS: usize = 16;
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let only = CopyOptions::new().create_only();
    if storage.probe().await.unwrap().copy_create_only == Support::No {
        storage.put("source", "text").await.unwrap();
        for result in
            [storage.copy_with("source", "k", only.clone()).await, storage.rename_with("source", "k", only).await]
        {
            assert_eq!(kind("a create-only copy", result), ErrorKind::Unsupported);
        }
        assert_eq!(keys(storage).await, ["source"]);
        return waive("copy_create_only", "no create-only copy is kept");
    }
    for round in 0..6 {
        let moves = round % 2 == 1;
        let target = if round < 3 { format!("target-{round}") } else { format!("new-{round}/deep/target") };
        for racer in 0..RACERS {
            storage.put(format!("from-{racer:02}"), format!("racer {racer}")).await.unwrap();
        }
        let racers = (0..RACERS).map(|racer| {
            let (storage, target, only) = (storage.clone(), target.clone(), only.clone());
            tokio::spawn(async move {
                match moves {
                    true => storage.rename_with(format!("from-{racer:02}"), target, only).await,
                    false => storage.copy_with(format!("from-{racer:02}"), target, only).await,
                }
            })
        });
        let (mut winners, mut unknown) = (Vec::new(), Vec::new());
        for (racer, result) in join_all(racers).await.into_iter().enumerate() {
            match result.unwrap() {
                Ok(_) => winners.push(racer),
                Err(error) if error.kind() == ErrorKind::OutcomeUnknown => unknown.push(racer),
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "round {round}: {error}"),
            }
        }
        assert_one(&format!("round {round}"), winners.len(), unknown.len());
        if let Some(winner) = winners.first() {
            assert_eq!(storage.text(&target).await.unwrap(), format!("racer {winner}"), "round {round}");
        }
        // An unknown move may have taken its source along.
        for racer in (0..RACERS).filter(|racer| !moves || !unknown.contains(racer)) {
            let gone = moves && winners.contains(&racer);
            let there = storage.exists(format!("from-{racer:02}")).await.unwrap();
            assert_eq!(there, !gone, "round {round}: the source of racer {racer}");
        }
    }
}

rule! {
    /// A copy is atomic at its destination and of one version of its source, content and attributes, even while the
    /// source is overwritten.
    X05, x05_copy_of_one_version, "A copy of one version",
    why: "A copy read in pieces mixes two versions of its source, or takes the attributes of another."
}
async fn x05_copy_of_one_version(harness: &dyn Harness) {
    const LENGTH: usize = 400_000;
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let version = |i: usize| (["A", "B"][i % 2], LENGTH + i % 2 * 1000);
    let write = async |storage: &Storage, i: usize| {
        let (letter, length) = version(i);
        storage.put_with("source", letter.repeat(length), options(storage, letter)).await.unwrap();
    };
    write(storage, 0).await;
    storage.copy("source", "target").await.unwrap();
    let copier = {
        let storage = storage.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                storage.copy("source", "target").await.unwrap();
            }
        })
    };
    let mut i = 0;
    while !copier.is_finished() {
        i += 1;
        write(storage, i).await;
        let target = storage.get("target", Default::default()).await.unwrap();
        let (size, attributes) = (target.meta.size, target.attributes.clone());
        let pieces: Result<Vec<Bytes>> = futures::TryStreamExt::try_collect(target.body.into_stream()).await;
        let content = match pieces {
            Ok(pieces) => pieces.concat(),
            Err(error) if error.kind() == ErrorKind::ObjectChanged => continue,
            Err(error) => panic!("{error}"),
        };
        let (letter, length) = version((0..2).find(|i| content.first() == Some(&version(*i).0.as_bytes()[0])).unwrap());
        assert!(content.iter().all(|byte| *byte == letter.as_bytes()[0]), "write {i}: the copy is a mix");
        assert_eq!((content.len(), size), (length, length as u64), "write {i}: the copy is of one version");
        assert_eq!(
            attributes,
            options(storage, letter).attributes,
            "write {i}: content and attributes belong together"
        );
    }
    copier.await.unwrap();
}

rule! {
    /// A move never loses both. Where it is declared atomic, no reader sees both names, or neither.
    X06, x06_move_never_loses_both, "A move never loses both",
    why: "A move is a copy and a delete; done in the wrong order, or without looking, it loses the object."
}
async fn x06_move_never_loses_both(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put_with("a", "text", options(storage, "text")).await.unwrap();
    let attributes = storage.head("a").await.unwrap().attributes;
    let path = ["a", "b", "b/below", "b/below/deep/er", "b", "c/d", "c", "x/y/z"];
    for step in path.windows(2) {
        let [from, to] = [step[0], step[1]];
        if to == "c/d" {
            storage.put(to, "overwritten by the move").await.unwrap();
        }
        let result = storage.rename(from, to).await.unwrap();
        let head = storage.head(to).await.unwrap();
        assert_reported(format!("a move from {from} to {to}"), result, &head.meta);
        assert_eq!(head.attributes, attributes, "{from} to {to}: the attributes");
        assert_eq!(storage.text(to).await.unwrap(), "text", "{from} to {to}");
        assert_eq!(keys(storage).await, [to], "{from} to {to}: nothing else is there");
    }
    one_of_many_moves(storage).await;
    let can = storage.capabilities();
    // A move in steps knows its source again by the etag; one that follows the content also fits what came back to the
    // name by the move that it crosses.
    if can.atomic_rename || can.etag == ETagKind::Unique {
        moves_that_cross(storage).await;
    } else {
        waive_part("etag", "moves that cross: by an etag of its content alone a source is not known again");
    }
    if can.atomic_rename {
        readers_see_one_name(storage).await;
    }
}

/// Many movers of one object to different keys: one succeeds, and nothing is doubled or lost. Where a move is no single
/// step several may have made their copy before the source went.
async fn one_of_many_moves(storage: &Storage) {
    let atomic = storage.capabilities().atomic_rename;
    if !atomic {
        waive_part("atomic_rename", "a move has steps, between which both names are there");
    }
    for round in 0..6 {
        storage.delete_all().await.unwrap();
        storage.put("source", "text").await.unwrap();
        let movers = (0..8).map(|mover| {
            let storage = storage.clone();
            tokio::spawn(async move { storage.rename("source", format!("to/{mover}")).await })
        });
        let mut moved = 0;
        for result in join_all(movers).await {
            match result.unwrap() {
                Ok(_) => moved += 1,
                Err(error) if error.kind() == ErrorKind::Conflict && !atomic => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "round {round}: {error}"),
            }
        }
        let left = keys(storage).await;
        let right = if atomic { (moved, left.len()) == (1, 1) } else { moved >= 1 && left.len() >= moved };
        assert!(right, "round {round}: {moved} moves succeeded, and there is {left:?}");
        assert!(!left.contains(&"source".to_owned()), "round {round}: the source is gone");
        for key in left {
            assert_eq!(storage.text(key).await.unwrap(), "text");
        }
    }
}

/// Two moves in opposite directions: one of the two objects survives, whole; both may where a move is no single step.
async fn moves_that_cross(storage: &Storage) {
    for round in 0..12 {
        storage.delete_all().await.unwrap();
        storage.put("p/1", "one").await.unwrap();
        storage.put("q/2", "two").await.unwrap();
        let there = tokio::spawn({
            let storage = storage.clone();
            async move { storage.rename("p/1", "q/2").await.is_ok() }
        });
        let back = tokio::spawn({
            let storage = storage.clone();
            async move { storage.rename("q/2", "p/1").await.is_ok() }
        });
        let moved = [there.await.unwrap(), back.await.unwrap()];
        let left = keys(storage).await;
        let most = if storage.capabilities().atomic_rename { 1 } else { 2 };
        assert!((1..=most).contains(&left.len()), "round {round}: {left:?} are left after moves {moved:?}");
        for key in left {
            let text = storage.text(key).await.unwrap();
            assert!(["one", "two"].contains(&text.as_str()), "round {round}: {text:?}");
        }
    }
}

/// A reader that looks at the new name, the old one, and again at the new one.
async fn readers_see_one_name(storage: &Storage) {
    for round in 0..20 {
        storage.delete_all().await.unwrap();
        storage.put("old/name", "text").await.unwrap();
        let mover = tokio::spawn({
            let storage = storage.clone();
            async move { storage.rename("old/name", "new/name").await.unwrap() }
        });
        while !mover.is_finished() {
            let new = storage.exists("new/name").await.unwrap();
            let old = storage.exists("old/name").await.unwrap();
            assert!(!(new && old), "round {round}: both names are there");
            if !new && !old {
                assert!(storage.exists("new/name").await.unwrap(), "round {round}: neither name is there");
            }
        }
        mover.await.unwrap();
    }
}

rule! {
    /// A copy to another backend streams with bounded memory, attributes included, and writes nothing where it fails;
    /// within one backend no byte passes the handle.
    X07, x07_between_backends, "Between backends",
    why: "A copy through memory fails with the largest object, and one through the client costs a download and an \
          upload."
}
async fn x07_between_backends(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let second = harness.fresh().await;
    let (source, target) = (&fixture.storage, &second.storage);
    source.put_with("a/k", "text", options(source, "text")).await.unwrap();
    let head = source.head("a/k").await.unwrap();
    let result = source.copy_to("a/k", target, "b/k", CopyOptions::new()).await.unwrap();
    let copied = target.head("b/k").await.unwrap();
    assert_reported("a copy to another root", result, &copied.meta);
    assert_eq!(copied.attributes, head.attributes, "the attributes go along");
    assert_eq!(target.text("b/k").await.unwrap(), "text");
    assert_eq!(source.head("a/k").await.unwrap(), head, "the source is untouched");
    let can = target.capabilities();
    // Roots that share a backend need what a copy within it needs.
    let create_only = match source.shares_backend(target) {
        true => can.copy_create_only == Support::Yes,
        false => can.put_create_only == Support::Yes && can.writer_create_only == Support::Yes,
    };
    if create_only {
        source.put("a/k", "other").await.unwrap();
        let only = source.copy_to("a/k", target, "b/k", CopyOptions::new().create_only()).await;
        assert_eq!(kind("create-only to another root", only), ErrorKind::AlreadyExists);
        assert_eq!(target.text("b/k").await.unwrap(), "text");
    }
    within_one_backend(source).await;
    with_bounded_memory(source, target).await;
    assert_eq!(keys(target).await.into_iter().collect::<HashSet<_>>(), ["b/k", "large"].map(str::to_owned).into());
}

/// Handles on one backend know it: a copy between them is the backend's own.
async fn within_one_backend(storage: &Storage) {
    let (whole, log) = Spy::new(storage).open();
    let [a, b] = [whole.sub("tenant-a").unwrap(), whole.sub("tenant-b/x").unwrap()];
    a.put("k", bytes(7, 100_000)).await.unwrap();
    log.clear();
    a.copy_to("k", &b, "l", CopyOptions::new()).await.unwrap();
    let asked = [Operation::Copy, Operation::Get, Operation::Put, Operation::OpenWriter].map(|what| log.count(what));
    assert_eq!(asked, [1, 0, 0, 0], "copies, gets, puts and writers");
    assert!(storage.bytes("tenant-b/x/l").await.unwrap() == bytes(7, 100_000));
}

/// However large the object is, few of its bytes are between reading and writing.
async fn with_bounded_memory(source: &Storage, target: &Storage) {
    const LENGTH: usize = 24 << 20;
    const BOUND: u64 = 10 << 20;
    source.put("large", Bytes::from(vec![b'x'; LENGTH])).await.unwrap();
    let (held, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (reading, seen) = (Arc::clone(&held), Arc::clone(&most));
    let (from, _) = Spy::new(source)
        .answer(move |mut result| {
            let (reading, seen) = (Arc::clone(&reading), Arc::clone(&seen));
            result.body = in_pieces(result.body, 64 * 1024, move |piece| {
                let held = reading.fetch_add(piece.len() as u64, Ordering::Relaxed) + piece.len() as u64;
                seen.fetch_max(held, Ordering::Relaxed);
            });
            result
        })
        .open();
    let (to, _) = Spy::new(target).writer(move |inner| Box::new(Releasing { inner, held: Arc::clone(&held) })).open();
    from.copy_to("large", &to, "large", CopyOptions::new()).await.unwrap();
    let most = most.load(Ordering::Relaxed);
    assert!(most > 0 && most <= BOUND, "{most} bytes of {LENGTH} were held at once");
    let copy = target.bytes("large").await.unwrap();
    assert!(copy.len() == LENGTH && copy.iter().all(|byte| *byte == b'x'), "the large copy");
}

/// A writer that counts what it has taken off the reader's hands.
struct Releasing {
    inner: Box<dyn BackendWriter>,
    held: Arc<AtomicU64>,
}

#[async_trait]
impl BackendWriter for Releasing {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.held.fetch_sub(bytes.len() as u64, Ordering::Relaxed);
        self.inner.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<PutResult> {
        self.inner.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.inner.abort().await
    }
}
