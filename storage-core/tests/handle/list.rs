//! Listings through the handle: limits, reports, failures, and the same result as a plain filter over all keys.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use futures::stream::StreamExt as _;
use proptest::prelude::*;
use storage_core::{Entry, ErrorKind, ListOptions, Operation, Prefix, Storage, Usage};
use storage_memory::Memory;

use crate::common::{Fault, Script};
use crate::storage;

async fn filled(keys: usize) -> (Script, Storage) {
    let (script, storage) = storage();
    for i in 0..keys {
        storage.put(format!("k{i:04}"), "abc").await.unwrap();
    }
    script.reset();
    (script, storage)
}

#[tokio::test]
async fn the_limit_is_exact_and_asks_for_no_more_than_it_needs() {
    let (script, storage) = filled(10).await;
    for limit in [1, 3, 9, 10] {
        let mut entries = storage.list(ListOptions::new().limit(limit).page_size(4)).await.unwrap();
        let listed: Vec<_> = entries.by_ref().try_collect().await.unwrap();
        assert_eq!(listed.len() as u64, limit);
        let report = entries.report().unwrap();
        assert_eq!((report.entries, report.limited), (limit, true));
    }
    script.reset();
    let mut none = storage.list(ListOptions::new().limit(0)).await.unwrap();
    assert!(none.next().await.is_none());
    assert!(none.report().unwrap().limited);
    assert_eq!(script.requests(), 0);
}

#[tokio::test]
async fn a_listing_says_when_it_is_complete() {
    let (_, storage) = filled(10).await;
    let mut entries = storage.list(ListOptions::new().page_size(3)).await.unwrap();
    entries.next().await.unwrap().unwrap();
    assert!(entries.report().is_none(), "it goes on");
    assert_eq!(entries.by_ref().try_collect::<Vec<_>>().await.unwrap().len(), 9);
    let report = entries.report().unwrap();
    assert_eq!((report.complete, report.limited, report.entries), (true, false, 10));
}

#[tokio::test]
async fn a_failure_is_an_item_and_no_short_success() {
    let (script, storage) = filled(10).await;
    let mut entries = storage.list(ListOptions::new().page_size(4)).await.unwrap();
    for _ in 0..4 {
        entries.next().await.unwrap().unwrap();
    }
    script.fault(Operation::List, Fault::Refused(ErrorKind::Unavailable));
    let error = entries.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some(Operation::List)));
    assert!(entries.next().await.is_none());
    assert!(!entries.report().unwrap().complete);
    script.fault(Operation::List, Fault::Refused(ErrorKind::Unavailable));
    assert_eq!(storage.list_all("").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn pages_can_be_asked_for_again() {
    let (script, storage) = filled(5).await;
    let mut pages = storage.pages(ListOptions::new().page_size(2)).await.unwrap();
    script.fault(Operation::List, Fault::Refused(ErrorKind::Unavailable));
    pages.next_page().await.unwrap_err();
    let mut listed = 0;
    while let Some(page) = pages.next_page().await.unwrap() {
        listed += page.entries.len();
    }
    assert_eq!((listed, pages.report().complete), (5, true));
}

#[tokio::test]
async fn usage_counts_objects_and_bytes() {
    let (_, storage) = filled(7).await;
    storage.put("other", "x").await.unwrap();
    assert_eq!(storage.usage("k").await.unwrap(), Usage { objects: 7, bytes: 21, skipped: 0 });
    assert_eq!(storage.usage("none/").await.unwrap(), Usage::default());
}

/// What a listing is by the rules: a filter over all keys, with common prefixes as entries (rules L01–L05).
fn by_the_rules(keys: &BTreeSet<String>, prefix: &str, delimited: bool, start: Option<&str>) -> Vec<String> {
    let entry = |key: &String| match key[prefix.len()..].find('/') {
        Some(slash) if delimited => key[..=prefix.len() + slash].to_owned(),
        _ => key.clone(),
    };
    let entries: BTreeSet<_> = keys.iter().filter(|key| key.starts_with(prefix)).map(entry).collect();
    entries.into_iter().filter(|entry| start.is_none_or(|start| entry.as_str() > start)).collect()
}

fn names(entries: Vec<Entry>) -> Vec<String> {
    entries.iter().map(|entry| entry.as_str().to_owned()).collect()
}

/// The whole listing in one go, and once more with each page in a listing of its own.
async fn both_ways(storage: &Storage, options: ListOptions) -> (Vec<String>, Vec<String>) {
    let whole = storage.list(options.clone()).await.unwrap().try_collect().await.unwrap();
    let (mut paged, mut token) = (Vec::new(), None);
    loop {
        let mut options = options.clone();
        options.token = token;
        let page = storage.pages(options).await.unwrap().next_page().await.unwrap();
        let Some(page) = page else { break };
        paged.extend(page.entries);
        token = page.resume;
        if token.is_none() {
            break;
        }
    }
    (names(whole), names(paged))
}

const SEGMENTS: &str = "[a-c-]{1,2}";

proptest! {
    #[test]
    fn a_listing_is_what_the_rules_say(
        keys in prop::collection::btree_set(prop::collection::vec(SEGMENTS, 1..4).prop_map(|path| path.join("/")), 0..25),
        prefix in "([a-c-]{1,2}/){0,2}[a-c]?",
        start in prop::option::of("[a-c-]{1,2}(/[a-c-]{0,2}){0,2}"),
        delimited: bool,
        page in 1_usize..6,
        tenant: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (whole, paged) = runtime.block_on(async {
            let mut storage = Storage::new(Memory::new());
            if tenant {
                storage.put("a-sibling", "").await.unwrap();
                storage = storage.sub("a").unwrap();
            }
            for key in &keys {
                storage.put(key, "").await.unwrap();
            }
            let mut options = ListOptions::new().prefix(Prefix::new(prefix.as_str()).unwrap()).page_size(page);
            options.delimited = delimited;
            options.start_after = start.clone();
            both_ways(&storage, options).await
        });
        let expected = by_the_rules(&keys, &prefix, delimited, start.as_deref());
        prop_assert_eq!(&whole, &expected);
        prop_assert_eq!(&paged, &expected);
    }
}
