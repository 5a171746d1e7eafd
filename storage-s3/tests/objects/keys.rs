//! Rules K: names go over the wire and come back byte for byte, by every operation that takes one.

use storage_core::{GetOptions, Key};

use crate::hosting::Host;

const HOSTILE: [&str; 22] = [
    "plain",
    "a/b/c",
    " a ",
    "a.",
    "...",
    ".hidden",
    "%2F",
    "%2e%2e",
    "a%25b",
    "a+b c",
    "&amp;<>\"'",
    "q?x=1&y#f",
    "=:;,@!$*()[]{}~^|\\`",
    "é",
    "e\u{301}",
    "世界/🎉",
    "\u{a0}nbsp\u{2028}",
    "versionId=1",
    "a/..b/c",
    "A",
    "Key></Object>",
    "x.attrs#1",
];

/// K02, K07–K10: put, get, head, copy, bulk delete.
#[tokio::test]
async fn hostile_names_round_trip() {
    let host = Host::new().await;
    for prefix in ["", "root/sub"] {
        let root = if prefix.is_empty() { host.root.clone() } else { host.root.sub(prefix).unwrap() };
        for key in HOSTILE {
            root.put(key, key).await.unwrap();
        }
        for key in HOSTILE {
            let read = root.get(key, GetOptions::new().buffered()).await.unwrap();
            assert_eq!(read.meta.key.as_str(), key);
            assert_eq!(root.text(key).await.unwrap(), key);
            assert_eq!(root.head(key).await.unwrap().meta.size, key.len() as u64);
            let copy = format!("copy/{key}");
            root.copy(key, &copy).await.unwrap();
            assert_eq!(root.text(&copy).await.unwrap(), key);
            root.rename(&copy, format!("moved/{key}")).await.unwrap();
            assert!(!root.exists(&copy).await.unwrap());
            assert_eq!(root.text(format!("moved/{key}")).await.unwrap(), key);
        }
        let deleted = root.delete_many(HOSTILE).await.unwrap();
        assert!(deleted.iter().all(Result::is_ok));
        for key in HOSTILE {
            assert!(!root.exists(key).await.unwrap(), "{key}");
        }
        assert_eq!(root.delete_prefix("moved/").await.unwrap(), HOSTILE.len() as u64);
    }
}

/// K03, K11: the longest key, with what stands before it.
#[tokio::test]
async fn the_longest_key_works() {
    let host = Host::new().await;
    let key = "ü".repeat(512);
    assert!(Key::new(key.as_str()).is_ok());
    host.root.put(key.as_str(), "x").await.unwrap();
    host.root.copy(key.as_str(), "short").await.unwrap();
    assert_eq!(host.root.text(key.as_str()).await.unwrap(), "x");
    assert!(host.root.delete_many([key.as_str()]).await.unwrap()[0].is_ok());
}
