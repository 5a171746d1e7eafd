//! A directory and a file of the root that turn into symbolic links to places outside, and back, all the time: whatever
//! runs meanwhile, nothing outside is read, written or removed (rule S05).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use storage_core::SweepOptions;
use support::open;

/// How long each path of the driver is attacked.
const ATTACK: Duration = Duration::from_millis(1500);

/// A directory with everything that an operation could take for its own.
fn outside() -> tempfile::TempDir {
    let outside = tempfile::tempdir().unwrap();
    for directory in ["empty/er", "idle/.%ctl/tmp", "dir/.%ctl/tmp", "gone"] {
        fs::create_dir_all(outside.path().join(directory)).unwrap();
    }
    for file in ["file", "x", "dir/x", "dir/.%self", "dir/.%ctl/tmp/4000000-1", ".%self"] {
        fs::write(outside.path().join(file), "secret").unwrap();
    }
    outside
}

/// Every path under a directory, with what a write would change.
fn snapshot(directory: &Path) -> Vec<(PathBuf, u64, i64, i64, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            all.extend(snapshot(&path));
        }
        all.push((path, meta.size(), meta.mtime(), meta.mtime_nsec(), meta.nlink()));
    }
    all.sort();
    all
}

/// Exchanges each of the names with the link beside it until it is over.
fn swap(root: &Path, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        for (name, link) in [("d", "to-d"), ("d2/f", "to-f")] {
            let _ = renameat_with(CWD, root.join(name), CWD, root.join(link), RenameFlags::EXCHANGE);
        }
    }
}

fn attack(portable: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outside = outside();
    let before = snapshot(outside.path());
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let storage = open(root, portable);
    for key in ["d/x", "d/dir/x", "d2/f"] {
        runtime.block_on(storage.put(key, "inside")).unwrap();
    }
    symlink(outside.path(), root.join("to-d")).unwrap();
    symlink(outside.path().join("file"), root.join("to-f")).unwrap();
    let over = AtomicBool::new(false);
    let mut done = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| swap(root, &over));
        let used = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                let end = Instant::now() + ATTACK;
                while Instant::now() < end {
                    let results = [
                        storage.put("d/x", "inside").await.is_ok(),
                        storage.put("d/x/below", "inside").await.is_ok(),
                        storage.put("d/empty/er/new", "inside").await.is_ok(),
                        storage.put("d2/f", "inside").await.is_ok(),
                        storage.put("d2/f/below", "inside").await.is_ok(),
                        storage.put("later/f", "inside").await.is_ok(),
                        storage.rename("d2/f", "later/f").await.is_ok(),
                        storage.rename("later/f", "d2/f").await.is_ok(),
                        storage.rename("d/x", "d/dir/y").await.is_ok(),
                        storage.copy("d/x", "copied").await.is_ok(),
                        storage.copy("d2/f", "d/dir/x").await.is_ok(),
                        storage.delete("d/empty/er/new").await.is_ok(),
                        storage.delete("d/gone/x").await.is_ok(),
                        storage.delete("d/idle/x").await.is_ok(),
                        storage.delete("d/dir/y").await.is_ok(),
                        storage.delete("d2/f/below").await.is_ok(),
                        storage.delete_prefix("d/dir/").await.is_ok(),
                        storage.delete_prefix("d/").await.is_ok(),
                        storage.sweep(SweepOptions::older_than(Duration::ZERO)).await.is_ok(),
                    ];
                    done += results.iter().filter(|ok| **ok).count();
                    for object in storage.list_all("").await.unwrap_or_default() {
                        if let Ok(text) = storage.text(&object.key).await {
                            assert_eq!(text, "inside", "{} was read from outside", object.key);
                        }
                    }
                }
            });
        }));
        over.store(true, Ordering::Relaxed);
        used.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert!(done > 100, "the attack hindered everything");
    assert_eq!(snapshot(outside.path()), before, "something outside has changed");
}

#[test]
fn s05_swapped_links_lead_no_operation_out() {
    attack(false);
}

#[test]
fn s05_swapped_links_lead_no_operation_out_on_the_portable_path() {
    attack(true);
}
