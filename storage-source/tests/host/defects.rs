//! What is known to go wrong where each host has a storage layer of its own, and must not here, on any driver.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use bytes::Bytes;
use futures::stream::{self, TryStreamExt as _};
use s3_test_server::Fault;
use storage_core::{Error, ErrorKind, Key, Location, Result, Storage};
use storage_source::{
    ContentStore, Given, InputPolicy, Inputs, Layout, SourceFile, Walk, WalkItem, WorkingCopy, WorkingCopyOptions,
    tenant,
};

use crate::inputs::places;
use crate::support::{roots, s3};

async fn walked(storage: &Storage, prefix: &str) -> Vec<WalkItem> {
    Walk::new(storage).prefix(prefix).items().unwrap().try_collect().await.unwrap()
}

/// A stream that dies leaves no object, no temporary file and no unfinished upload, however far it came.
#[tokio::test]
async fn a_stream_that_dies_commits_nothing() {
    for root in roots().await {
        for layout in [Layout::Md5Name, Layout::Sha256] {
            let content = ContentStore::new(root.storage.clone()).with_layout(layout);
            for mebibytes in [0, 1, 9] {
                let chunks = (0..mebibytes).map(|_| Ok(Bytes::from(vec![1; 1 << 20])));
                let dies = chunks.chain([Err(Error::new(ErrorKind::Unavailable, "the source went away"))]);
                let error = content.add("x", stream::iter(dies)).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{} {mebibytes}", root.name);
            }
        }
        assert_eq!(root.storage.usage("").await.unwrap().objects, 0, "{}", root.name);
        if let Some(server) = &root.server {
            assert_eq!(server.unfinished_uploads("bucket"), 0);
        }
    }
}

/// What is missing is `NotFound` whatever is asked of it, and never empty or of size 0.
#[tokio::test]
async fn a_missing_object_is_not_empty() {
    for root in roots().await {
        root.storage.put("missing/below", "x").await.unwrap();
        let file = || SourceFile::at_without_head(&root.storage, "missing").unwrap();
        let errors = [
            SourceFile::at(&root.storage, "missing").await.err(),
            file().size().await.err(),
            file().modified().await.err(),
            file().fingerprint().await.err(),
            file().content_hash().await.err(),
            file().content_type().await.err(),
            file().read().await.err(),
            file().read_prefix(1).await.err(),
            file().read_range(0..1).await.err(),
            file().text().await.err(),
            file().stream().await.err(),
            file().download_to_temp().await.err(),
            file().refresh().await.err(),
        ];
        for (at, error) in errors.into_iter().enumerate() {
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::NotFound), "{}, call {at}", root.name);
        }
    }
}

/// `../x` is refused by every service on every driver, before anything is asked.
#[tokio::test]
async fn no_name_leads_out_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    for root in roots().await {
        let inside = tenant(&root.storage, "a").unwrap();
        let file = directory.path().join("file");
        for name in ["../x", "..", "b/../../x", "./x", "b/./x"] {
            let kinds = [
                SourceFile::at(&inside, name).await.err(),
                Walk::new(&inside).prefix(format!("{name}/")).items().err(),
                ContentStore::new(inside.clone()).add_bytes(name, "x").await.err(),
                WorkingCopy::open(&inside, name, &file, WorkingCopyOptions::new()).await.err(),
                tenant(&inside, name).err(),
            ];
            for (at, error) in kinds.into_iter().enumerate() {
                let kind = error.map(|error| error.kind());
                let refused = [Some(ErrorKind::InvalidKey), Some(ErrorKind::InvalidInput)].contains(&kind);
                assert!(refused, "{}, {name}, call {at}: {kind:?}", root.name);
            }
        }
        assert_eq!(root.server.map_or(0, |server| server.counts().total()), 0);
        assert!(!file.exists());
    }
}

/// Names of any length that a key may have are kept, walked, read and downloaded.
#[tokio::test]
async fn long_names_work() {
    for root in roots().await {
        let content = ContentStore::new(root.storage.clone());
        for length in [250, 255, 256, 900] {
            let name = format!("{}.md", "n".repeat(length - 3));
            let stored = content.add_bytes(&name, "long").await.unwrap();
            assert!(!content.add_bytes(&name, "long").await.unwrap().put.is_written(), "{} {length}", root.name);
            let items = walked(&root.storage, stored.digest.as_str()).await;
            let file = items.into_iter().map(|item| item.file).find(|file| file.path().name() == name).unwrap();
            let temporary = file.download_to_temp().await.unwrap();
            assert_eq!(std::fs::read(temporary.path()).unwrap(), b"long", "{} {length}", root.name);
        }
        let name = "n".repeat(1100);
        let error = content.add_bytes(&name, "too long").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{}", root.name);
    }
}

/// A name as long as a key may be is taken in, as an object and as what is missing.
#[tokio::test]
async fn the_longest_name_is_an_input() {
    let places = places().await;
    let inputs = Inputs::new(&places.registry).with_policy(InputPolicy::open()).open_options(places.options.clone());
    // The paths of a directory end earlier than its keys.
    for root in &places.roots[1..] {
        let storage = places.registry.open(&Location::parse(root).unwrap(), &places.options).await.unwrap();
        let name = "n".repeat(storage.max_key_len());
        let given = format!("{root}{name}");
        let error = inputs.resolve([given.as_str()]).try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{root}: {error}");
        storage.put(name.as_str(), "long").await.unwrap();
        let items: Vec<_> = inputs.resolve([given.as_str()]).try_collect().await.unwrap();
        assert_eq!(items.iter().map(|item| item.name()).collect::<Vec<_>>(), [Some(name.as_str())], "{root}");
    }
}

/// A walk shows what is there now, whoever wrote it: nothing remembers an older listing.
#[tokio::test]
async fn no_listing_is_stale() {
    let places = places().await;
    for root in &places.roots {
        let open = async || places.registry.open(&Location::parse(root).unwrap(), &places.options).await.unwrap();
        let (one, other) = (open().await, open().await);
        let seen = async |storage: &Storage| walked(storage, "new").await.len();
        assert_eq!((seen(&one).await, seen(&other).await), (0, 0), "{root}");
        one.put("new/a", "x").await.unwrap();
        assert_eq!((seen(&one).await, seen(&other).await), (1, 1), "{root}");
        other.delete("new/a").await.unwrap();
        assert_eq!((seen(&one).await, seen(&other).await), (0, 0), "{root}");
    }
}

/// Every key that is walked can be opened by its URI and added by it, from the place that the settings name, and is named as
/// it was put.
#[tokio::test]
async fn keys_with_the_signs_of_urls_are_read_by_their_uri() {
    const KEYS: [&str; 8] = ["a#1", "b?x=1&y", "c%2Fd", "e+f g", "g#?%23", "h&amp;", "é/😀", "~:@!$'()*,;=[]"];
    let places = places().await;
    let inputs = Inputs::new(&places.registry).with_policy(InputPolicy::open()).open_options(places.options.clone());
    for root in &places.roots {
        let storage = places.registry.open(&Location::parse(root).unwrap(), &places.options).await.unwrap();
        for key in KEYS {
            storage.put(format!("odd/{key}"), key).await.unwrap();
        }
        let items = walked(&storage, "odd").await;
        assert_eq!(items.len(), KEYS.len(), "{root}");
        for item in items {
            let uri = item.file.uri().unwrap();
            let opened = SourceFile::open(&places.registry, &uri, &places.options).await.unwrap();
            assert_eq!(opened.text().await.unwrap(), item.path.as_str(), "{uri}");
            assert_eq!(opened.fingerprint().await.unwrap(), item.file.fingerprint().await.unwrap(), "{uri}");
            let given = inputs.resolve([Given::from(uri.as_str())]).try_collect::<Vec<_>>().await.unwrap();
            assert_eq!(given.len(), 1, "{uri}");
            assert!(Key::new(item.path.as_str()).is_ok() && KEYS.contains(&item.path.as_str()), "{uri}");
        }
    }
}

/// An empty object is taken in; a marker of a directory is not, nor is it a file of a walk.
#[tokio::test]
async fn an_empty_object_is_one_and_a_marker_is_none() {
    let places = places().await;
    let inputs = Inputs::new(&places.registry).with_policy(InputPolicy::open()).open_options(places.options.clone());
    places.server.synthetic_object("bucket", "empties/", 0);
    for root in &places.roots {
        let storage = places.registry.open(&Location::parse(root).unwrap(), &places.options).await.unwrap();
        storage.put("empties/none", "").await.unwrap();
        let items: Vec<_> = inputs.resolve([format!("{root}empties")]).try_collect().await.unwrap();
        let [item] = &items[..] else { panic!("{root}: {items:?}") };
        assert_eq!((item.name(), item.size()), (Some("none"), Some(0)), "{root}");
        assert_eq!(walked(&storage, "empties").await.len(), 1, "{root}");
    }
}

/// A listing that fails is an error of what asked for it, and not an empty listing.
#[tokio::test]
async fn a_listing_that_fails_is_not_empty() {
    let places = places().await;
    let inputs = Inputs::new(&places.registry).with_policy(InputPolicy::open()).open_options(places.options.clone());
    let root = places.registry.open(&Location::parse("s3://bucket/").unwrap(), &places.options).await.unwrap();
    for (status, code, kind) in
        [(403, "AccessDenied", ErrorKind::PermissionDenied), (404, "NoSuchBucket", ErrorKind::BackendNotFound)]
    {
        let fault = places.server.inject(Fault::status(status, code).on("ListObjectsV2"));
        let given = inputs.resolve(["s3://bucket/docs/"]).try_collect::<Vec<_>>().await;
        let walked: Result<Vec<_>> = Walk::new(&root).prefix("docs").items().unwrap().try_collect().await;
        for error in [given.unwrap_err(), walked.unwrap_err()] {
            assert_eq!(error.kind(), kind, "{code}: {error}");
        }
        assert!(fault.hits() >= 2);
        fault.remove();
    }
}

/// What has the form of an address is one, or an error; it never becomes text, nor a path of this machine.
#[tokio::test]
async fn an_address_that_nobody_knows_is_no_text() {
    let places = places().await;
    let inputs = Inputs::new(&places.registry).with_policy(InputPolicy::open()).open_options(places.options.clone());
    for text in ["gs://b/x", "http://host/x.pdf", "https://host/", "ftp://host/x", "S4://b", "azure://c/x y"] {
        let error = inputs.resolve([text]).try_collect::<Vec<_>>().await.unwrap_err();
        assert!(error.status() == 400 && error.to_string().contains("memory"), "{text}: {error}");
    }
}

/// Of many who add the same file at once all are told its one key; nobody fails, and one has written.
#[tokio::test]
async fn many_threads_on_one_key_all_succeed() {
    let root = s3().await;
    let content = ContentStore::new(root.storage.clone());
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let content = content.clone();
            tokio::spawn(async move { content.add_bytes("same.md", "same").await.unwrap() })
        })
        .collect();
    let stored: Vec<_> = futures::future::join_all(tasks).await.into_iter().map(|done| done.unwrap()).collect();
    assert!(stored.iter().all(|one| one.key == stored[0].key));
    assert_eq!(stored.iter().filter(|one| one.put.is_written()).count(), 1);
}
