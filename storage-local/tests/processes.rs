//! Processes that race on one directory: one winner, exact counts, nothing lost, nothing left over (rules C01, C02, K13,
//! L08, X04).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod support;

use std::time::Duration;

use storage_core::{CopyOptions, ErrorKind, PutOptions, Storage, SweepOptions};
use support::{Worker, job, leftovers, open};

/// Not a test: what the worker processes run.
#[tokio::test]
async fn worker() {
    let Some((storage, words)) = job() else { return };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let answer = match words[..] {
        ["swap", key, count] => swap(&storage, key, count.parse().unwrap()).await,
        ["nest", seed, count] => nest(&storage, seed.parse().unwrap(), count.parse().unwrap()).await,
        ["create", count] => create(&storage, count.parse().unwrap()).await,
        ["copy", count] => copy(&storage, count.parse().unwrap()).await,
        ["sweep"] => sweep(&storage).await,
        ["move", name, count] => carry(&storage, name, count.parse().unwrap()).await,
        _ => panic!("no such job: {words:?}"),
    };
    println!("answer {answer}");
}

/// Increments a number so many times, each by compare-and-swap.
async fn swap(storage: &Storage, key: &str, count: u64) -> u64 {
    for _ in 0..count {
        loop {
            let (text, options) = match storage.get(key, Default::default()).await {
                Ok(read) => {
                    let etag = read.meta.etag.clone();
                    let storage_core::Body::Bytes(bytes) = read.body else { panic!("a number is small") };
                    let number: u64 = String::from_utf8(bytes.to_vec()).unwrap().parse().unwrap();
                    (number + 1, PutOptions::new().if_match(etag))
                }
                Err(error) if error.is_not_found() => (1, PutOptions::new().create_only()),
                Err(error) => panic!("{error}"),
            };
            match storage.put_with(key, text.to_string(), options).await {
                Ok(_) => break,
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::AlreadyExists), "{error}")
                }
            }
        }
    }
    count
}

/// Writes, reads and deletes keys under and beside others, so that directories come and go.
async fn nest(storage: &Storage, seed: u64, count: u64) -> u64 {
    for i in 0..count {
        let key = match (seed + i) % 5 {
            0 => format!("a/b/{seed}"),
            1 => format!("a/{seed}"),
            2 => format!("a/c/d/{seed}"),
            3 => format!("deep/{}/er/{seed}", i % 3),
            _ => format!("deep/{}/er/{seed}/below", i % 3),
        };
        storage.put(&key, key.clone()).await.unwrap();
        assert_eq!(storage.text(&key).await.unwrap(), key, "a put that was Ok is lost");
        storage.delete(&key).await.unwrap();
    }
    count
}

/// Puts create-only on the keys that the others put on as well; the answer is how many were won.
async fn create(storage: &Storage, count: u64) -> u64 {
    let mut won = 0;
    for i in 0..count {
        let options = PutOptions::new().create_only();
        match storage.put_with(format!("race/{}/{i}", i % 7), "x", options).await {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
        }
    }
    won
}

/// The same with copies.
async fn copy(storage: &Storage, count: u64) -> u64 {
    let mut won = 0;
    for i in 0..count {
        match storage.copy_with("source", format!("copies/{i}/x"), CopyOptions::new().create_only()).await {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
        }
    }
    won
}

/// Moves an object of its own to and fro between directories that others make and prune.
async fn carry(storage: &Storage, name: &str, count: u64) -> u64 {
    storage.put(format!("here/{name}"), name.to_owned()).await.unwrap();
    for _ in 0..count {
        storage.rename(format!("here/{name}"), format!("there/{name}/deep")).await.unwrap();
        storage.rename(format!("there/{name}/deep"), format!("here/{name}")).await.unwrap();
    }
    assert_eq!(storage.text(format!("here/{name}")).await.unwrap(), name, "a move lost the object");
    count
}

/// Takes whatever nobody has claimed, without end.
async fn sweep(storage: &Storage) -> u64 {
    loop {
        let swept = storage.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap();
        assert_eq!(swept.bytes, 0, "the sweep took what a living process wrote");
    }
}

const ROUNDS: u64 = 150;

async fn race(portable: bool) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let storage = open(root, portable);
    storage.put("source", "copied").await.unwrap();
    let rounds = ROUNDS.to_string();
    let jobs: [&[&str]; 16] = [
        &["swap", "a", &rounds],
        &["swap", "a", &rounds],
        &["swap", "a", &rounds],
        &["swap", "a/b", &rounds],
        &["swap", "a/b", &rounds],
        &["swap", "a/b", &rounds],
        &["nest", "1", &rounds],
        &["nest", "2", &rounds],
        &["nest", "3", &rounds],
        &["create", &rounds],
        &["create", &rounds],
        &["create", &rounds],
        &["copy", &rounds],
        &["copy", &rounds],
        &["move", "one", &rounds],
        &["move", "two", &rounds],
    ];
    let mut workers: Vec<_> = jobs.iter().map(|words| Worker::start(root, portable, words)).collect();
    let mut sweeper = Worker::start(root, portable, &["sweep"]);
    sweeper.go();
    workers.iter_mut().for_each(Worker::go);
    let answers: Vec<u64> = workers.iter_mut().map(Worker::answer).collect();

    sweeper.kill();

    assert_eq!(storage.text("a").await.unwrap(), (3 * ROUNDS).to_string(), "swaps of a were lost or doubled");
    assert_eq!(storage.text("a/b").await.unwrap(), (3 * ROUNDS).to_string(), "swaps of a/b were lost or doubled");
    assert_eq!(answers[9..12].iter().sum::<u64>(), ROUNDS, "create-only puts have one winner each");
    assert_eq!(answers[12..14].iter().sum::<u64>(), ROUNDS, "create-only copies have one winner each");
    let listed = storage.list_all("").await.unwrap().len() as u64;
    assert_eq!(listed, 2 + 1 + ROUNDS + ROUNDS + 2, "a, a/b, the source, what was created, copied and moved");

    assert_eq!(storage.delete_all().await.unwrap(), listed);
    drop(workers);
    let swept = storage.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap();
    assert_eq!(swept.removed, 0, "every process cleaned up after itself");
    assert_eq!(leftovers(root), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn races_between_processes_are_exact() {
    race(false).await;
}

#[tokio::test]
async fn races_between_processes_are_exact_on_the_portable_path() {
    race(true).await;
}
