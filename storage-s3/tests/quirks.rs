//! Services that deviate from the S3 API reference: what they answer is understood where it can be, and never taken for
//! what it is not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod support;

use s3_test_server::{Conditions, Quirk, S3Server, ServerOptions};
use storage_core::{ByteRange, ErrorKind, ListOptions, PutOptions, Storage, StorageBackend, Support};
use storage_s3::S3;
use support::{listed, on, put, server};

async fn open(quirk: Quirk) -> (S3Server, S3) {
    let server = server(ServerOptions::new().quirk(quirk)).await;
    let backend = S3::new(on(&server)).unwrap();
    (server, backend)
}

/// Rule S13: a service that takes names ending in `/` for directories is probed by names of another kind, and the probe
/// leaves nothing under either.
#[tokio::test]
async fn s13_directories_do_not_mislead_a_probe() {
    for quirk in [Quirk::SlashRefused, Quirk::SlashEmptied, Quirk::SlashFails] {
        for (conditions, expected) in [(Conditions::KEPT, [Support::Yes; 6]), (Conditions::IGNORED, [Support::No; 6])] {
            let server = server(ServerOptions::new().quirk(quirk).conditions(conditions)).await;
            let backend = S3::new(on(&server)).unwrap();
            let found = backend.probe().await.unwrap();
            assert_eq!(found.conditions(), expected, "{quirk:?}");
            let left = Storage::new(backend).list_all("").await.unwrap();
            assert_eq!(left, [], "{quirk:?}");
        }
    }
}

/// Rule S13: what the start of an upload is called does not matter, and one that cannot be read is no condition kept.
#[tokio::test]
async fn s13_uploads_are_found_under_another_root() {
    let (_server, backend) = open(Quirk::OtherUploadRoot).await;
    assert_eq!(backend.probe().await.unwrap().conditions(), [Support::Yes; 6]);
    let storage = Storage::new(backend);
    let mut writer = storage.writer_with("k", PutOptions::new().create_only()).await.unwrap();
    writer.write(vec![7_u8; 9 << 20]).await.unwrap();
    assert_eq!(writer.finish().await.unwrap().size, 9 << 20);
}

/// Rule R05: a range that comes with status 200 is the range; R09: other bytes than those asked for are refused.
#[tokio::test]
async fn r05_r09_ranges_are_judged_by_what_they_hold() {
    let (_server, backend) = open(Quirk::RangeWithStatus200).await;
    let storage = Storage::new(backend);
    storage.put("k", "0123456789").await.unwrap();
    for (range, expected) in [
        (ByteRange::Bounded { start: 2, end: 5 }, "234"),
        (ByteRange::From(7), "789"),
        (ByteRange::Suffix(3), "789"),
        (ByteRange::Suffix(30), "0123456789"),
    ] {
        assert_eq!(storage.range("k", range).await.unwrap(), expected, "{range:?}");
    }
    let (_server, backend) = open(Quirk::SuffixFromTheStart).await;
    let storage = Storage::new(backend);
    storage.put("k", "0123456789").await.unwrap();
    let wrong = storage.range("k", ByteRange::Suffix(3)).await;
    assert_eq!(wrong.err().map(|error| error.kind()), Some(ErrorKind::Unavailable));
}

/// Rule L10: where a listing has no etags they are asked for, object by object.
#[tokio::test]
async fn l10_etags_that_are_not_listed_are_asked_for() {
    let (server, backend) = open(Quirk::NoListedETag).await;
    for key in ["a", "b/c", "d"] {
        put(&backend, key, key).await;
    }
    let storage = Storage::new(backend);
    server.reset_counts();
    let found = storage.list_all("").await.unwrap();
    assert_eq!(server.counts().of("HeadObject"), 3);
    for meta in found {
        assert_eq!(meta, storage.head(&meta.key).await.unwrap().meta);
    }
}

/// Rules K08, K09: names that are not encoded, though the answer says so, are read as they are, also where they could be
/// something encoded; what is deleted is what was listed.
#[tokio::test]
async fn k08_k09_names_are_read_as_they_are() {
    for quirk in [None, Some(Quirk::NamesAsTheyAre)] {
        for keys in [vec!["a+b", "c"], vec!["50%25"], vec!["a b", "a+b"], vec!["é+"], vec!["d+/e", "d+/f"], vec!["x%y"]]
        {
            let options = quirk.into_iter().fold(ServerOptions::new(), ServerOptions::quirk);
            let server = server(options).await;
            let backend = S3::new(on(&server)).unwrap();
            for key in &keys {
                put(&backend, key, "x").await;
            }
            assert_eq!(listed(&backend, ListOptions::new()).await, keys, "{quirk:?}");
            let mut level = listed(&backend, ListOptions::new().delimited()).await;
            level.retain(|entry| !keys.contains(&entry.as_str()));
            assert!(level.iter().all(|entry| entry == "d+/"), "{quirk:?}: {level:?}");
            // A handle that has listed nothing yet.
            let storage = Storage::new(S3::new(on(&server)).unwrap());
            storage.delete_all().await.unwrap();
            assert_eq!(listed(&backend, ListOptions::new()).await, Vec::<String>::new(), "{quirk:?} {keys:?}");
        }
    }
}

/// Rules L04, L06: a service that lists from its beginning, whatever it is asked to start after, is listed from where it was
/// asked, and leads nobody who goes on by tokens round in a circle.
#[tokio::test]
async fn l06_a_service_that_starts_elsewhere_leads_nobody_in_circles() {
    let (_server, backend) = open(Quirk::StartAfterIgnored).await;
    let storage = Storage::new(backend);
    let keys = ["a", "b", "c", "d", "e"];
    for key in keys {
        storage.put(key, "x").await.unwrap();
    }
    let after = ListOptions::new().start_after("c");
    let mut pages = storage.pages(after.page_size(2)).await.unwrap();
    let page = pages.next_page().await.unwrap().unwrap();
    assert_eq!(page.entries.iter().map(|entry| entry.as_str()).collect::<Vec<_>>(), ["d"]);
    let (mut listed, mut token, mut asked) = (Vec::new(), None, 0);
    loop {
        let mut options = ListOptions::new().page_size(1);
        options.token = token.take();
        let page = storage.pages(options).await.unwrap().next_page().await.unwrap().unwrap();
        listed.extend(page.entries.iter().map(|entry| entry.as_str().to_owned()));
        asked += 1;
        assert!(asked <= keys.len() + 1, "the listing goes round in circles: {listed:?}");
        token = page.resume;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(listed, keys);
}
