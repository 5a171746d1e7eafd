//! Rules S: sub-roots, shared and separate roots, runtimes, wrappers.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, TryStreamExt};
use storage_core::{
    BackendWriter, Capabilities, Entries, ErrorKind, ListOptions, Lister, Pages, Reader, Storage, StorageBackend,
    Writer,
};
use tokio::io::AsyncReadExt;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::Harness;
use crate::context::carried;
use crate::rule::rule;
use crate::support::{bytes, keys, kind, level, write_streaming};

rule! {
    /// A sub-root sees nothing of its siblings and touches none of them, whatever the key; two tenants of one root do
    /// not know of each other.
    S07, s07_tenants, "Tenants",
    why: "A prefix is the wall between tenants; a key that climbs over it shows one the other's data."
}
async fn s07_tenants(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let root = &fixture.storage;
    for key in ["t", "t-2/k", "t0", "ten", "t/b", "s/k", "u/k", "k"] {
        root.put(key, "a sibling").await.unwrap();
    }
    let [a, b] = ["t/a", "t/ab/"].map(|prefix| root.sub(prefix).unwrap());
    assert_eq!(a.max_key_len(), root.max_key_len() - "t/a/".len(), "the prefix counts");
    let names = ["k", "a", "a/k", "t/a/k", "..x", " ", "é/%2F", "b/../x", "../ab/k", "..", "/t/ab/k", "./k", "a//b"];
    for name in names {
        let valid = storage_core::Key::new(name).is_ok();
        for (tenant, text) in [(&a, "of a"), (&b, "of b")] {
            match tenant.put(name, text).await {
                Ok(_) => assert!(valid, "{name:?} is no key"),
                Err(error) => assert_eq!((error.kind(), valid), (ErrorKind::InvalidKey, false), "{name:?}: {error}"),
            }
        }
        if valid {
            assert_eq!(a.text(name).await.unwrap(), "of a", "{name:?}");
            assert_eq!(b.text(name).await.unwrap(), "of b", "{name:?}");
            assert_eq!(root.text(format!("t/a/{name}")).await.unwrap(), "of a", "{name:?} from the root");
        }
    }
    let own = [" ", "..x", "a", "a/k", "k", "t/a/k", "é/%2F"];
    assert_eq!(keys(&a).await, own);
    assert_eq!(level(&a, "").await, [" ", "..x", "a", "a/", "k", "t/", "é/"]);
    let error = a.head("no/such").await.unwrap_err();
    assert_eq!(error.key(), Some("no/such"), "an error speaks of the key that the tenant wrote");

    let query = || ListOptions::new().page_size(2);
    let token = a.pages(query()).await.unwrap().next_page().await.unwrap().unwrap().resume.expect("more pages");
    let foreign = async { b.pages(query().token(token.clone())).await?.next_page().await };
    assert_eq!(kind("another tenant's token", foreign.await), ErrorKind::InvalidInput);
    let rest: Vec<_> = a.list(query().token(token)).await.unwrap().try_collect().await.unwrap();
    assert_eq!(rest.len(), own.len() - 2);
    let after: Vec<_> = a.list(ListOptions::new().start_after("k")).await.unwrap().try_collect().await.unwrap();
    assert_eq!(after.iter().map(storage_core::Entry::as_str).collect::<Vec<_>>(), ["t/a/k", "é/%2F"]);

    a.copy("k", "copied").await.unwrap();
    a.rename("a/k", "moved").await.unwrap();
    a.delete_many(["copied", "t/a/k"]).await.unwrap();
    let (mine, all) = (keys(&a).await.len() as u64, keys(root).await.len());
    assert_eq!(a.delete_all().await.unwrap(), mine, "everything of one tenant");
    assert_eq!(keys(&b).await, own, "the other tenant");
    assert_eq!(keys(root).await.len() as u64, all as u64 - mine, "and what stands beside both");
    for key in ["t", "t-2/k", "t0", "ten", "t/b", "s/k", "u/k", "k"] {
        assert_eq!(root.text(key).await.unwrap(), "a sibling", "{key}");
    }
    for refused in ["..", "t/../s", "a//b", "/t"] {
        assert_eq!(kind(refused, root.sub(refused).map(drop)), ErrorKind::InvalidKey, "a sub-root at {refused:?}");
    }
    let deep = a.sub("x").unwrap().sub("y").unwrap();
    deep.put("z", "deep").await.unwrap();
    assert_eq!(root.text("t/a/x/y/z").await.unwrap(), "deep", "a sub-root of a sub-root");
}

rule! {
    /// Two handles on one root share what is in it, at once and in both directions; two roots share nothing.
    S08, s08_shared_and_separate, "Shared and separate",
    why: "Handles that do not see each other's writes are two stores under one name."
}
async fn s08_shared_and_separate(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let second = harness.fresh().await;
    let (one, two) = (&fixture.storage, harness.attach(&fixture.address).await);
    assert_eq!(one.location(), two.location(), "one root has one address");
    for (writer, reader) in [(one, &two), (&two, one)] {
        let etag = writer.put("a/k", "first").await.unwrap().etag;
        assert_eq!(reader.text("a/k").await.unwrap(), "first");
        assert_eq!(reader.head("a/k").await.unwrap().meta.etag, etag);
        write_streaming(reader, "a/k", "second", Default::default()).await.unwrap();
        assert_eq!(writer.text("a/k").await.unwrap(), "second");
        assert_eq!(keys(reader).await, ["a/k"]);
        reader.rename("a/k", "b").await.unwrap();
        assert_eq!(keys(writer).await, ["b"]);
        assert!(!second.storage.exists("b").await.unwrap(), "a root of its own");
        writer.delete("b").await.unwrap();
        assert!(!reader.exists("b").await.unwrap());
    }
    second.storage.put("k", "of the second").await.unwrap();
    one.put("k", "of the first").await.unwrap();
    assert_eq!(one.delete_all().await.unwrap(), 1);
    assert_eq!(second.storage.text("k").await.unwrap(), "of the second");
    if let (Some(first), Some(second)) = (one.location(), second.storage.location()) {
        assert_ne!(first, second, "two roots have two addresses");
    }
}

rule! {
    /// Handles are `Send + Sync + 'static`, streams and writers `Send`. One backend serves several runtimes, one after
    /// another and at once, and no task of it outlives it.
    S11, s11_runtimes_and_tasks, "Runtimes and tasks",
    why: "A backend that is bound to the runtime that opened it fails in tests, plugins and servers with several."
}
async fn s11_runtimes_and_tasks(harness: &dyn Harness) {
    fn send_and_sync<T: Send + Sync + 'static>() {}
    fn send<T: Send + 'static>() {}
    send_and_sync::<Storage>();
    send_and_sync::<Arc<dyn StorageBackend>>();
    send_and_sync::<Capabilities>();
    send::<Writer>();
    send::<Reader>();
    send::<Entries>();
    send::<Pages>();
    send::<BoxStream<'static, storage_core::Result<bytes::Bytes>>>();
    send::<Box<dyn BackendWriter>>();
    send::<Box<dyn Lister>>();

    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put("large", bytes(11, 2 << 20)).await.unwrap();
    std::thread::scope(|scope| {
        for name in ["first", "second"] {
            scope.spawn(carried(move || single().block_on(use_all(storage, name)))).join().unwrap();
        }
        for name in ["at once 1", "at once 2", "at once 3"] {
            scope.spawn(carried(move || single().block_on(use_all(storage, name))));
        }
        let handed_over = scope.spawn(carried(|| single().block_on(half_used(storage)))).join().unwrap();
        scope.spawn(carried(move || single().block_on(finish_use(handed_over)))).join().unwrap();
        scope.spawn(carried(|| single().block_on(leaves_no_task(harness, &fixture.address)))).join().unwrap();
    });
    assert_eq!(storage.text("handed over").await.unwrap(), "from one runtime to another");
}

/// A runtime of one thread.
fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn use_all(storage: &Storage, name: &str) {
    for round in 0..10 {
        let text = format!("{name}, {round}");
        storage.put(name, text.clone()).await.unwrap();
        assert_eq!(storage.text(name).await.unwrap(), text);
        write_streaming(storage, &format!("{name}/streamed"), text, Default::default()).await.unwrap();
        assert!(!storage.list_all(name).await.unwrap().is_empty());
        storage.copy(name, format!("{name}/copied")).await.unwrap();
        storage.delete(format!("{name}/copied")).await.unwrap();
    }
    let pieces: Vec<bytes::Bytes> = storage.stream("large").await.unwrap().try_collect().await.unwrap();
    assert!(pieces.concat() == bytes(11, 2 << 20), "{name}: a stream");
}

type Half = (BoxStream<'static, storage_core::Result<bytes::Bytes>>, usize, Writer, Pages);

/// A stream, a writer and a listing that one runtime opens.
async fn half_used(storage: &Storage) -> Half {
    let mut stream = storage.stream("large").await.unwrap();
    let read = stream.try_next().await.unwrap().unwrap().len();
    let mut writer = storage.writer("handed over").await.unwrap();
    writer.write("from one runtime ").await.unwrap();
    let mut pages = storage.pages(ListOptions::new().page_size(1)).await.unwrap();
    pages.next_page().await.unwrap().unwrap();
    (stream, read, writer, pages)
}

/// Another goes on with them after the first has ended.
async fn finish_use((stream, read, mut writer, mut pages): Half) {
    let rest = stream.try_fold(0, |sum, piece| std::future::ready(Ok(sum + piece.len()))).await.unwrap();
    assert_eq!(read + rest, 2 << 20);
    writer.write("to another").await.unwrap();
    writer.finish().await.unwrap();
    while pages.next_page().await.unwrap().is_some() {}
    assert!(pages.report().complete);
}

/// A backend that is opened, used and dropped here, half-finished work included.
async fn leaves_no_task(harness: &dyn Harness, address: &str) {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let storage = harness.attach(address).await;
    use_all(&storage, "the last").await;
    let mut reader = storage.reader("large").await.unwrap();
    reader.read_u8().await.unwrap();
    drop((half_used(&storage).await, reader));
    drop(storage);
    let gone = async {
        while tasks() > before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), gone).await;
    assert!(waited.is_ok(), "{} tasks live on after their backend, {before} were there before", tasks());
}

rule! {
    /// What stands between the handle and the driver is transparent: the same name, address and powers at every handle
    /// on the root, and a sub-root differs only by its prefix.
    S12, s12_wrappers_are_transparent, "Transparent wrappers",
    why: "A wrapper that hides a power, or adds one, changes what the host may rely on."
}
async fn s12_wrappers_are_transparent(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let other = harness.attach(&fixture.address).await;
    let probed = storage.probe().await.unwrap();
    assert_eq!(storage.capabilities(), probed, "what is known after a probe");
    assert_eq!(other.probe().await.unwrap(), probed, "powers of another handle");
    assert_eq!((other.name(), other.location()), (storage.name(), storage.location()));

    let sub = storage.sub("a/b").unwrap();
    let mut expected = probed;
    expected.max_key_len -= "a/b/".len();
    assert_eq!(sub.probe().await.unwrap(), expected, "powers of a sub-root");
    assert_eq!(sub.capabilities(), expected);
    assert_eq!(sub.name(), storage.name());
    match storage.location() {
        Some(location) => {
            assert_eq!(sub.location(), Some(location.join("a/b/")));
            assert_eq!(sub.uri("k#?").unwrap(), storage.uri("a/b/k#?").unwrap());
        }
        None => {
            assert_eq!(sub.location(), None);
            assert_eq!(kind("an address of nothing", sub.uri("k")), ErrorKind::Unsupported);
        }
    }
}
