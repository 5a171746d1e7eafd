//! Too many open files: a typed error that can pass, the old object intact, nothing left over (rule S06).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![cfg(target_os = "linux")]

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use storage_core::{ErrorKind, Result, Storage};
use support::{BOTH_PATHS, JOB, leftovers, open};

/// So many files may the worker have open; the test runner has a dozen.
const LIMIT: u64 = 64;

/// The most that an operation of the driver has open at once, and more.
const MOST: usize = 12;

const OPERATIONS: [&str; 9] = ["put", "put new", "write", "copy", "move", "delete", "read", "list", "sweep"];

async fn operate(storage: &Storage, operation: &str) -> Result<()> {
    match operation {
        "put" => storage.put("k", "new").await.map(drop),
        "put new" => storage.put("n/e/w", "new").await.map(drop),
        "write" => {
            let mut writer = storage.writer("k").await?;
            writer.write("new").await?;
            writer.finish().await.map(drop)
        }
        "copy" => storage.copy("other", "k").await.map(drop),
        "move" => storage.rename("other", "k").await.map(drop),
        "delete" => storage.delete("d/k").await,
        "read" => storage.text("k").await.map(drop),
        "list" => storage.list_all("").await.map(drop),
        _ => storage.sweep(Default::default()).await.map(drop),
    }
}

/// Every object, in order.
async fn state(storage: &Storage) -> Vec<(String, String)> {
    let mut state = Vec::new();
    for object in storage.list_all("").await.unwrap() {
        state.push((object.key.to_string(), storage.text(&object.key).await.unwrap()));
    }
    state
}

async fn fill(storage: &Storage) {
    storage.delete_all().await.unwrap();
    for key in ["k", "other", "d/k"] {
        storage.put(key, format!("old {key}")).await.unwrap();
    }
}

/// Opens files until no more can be, and closes so many of them.
fn exhausted(left: usize) -> Vec<File> {
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(files.len() < LIMIT as usize, "the limit is in force");
    files.truncate(files.len().saturating_sub(left));
    files
}

/// Not a test: what a process runs that may open few files.
#[tokio::test]
async fn worker() {
    let Ok(job) = std::env::var(JOB) else { return };
    let (root, path) = job.split_once('\n').unwrap();
    let storage = open(Path::new(root), path == "portable");
    let temporaries = Path::new(root).join(".%ctl/tmp");
    let mut refused = 0;
    for operation in OPERATIONS {
        fill(&storage).await;
        let before = state(&storage).await;
        operate(&storage, operation).await.unwrap();
        let after = state(&storage).await;
        for left in 0..=MOST {
            fill(&storage).await;
            let files = exhausted(left);
            let result = operate(&storage, operation).await;
            drop(files);
            let what = format!("{operation} with {left} files to open: {result:?}");
            let now = state(&storage).await;
            match result {
                Ok(()) => assert_eq!(now, after, "{what}"),
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}");
                    assert!(error.is_retryable() && error.to_string().contains("ulimit -n"), "{what}");
                    assert_eq!(now, before, "{what}");
                }
            }
            let left: Vec<_> = fs::read_dir(&temporaries).into_iter().flatten().collect();
            assert!(left.is_empty(), "{what} leaves {left:?}");
        }
        fill(&storage).await;
        operate(&storage, operation).await.expect("all is well with more files to open");
    }
    assert!(refused >= OPERATIONS.len(), "too few operations met the limit: {refused}");
    storage.delete_all().await.unwrap();
    assert_eq!(leftovers(Path::new(root)), Vec::<PathBuf>::new());
}

#[test]
fn s06_too_many_open_files_change_nothing() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let path = if portable { "portable" } else { "native" };
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -n {LIMIT} && exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
            .env(JOB, format!("{}\n{path}", directory.path().display()))
            .output()
            .unwrap();
        let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{path}: {said}{failed}");
    }
}
