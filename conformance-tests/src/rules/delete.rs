//! Rules D: delete.

use futures::stream::TryStreamExt as _;
use storage_core::{Error, ErrorKind, ListOptions, Result, Storage};

use super::listing::with_markers;
use crate::Harness;
use crate::context::nothing_to_ask;
use crate::rule::rule;
use crate::support::{keys, kind, level, missing};

rule! {
    /// Deleting a missing key is Ok, and so is deleting twice.
    D01, d01_missing_key_is_ok, "A missing key is Ok",
    why: "Deletes are repeated after lost answers; an error for the second one is a false alarm."
}
async fn d01_missing_key_is_ok(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.delete("never/was/there").await.unwrap();
    storage.put("a/b", "text").await.unwrap();
    for _ in 0..3 {
        storage.delete("a/b").await.unwrap();
        assert_eq!(kind("a deleted object", storage.head("a/b").await), ErrorKind::NotFound);
    }
    assert!(keys(storage).await.is_empty());
    storage.put("a/b", "again").await.unwrap();
    assert_eq!(storage.text("a/b").await.unwrap(), "again", "a deleted key is as good as new");
}

rule! {
    /// Deleting `a` touches neither `a/b` nor `ab`.
    D02, d02_neighbours_stay, "Neighbours stay",
    why: "A delete of `a` that takes `a/b` along, as that of a directory does, loses data."
}
async fn d02_neighbours_stay(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let all = ["a", "a-b", "a.b", "a/b", "a/b/c", "a/b/c/d", "a0", "ab", "b/a"];
    for key in all {
        storage.put(key, key).await.unwrap();
    }
    for victim in all.into_iter().chain(["a/b/c/d/e", "a/c", "b", "c"]) {
        storage.delete(victim).await.unwrap();
        let left: Vec<_> = all.into_iter().filter(|key| *key != victim).collect();
        assert_eq!(keys(storage).await, left, "after the delete of {victim}");
        for key in left {
            assert_eq!(storage.text(key).await.unwrap(), key, "after the delete of {victim}");
        }
        if all.contains(&victim) {
            storage.put(victim, victim).await.unwrap();
        }
    }
}

rule! {
    /// A bulk delete gives a result for each key, in order; any number of keys, some of them missing, repeated or no
    /// keys at all.
    D03, d03_bulk_delete, "Bulk delete",
    why: "Services take a thousand keys at once and answer in XML; hostile names and the rest of the last batch get \
          lost there."
}
async fn d03_bulk_delete(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    assert!(storage.delete_many(Vec::<&str>::new()).await.unwrap().is_empty(), "no keys, no results");
    let hostile = ["<&>\"'", "]]>", "&lt;", " a ", "a\\b", "é😀", "%2F"];
    for key in hostile.into_iter().chain(["a", "a/b", "stays"]) {
        storage.put(key, "text").await.unwrap();
    }
    for i in 0..60 {
        storage.put(format!("many/{i}"), "").await.unwrap();
    }
    let mut doomed: Vec<String> = (0..1200).map(|i| format!("many/{i}")).collect();
    doomed.extend(hostile.map(str::to_owned));
    doomed.extend(["a", "a", "many/0", "../x", "a"].map(str::to_owned));
    let results = storage.delete_many(&doomed).await.unwrap();
    assert_eq!(results.len(), doomed.len(), "a result for each key");
    for (key, result) in doomed.iter().zip(results) {
        match key.as_str() {
            "../x" => assert_eq!(kind(key, result), ErrorKind::InvalidKey, "what is no key fails alone"),
            _ => result.unwrap(),
        }
    }
    assert_eq!(keys(storage).await, ["a/b", "stays"]);
    let Some(missing) = missing(harness).await else { return };
    let failed = match missing.delete_many(["a", "b"]).await {
        Err(error) => vec![error],
        Ok(results) => results.into_iter().filter_map(Result::err).collect::<Vec<Error>>(),
    };
    assert!(!failed.is_empty() && failed.iter().all(|error| error.kind() == ErrorKind::BackendNotFound), "{failed:?}");
}

rule! {
    /// A delete by prefix takes a prefix that ends in `/`; everything needs an explicit "all". It says how many
    /// objects that were, and can be repeated.
    D04, d04_delete_by_prefix, "Delete by prefix",
    why: "An empty prefix that came out of a bug empties the whole bucket, unless everything needs to be asked for by \
          name."
}
async fn d04_delete_by_prefix(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let under = ["x/a", "x/a/b", "x/a/b/c", "x/\u{10ffff}", "x/ ", "x/y/z"];
    let beside = ["w", "x", "x ", "x-y", "x.y/z", "x0", "xy/z", "y/x/a"];
    for key in under.into_iter().chain(beside) {
        storage.put(key, key).await.unwrap();
    }
    let whole = keys(storage).await;
    for refused in ["x", "", "x/a", "x-", "no-such"] {
        let result = storage.delete_prefix(refused).await;
        assert_eq!(kind(refused, result), ErrorKind::InvalidInput, "a delete by {refused:?}");
    }
    for invalid in ["/", "x//", "../", "x/../"] {
        assert_eq!(kind(invalid, storage.delete_prefix(invalid).await), ErrorKind::InvalidKey, "{invalid:?}");
    }
    assert_eq!(keys(storage).await, whole, "what is refused deletes nothing");

    assert_eq!(storage.delete_prefix("x/y/").await.unwrap(), 1);
    assert_eq!(storage.delete_prefix("x/").await.unwrap(), under.len() as u64 - 1, "objects under x/");
    assert_eq!(keys(storage).await, beside, "what stands beside x/");
    for prefix in ["x/", "no/such/", "w/"] {
        assert_eq!(storage.delete_prefix(prefix).await.unwrap(), 0, "nothing is under {prefix}");
    }
    storage.put("x/new", "").await.unwrap();
    assert_eq!(storage.delete_prefix("x/").await.unwrap(), 1, "after new objects");
    assert_eq!(storage.delete_all().await.unwrap(), beside.len() as u64, "everything");
    assert_eq!(storage.delete_all().await.unwrap(), 0, "everything, again");
    assert!(keys(storage).await.is_empty());
    storage.put("x", "the root lives on").await.unwrap();
    assert_eq!(keys(storage).await, ["x"]);
    takes_markers_along(harness).await;
}

/// Directory markers of other programs go with what is under their prefix, so that nothing of it is left.
async fn takes_markers_along(harness: &dyn Harness) {
    let Some((_service, fixture)) = with_markers(harness).await else { return };
    let storage = &fixture.storage;
    storage.delete_prefix("x/").await.unwrap();
    assert_eq!(keys(storage).await, ["x"]);
    let mut entries = storage.list(ListOptions::new()).await.unwrap();
    while entries.try_next().await.unwrap().is_some() {}
    assert_eq!(entries.report().unwrap().skipped, 0, "names that a delete by prefix has left");
    assert_eq!(level(storage, "").await, ["x"], "one level after a delete by prefix");
}

rule! {
    /// A root that is gone is `BackendNotFound`, not Ok.
    D05, d05_root_that_is_gone, "A root that is gone",
    why: "An unmounted disk that answers Ok to deletes makes the host forget what is still there."
}
async fn d05_root_that_is_gone(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let Some(directory) = fixture.directory.as_ref().filter(|_| !fixture.sub_root) else {
        return nothing_to_ask("the root is no directory that could go");
    };
    storage.put("a/b", "text").await.unwrap();
    storage.put("c", "text").await.unwrap();
    std::fs::remove_dir_all(directory).unwrap();
    let failed = failures(storage).await;
    for (operation, result) in failed {
        assert_eq!(kind(operation, result), ErrorKind::BackendNotFound, "{operation} on a root that is gone");
    }
    assert!(!directory.exists(), "neither a read nor a delete makes a root");
    goes_under_writes(harness).await;
}

/// A root that is removed, piece by piece, while writes are under way fails them or is made again by them; they end, and
/// take nothing else along.
async fn goes_under_writes(harness: &dyn Harness) {
    for round in 0..10 {
        let fixture = harness.fresh().await;
        let directory = fixture.directory.as_ref().expect("the directory of the root");
        let writers = (0..4).map(|writer| {
            let storage = fixture.storage.clone();
            tokio::spawn(async move {
                for i in 0..20 {
                    storage.put(format!("a/{writer}/{i}/deep"), "text").await?;
                }
                Ok::<_, Error>(())
            })
        });
        let writers: Vec<_> = writers.collect();
        while std::fs::remove_dir_all(directory).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound) {
            tokio::task::yield_now().await;
        }
        for writer in writers {
            if let Err(error) = writer.await.unwrap() {
                assert!(!error.is_retryable(), "round {round}: {error}");
            }
        }
    }
}

/// What reads and deletes say.
async fn failures(storage: &Storage) -> Vec<(&'static str, Result<()>)> {
    vec![
        ("delete", storage.delete("c").await),
        ("delete of a missing key", storage.delete("no/such").await),
        ("delete_many", all(storage.delete_many(["c", "a/b"]).await)),
        ("delete_prefix", storage.delete_prefix("a/").await.map(drop)),
        ("delete_all", storage.delete_all().await.map(drop)),
        ("get", storage.bytes("c").await.map(drop)),
        ("head", storage.head("a/b").await.map(drop)),
        ("list", storage.list_all("").await.map(drop)),
        ("copy", storage.copy("c", "d").await.map(drop)),
        ("rename", storage.rename("c", "d").await.map(drop)),
    ]
}

fn all(results: Result<Vec<Result<()>>>) -> Result<()> {
    results?.into_iter().collect()
}
