//! Random names and listings against a model, signed in both places that a bucket's name may stand (rules K02, K08, L01–L06).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::collections::{BTreeMap, BTreeSet};

use s3_test_server::ServerOptions;
use storage_core::{Key, ListOptions, Prefix};
use storage_s3::{Addressing, PayloadSigning};

use crate::hosting::Host;

/// What names are made of: everything that has a meaning in a URL, a header or a document, and a few plain letters.
const PIECES: [&str; 40] = [
    "%",
    "+",
    "?",
    "#",
    "&",
    "=",
    "\\",
    "*",
    ":",
    "\"",
    "<",
    ">",
    "|",
    "~",
    "^",
    "[",
    "]",
    "{",
    "}",
    "'",
    ",",
    ";",
    "@",
    "!",
    "$",
    "😀",
    " ",
    ".",
    "/",
    "/",
    "/",
    "a",
    "b",
    "%2F",
    "&amp;",
    "é",
    "e\u{301}",
    "()",
    "\u{10ffff}",
    "\u{a0}",
];

fn name(random: &mut fastrand::Rng) -> String {
    (0..random.usize(1..10)).map(|_| PIECES[random.usize(..PIECES.len())]).collect()
}

/// The entries of a listing, as the model has them.
fn model(keys: &[String], prefix: &str, start: &str, delimited: bool) -> Vec<String> {
    let entry = |key: &String| match key[prefix.len()..].find('/') {
        Some(at) if delimited => key[..prefix.len() + at + 1].to_owned(),
        _ => key.clone(),
    };
    let entries: BTreeSet<String> = keys.iter().filter(|key| key.starts_with(prefix)).map(entry).collect();
    entries.into_iter().filter(|entry| entry.as_str() > start).collect()
}

async fn listed(host: &Host, options: ListOptions) -> Vec<String> {
    let mut pages = host.root.pages(options).await.unwrap();
    let mut entries = Vec::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        entries.extend(page.entries.into_iter().map(|entry| entry.as_str().to_owned()));
    }
    entries
}

async fn names_and_listings(addressing: Addressing, signing: PayloadSigning) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let host = Host::with(ServerOptions::new(), |options| {
        (options.addressing, options.payload_signing) = (addressing, signing);
        let endpoint = options.endpoint.take().unwrap();
        options.endpoint = Some(endpoint.replace("127.0.0.1", "localhost"));
    })
    .await;
    let mut objects = BTreeMap::new();
    while objects.len() < 60 {
        let Ok(key) = Key::new(name(&mut random)) else { continue };
        let content = objects.len().to_string();
        host.root.put(&key, content.clone()).await.unwrap();
        host.root.copy(&key, "copies/one").await.unwrap();
        assert_eq!(host.root.text("copies/one").await.unwrap(), content, "{key:?}");
        objects.insert(key.to_string(), content);
    }
    host.root.delete("copies/one").await.unwrap();
    let keys: Vec<String> = objects.keys().cloned().collect();
    assert_eq!(listed(&host, ListOptions::new()).await, keys);
    for (key, content) in &objects {
        assert_eq!(host.root.text(key.as_str()).await.unwrap(), *content, "{key:?}");
    }
    for _ in 0..60 {
        let some = &keys[random.usize(..keys.len())];
        let cut = some.char_indices().map(|(at, _)| at).nth(random.usize(..some.chars().count())).unwrap();
        let prefix = if random.bool() { &some[..cut] } else { "" };
        let start = if random.bool() { keys[random.usize(..keys.len())].as_str() } else { "" };
        let Ok(checked) = Prefix::new(prefix) else { continue };
        let mut options = ListOptions::new().prefix(checked).page_size(random.usize(1..8));
        let delimited = random.bool();
        if delimited {
            options = options.delimited();
        }
        if !start.is_empty() {
            options = options.start_after(start);
        }
        let expected = model(&keys, prefix, start, delimited);
        assert_eq!(listed(&host, options).await, expected, "under {prefix:?} after {start:?}, delimited: {delimited}");
    }
    let deleted = host.root.delete_many(keys.iter().map(String::as_str)).await.unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
    assert_eq!(listed(&host, ListOptions::new()).await, Vec::<String>::new());
}

#[tokio::test]
async fn in_the_path() {
    names_and_listings(Addressing::Path, PayloadSigning::Signed).await;
}

#[tokio::test]
async fn in_the_host() {
    names_and_listings(Addressing::VirtualHost, PayloadSigning::Unsigned).await;
}
