//! Full, read-only and nested file systems, and directories without permission (rule S06). Where nothing can be mounted
//! these tests say so and end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use storage_core::{Attributes, CopyOptions, CopyResult, ErrorKind, PutOptions, SweepOptions};
use support::{BOTH_PATHS, JOB, keys, leftovers, open};

/// A mounted file system, unmounted when this is dropped.
struct Mount(PathBuf);

impl Mount {
    /// None, with the reason printed, where this process may not mount.
    fn new(at: &Path, arguments: &[&str]) -> Option<Self> {
        let output = Command::new("mount").args(arguments).arg(at).output().ok();
        let done = output.as_ref().is_some_and(|output| output.status.success());
        if !done {
            let reason = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
            println!("skipped: nothing can be mounted here: {}", reason.unwrap_or_default().trim_end());
        }
        done.then(|| Self(at.to_owned()))
    }

    fn memory(at: &Path, options: &str) -> Option<Self> {
        Self::new(at, &["-t", "tmpfs", "-o", options, "tmpfs"])
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

async fn ends<T>(operation: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), operation).await.expect("the operation ends")
}

fn temporaries(root: &Path) -> usize {
    fs::read_dir(root.join(".%ctl/tmp")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn m05_a_file_system_without_attributes_says_so() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        // The one common file system that has no extended attributes.
        let Some(_mount) = Mount::new(directory.path(), &["-t", "ramfs", "ramfs"]) else { return };
        let storage = open(directory.path(), portable);
        let options = PutOptions::new().attributes(Attributes::new().content_type("text/plain"));
        for _ in ["before the root was opened", "after"] {
            let refused = storage.put_with("k", "x", options.clone()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
        }
        assert!(!storage.probe().await.unwrap().attributes);
        storage.put("k", "x").await.unwrap();
        storage.copy("k", "copy").await.unwrap();
        assert_eq!(storage.text("copy").await.unwrap(), "x");
    }
}

#[tokio::test]
async fn s06_a_full_disk_is_out_of_space_until_there_is_room() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let Some(_mount) = Mount::memory(directory.path(), "size=1m") else { return };
        let storage = open(directory.path(), portable);
        storage.put("k", "old").await.unwrap();
        storage.put("filler", vec![1; 700_000]).await.unwrap();
        let large = vec![2; 600_000];
        let writing = async {
            let mut writer = storage.writer("k").await.unwrap();
            writer.write(large.clone()).await?;
            writer.finish().await
        };
        let failed = [
            storage.put("k", large.clone()).await.map(CopyResult::from),
            storage.put("new/k", large.clone()).await.map(CopyResult::from),
            storage.copy("filler", "k").await,
            writing.await.map(CopyResult::from),
        ];
        for failed in failed {
            let error = failed.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{error}");
            assert!(!error.is_retryable(), "{error}");
        }
        assert_eq!(storage.text("k").await.unwrap(), "old");
        assert_eq!(keys(&storage).await, ["filler", "k"]);
        assert_eq!(temporaries(directory.path()), 0);
        storage.delete("filler").await.unwrap();
        storage.put("k", large).await.unwrap();
        storage.delete_all().await.unwrap();
        assert_eq!(leftovers(directory.path()), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn s06_without_inodes_nothing_is_left_half_made() {
    for portable in BOTH_PATHS {
        // Every number of inodes that a put needs in turn: each of its steps is the one that fails.
        for inodes in 5..14 {
            let directory = tempfile::tempdir().unwrap();
            let Some(_mount) = Mount::memory(directory.path(), &format!("nr_inodes={inodes}")) else { return };
            let storage = open(directory.path(), portable);
            let what = format!("{inodes} inodes, portable {portable}");
            storage.put("a", "kept").await.unwrap();
            match storage.put("a/b/c/d", "new").await {
                Ok(_) => assert_eq!(keys(&storage).await, ["a", "a/b/c/d"], "{what}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{what}: {error}");
                    assert_eq!(keys(&storage).await, ["a"], "{what}");
                    assert!(!directory.path().join("a/b").exists(), "{what}: a directory is left");
                }
            }
            assert_eq!(storage.text("a").await.unwrap(), "kept", "{what}");
            assert_eq!(temporaries(directory.path()), 0, "{what}");
            storage.delete_all().await.unwrap();
            assert_eq!(leftovers(directory.path()), Vec::<PathBuf>::new(), "{what}");
            storage.put("again", "x").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_nested_mount_is_part_of_the_root() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let nested = directory.path().join("sub");
        fs::create_dir(&nested).unwrap();
        let Some(_mount) = Mount::memory(&nested, "size=10m") else { return };
        let storage = open(directory.path(), portable);
        let attributes = PutOptions::new().attributes(Attributes::new().content_type("text/plain"));
        ends(storage.put_with("sub/a", "1", attributes)).await.unwrap();
        assert_eq!(storage.head("sub/a").await.unwrap().attributes.content_type.as_deref(), Some("text/plain"));
        let etag = storage.head("sub/a").await.unwrap().meta.etag;
        ends(storage.put("sub/a/b/c", "2")).await.unwrap();
        assert_eq!(storage.head("sub/a").await.unwrap().meta.etag, etag, "the promotion keeps the etag");
        ends(storage.put_with("sub/a", "3", PutOptions::new().if_match(etag))).await.unwrap();
        ends(storage.put("sub", "the mount's own name")).await.unwrap();
        ends(storage.put("out", "4")).await.unwrap();
        ends(storage.copy("out", "sub/copied")).await.unwrap();
        ends(storage.copy("sub/a", "copied")).await.unwrap();
        let create = CopyOptions::new().create_only();
        let error = ends(storage.copy_with("out", "sub/copied", create)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        ends(storage.rename("sub/copied", "sub/deep/moved")).await.unwrap();
        let error = ends(storage.rename("out", "sub/x/out")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert_eq!(storage.text("out").await.unwrap(), "4");
        assert_eq!(keys(&storage).await, ["copied", "out", "sub", "sub/a", "sub/a/b/c", "sub/deep/moved"]);
        assert_eq!(storage.text("sub").await.unwrap(), "the mount's own name");

        // What a crash leaves on the nested mount is found too.
        fs::create_dir_all(nested.join("a/.%ctl/tmp")).unwrap();
        fs::write(nested.join("a/.%ctl/tmp/4000000-1"), "12345").unwrap();
        let swept = storage.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap();
        assert_eq!((swept.removed, swept.bytes), (1, 5));

        assert_eq!(ends(storage.delete_all()).await.unwrap(), 6);
        assert_eq!(leftovers(directory.path()), [nested], "portable {portable}");
    }
}

#[tokio::test]
async fn s06_a_read_only_mount_can_be_read() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path(), portable).put("a/k", "old").await.unwrap();
        let place = directory.path().to_str().unwrap();
        let Some(_bound) = Mount::new(directory.path(), &["--bind", place]) else { return };
        let Some(read_only) = Mount::new(directory.path(), &["-o", "remount,bind,ro"]) else { return };
        // It is the same mount.
        std::mem::forget(read_only);
        let storage = open(directory.path(), portable);
        assert_eq!(storage.text("a/k").await.unwrap(), "old");
        assert_eq!(keys(&storage).await, ["a/k"]);
        assert_eq!(storage.bytes("missing").await.unwrap_err().kind(), ErrorKind::NotFound);
        for refused in [
            storage.put("a/k", "new").await.map(drop),
            storage.put("b/k", "new").await.map(drop),
            storage.writer("a/k").await.map(drop),
            storage.copy("a/k", "b").await.map(drop),
            storage.rename("a/k", "b").await.map(drop),
            storage.delete("a/k").await,
            storage.delete_all().await.map(drop),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            assert!(error.to_string().contains("read-only"), "{error}");
        }
    }
}

/// Not a test: what a process without rights runs, in a root where it may read all and write only below `open`.
#[tokio::test]
async fn worker() {
    let Ok(job) = std::env::var(JOB) else { return };
    let (root, path) = job.split_once('\n').unwrap();
    let storage = open(Path::new(root), path == "portable");
    for denied in [
        storage.put("closed/k", "new").await.map(drop),
        storage.put("closed/new", "new").await.map(drop),
        storage.put("closed/k/below", "new").await.map(drop),
        storage.copy("open/k", "closed/k").await.map(drop),
        storage.rename("open/k", "closed/k").await.map(drop),
        storage.rename("closed/k", "open/new").await.map(drop),
        storage.delete("closed/k").await,
        storage.bytes("secret/k").await.map(drop),
        storage.head("secret/k").await.map(drop),
        storage.list_all("").await.map(drop),
        storage.list_all("secret/").await.map(drop),
    ] {
        let error = denied.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    }
    let levels = storage.pages(storage_core::ListOptions::new().delimited()).await.unwrap().next_page().await;
    assert_eq!(levels.unwrap_err().kind(), ErrorKind::PermissionDenied, "a directory is left out in silence");
    storage.put("open/k", "new").await.unwrap();
    storage.put("open/k/below", "new").await.unwrap();
    storage.delete("open/k/below").await.unwrap();
    assert_eq!(storage.text("closed/k").await.unwrap(), "old");
}

#[tokio::test]
async fn s06_a_missing_permission_changes_nothing() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: only root can run a program as somebody else");
    }
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let storage = open(root, portable);
        for key in ["closed/k", "secret/k", "open/k"] {
            storage.put(key, "old").await.unwrap();
        }
        drop(storage);
        chown(root.join("open"), Some(NOBODY), None).unwrap();
        fs::create_dir_all(root.join(".%ctl/tmp")).unwrap();
        for (path, mode) in [("", 0o755), ("closed", 0o755), ("secret", 0o700), (".%ctl/tmp", 0o777)] {
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        chown(root.join("open/k"), Some(NOBODY), None).unwrap();
        // A copy of this program that everybody may run.
        let program = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempfile().unwrap();
        fs::copy(std::env::current_exe().unwrap(), program.path()).unwrap();
        let program = program.into_temp_path();
        let mut command = Command::new(&program);
        command.args(["--exact", "worker", "--nocapture"]).uid(NOBODY).gid(NOBODY);
        command.env(JOB, format!("{}\n{}", root.display(), if portable { "portable" } else { "native" }));
        let output = loop {
            match command.output() {
                // Another test's child, which has not started its own program yet, still has the copy open.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                output => break output.unwrap(),
            }
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(temporaries(root), 0);
        assert_eq!(keys(&open(root, portable)).await, ["closed/k", "open/k", "secret/k"]);
    }
}
