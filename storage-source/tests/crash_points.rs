//! `kill -9` before each call by which a working copy changes a disk: its own files and the root's. The object is the old one
//! or the new one, the file loses no change, and the next session ends the work.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by it")]
#![cfg(target_os = "linux")]

#[path = "../../storage-local/tests/support/trace.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod trace;

use std::path::{Path, PathBuf};
use std::time::Duration;

use storage_core::Storage;
use storage_local::{Local, LocalOptions};
use storage_source::{Commit, Opened, WorkingCopy, WorkingCopyOptions};
use trace::{Fate, THREAD, counts, missing, run};

/// Where a worker process finds its job, and what begins its last words.
const JOB: &str = "STORAGE_SOURCE_TEST_JOB";
const END: &str = "end: ";

const CHANGES: &str = "openat,write,ftruncate,fsync,mkdirat,linkat,rename,renameat,renameat2,unlink,unlinkat";

/// A root, and a working copy beside it.
struct Scene(PathBuf);

impl Scene {
    fn root(&self) -> Storage {
        Storage::new(Local::open(self.0.join("root"), LocalOptions::new().create(true)).unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.join("copy/db")
    }

    fn journal(&self) -> PathBuf {
        self.0.join("copy/db-journal")
    }

    fn text(&self) -> Option<String> {
        std::fs::read_to_string(self.file()).ok()
    }

    async fn open(&self) -> WorkingCopy {
        WorkingCopy::open(&self.root(), "db", self.file(), WorkingCopyOptions::new()).await.unwrap()
    }

    /// What an operation finds.
    async fn prepare(&self, operation: &str) {
        if operation == "make" {
            return;
        }
        self.root().put("db", "old").await.unwrap();
        drop(self.open().await);
        if operation != "commit" {
            self.root().put("db", "theirs").await.unwrap();
        }
        if operation == "discard" {
            std::fs::write(self.file(), "half").unwrap();
            std::fs::write(self.journal(), "the other half").unwrap();
        }
    }

    /// What is to be after a death, and after the next session.
    async fn check(&self, operation: &str, case: &str) {
        let found = self.root().text("db").await.ok();
        let allowed: &[_] = match operation {
            "make" => &[None, Some("changed")],
            "commit" => &[Some("old"), Some("changed")],
            _ => &[Some("theirs")],
        };
        assert!(allowed.contains(&found.as_deref()), "{case}: {found:?}");
        let mut copy = self.open().await;
        let (last, outcome) = match operation {
            "make" | "commit" => {
                assert_eq!(self.text().as_deref(), Some("changed"), "{case}: the file has lost its change");
                ("changed", copy.commit().await.unwrap())
            }
            _ => {
                if self.journal().exists() {
                    assert_eq!((copy.opened(), self.text().as_deref()), (Opened::Uncommitted, Some("half")), "{case}");
                    copy.discard().await.unwrap();
                }
                assert_eq!(self.text().as_deref(), Some("theirs"), "{case}");
                ("theirs", copy.commit().await.unwrap())
            }
        };
        assert!(matches!(outcome, Commit::Committed(_) | Commit::Unchanged), "{case}: {outcome:?}");
        assert_eq!(self.root().text("db").await.unwrap(), last, "{case}");
        assert_eq!(copy.commit().await.unwrap(), Commit::Unchanged, "{case}");
    }
}

/// Not a test: what the worker processes run, all its file system calls in one thread.
#[test]
fn worker() {
    let Ok(job) = std::env::var(JOB) else { return };
    let [place, _, operation] = job.split('\n').collect::<Vec<_>>()[..] else { panic!("{job}") };
    let scene = Scene(Path::new(place).to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .thread_name(THREAD)
        .max_blocking_threads(1)
        .thread_keep_alive(Duration::from_secs(600))
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut copy = None;
        if operation != "pull" {
            let opened = copy.insert(scene.open().await);
            if operation != "discard" {
                std::fs::write(opened.path(), "changed").unwrap();
            }
        }
        // The thread is there before it is watched, even where nothing was done yet.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        println!("ready");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        match copy.as_mut() {
            None => drop(scene.open().await),
            Some(copy) if operation == "discard" => copy.discard().await.unwrap(),
            Some(copy) => drop(copy.commit().await.unwrap()),
        }
        println!("\n{END}ok");
    });
}

/// Kills an operation before each of its calls, one after the other.
async fn kill_everywhere(operation: &str) {
    if let Some(reason) = missing() {
        eprintln!("calls cannot be watched here: {reason}");
        return;
    }
    let once = async |call: &str, when, fate| {
        let directory = tempfile::tempdir().unwrap();
        let scene = Scene(directory.path().to_owned());
        scene.prepare(operation).await;
        let ended = run(directory.path(), "", operation, call, when, fate);
        scene.check(operation, &format!("{operation}, {call} {when}")).await;
        ended
    };
    let all = once(CHANGES, 1, Fate::Logged).await;
    assert_eq!(all.answer.as_deref(), Some("ok"));
    let counts = counts(&all.calls);
    assert!(counts.values().sum::<usize>() >= 8, "{counts:?}");
    for (call, times) in &counts {
        for when in 1..=*times {
            let ended = once(call, when, Fate::Killed).await;
            assert_eq!(ended.answer, None, "{operation}, {call} {when}: it was not killed");
        }
    }
    eprintln!("{operation}: killed before each of {counts:?}");
}

#[tokio::test]
async fn a_commit_of_a_new_file_is_killed_before_every_call() {
    kill_everywhere("make").await;
}

#[tokio::test]
async fn a_commit_is_killed_before_every_call() {
    kill_everywhere("commit").await;
}

#[tokio::test]
async fn a_pull_is_killed_before_every_call() {
    kill_everywhere("pull").await;
}

#[tokio::test]
async fn giving_changes_up_is_killed_before_every_call() {
    kill_everywhere("discard").await;
}
