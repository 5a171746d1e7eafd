//! Listings against the in-process server and against services that answer wrongly (rules L01–L14, V01).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod support;

use s3_test_server::{Fault, FaultAction, ServerOptions};
use storage_core::{Entry, ErrorKind, ListOptions, Prefix, StorageBackend, Token};
use storage_s3::S3;
use support::{BUCKET, Script, listed, on, pages, put, server, skipped, texts};

/// Keys that need every kind of escape, and whose order by bytes is not that of their characters in UTF-16.
const KEYS: [&str; 14] = [
    " lead",
    "%2F",
    "a b+c",
    "a&amp;b",
    "a-b",
    "a/1",
    "a/2/x",
    "a/2/y",
    "a0",
    "b/<x>\"'",
    "b/z%25",
    "c",
    "\u{ff5e}",
    "\u{1f600}/x",
];

fn prefixed(prefix: &str) -> ListOptions {
    ListOptions::new().prefix(Prefix::new(prefix).unwrap())
}

/// What the contract says that a listing of [`KEYS`] holds.
fn model(prefix: &str, delimited: bool, after: Option<&str>) -> Vec<String> {
    let mut keys = KEYS.to_vec();
    keys.sort_unstable();
    let mut entries: Vec<String> = Vec::new();
    for key in keys {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        let entry = match rest.find('/').filter(|_| delimited) {
            Some(slash) => &key[..=prefix.len() + slash],
            None => key,
        };
        // A start that lies under a common prefix skips it.
        let past = after.is_none_or(|after| entry > after && !(entry.ends_with('/') && after.starts_with(entry)));
        if past && entries.last().is_none_or(|last| last != entry) {
            entries.push(entry.to_owned());
        }
    }
    entries
}

async fn filled(root: &str) -> (s3_test_server::S3Server, S3) {
    let server = server(ServerOptions::new()).await;
    let mut options = on(&server);
    options.prefix = root.to_owned();
    let backend = S3::new(options).unwrap();
    for key in KEYS {
        put(&backend, key, "x").await;
    }
    (server, backend)
}

/// L01, L02, L06: every prefix, flat and delimited, in pages of every size, from the bucket and from a root in it.
#[tokio::test]
async fn l01_l02_l06_pages_of_every_size_make_the_whole() {
    for root in ["", "root//with %/"] {
        let (_server, backend) = filled(root).await;
        for prefix in ["", "a", "a/", "a/2", "b/", "c", "none/"] {
            for delimited in [false, true] {
                let expected = model(prefix, delimited, None);
                for size in [1, 2, 3, 1000] {
                    let mut options = prefixed(prefix).page_size(size);
                    options.delimited = delimited;
                    let found = listed(&backend, options).await;
                    assert_eq!(found, expected, "root {root:?} prefix {prefix:?} delimited {delimited} size {size}");
                }
            }
        }
    }
}

/// L04: a start is exclusive, need not exist, and skips the common prefix that it lies under.
#[tokio::test]
async fn l04_starts() {
    let (_server, backend) = filled("root/").await;
    let others = ["", "!", "a", "a/", "a/1/", "a/2", "a/2/", "a/2/xx", "a/9", "b", "b/", "zzz", "\u{10ffff}"];
    for after in KEYS.into_iter().chain(others) {
        for prefix in ["", "a", "a/"] {
            for delimited in [false, true] {
                let mut options = prefixed(prefix).start_after(after).page_size(2);
                options.delimited = delimited;
                let found = listed(&backend, options).await;
                let what = format!("after {after:?} prefix {prefix:?} delimited {delimited}");
                assert_eq!(found, model(prefix, delimited, Some(after)), "{what}");
            }
        }
    }
}

/// L06: a token goes on in another process, and only with its own query.
#[tokio::test]
async fn l06_tokens_outlive_their_listing() {
    let (server, backend) = filled("root/").await;
    for delimited in [false, true] {
        let query = |token: Option<Token>| {
            let mut options = prefixed("").page_size(2);
            (options.delimited, options.token) = (delimited, token);
            options
        };
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let mut options = on(&server);
            options.prefix = "root/".to_owned();
            let fresh = S3::new(options).unwrap();
            let page = fresh.list(query(token)).await.unwrap().next_page().await.unwrap().unwrap();
            found.extend(texts(page.entries));
            token = page.resume;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(found, model("", delimited, None));
    }
    let token = pages(&backend, prefixed("").page_size(1)).await[0].resume.clone().unwrap();
    let foreign = backend.list(prefixed("a/").token(token)).await.map(|_| ()).unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::InvalidInput);
}

/// L03, L12: markers and the driver's own objects are nobody's; what no key can express is named, with the reason.
#[tokio::test]
async fn l03_l12_what_is_not_a_key() {
    let server = server(ServerOptions::new()).await;
    let probe = format!("r/storage-probe-{}/", "0123456789abcdef".repeat(2));
    let long = format!("r/{}", "x".repeat(1023));
    let sizes = [
        ("r/", 0),
        ("r/dir/", 0),
        ("r/dir/a", 1),
        ("r/full/", 5),
        ("r/a//b", 1),
        ("r//c", 1),
        ("r/./d", 1),
        ("r/z", 2),
    ];
    for (name, size) in sizes {
        server.synthetic_object(BUCKET, name, size);
    }
    server.synthetic_object(BUCKET, &probe, 7);
    server.synthetic_object(BUCKET, &long, 1);
    let mut options = on(&server);
    options.prefix = "r".to_owned();
    let backend = S3::new(options).unwrap();

    for size in [1, 1000] {
        assert_eq!(listed(&backend, prefixed("").page_size(size)).await, ["dir/a", "z"]);
        let names: Vec<_> = skipped(pages(&backend, prefixed("").page_size(size)).await);
        let mut found: Vec<_> = names.iter().map(|skipped| (skipped.name.as_str(), skipped.reason.as_str())).collect();
        found.sort_unstable();
        let expected = [
            ("./d", "segment '.'"),
            ("/c", "starts with '/'"),
            ("a//b", "empty segment"),
            ("full/", "ends with '/'"),
            (&long[2..], "longer than 1024"),
        ];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((name, reason), (expected, why)) in found.into_iter().zip(expected) {
            assert_eq!(name, expected);
            assert!(reason.contains(why), "{name}: {reason}");
        }
    }
    let level = listed(&backend, prefixed("").delimited()).await;
    assert_eq!(level, ["a/", "dir/", "full/", "z"], "a prefix of what no key can express may be reported");
    let names = skipped(pages(&backend, prefixed("").delimited()).await);
    let mut names: Vec<_> = names.into_iter().map(|skipped| skipped.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["./", "/", &long[2..]]);
    assert_eq!(listed(&backend, prefixed("dir/").delimited()).await, ["dir/a"], "a level's own marker is not in it");
}

/// L10, M02, M04: an entry says what head says.
#[tokio::test]
async fn l10_entries_say_what_head_says() {
    let (_server, backend) = filled("").await;
    for entry in pages(&backend, prefixed("")).await.remove(0).entries {
        let Entry::Object(meta) = entry else { panic!("a flat listing has no prefixes") };
        let head = backend.head(&meta.key, Default::default()).await.unwrap().meta;
        assert_eq!((meta.size, &meta.etag, meta.last_modified), (head.size, &head.etag, head.last_modified));
    }
}

/// L07, S13: the requests of a listing are its pages, and an empty one is one request.
#[tokio::test]
async fn s13_requests_of_a_listing() {
    let server = server(ServerOptions::new()).await;
    server.synthetic_objects(BUCKET, "many/", 2500, 3);
    server.synthetic_objects(BUCKET, "even/", 1000, 3);
    let backend = S3::new(on(&server)).unwrap();
    for (prefix, keys, requests) in [("many/", 2500, 3), ("even/", 1000, 1), ("none/", 0, 1)] {
        server.reset_counts();
        assert_eq!(listed(&backend, prefixed(prefix)).await.len(), keys);
        assert_eq!((server.counts().of("ListObjectsV2"), server.counts().total()), (requests, requests), "{prefix}");
    }
}

/// L11: a listing of ten million keys is asked for page by page, from any key on, and its levels cost one request.
#[tokio::test]
async fn l11_ten_million_keys() {
    let server = server(ServerOptions::new()).await;
    for level in ["a/", "b/", "c/"] {
        server.synthetic_objects(BUCKET, level, 10_000_000, 3);
    }
    let backend = S3::new(on(&server)).unwrap();
    assert_eq!(listed(&backend, prefixed("").delimited()).await, ["a/", "b/", "c/"]);
    assert_eq!(server.counts().total(), 1);

    let mut lister = backend.list(prefixed("")).await.unwrap();
    let (mut last, mut keys) = (String::new(), 0);
    for _ in 0..30 {
        for entry in lister.next_page().await.unwrap().unwrap().entries {
            assert!(entry.as_str() > last.as_str());
            entry.as_str().clone_into(&mut last);
            keys += 1;
        }
    }
    assert_eq!((keys, server.counts().total()), (30_000, 31), "nothing is asked for before it is wanted");

    let end = listed(&backend, prefixed("b/").start_after("b/0009999989")).await;
    assert_eq!((end.len(), end.last().unwrap().as_str()), (10, "b/0009999999"));
    assert_eq!(server.counts().total(), 32);
}

/// L07, E03: a missing bucket is not an empty listing.
#[tokio::test]
async fn l07_a_missing_bucket() {
    let server = server(ServerOptions::new()).await;
    server.delete_bucket(BUCKET);
    let backend = S3::new(on(&server)).unwrap();
    let error = backend.list(prefixed("")).await.unwrap().next_page().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BackendNotFound);
    let error = backend.list_versions(prefixed("")).await.unwrap().next_page().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BackendNotFound);
}

/// L13, E05: what passes is repeated; what does not is an error at that page, which can be asked for again.
#[tokio::test]
async fn l13_faults_at_every_page() {
    let faults = || {
        [
            FaultAction::CutBody(700),
            FaultAction::TruncatedXml(900),
            FaultAction::Reset,
            FaultAction::ResetAfterRequest,
            FaultAction::ErrorInside200,
        ]
    };
    for (position, action) in faults().into_iter().enumerate() {
        for page in 1..=3 {
            let server = server(ServerOptions::new()).await;
            server.synthetic_objects(BUCKET, "", 25, 3);
            let backend = S3::new(on(&server)).unwrap();
            let fault = server.inject(Fault::new(action.clone()).on("ListObjectsV2").nth(page).times(1));
            assert_eq!(listed(&backend, prefixed("").page_size(10)).await.len(), 25, "{action:?} at page {page}");
            assert_eq!(fault.hits(), 1, "{action:?} at page {page}");

            let mut lister = backend.list(prefixed("").page_size(10)).await.unwrap();
            let mut found = Vec::new();
            for _ in 1..page {
                found.extend(texts(lister.next_page().await.unwrap().unwrap().entries));
            }
            let fault = server.inject(Fault::new(faults()[position].clone()).on("ListObjectsV2"));
            lister.next_page().await.unwrap_err();
            fault.remove();
            while let Some(page) = lister.next_page().await.unwrap() {
                found.extend(texts(page.entries));
            }
            assert_eq!(found.len(), 25, "{action:?} at page {page}, asked for again");
        }
    }
}

fn document(rest: &str) -> String {
    format!("<?xml version=\"1.0\"?><ListBucketResult>{rest}</ListBucketResult>")
}

fn object(name: &str) -> String {
    format!(
        "<Contents><Key>{name}</Key><LastModified>2026-01-02T03:04:05Z</LastModified><ETag>&quot;e&quot;</ETag>\
         <Size>1</Size></Contents>"
    )
}

fn page_of(names: &[&str], truncated: bool, token: &str) -> String {
    let objects: String = names.iter().map(|name| object(name)).collect();
    let token = if token.is_empty() {
        String::new()
    } else {
        format!("<NextContinuationToken>{token}</NextContinuationToken>")
    };
    document(&format!("<IsTruncated>{truncated}</IsTruncated>{token}{objects}"))
}

/// L01, L13: answers that would be read as a short, an endless or an unordered listing are errors.
#[tokio::test]
async fn l01_l13_answers_that_cannot_be_right() {
    let cases = [
        (vec![document(&object("a"))], ErrorKind::Unavailable, "IsTruncated"),
        (vec![page_of(&["b", "a"], false, "")], ErrorKind::Unsupported, "\"a\" after \"b\""),
        (vec![page_of(&["b"], true, "1"), page_of(&["a"], false, "")], ErrorKind::Unsupported, "\"a\" after \"b\""),
        (vec![page_of(&["a"], true, "1"), page_of(&["b"], true, "1")], ErrorKind::Unavailable, "token"),
        (vec![page_of(&["a"], true, "")], ErrorKind::Unavailable, "how to go on"),
        (vec![page_of(&[], true, "")], ErrorKind::Unavailable, "how to go on"),
        (vec!["<ListBucketResult/>".to_owned()], ErrorKind::Unavailable, "IsTruncated"),
    ];
    for (documents, kind, expected) in cases {
        let shown = documents.join("\n");
        let script = Script::start(documents).await;
        let mut lister = script.backend().list(prefixed("")).await.unwrap();
        let error = loop {
            match lister.next_page().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the listing ended well: {shown}"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains(expected), "{shown}: {error}");
        assert_eq!(error.kind(), kind, "{shown}: {error}");
    }
}

/// L02, L09: a service that gives no token is asked by the last name; one that repeats what is at the seam is no harm.
#[tokio::test]
async fn l02_l09_services_with_habits() {
    let script = Script::start([page_of(&["a", "b+%41"], true, ""), page_of(&["b+%41", "c"], false, "")]).await;
    assert_eq!(
        listed(&script.backend(), prefixed("")).await,
        ["a", "b+%41", "c"],
        "nothing is decoded that was not encoded"
    );
    let asked = script.asked.lock().unwrap().clone();
    assert!(!asked[0].contains("start-after") && asked[1].contains("start-after=b%2B%2541"), "{asked:?}");

    let level = |truncated: bool, token: &str, rest: &str| {
        let seam = "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>";
        document(&format!(
            "{rest}{seam}<IsTruncated>{truncated}</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        ))
    };
    let script = Script::start([level(true, "1", &object("o")), level(false, "", &object("q"))]).await;
    assert_eq!(listed(&script.backend(), prefixed("").delimited()).await, ["o", "p/", "q"]);

    // A directory marker stands among the objects of its level, beside the common prefix that it is of, or instead.
    for rest in [object("m/"), format!("{}<CommonPrefixes><Prefix>m/</Prefix></CommonPrefixes>", object("m/"))] {
        let script = Script::start([level(false, "", &format!("{rest}{}", object("o")))]).await;
        assert_eq!(listed(&script.backend(), prefixed("").delimited()).await, ["m/", "o", "p/"], "{rest}");
    }

    let script = Script::start([page_of(&["a"], true, "1"), page_of(&[], true, "2"), page_of(&["b"], false, "")]).await;
    assert_eq!(listed(&script.backend(), prefixed("")).await, ["a", "b"], "an empty page is not the end");
}

/// S07, L13: a name that was not asked for is a broken answer, not an entry.
#[tokio::test]
async fn s07_names_outside_of_the_root() {
    let script = Script::start([page_of(&["other/a"], false, "")]).await;
    let error = script.backend().list(prefixed("mine/")).await.unwrap().next_page().await.unwrap_err();
    assert!(error.to_string().contains("other/a"), "{error}");
}

/// L01: directory buckets are refused before they are asked.
#[tokio::test]
async fn l01_directory_buckets_are_refused() {
    let server = server(ServerOptions::new()).await;
    let mut options = on(&server);
    options.bucket = "fast--use1-az4--x-s3".to_owned();
    let error = S3::new(options).unwrap().list(prefixed("")).await.map(|_| ()).unwrap_err();
    assert_eq!((error.kind(), server.counts().total()), (ErrorKind::Unsupported, 0));
}

/// V01: keys in ascending order, of each the newest version first, marks of deletes among them, in pages of every size.
#[tokio::test]
async fn v01_versions_are_in_order() {
    let server = server(ServerOptions::new()).await;
    server.set_versioning(BUCKET, true);
    let mut options = on(&server);
    options.prefix = "r/".to_owned();
    let backend = S3::new(options).unwrap();
    for content in ["1", "22", "333"] {
        for name in ["b/+ %", "a", "c"] {
            put(&backend, name, content).await;
        }
    }
    backend.delete(&support::key("a"), Default::default()).await.unwrap();
    put(&backend, "a", "4444").await;
    backend.delete(&support::key("c"), Default::default()).await.unwrap();

    let expected = [
        ("a", Some(4), true),
        ("a", None, false),
        ("a", Some(3), false),
        ("a", Some(2), false),
        ("a", Some(1), false),
        ("b/+ %", Some(3), true),
        ("b/+ %", Some(2), false),
        ("b/+ %", Some(1), false),
        ("c", None, true),
        ("c", Some(3), false),
        ("c", Some(2), false),
        ("c", Some(1), false),
    ];
    for size in [1, 2, 5, 1000] {
        let mut lister = backend.list_versions(prefixed("").page_size(size)).await.unwrap();
        let mut found = Vec::new();
        while let Some(page) = lister.next_page().await.unwrap() {
            assert_eq!(page.skipped, []);
            found.extend(page.versions);
        }
        let shown: Vec<_> = found
            .iter()
            .map(|version| (version.key.as_str(), version.content.as_ref().map(|content| content.size), version.latest))
            .collect();
        assert_eq!(shown, expected, "pages of {size}");
    }
    let error = backend.list_versions(prefixed("").delimited()).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

fn version(element: &str, name: &str, id: &str, latest: bool, second: u8) -> String {
    let content = if element == "Version" { "<ETag>&quot;e&quot;</ETag><Size>1</Size>" } else { "" };
    format!(
        "<{element}><Key>{name}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
         <LastModified>2026-01-02T03:04:0{second}Z</LastModified>{content}</{element}>"
    )
}

/// V01: a service that answers all marks of deletes before all versions, or says nothing of the next page, is put right;
/// one whose page repeats itself is an error.
#[tokio::test]
async fn v01_services_with_habits() {
    let page = |truncated: bool, rest: &[String]| {
        format!("<ListVersionsResult>{}<IsTruncated>{truncated}</IsTruncated></ListVersionsResult>", rest.concat())
    };
    let apart = [
        version("DeleteMarker", "a", "a2", false, 2),
        version("DeleteMarker", "b", "b2", true, 2),
        version("Version", "a", "a3", true, 3),
        version("Version", "a", "a1", false, 1),
        version("Version", "b", "b1", false, 1),
    ];
    let last = [version("Version", "c", "c1", true, 1)];
    let script = Script::start([page(true, &apart), page(false, &last)]).await;
    let mut lister = script.backend().list_versions(prefixed("")).await.unwrap();
    let mut ids = Vec::new();
    while let Some(page) = lister.next_page().await.unwrap() {
        ids.extend(page.versions.into_iter().map(|version| version.id));
    }
    assert_eq!(ids, ["a3", "a2", "a1", "b2", "b1", "c1"]);
    let asked = script.asked.lock().unwrap().clone();
    assert!(asked[1].contains("key-marker=b") && asked[1].contains("version-id-marker=b1"), "{asked:?}");

    let script = Script::start([page(true, &last)]).await;
    let mut lister = script.backend().list_versions(prefixed("")).await.unwrap();
    lister.next_page().await.unwrap();
    let error = lister.next_page().await.unwrap_err();
    assert!(error.to_string().contains("how to go on"), "{error}");
}
