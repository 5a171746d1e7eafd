//! The directory as other programs see it: foreign files, links, nested roots, what a crash leaves, what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use storage_core::{ErrorKind, ListOptions, Storage, SweepOptions};
use storage_local::{FoldingProbe, Local, LocalOptions};
use support::{BOTH_PATHS, keys, leftovers, open};

#[tokio::test]
async fn k10_a_file_system_that_folds_names_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = LocalOptions::new().create(true).folding(FoldingProbe::answering(true));
    let storage = Storage::new(Local::open(directory.path(), options).unwrap());
    for error in [storage.put("a", "x").await.unwrap_err(), storage.head("a").await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("different names for one"), "{error}");
    }
    assert_eq!(leftovers(directory.path()).len(), 0, "nothing was written");
}

#[tokio::test]
async fn objects_are_files_that_other_programs_read_and_write() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(directory.path(), portable);
        storage.put("notes/today.txt", "milk").await.unwrap();
        assert_eq!(fs::read(directory.path().join("notes/today.txt")).unwrap(), b"milk");
        fs::write(directory.path().join("notes/foreign"), "foreign").unwrap();
        assert_eq!(storage.text("notes/foreign").await.unwrap(), "foreign");
        assert_eq!(keys(&storage).await, ["notes/foreign", "notes/today.txt"]);
        assert_eq!(storage.local_path("notes/today.txt").await.unwrap(), directory.path().join("notes/today.txt"));
        storage.put("notes/today.txt/below", "x").await.unwrap();
        let own = storage.local_path("notes/today.txt").await.unwrap();
        assert_eq!(fs::read(own).unwrap(), b"milk");
    }
}

#[tokio::test]
async fn a_closed_root_holds_nothing_but_objects() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(directory.path(), false), open(directory.path(), false));
    one.put("a", "x").await.unwrap();
    other.put("b", "x").await.unwrap();
    drop(one);
    other.put("c", "x").await.unwrap();
    drop(other);
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test]
async fn a_promotion_keeps_the_etag() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(directory.path(), portable);
        let put = storage.put("a", "x").await.unwrap();
        storage.put("a/b", "y").await.unwrap();
        assert_eq!(storage.head("a").await.unwrap().meta.etag, put.etag);
    }
}

#[tokio::test]
async fn w06_the_sweep_takes_the_dead_and_spares_the_living() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(directory.path(), portable);
        storage.put("kept", "x").await.unwrap();
        let temporaries = directory.path().join(".%ctl/tmp");
        fs::write(temporaries.join("4000000-1"), "12345").unwrap();
        fs::create_dir(temporaries.join("4000000-2")).unwrap();
        fs::hard_link(directory.path().join("kept"), temporaries.join("4000000-2/.%self")).unwrap();
        let mut writer = storage.writer("living").await.unwrap();
        writer.write("some bytes").await.unwrap();

        let hour = storage.sweep(SweepOptions::older_than(Duration::from_secs(3600))).await.unwrap();
        assert_eq!((hour.removed, hour.bytes), (0, 0), "they are young");
        let all = storage.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap();
        assert_eq!((all.removed, all.bytes), (2, 5));
        writer.finish().await.unwrap();
        assert_eq!(keys(&storage).await, ["kept", "living"]);
        assert_eq!(fs::read_dir(temporaries).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn an_interrupted_promotion_is_finished_by_whoever_looks_next() {
    // The states in which a crash leaves the portable path, after its record is written.
    for crash in ["before", "aside", "in place"] {
        let directory = tempfile::tempdir().unwrap();
        let (root, temporaries) = (directory.path(), directory.path().join(".%ctl/tmp"));
        open(root, true).put("p/a", "kept").await.unwrap();
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
        let storage = open(root, true);
        assert_eq!(storage.text("p/a").await.unwrap(), "kept", "{crash}");
        assert_eq!(keys(&storage).await, ["p/a"], "{crash}");
        storage.delete("p/a").await.unwrap();
        assert_eq!(leftovers(root), Vec::<std::path::PathBuf>::new(), "{crash}");
    }
}

#[tokio::test]
async fn a_root_inside_a_root_is_seen_and_pruned() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let (outer, inner) = (open(directory.path(), portable), open(&directory.path().join("in/ner"), portable));
        inner.put("x", "1").await.unwrap();
        assert_eq!(keys(&outer).await, ["in/ner/x"], "no control name is listed");
        outer.put("in/ner/y", "2").await.unwrap();
        assert_eq!(keys(&inner).await, ["x", "y"]);
        outer.delete_all().await.unwrap();
        assert_eq!(leftovers(directory.path()), Vec::<std::path::PathBuf>::new());
        inner.put("again", "3").await.unwrap();
        assert_eq!(keys(&outer).await, ["in/ner/again"]);
    }
}

#[tokio::test]
async fn s05_no_link_leads_out() {
    for portable in BOTH_PATHS {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let storage = open(root, portable);
        fs::create_dir(root.join("in")).unwrap();
        fs::write(root.join("in/file"), "inside").unwrap();
        symlink(outside.path(), root.join("absolute")).unwrap();
        symlink("../../../../../../../..", root.join("in/up")).unwrap();
        symlink("in", root.join("inside")).unwrap();
        symlink("../in/../in/file", root.join("in/again")).unwrap();
        symlink("..", root.join("in/loop")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();

        for key in ["absolute/secret", "in/up/etc/passwd", "absolute", "in/up"] {
            assert_eq!(storage.bytes(key).await.unwrap_err().kind(), ErrorKind::PermissionDenied, "{key}");
        }
        for key in ["absolute/new", "in/up/tmp/new"] {
            assert_eq!(storage.put(key, "x").await.unwrap_err().kind(), ErrorKind::PermissionDenied, "{key}");
            assert_eq!(storage.delete(key).await.unwrap_err().kind(), ErrorKind::PermissionDenied, "{key}");
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
        assert_eq!(storage.text("inside/file").await.unwrap(), "inside");
        assert_eq!(storage.text("in/again").await.unwrap(), "inside");
        assert_eq!(storage.bytes("dangling").await.unwrap_err().kind(), ErrorKind::NotFound);

        let mut pages = storage.pages(ListOptions::new()).await.unwrap();
        let page = pages.next_page().await.unwrap().unwrap();
        let listed: Vec<_> = page.entries.iter().map(|entry| entry.as_str()).collect();
        assert_eq!(listed, ["in/again", "in/file", "inside/again", "inside/file"]);
        let skipped: Vec<_> = page.skipped.iter().map(|skipped| skipped.name.as_str()).collect();
        assert_eq!(skipped, ["absolute", "dangling", "in/loop/", "in/up", "inside/loop/", "inside/up"]);

        storage.put("in/again", "replaced").await.unwrap();
        assert_eq!(fs::read(root.join("in/file")).unwrap(), b"inside", "the link was replaced, not followed");
    }
}

#[tokio::test]
async fn a_fifo_is_no_object_and_makes_nobody_wait() {
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(directory.path(), portable);
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        assert_eq!(storage.bytes("fifo").await.unwrap_err().kind(), ErrorKind::NotFound);
        let mut pages = storage.pages(ListOptions::new()).await.unwrap();
        assert_eq!(pages.next_page().await.unwrap().unwrap().skipped[0].name, "fifo");
    }
}

#[tokio::test]
async fn a_root_is_made_by_the_first_write_only() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("new/root");
    let storage = open(&root, false);
    assert_eq!(keys(&storage).await, Vec::<String>::new());
    assert_eq!(storage.bytes("x").await.unwrap_err().kind(), ErrorKind::NotFound);
    storage.delete("x").await.unwrap();
    assert!(!root.exists(), "reading and deleting made the root");
    storage.put("x", "1").await.unwrap();
    assert_eq!(storage.text("x").await.unwrap(), "1");

    fs::remove_dir_all(&root).unwrap();
    for error in [storage.head("x").await.unwrap_err(), storage.delete("x").await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::BackendNotFound, "a root that was there and is gone");
    }
    storage.put("x", "2").await.unwrap();
    assert_eq!(storage.text("x").await.unwrap(), "2");
}

#[tokio::test]
async fn a_root_under_a_file_is_one_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    for root in ["file", "file/below"] {
        let storage = open(&directory.path().join(root), false);
        let error = storage.put("x", "1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("is a file, or lies under one"), "{error}");
    }
}

/// Names that no key is are not held all at once either (rules L11, L12): a page ends with so many, the listing goes on
/// behind them, by itself and by its tokens, and none is missing or told twice.
#[tokio::test]
async fn a_directory_of_nothing_but_skipped_names_comes_in_pages() {
    const LINKS: usize = 2500;
    for portable in BOTH_PATHS {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..LINKS {
            symlink("nowhere", directory.path().join(format!("link-{number:04}"))).unwrap();
        }
        fs::write(directory.path().join("link-1200-and-a-file"), "x").unwrap();
        fs::write(directory.path().join("z"), "x").unwrap();
        let storage = open(directory.path(), portable);
        for delimited in [false, true] {
            let mut options = ListOptions::new();
            options.delimited = delimited;
            let (mut keys, mut skipped) = (Vec::new(), Vec::new());
            for by_token in [false, true] {
                let mut pages = storage.pages(options.clone()).await.unwrap();
                while let Some(page) = pages.next_page().await.unwrap() {
                    assert!(page.skipped.len() <= 1000, "{}", page.skipped.len());
                    keys.extend(page.entries.iter().map(|entry| entry.as_str().to_owned()));
                    skipped.extend(page.skipped.into_iter().map(|skipped| skipped.name));
                    if by_token && let Some(token) = page.resume {
                        pages = storage.pages(options.clone().token(token)).await.unwrap();
                    }
                }
                assert_eq!(std::mem::take(&mut keys), ["link-1200-and-a-file", "z"]);
                let names: Vec<_> = (0..LINKS).map(|number| format!("link-{number:04}")).collect();
                assert_eq!(std::mem::take(&mut skipped), names);
            }
            assert_eq!(storage.list_all("").await.unwrap().len(), 2);
        }
        assert_eq!(storage.delete_all().await.unwrap(), 2);
    }
}
