//! What other programs, other containers and closed doors do to a root: nothing hangs, nothing of others is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use storage_core::{DeleteOptions, ErrorKind, ListOptions, Prefix, PutOptions, SweepOptions};
use support::{BOTH_PATHS, keys, leftovers, open};

/// Fails, and does not hang, where an operation never ends.
async fn ends<T>(operation: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), operation).await.expect("the operation ends")
}

/// The states in which a crash leaves the portable promotion of `p/a`, after its record is written.
const CRASHES: [&str; 3] = ["before", "aside", "in place"];

fn interrupt_promotion(root: &Path, crash: &str) {
    let temporaries = root.join(".%ctl/tmp");
    fs::create_dir_all(&temporaries).unwrap();
    fs::write(temporaries.join("4000000-1.to"), "p/a").unwrap();
    let level = temporaries.join("4000000-1");
    fs::create_dir(&level).unwrap();
    fs::hard_link(root.join("p/a"), level.join(".%self")).unwrap();
    if crash != "before" {
        fs::rename(root.join("p/a"), root.join("p/.%old-4000000-1")).unwrap();
    }
    if crash == "in place" {
        fs::rename(&level, root.join("p/a")).unwrap();
    }
}

#[tokio::test]
async fn an_object_that_a_crash_left_half_promoted_is_there_for_handles_that_were_open() {
    for crash in CRASHES {
        for act in ["delete", "create", "swap", "move", "list"] {
            let directory = tempfile::tempdir().unwrap();
            let storage = open(directory.path(), true);
            let etag = storage.put("p/a", "kept").await.unwrap().etag;
            interrupt_promotion(directory.path(), crash);
            let what = format!("{act} after a crash {crash}");
            match act {
                "delete" => {
                    storage.delete("p/a").await.unwrap();
                    assert!(!storage.exists("p/a").await.unwrap(), "{what}: it is back");
                }
                "create" => {
                    let error = storage.put_with("p/a", "new", PutOptions::new().create_only()).await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{what}");
                }
                "swap" => drop(storage.put_with("p/a", "new", PutOptions::new().if_match(etag)).await.expect(&what)),
                "move" => {
                    storage.rename("p/a", "p/b").await.expect(&what);
                    assert!(!storage.exists("p/a").await.unwrap(), "{what}: it is back");
                }
                _ => assert_eq!(keys(&storage).await, ["p/a"], "{what}"),
            }
            storage.delete_all().await.unwrap();
            assert_eq!(keys(&storage).await, Vec::<String>::new(), "{what}: it is back");
            storage.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap();
            assert_eq!(leftovers(directory.path()), Vec::<std::path::PathBuf>::new(), "{what}");
        }
    }
}

#[tokio::test]
async fn a_process_of_the_same_number_elsewhere_keeps_its_temporaries() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(directory.path(), portable);
        storage.put("a", "kept").await.unwrap();
        let temporaries = directory.path().join(".%ctl/tmp");
        // As another container would name what it has under way, if names were made of the number alone.
        for i in 0..2000 {
            let level = temporaries.join(format!("{}-{i}", std::process::id()));
            fs::create_dir(&level).unwrap();
            fs::write(level.join(".%self"), "theirs").unwrap();
        }
        storage.put("a/b", "new").await.unwrap();
        assert_eq!(keys(&storage).await, ["a", "a/b"]);
        for entry in fs::read_dir(temporaries).unwrap() {
            let own = entry.unwrap().path().join(".%self");
            assert_eq!(fs::read(&own).unwrap(), b"theirs", "{}", own.display());
        }
    }
}

#[tokio::test]
async fn a_link_to_a_directory_is_no_object_and_stays() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(directory.path(), portable);
        storage.put("real/x", "under").await.unwrap();
        storage.put("moved", "m").await.unwrap();
        symlink("real", directory.path().join("link")).unwrap();
        for own in [false, true] {
            if own {
                storage.put("real", "own").await.unwrap();
            }
            assert_eq!(storage.head("link").await.unwrap_err().kind(), ErrorKind::NotFound);
            storage.delete("link").await.unwrap();
            for written in [
                storage.put("link", "new").await.map(drop),
                storage.put_with("link", "new", PutOptions::new().create_only()).await.map(drop),
                storage.copy("moved", "link").await.map(drop),
                storage.rename("moved", "link").await.map(drop),
            ] {
                assert_eq!(written.unwrap_err().kind(), ErrorKind::Unsupported);
            }
            assert_eq!(storage.text("link/x").await.unwrap(), "under", "what lies under the link is lost");
        }
        assert_eq!(keys(&storage).await, ["link/x", "moved", "real", "real/x"]);
        storage.delete_all().await.unwrap();
        assert_eq!(keys(&storage).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_is_neither_file_nor_directory_makes_nobody_wait_and_stays() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(directory.path(), portable);
        let _socket = UnixListener::bind(directory.path().join("socket")).unwrap();
        symlink("socket", directory.path().join("to-socket")).unwrap();
        fs::create_dir_all(directory.path().join("taken/.%self/deep")).unwrap();
        for key in ["socket", "to-socket", "taken"] {
            assert_eq!(storage.bytes(key).await.unwrap_err().kind(), ErrorKind::NotFound, "{key}");
        }
        for key in ["socket", "taken"] {
            ends(storage.delete(key)).await.unwrap();
            assert!(directory.path().join(key).exists(), "{key} was removed");
        }
        let error = ends(storage.put("taken", "new")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        let error = ends(storage.put_with("taken", "new", PutOptions::new().create_only())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        ends(storage.put("taken/under", "x")).await.unwrap();
        assert_eq!(keys(&storage).await, ["taken/under"]);
    }
}

#[tokio::test]
async fn l12_a_file_under_the_name_of_a_piece_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path(), false);
    fs::write(directory.path().join(".%+piece"), "").unwrap();
    let mut pages = storage.pages(ListOptions::new()).await.unwrap();
    let page = pages.next_page().await.unwrap().unwrap();
    assert_eq!(page.skipped.len(), 1, "{page:?}");
    assert_eq!(page.skipped[0].name, ".%+piece");
}

#[tokio::test]
async fn a_control_name_that_is_taken_is_one_clear_error() {
    for portable in BOTH_PATHS {
        let outside = tempfile::tempdir().unwrap();
        for foreign in ["file", "link"] {
            let directory = tempfile::tempdir().unwrap();
            let control = directory.path().join(".%ctl");
            match foreign {
                "file" => fs::write(&control, "").unwrap(),
                _ => symlink(outside.path(), &control).unwrap(),
            }
            let error = ends(open(directory.path(), portable).put("x", "1")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(error.to_string().contains(".%ctl"), "{error}");
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "the link out of the root was followed");
    }
}

#[tokio::test]
async fn a_writer_finishes_in_the_root_that_is_there_then() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        let storage = open(&root, portable);
        for key in ["k", "deep/er/k"] {
            let mut writer = storage.writer(key).await.unwrap();
            writer.write("text").await.unwrap();
            let aside = directory.path().join(format!("aside-{}", key.len()));
            fs::rename(&root, aside).unwrap();
            fs::create_dir(&root).unwrap();
            writer.finish().await.unwrap();
            assert_eq!(storage.text(key).await.unwrap(), "text", "it was Ok, and is not in the root");

            let mut writer = storage.writer(key).await.unwrap();
            writer.write("text").await.unwrap();
            fs::remove_dir_all(&root).unwrap();
            assert_eq!(ends(writer.finish()).await.unwrap_err().kind(), ErrorKind::BackendNotFound);
            assert!(!root.exists());
            storage.put("again", "x").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_delete_takes_directories_along_whose_middle_is_missing_already() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(directory.path(), portable);
        storage.put("a/b/c/x", "1").await.unwrap();
        fs::create_dir_all(directory.path().join("left/idle/.%ctl/tmp")).unwrap();
        fs::create_dir_all(directory.path().join("left/half/.%ctl")).unwrap();
        let etag = storage.head("a/b/c/x").await.unwrap().meta.etag;
        storage.delete_with("a/b/c/x", DeleteOptions::new().if_match(etag)).await.unwrap();
        assert!(!directory.path().join("a").exists());
        storage.delete_prefix(Prefix::new("left/").unwrap()).await.unwrap();
        storage.delete_all().await.unwrap();
        assert_eq!(leftovers(directory.path()), Vec::<std::path::PathBuf>::new());
    }
}
