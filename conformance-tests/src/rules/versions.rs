//! Rules V: versions and checksums, where they are declared.

use futures::stream::TryStreamExt;
use storage_core::{
    DeleteOptions, ErrorKind, GetOptions, HeadOptions, ListOptions, ObjectVersion, Prefix, PutOptions, Result, Storage,
    Support,
};

use crate::Harness;
use crate::context::{NO_SERVICE, nothing_to_ask, waive};
use crate::rule::rule;
use crate::service::{Fault, Hits, Request};
use crate::support::{bytes, kind, write_streaming};

rule! {
    /// Where versions are declared, every write returns one, which get and head read as long as it is there; a listing
    /// of versions is in order of keys, of each the newest first, with the marks that deletes leave; deleting a
    /// version touches no other.
    V01, v01_versions, "Versions",
    why: "A version that cannot be read again, or goes with another, is no protection against an overwrite."
}
async fn v01_versions(harness: &dyn Harness) {
    let fixture = match harness.versioned().await {
        Some(fixture) => fixture,
        None => harness.fresh().await,
    };
    let storage = &fixture.storage;
    let versions = storage.probe().await.unwrap().versions;
    if versions == Support::Unprobed {
        return nothing_to_ask("the service does not tell whether it keeps versions");
    }
    if versions == Support::No {
        let refused = storage.versions(ListOptions::new()).await.map(drop);
        assert_eq!(kind("a listing of versions", refused), ErrorKind::Unsupported);
        return waive("versions", "no version is kept");
    }
    let first = storage.put("k", "first").await.unwrap().version.expect("a put has a version");
    let second = write_streaming(storage, "k", "second", PutOptions::new()).await.unwrap();
    let second = second.version.expect("a streaming write has a version");
    let copied = storage.copy("k", "k/copy").await.unwrap().version.expect("a copy has a version");
    assert_ne!(first, second);
    assert_eq!(read(storage, &first).await.unwrap(), "first");
    assert_eq!(read(storage, &second).await.unwrap(), "second");
    assert_eq!(storage.text("k").await.unwrap(), "second", "without a version the newest is read");
    for (version, size) in [(&first, 5), (&second, 6)] {
        let mut options = HeadOptions::new();
        options.version = Some(version.clone());
        let head = storage.head_with("k", options).await.unwrap();
        assert_eq!((head.meta.version.as_ref(), head.meta.size), (Some(version), size));
    }
    assert_eq!(storage.head("k").await.unwrap().meta.version.as_ref(), Some(&second));
    let due = [("k", &second, true), ("k", &first, false), ("k/copy", &copied, true)];
    assert_eq!(ids(storage, "k").await, due.map(|(key, id, latest)| (key.to_owned(), id.clone(), latest)));

    storage.delete("k").await.unwrap();
    assert_eq!(kind("a deleted object", storage.text("k").await), ErrorKind::NotFound);
    assert_eq!(read(storage, &first).await.unwrap(), "first", "a delete leaves the versions");
    let listed = all(storage, ListOptions::new().prefix(Prefix::new("k").unwrap())).await;
    let mark = &listed[0];
    assert!(mark.latest && mark.content.is_none() && listed.len() == 4, "the mark of a delete: {listed:?}");
    delete(storage, &first).await;
    assert_eq!(kind("a deleted version", read(storage, &first).await), ErrorKind::NotFound);
    assert_eq!(read(storage, &second).await.unwrap(), "second", "another version");
    delete(storage, &mark.id).await;
    assert_eq!(storage.text("k").await.unwrap(), "second", "without the mark the object is there again");
    listed_in_order(storage).await;
}

async fn read(storage: &Storage, version: &str) -> Result<String> {
    let read = storage.get("k", GetOptions::new().version(version)).await?;
    let pieces: Vec<bytes::Bytes> = read.body.into_stream().try_collect().await?;
    Ok(String::from_utf8(pieces.concat()).unwrap())
}

async fn delete(storage: &Storage, version: &str) {
    let mut options = DeleteOptions::new();
    options.version = Some(version.to_owned());
    storage.delete_with("k", options).await.unwrap();
}

async fn all(storage: &Storage, options: ListOptions) -> Vec<ObjectVersion> {
    let mut pages = storage.versions(options).await.unwrap();
    let mut versions = Vec::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        versions.extend(page.versions);
    }
    versions
}

/// Keys, ids and whether they are the newest, of the versions under a prefix.
async fn ids(storage: &Storage, prefix: &str) -> Vec<(String, String, bool)> {
    let versions = all(storage, ListOptions::new().prefix(Prefix::new(prefix).unwrap())).await;
    versions.into_iter().map(|version| (version.key.to_string(), version.id, version.latest)).collect()
}

/// Keys in order of bytes, of each the newest first, whatever the size of the pages.
async fn listed_in_order(storage: &Storage) {
    for round in 0..3 {
        for key in ["o/b", "o/a", "o/a/x", "o/é", "o/a b+%"] {
            storage.put(key, format!("{key} {round}")).await.unwrap();
        }
    }
    let query = || ListOptions::new().prefix(Prefix::new("o/").unwrap());
    let whole = all(storage, query()).await;
    assert_eq!(whole.len(), 15);
    assert!(whole.is_sorted_by(|a, b| a.key < b.key || (a.key == b.key && a.last_modified >= b.last_modified)));
    for of_key in whole.chunk_by(|a, b| a.key == b.key) {
        assert!(of_key[0].latest && !of_key[1].latest && !of_key[2].latest, "{of_key:?}");
        for (version, round) in of_key.iter().zip([2, 1, 0]) {
            let options = GetOptions::new().version(&version.id);
            let got = storage.get(&version.key, options).await.unwrap();
            let content = version.content.as_ref().expect("no delete was made");
            assert_eq!((&got.meta.etag, got.meta.size), (&content.etag, content.size));
            let pieces: Vec<bytes::Bytes> = got.body.into_stream().try_collect().await.unwrap();
            assert_eq!(pieces.concat(), format!("{} {round}", version.key).into_bytes(), "newest first");
        }
    }
    for size in [1, 2, 4, 14] {
        assert_eq!(all(storage, query().page_size(size)).await, whole, "pages of {size}");
    }
}

rule! {
    /// Where checksums are declared, content that was changed on its way is never taken: not by the service, and not
    /// by whoever reads a whole object, which is `Corrupted` then.
    V02, v02_checksums, "Checksums",
    why: "Memory and networks flip bits, and a digest that is not compared by both ends finds none of them."
}
async fn v02_checksums(harness: &dyn Harness) {
    let Some(service) = harness.service().await else { return nothing_to_ask(NO_SERVICE) };
    let root = service.hasty().await;
    let storage = &root.storage;
    if storage.probe().await.unwrap().checksums != Support::Yes {
        return waive("checksums", "no digest is kept with an object");
    }
    let part = service.patience().part_size;
    for (key, data) in [("small", bytes(1, 5000)), ("large", bytes(2, part + 1)), ("empty", bytes(3, 0))] {
        write_streaming(storage, key, data.clone(), PutOptions::new()).await.unwrap();
        assert!(storage.bytes(key).await.unwrap() == data, "{key}");
        storage.copy(key, "copied").await.unwrap();
        assert!(storage.bytes("copied").await.unwrap() == data, "a copy of {key}");
        if data.is_empty() {
            continue;
        }
        service.inject(Fault::FlipByte, Hits::all(Request::Get));
        assert_eq!(kind(key, storage.bytes(key).await), ErrorKind::Corrupted, "all of {key} at once");
        let streamed: Result<Vec<_>> = async { storage.stream(key).await?.try_collect().await }.await;
        assert_eq!(kind(key, streamed), ErrorKind::Corrupted, "{key} as a stream");
        service.heal();
    }
    for (request, key) in [(Request::Put, "small"), (Request::UploadPart, "large")] {
        let data = if request == Request::Put { bytes(4, 5000) } else { bytes(5, part + 1) };
        let before = storage.bytes(key).await.unwrap();
        service.inject(Fault::FlipByte, Hits::once(request));
        let written = write_streaming(storage, key, data.clone(), PutOptions::new()).await;
        service.heal();
        let now = storage.bytes(key).await.unwrap();
        match written {
            Ok(_) => assert!(now == data, "{key}: what was sent again is right"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupted, "{key}: {error}");
                assert!(now == before, "{key} is as it was");
            }
        }
    }
}
