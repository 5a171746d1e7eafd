//! What a host was told is done outlives the host; what a killed writer left is swept.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use storage_core::{ErrorKind, PutOptions, Storage, SweepOptions};
use storage_redb::Redb;

/// Names the file that a killed process writes to; unset in every other process.
const VICTIM: &str = "STORAGE_REDB_VICTIM";

fn open(path: &Path) -> Storage {
    Storage::new(Redb::open(path, true))
}

/// Writes for ever, each object after the last was acknowledged, with an unfinished streaming write in the file.
#[tokio::test]
async fn victim() {
    let Ok(path) = std::env::var(VICTIM) else { return };
    let root = open(Path::new(&path));
    let mut unfinished = root.writer("unfinished").await.unwrap();
    unfinished.write(vec![1; 9 << 20]).await.unwrap();
    for number in 0_u32.. {
        root.put("last", number.to_string()).await.unwrap();
        root.put_with(format!("object/{number}"), vec![7; 300_000], PutOptions::new().create_only()).await.unwrap();
        println!("\nacknowledged {number}");
    }
}

/// After a kill in the midst of writes every acknowledged object is there, whole; the streaming write left no object, and
/// a sweep takes its bytes away.
#[tokio::test]
async fn acknowledged_writes_outlive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("objects.redb");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut acknowledged = lines.filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned));
    let told = acknowledged.find(|number| number == "20").expect("the victim writes");
    let taken = open(&path).text("last").await.expect_err("the victim has the file");
    assert_eq!(taken.kind(), ErrorKind::Unavailable, "{taken}");
    assert!(taken.to_string().contains("one process"), "{taken}");
    child.kill().unwrap();
    child.wait().unwrap();
    let told: u32 = acknowledged.last().unwrap_or(told).parse().unwrap();

    let root = open(&path);
    for number in 0..=told {
        let content = root.bytes(format!("object/{number}")).await.unwrap();
        assert!(content == vec![7; 300_000], "object {number} of {told}");
    }
    let last: u32 = root.text("last").await.unwrap().parse().unwrap();
    assert!(last == told || last == told + 1, "acknowledged {told}, found {last}");
    assert!(!root.exists("unfinished").await.unwrap());
    let swept = root.sweep(SweepOptions::default()).await.unwrap();
    assert_eq!(swept.removed, 1, "{swept:?}");
    assert!(swept.bytes > 7 << 20, "{swept:?}");
    assert_eq!(root.sweep(SweepOptions::default()).await.unwrap().removed, 0);
}
