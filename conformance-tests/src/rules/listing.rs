//! Rules L: what a listing holds, in which order, from where and how far.

use std::sync::Arc;

use futures::stream::TryStreamExt;
use storage_core::{Entry, ErrorKind, ListOptions, ListReport, Prefix, Storage, Token};

use crate::context::{NO_DIRECTORY, part_not_asked};
use crate::rule::rule;
use crate::service::Service;
use crate::support::{keys, kind, level, missing};
use crate::{Fixture, Harness};

/// Keys whose order tells bytes from letters, UTF-8 from UTF-16, and names from whole keys.
const KEYS: [&str; 30] = [
    " lead",
    "%2F",
    "A",
    "Z",
    "a",
    "a ",
    "a!",
    "a!/x",
    "a-b",
    "a.b/c",
    "a/!",
    "a/b",
    "a/b!",
    "a/b/c",
    "a/b/d/e",
    "a/b0",
    "a/é",
    "a0",
    "aa/x",
    "b/c/d/e/f",
    "b/c/d/e/g",
    "dir/.git/x",
    "dir/..x",
    "e\u{301}",
    "z",
    "~",
    "é",
    "é/x",
    "\u{e000}",
    "😀",
];

const PREFIXES: [&str; 17] = [
    "",
    "a",
    "a/",
    "a/b",
    "a/b/",
    "a/b/d/",
    "a!",
    "b/c/d/e/f",
    "b/",
    "b/c/d",
    "dir/.",
    "dir/..",
    "é",
    "e",
    "no/such/",
    "z",
    "\u{10ffff}",
];

/// What a listing must hold: the model that drivers are compared with.
fn model(prefix: &str, delimited: bool, start_after: Option<&str>) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for key in KEYS.into_iter().filter(|key| key.starts_with(prefix)) {
        entries.push(match key[prefix.len()..].find('/') {
            Some(slash) if delimited => key[..=prefix.len() + slash].to_owned(),
            _ => key.to_owned(),
        });
    }
    entries.sort();
    entries.dedup();
    entries.retain(|entry| start_after.is_none_or(|start| entry.as_str() > start));
    entries
}

/// Puts the keys of the model in an order that is none.
async fn fill(storage: &Storage) {
    for i in 0..KEYS.len() {
        let key = KEYS[i * 7 % KEYS.len()];
        storage.put(key, key).await.unwrap();
    }
}

fn query(prefix: &str, delimited: bool, start_after: Option<&str>) -> ListOptions {
    let mut options = ListOptions::new().prefix(Prefix::new(prefix).unwrap());
    (options.delimited, options.start_after) = (delimited, start_after.map(str::to_owned));
    options
}

/// A listing as a stream: its entries, and what it says of itself.
async fn listed(storage: &Storage, options: ListOptions) -> (Vec<String>, ListReport) {
    let mut stream = storage.list(options).await.unwrap();
    let mut entries = Vec::new();
    while let Some(entry) = stream.try_next().await.unwrap() {
        assert_eq!(matches!(entry, Entry::Prefix(_)), entry.as_str().ends_with('/'), "{entry:?}");
        entries.push(entry.as_str().to_owned());
    }
    let report = stream.report().expect("a report at the end").clone();
    assert_eq!(report.entries, entries.len() as u64, "the entries that the report counts");
    (entries, report)
}

rule! {
    /// A listing is in ascending order of UTF-8 bytes, flat and delimited, whatever the order of creation.
    L01, l01_order_of_bytes, "Order of bytes",
    why: "Local listings of widely used libraries come in the order of the disk; merges and resumes over them skip \
          keys."
}
async fn l01_order_of_bytes(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    fill(storage).await;
    for prefix in PREFIXES {
        for delimited in [false, true] {
            for page_size in [None, Some(1), Some(4)] {
                let mut options = query(prefix, delimited, None);
                options.page_size = page_size;
                let (entries, report) = listed(storage, options).await;
                let what = format!("under {prefix:?}, delimited {delimited}, pages of {page_size:?}");
                assert_eq!(entries, model(prefix, delimited, None), "{what}");
                assert!(report.complete && !report.limited && report.skipped == 0, "{what}: {report:?}");
            }
        }
        assert_eq!(
            storage.list_all(prefix).await.unwrap().iter().map(|meta| meta.key.as_str()).collect::<Vec<_>>(),
            model(prefix, false, None),
            "list_all under {prefix:?}"
        );
    }
    let usage = storage.usage("a").await.unwrap();
    let due = model("a", false, None);
    assert_eq!((usage.objects, usage.bytes), (due.len() as u64, due.iter().map(|key| key.len() as u64).sum()));
}

rule! {
    /// Delimited, objects and common prefixes stand among each other in that order, and each prefix once.
    L02, l02_delimited, "Delimited listing",
    why: "A prefix that comes twice or out of order breaks whoever walks the levels, and hides objects beside it."
}
async fn l02_delimited(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    for key in ["a", "a-", "a/1", "a/2", "a/2/3", "a0", "b/1", "b/2", "b0/1", "c"] {
        storage.put(key, "").await.unwrap();
    }
    assert_eq!(level(storage, "").await, ["a", "a-", "a/", "a0", "b/", "b0/", "c"]);
    assert_eq!(level(storage, "a").await, ["a", "a-", "a/", "a0"]);
    assert_eq!(level(storage, "a/").await, ["a/1", "a/2", "a/2/"]);
    assert_eq!(level(storage, "a/2").await, ["a/2", "a/2/"]);
    assert_eq!(level(storage, "b").await, ["b/", "b0/"]);
    for page_size in 1..4 {
        let options = ListOptions::new().delimited().page_size(page_size);
        assert_eq!(listed(storage, options).await.0, ["a", "a-", "a/", "a0", "b/", "b0/", "c"], "pages of {page_size}");
    }
}

rule! {
    /// A flat listing holds neither its prefix, nor a name that ends in `/`, nor directories that keys imply.
    L03, l03_no_directories, "No directories",
    why: "Entries that are no objects fail when they are read, or are copied as empty objects."
}
async fn l03_no_directories(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    for key in ["x", "x/y", "x/y/z/w"] {
        storage.put(key, "").await.unwrap();
    }
    for (prefix, due) in [("", vec!["x", "x/y", "x/y/z/w"]), ("x/", vec!["x/y", "x/y/z/w"]), ("x/y/", vec!["x/y/z/w"])]
    {
        let (entries, _) = listed(storage, query(prefix, false, None)).await;
        assert_eq!(entries, due, "under {prefix:?}");
    }
    assert_eq!(level(storage, "x/y/z/").await, ["x/y/z/w"], "one level");
    markers_are_no_objects(harness).await;
    let Some(directory) = &fixture.directory else { return part_not_asked(NO_DIRECTORY) };
    std::fs::create_dir_all(directory.join("foreign/sub")).unwrap();
    std::fs::write(directory.join("foreign/sub/file"), "by another program").unwrap();
    assert_eq!(keys(storage).await, ["foreign/sub/file", "x", "x/y", "x/y/z/w"], "directories of another program");
    assert_eq!(storage.text("foreign/sub/file").await.unwrap(), "by another program");
}

/// Directory markers of other programs are no objects; other names that no key expresses are skipped, counted and named.
async fn markers_are_no_objects(harness: &dyn Harness) {
    let Some((_service, fixture)) = with_markers(harness).await else { return };
    let storage = &fixture.storage;
    assert_eq!(keys(storage).await, ["x", "x/y"], "beside directory markers");
    // A service tells what keys have in common and not what lies below it: a level of markers alone may show as a prefix.
    let mut one_level = level(storage, "x/").await;
    one_level.retain(|entry| entry != "x/empty/");
    assert_eq!(one_level, ["x/y"], "one level beside directory markers");
    let (_, report) = listed(storage, query("", false, None)).await;
    assert!(report.complete && report.skipped >= 1, "{report:?}");
    assert!(report.skipped_names.iter().any(|skipped| skipped.name.contains("x//b")), "{report:?}");
}

/// A root with two objects, in which another program has made directory markers and a name with an empty segment; none,
/// with the reason written down, where no such names can be made.
pub(super) async fn with_markers(harness: &dyn Harness) -> Option<(Arc<dyn Service>, Fixture)> {
    let Some(service) = harness.service().await else {
        part_not_asked("directory markers: the harness has no service into which they could be put");
        return None;
    };
    let fixture = service.fresh().await;
    for name in ["x/", "x/empty/", "x//b"] {
        if !service.plant(&fixture.address, name).await {
            part_not_asked("directory markers: the service makes no names that no key expresses");
            return None;
        }
    }
    for key in ["x", "x/y"] {
        fixture.storage.put(key, "").await.unwrap();
    }
    Some((service, fixture))
}

rule! {
    /// The start is exclusive and need not exist. Delimited it compares entries, a common prefix as its string.
    L04, l04_start_after, "Start after",
    why: "A resumed listing that begins one too early or too late repeats or loses an object."
}
async fn l04_start_after(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    fill(storage).await;
    let starts = [
        "",
        " ",
        "a",
        "a!",
        "a!/",
        "a.",
        "a.b/c",
        "a/",
        "a/b",
        "a/b/",
        "a/b/c",
        "a/b/zzz",
        "a/b0",
        "a/zz",
        "a0",
        "b",
        "b/c/d/e/f",
        "b/c/d/e/zz",
        "zzz",
        "é/",
        "\u{e000}",
        "\u{10ffff}",
        "//",
        "..",
    ];
    for start in starts {
        for prefix in ["", "a", "a/", "a/b", "a/b/", "b/c", "z"] {
            for delimited in [false, true] {
                let (entries, report) = listed(storage, query(prefix, delimited, Some(start))).await;
                let what = format!("under {prefix:?}, delimited {delimited}, after {start:?}");
                assert_eq!(entries, model(prefix, delimited, Some(start)), "{what}");
                assert!(report.complete, "{what}: {report:?}");
            }
        }
    }
}

rule! {
    /// The limit is exact over the whole listing, counts common prefixes too, and is another thing than the page size;
    /// a limit of 0 gives nothing.
    L05, l05_limit, "Limit",
    why: "A limit taken for the page size returns more than the host has room for."
}
async fn l05_limit(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    fill(storage).await;
    for (prefix, delimited, start) in
        [("", false, None), ("", true, None), ("a", true, Some("a!")), ("a/", false, None)]
    {
        let due = model(prefix, delimited, start);
        for limit in 0..due.len() + 3 {
            for page_size in [None, Some(1), Some(3)] {
                let mut options = query(prefix, delimited, start).limit(limit as u64);
                options.page_size = page_size;
                let (entries, report) = listed(storage, options).await;
                let what = format!("{limit} of {} under {prefix:?}, pages of {page_size:?}", due.len());
                assert_eq!(entries, due[..limit.min(due.len())], "{what}");
                if limit != due.len() {
                    assert_eq!((report.limited, report.complete), (limit < due.len(), limit > due.len()), "{what}");
                }
            }
        }
    }
    let first = storage.pages(ListOptions::new().page_size(4)).await.unwrap().next_page().await.unwrap().unwrap();
    assert!(first.entries.len() <= 4, "a page of {} entries", first.entries.len());
}

rule! {
    /// A continuation token is text that outlives its handle. Pages of every size, each from a new handle, make up the
    /// whole; a token is refused by another listing.
    L06, l06_tokens, "Continuation tokens",
    why: "A token that holds only in one process makes paging impossible for a web server with two."
}
async fn l06_tokens(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    fill(storage).await;
    for (prefix, delimited, start) in
        [("", false, None), ("", true, None), ("a", true, Some("a!")), ("a/b", false, None)]
    {
        let due = model(prefix, delimited, start);
        for size in 1..=due.len() + 1 {
            let mut entries: Vec<String> = Vec::new();
            let mut token: Option<Token> = None;
            for pages in 0.. {
                assert!(pages <= due.len() + 1, "pages of {size} come to no end: {entries:?}");
                let handle = harness.attach(&fixture.address).await;
                let mut options = query(prefix, delimited, start).page_size(size);
                options.token = token.map(|token| Token::new(token.as_str()));
                let page = handle.pages(options).await.unwrap().next_page().await.unwrap();
                let page = page.expect("a page behind every token");
                assert!(page.entries.len() <= size, "{} entries in a page of {size}", page.entries.len());
                entries.extend(page.entries.iter().map(|entry| entry.as_str().to_owned()));
                token = page.resume;
                if token.is_none() {
                    break;
                }
                assert!(entries.len() <= due.len(), "the listing goes round in circles: {entries:?}");
            }
            assert_eq!(entries, due, "pages of {size} under {prefix:?}, delimited {delimited}");
        }
    }

    let mut pages = storage.pages(query("a", false, None).page_size(2)).await.unwrap();
    let token = pages.next_page().await.unwrap().unwrap().resume.expect("more pages");
    let foreign =
        [query("a/", false, None), query("", false, None), query("a", true, None), query("a", false, Some("a"))];
    for query in foreign {
        let what = format!("{query:?}");
        assert_eq!(kind(&what, drain(storage, query.token(token.clone())).await), ErrorKind::InvalidInput, "{what}");
    }
    for damaged in ["", "x", "1", "a/b", "é", &token.as_str()[1..], &format!("{token}!")] {
        let result = drain(storage, query("a", false, None).token(Token::new(damaged))).await;
        assert_eq!(kind(damaged, result), ErrorKind::InvalidInput, "the token {damaged:?}");
    }
    let due = model("a", false, None);
    for key in &due[..3] {
        storage.delete(key.as_str()).await.unwrap();
    }
    let (rest, _) = listed(storage, query("a", false, None).token(token)).await;
    assert_eq!(rest, due[3..], "a token whose key is gone");
}

async fn drain(storage: &Storage, options: ListOptions) -> storage_core::Result<usize> {
    let entries: Vec<Entry> = storage.list(options).await?.try_collect().await?;
    Ok(entries.len())
}

rule! {
    /// A prefix with nothing under it is empty and no error; a missing root is `BackendNotFound`.
    L07, l07_nothing_there, "Nothing there",
    why: "An empty listing for a bucket that is gone makes a sync delete everything on the other side."
}
async fn l07_nothing_there(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let missing = missing(harness).await;
    for filled in [false, true] {
        for prefix in ["no/such/", "no", "a/b/", "a/b/c", "k/"] {
            for delimited in [false, true] {
                let (entries, report) = listed(storage, query(prefix, delimited, None)).await;
                assert!(entries.is_empty() && report.complete, "under {prefix:?}: {entries:?}");
                if let Some(missing) = &missing {
                    let nowhere = drain(missing, query(prefix, delimited, None)).await;
                    assert_eq!(kind("a missing root", nowhere), ErrorKind::BackendNotFound, "under {prefix:?}");
                }
            }
            assert_eq!(storage.usage(prefix).await.unwrap().objects, 0);
        }
        if !filled {
            storage.put("a/b", "").await.unwrap();
            storage.put("k", "").await.unwrap();
        }
    }
}
