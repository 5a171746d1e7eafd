//! Rules L: listings while others write, pages and failures in the middle, and names that no key can express.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::future::try_join_all;
use futures::stream::{StreamExt, TryStreamExt};
use storage_core::{Entry, Error, ErrorKind, ListOptions, Lister, Operation, Page, Prefix, Result, Storage};

use crate::Harness;
use crate::context::{NO_DIRECTORY, part_not_asked};
use crate::rule::rule;
use crate::spy::Spy;
use crate::support::{assert_listed, bytes, keys, kind, level};

rule! {
    /// A prefix under which the last object went is invisible, and so is a foreign empty directory. Emptied levels go
    /// safely against a put that races into them.
    L08, l08_empty_prefixes, "Empty prefixes",
    why: "Emptied directories that stay visible, or are removed under a put that needs them, are the two ways to get \
          this wrong."
}
async fn l08_empty_prefixes(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put("stays", "").await.unwrap();
    for how in ["delete", "delete_many", "delete_prefix", "rename"] {
        storage.put("a/b/c/d", how).await.unwrap();
        storage.put("a/e", how).await.unwrap();
        storage.delete("a/e").await.unwrap();
        assert_eq!(level(storage, "a/").await, ["a/b/"], "one of two objects is gone");
        match how {
            "delete" => storage.delete("a/b/c/d").await.unwrap(),
            "delete_many" => storage.delete_many(["a/b/c/d"]).await.unwrap().remove(0).unwrap(),
            "delete_prefix" => assert_eq!(storage.delete_prefix("a/b/").await.unwrap(), 1),
            _ => drop(storage.rename("a/b/c/d", "z").await.unwrap()),
        }
        storage.delete("z").await.unwrap();
        assert_eq!(level(storage, "").await, ["stays"], "after {how}");
        assert_eq!(level(storage, "a/").await, [""; 0], "after {how}");
        assert_eq!(keys(storage).await, ["stays"], "after {how}");
        let left = fixture.directory.as_ref().is_some_and(|directory| directory.join("a").exists());
        assert!(!left, "the emptied directory is removed after {how}");
    }
    if fixture.directory.is_none() {
        part_not_asked(NO_DIRECTORY);
    }
    if let Some(directory) = &fixture.directory {
        std::fs::create_dir_all(directory.join("foreign/empty/er")).unwrap();
        assert_eq!(level(storage, "").await, ["stays"], "an empty directory of another program");
        assert_eq!(keys(storage).await, ["stays"], "an empty directory of another program");
        std::fs::remove_dir_all(directory.join("foreign")).unwrap();
    }
    let racers = (0..6).map(|racer| tokio::spawn(put_and_delete(storage.clone(), racer)));
    try_join_all(racers).await.unwrap();
    assert_eq!(level(storage, "").await, ["stays"], "after puts and deletes that raced");
}

/// Puts into a level that others empty at the same time; what was put must be there.
async fn put_and_delete(storage: Storage, racer: usize) {
    let key = format!("race/x/{racer}");
    for round in 0..25 {
        storage.put(&key, "there").await.unwrap();
        let read = storage.text(&key).await;
        assert_eq!(read.ok().as_deref(), Some("there"), "racer {racer}, round {round}: a put into an emptied level");
        storage.delete(&key).await.unwrap();
        assert!(!storage.exists(&key).await.unwrap(), "racer {racer}, round {round}: what was deleted");
    }
}

rule! {
    /// A key that exists throughout a listing appears in it exactly once, whether it is overwritten meanwhile or not,
    /// while others are created, moved and deleted around it.
    L09, l09_stable_keys_appear_once, "Stable keys appear once",
    why: "On tmpfs a scan during renames missed names that existed all along in 2,545 of 2,575 runs; a sync would \
          have deleted those objects."
}
async fn l09_stable_keys_appear_once(harness: &dyn Harness) {
    const LISTINGS: usize = 20;
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    // Long names, and many in one level, so that no system reads the level in one step.
    let long = "s".repeat(150);
    let stable: Vec<String> =
        (0..130).map(|i| format!("{}{long}-{i:03}", if i % 13 == 0 { "d/e/" } else { "d/" })).collect();
    for key in &stable {
        storage.put(key, "0").await.unwrap();
    }
    let over = Arc::new(AtomicBool::new(false));
    let churn = [0, 0, 1, 2]
        .into_iter()
        .map(|kind| tokio::spawn(churn(storage.clone(), kind, stable.clone(), Arc::clone(&over))));
    let churn: Vec<_> = churn.collect();
    for i in 0..LISTINGS {
        let mut options = ListOptions::new();
        options.page_size = [None, Some(7), Some(50)][i % 3];
        let listed: Vec<Entry> = storage.list(options).await.unwrap().try_collect().await.unwrap();
        let listed: Vec<&str> = listed.iter().map(Entry::as_str).collect();
        assert!(listed.is_sorted_by(|a, b| a < b), "listing {i} is not in order, or lists a key twice");
        for key in &stable {
            assert!(
                listed.binary_search(&key.as_str()).is_ok(),
                "listing {i} misses {key}, which was there throughout"
            );
        }
        let one_level = level(storage, "d/").await;
        for key in stable.iter().filter(|key| key.starts_with("d/s")).map(String::as_str).chain(["d/e/"]) {
            let times = one_level.iter().filter(|entry| *entry == key).count();
            assert_eq!(times, 1, "listing {i} of one level has {key} {times} times");
        }
    }
    over.store(true, Ordering::Relaxed);
    try_join_all(churn).await.unwrap();
}

/// Overwrites the stable keys, moves others about, or creates and deletes, until it is over.
async fn churn(storage: Storage, kind: usize, stable: Vec<String>, over: Arc<AtomicBool>) {
    for i in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let level = ["d/", "", "d/", "d/e/"][i % 4];
        match kind {
            0 => drop(storage.put(&stable[i * 37 % stable.len()], i.to_string()).await.unwrap()),
            1 => {
                storage.put(format!("{level}m-{i}"), "").await.unwrap();
                storage.rename(format!("{level}m-{i}"), format!("{level}a-{i}")).await.unwrap();
                storage.delete(format!("{level}a-{i}")).await.unwrap();
            }
            _ => {
                storage.put(format!("{level}t-{}/x", i % 10), "").await.unwrap();
                storage.delete(format!("{level}t-{}/x", (i + 5) % 10)).await.unwrap();
            }
        }
        tokio::task::yield_now().await;
    }
}

rule! {
    /// Entries carry size, etag and time, equal to what head says, with no further request for each key.
    L10, l10_entries_carry_metadata, "Entries carry metadata",
    why: "A request for each entry makes a listing of a million objects cost a million requests."
}
async fn l10_entries_carry_metadata(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    for (i, key) in ["a", "a/b", "c/d", "e"].into_iter().enumerate() {
        fixture.storage.put(key, bytes(i as u64, i * 1000)).await.unwrap();
    }
    let (storage, log) = Spy::new(&fixture.storage).open();
    let listed = storage.list_all("").await.unwrap();
    assert_eq!(log.count(Operation::Head) + log.count(Operation::Get), 0, "requests for single keys");
    assert_eq!(listed.len(), 4);
    for meta in listed {
        assert_listed(meta.key.as_str(), Some(&meta), &storage.head(&meta.key).await.unwrap().meta);
    }
}

rule! {
    /// A listing is lazy: it asks for no page before an entry of it is wanted, and a page holds no more than its size.
    L11, l11_lazy, "Lazy listing",
    why: "A listing that is read whole into memory first fails on the bucket that matters."
}
async fn l11_lazy(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    for i in 0..60 {
        fixture.storage.put(format!("k-{i:02}"), "").await.unwrap();
    }
    let (storage, log) = Spy::new(&fixture.storage).open();
    let mut entries = storage.list(ListOptions::new().page_size(10)).await.unwrap();
    assert_eq!(log.count(Operation::List), 0, "pages asked for before an entry is wanted");
    for wanted in 1..=60 {
        entries.try_next().await.unwrap().unwrap();
        let asked = log.count(Operation::List);
        assert!(asked <= wanted / 10 + 1, "{asked} pages of 10 for {wanted} entries");
    }
    assert!(entries.try_next().await.unwrap().is_none() && entries.report().unwrap().complete);
    let mut pages = storage.pages(ListOptions::new().page_size(10)).await.unwrap();
    while let Some(page) = pages.next_page().await.unwrap() {
        assert!(page.entries.len() <= 10, "a page of {} entries", page.entries.len());
    }
}

rule! {
    /// What a write under way keeps is never listed. Names that no key can express are skipped, counted and named, and
    /// fail nothing else.
    L12, l12_only_objects_are_listed, "Only objects are listed",
    why: "Names that are dropped in silence are missing from every copy; control files that show are copied as \
          objects."
}
async fn l12_only_objects_are_listed(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    for key in ["a/b", "k"] {
        storage.put(key, "old").await.unwrap();
    }
    let mut writers = Vec::new();
    for key in ["a/b", "a/new", "new", "new/er/x", "k/x"] {
        let mut writer = storage.writer(key).await.unwrap();
        writer.write(bytes(12, 200_000)).await.unwrap();
        writers.push(writer);
    }
    for when in ["while writers are open", "after they were dropped"] {
        let usage = storage.usage("").await.unwrap();
        assert_eq!((usage.objects, usage.bytes, usage.skipped), (2, 6, 0), "{when}");
        assert_eq!(keys(storage).await, ["a/b", "k"], "{when}");
        assert_eq!(level(storage, "").await, ["a/", "k"], "{when}");
        assert_eq!(level(storage, "a/").await, ["a/b"], "{when}");
        writers.clear();
    }
    if fixture.directory.is_none() {
        part_not_asked(NO_DIRECTORY);
    }
    if let Some(directory) = &fixture.directory {
        skips_foreign_names(storage, directory).await;
    }
}

async fn skips_foreign_names(storage: &Storage, directory: &Path) {
    let names: [(&[u8], &str); 5] = [
        (b"bad\xff", "bad"),
        (b"a/line\nbreak", "line"),
        (b"a/\xc3", "a/"),
        (b"esc\x1b[0m", "esc"),
        ("not-xml-\u{ffff}".as_bytes(), "not-xml-"),
    ];
    for (name, _) in names {
        std::fs::write(directory.join(OsStr::from_bytes(name)), "by another program").unwrap();
    }
    let mut entries = storage.list(ListOptions::new()).await.unwrap();
    let listed: Vec<Entry> = entries.by_ref().try_collect().await.unwrap();
    assert_eq!(listed.iter().map(Entry::as_str).collect::<Vec<_>>(), ["a/b", "k"], "the rest is listed");
    let report = entries.report().unwrap();
    assert!(report.complete, "{report:?}");
    assert_eq!((report.entries, report.skipped), (2, names.len() as u64), "{report:?}");
    for (_, part) in names {
        let named = report.skipped_names.iter().find(|skipped| skipped.name.contains(part));
        let named = named.unwrap_or_else(|| panic!("{part}… is not named in {report:?}"));
        assert!(!named.reason.is_empty(), "{named:?}");
    }
    assert_eq!(level(storage, "").await, ["a/", "k"], "one level");
    assert_eq!(storage.usage("").await.unwrap().skipped, names.len() as u64);
    assert_eq!(storage.usage("a/").await.unwrap().skipped, 2, "those under the prefix");
    let limited: Vec<Entry> = storage.list(ListOptions::new().limit(2)).await.unwrap().try_collect().await.unwrap();
    assert_eq!(limited.len(), 2, "skipped names do not count towards the limit");
    let paged: Vec<Entry> = storage.list(ListOptions::new().page_size(1)).await.unwrap().try_collect().await.unwrap();
    assert_eq!(paged, listed, "pages of one entry");
}

rule! {
    /// A failure in the middle is an error at that point and never a short success; only a listing that came to its
    /// end says that it is complete.
    L13, l13_failure_in_the_middle, "Failure in the middle",
    why: "A listing that ends short without an error makes a sync delete what it did not see."
}
async fn l13_failure_in_the_middle(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    for i in 0..20 {
        fixture.storage.put(format!("k-{i:02}"), "").await.unwrap();
    }
    for fails in 1..=4 {
        let failing = || {
            let (storage, _) = Spy::new(&fixture.storage)
                .lister(move |inner| Box::new(Failing { inner, left: Some(fails - 1) }))
                .open();
            storage
        };
        let options = || ListOptions::new().page_size(5);
        let mut entries = failing().list(options()).await.unwrap();
        let (mut came, mut failure) = (0, None);
        while let Some(entry) = entries.next().await {
            match entry {
                Ok(entry) => {
                    assert!(failure.is_none(), "an entry after the error");
                    assert_eq!(entry.as_str(), format!("k-{came:02}"));
                    came += 1;
                }
                Err(error) => failure = Some(error.kind()),
            }
        }
        assert_eq!((came, failure), ((fails - 1) * 5, Some(ErrorKind::Unavailable)), "page {fails} fails");
        assert!(!entries.report().expect("a report").complete, "page {fails} fails: the listing is not complete");
        if fails <= 1 {
            assert_eq!(kind("list_all", failing().list_all("").await), ErrorKind::Unavailable);
            assert_eq!(kind("usage", failing().usage("").await), ErrorKind::Unavailable);
        }

        let (mut pages, mut names, mut errors) = (failing().pages(options()).await.unwrap(), Vec::new(), 0);
        loop {
            match pages.next_page().await {
                Ok(Some(page)) => names.extend(page.entries.iter().map(|entry| entry.as_str().to_owned())),
                Ok(None) => break,
                Err(_) => errors += 1,
            }
        }
        assert_eq!(errors, 1);
        assert_eq!(names, keys(&fixture.storage).await, "asked again, the same page comes");
        assert!(pages.report().complete);
    }
}

/// A listing that fails once, after so many pages.
struct Failing {
    inner: Box<dyn Lister>,
    left: Option<usize>,
}

#[async_trait]
impl Lister for Failing {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        match self.left {
            Some(0) => {
                self.left = None;
                return Err(Error::new(ErrorKind::Unavailable, "the connection broke"));
            }
            Some(left) => self.left = Some(left - 1),
            None => {}
        }
        self.inner.next_page().await
    }
}

rule! {
    /// A parallel listing gives the same entries in the same order as a sequential one.
    L14, l14_parallel_listing, "Parallel listing",
    why: "Speed must not cost the order on which merges and resumes rely."
}
async fn l14_parallel_listing(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    for i in 0..45_usize {
        storage.put(format!("{}/{}/{}", i % 4, i % 7, i), "").await.unwrap();
        storage.put(format!("{}/{}", i % 4, i), "").await.unwrap();
    }
    for (prefix, delimited) in [("", false), ("", true), ("2/", false), ("2/", true), ("3/1", false)] {
        let listing = async |concurrency: Option<usize>| {
            let mut options = ListOptions::new().prefix(Prefix::new(prefix).unwrap()).page_size(7);
            (options.delimited, options.concurrency) = (delimited, concurrency);
            storage.list(options).await.unwrap().try_collect::<Vec<Entry>>().await.unwrap()
        };
        let sequential = listing(Some(1)).await;
        assert!(!sequential.is_empty());
        for concurrency in [None, Some(0), Some(4), Some(32)] {
            assert_eq!(listing(concurrency).await, sequential, "under {prefix:?}, {concurrency:?} at once");
        }
    }
}
