//! `kill -9` in the middle of work: what was Ok is there, and nothing half-done shows (rules W02, W06, S04).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use storage_core::{Storage, SweepOptions};
use support::{Worker, job, leftovers, open};

/// Not a test: writes, overwrites, nests, copies, moves and deletes without end, and prints each key once it is Ok.
#[tokio::test]
async fn worker() {
    let Some((storage, _)) = job() else { return };
    for i in 0.. {
        let value = format!("{i}:{}", "x".repeat(i % 5000));
        let key = format!("k{}", i % 40);
        storage.put(&key, value.clone()).await.unwrap();
        println!("{key} {i}");
        let below = format!("{key}/below/{}", i % 3);
        storage.put(&below, value.clone()).await.unwrap();
        println!("{below} {i}");
        storage.copy(&below, format!("copy/{below}")).await.unwrap();
        println!("copy/{below} {i}");
        storage.put(format!("away/{i}/x"), value).await.unwrap();
        storage.rename(format!("away/{i}/x"), format!("moved/{}", i % 10)).await.unwrap();
        println!("moved/{} {i}", i % 10);
        storage.put(format!("gone/{i}/x"), "soon gone").await.unwrap();
        storage.delete(format!("gone/{i}/x")).await.unwrap();
        println!("gone/{i}/x deleted");
    }
}

/// The number that an object holds; fails where it is torn.
async fn number(storage: &Storage, key: &str) -> usize {
    let text = storage.text(key).await.unwrap_or_else(|error| panic!("a put that was Ok is lost: {error}"));
    let (number, filler) = text.split_once(':').expect("the object is torn");
    let number = number.parse().unwrap();
    assert_eq!(filler.len(), number % 5000, "the object is torn");
    number
}

async fn crashes(portable: bool) {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..6 {
        let mut worker = Worker::start(directory.path(), portable, &[]);
        worker.go();
        let mut acknowledged = BTreeMap::new();
        for _ in 0..150 + round * 37 {
            if let Some((key, number)) = worker.line().split_once(' ') {
                acknowledged.insert(key.to_owned(), number.parse::<usize>().ok());
            }
        }
        worker.kill();

        let storage = open(directory.path(), portable);
        for (key, wanted) in &acknowledged {
            match wanted {
                // The worker went on after its last line, so a later value may be there.
                Some(wanted) => assert!(number(&storage, key).await >= *wanted, "{key} is older than what was Ok"),
                None => assert!(!storage.exists(key).await.unwrap(), "{key} is back"),
            }
        }
        storage.delete_prefix("gone/").await.unwrap();
        for object in storage.list_all("").await.unwrap() {
            number(&storage, object.key.as_str()).await;
        }
        storage.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap();
        assert!(std::fs::read_dir(directory.path().join(".%ctl/tmp")).unwrap().next().is_none());
        storage.delete_all().await.unwrap();
        assert_eq!(leftovers(directory.path()), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test]
async fn what_was_ok_survives_kill_9() {
    crashes(false).await;
}

#[tokio::test]
async fn what_was_ok_survives_kill_9_on_the_portable_path() {
    crashes(true).await;
}
