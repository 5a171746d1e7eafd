//! Rule S05: symbolic links and the walls of a root. Only where the objects are files.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use storage_core::{CopyResult, ErrorKind, ListOptions, Prefix, Result, Storage};
use tempfile::TempDir;

use crate::Harness;
use crate::context::{NO_DIRECTORY, carried, nothing_to_ask};
use crate::rule::rule;
use crate::support::{keys, kind, write_streaming};

const SECRET: &str = "the secret outside of the root";

/// How often a path is used while a link is swapped into it.
const USES: usize = 200;

rule! {
    /// A symbolic link that leads out of the root is refused by every operation, and nothing outside is read, changed,
    /// made or removed through it.
    S05, s05_links_out_of_the_root, "Links out of the root",
    why: "A link that a tenant plants would show every file of the machine."
}
async fn s05_links_out_of_the_root(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let Some(directory) = &fixture.directory else { return nothing_to_ask(NO_DIRECTORY) };
    let storage = &fixture.storage;
    let outside = Outside::new();
    storage.put("k", "inside").await.unwrap();
    symlink(outside.path("secret"), directory.join("file")).unwrap();
    symlink(outside.0.path(), directory.join("dir")).unwrap();
    let up = "../".repeat(directory.components().count() + 2);
    symlink(format!("{up}{}", outside.path("secret").display()), directory.join("relative")).unwrap();
    for key in ["file", "relative", "dir/secret", "dir/sub/deep"] {
        for (what, result) in reads(storage, key).await {
            assert_eq!(kind(key, result), ErrorKind::PermissionDenied, "{what} of {key}");
        }
        outside.is_untouched(key);
    }
    for key in ["dir/secret", "dir/new", "dir/sub/new", "dir/made/new"] {
        for (what, result) in writes(storage, key).await {
            assert_eq!(kind(key, result), ErrorKind::PermissionDenied, "{what} to {key}");
        }
        outside.is_untouched(key);
    }
    // A delete may refuse, or find nothing; it may not follow.
    for key in ["dir/secret", "dir/sub/deep", "dir/new"] {
        drop(storage.delete(key).await);
        drop(storage.delete_many([key]).await);
        outside.is_untouched(key);
    }
    drop(storage.delete_prefix("dir/sub/").await);
    drop(storage.delete_prefix("dir/").await);
    outside.is_untouched("a delete by prefix");
    assert_eq!(keys(storage).await, ["k"], "a listing holds nothing from outside");
    let under = storage.list_all("dir/").await;
    assert!(under.as_ref().map_or(true, Vec::is_empty), "a listing under the link: {under:?}");
    let level = async {
        let options = ListOptions::new().prefix(Prefix::new("dir/")?).delimited();
        storage.pages(options).await?.next_page().await
    };
    assert!(!format!("{:?}", level.await).contains("secret\""), "one level under the link");
    storage.delete_all().await.unwrap();
    outside.is_untouched("a delete of everything");
}

rule! {
    /// A write to a key whose name is a link replaces the link, and a delete removes it; neither goes through it.
    S05, s05_final_links_are_replaced, "Final links are replaced",
    why: "A write that follows a link changes a file outside the root."
}
async fn s05_final_links_are_replaced(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let Some(directory) = &fixture.directory else { return nothing_to_ask(NO_DIRECTORY) };
    let storage = &fixture.storage;
    let outside = Outside::new();
    storage.put("source", "new").await.unwrap();
    storage.put("inside", "inside").await.unwrap();
    let targets =
        [outside.path("secret"), outside.path("dangling"), PathBuf::from("inside"), outside.0.path().to_owned()];
    for target in targets {
        for how in ["put", "writer", "copy", "rename"] {
            let link = directory.join("link");
            symlink(&target, &link).unwrap();
            let what = format!("{how} to a link to {}", target.display());
            let done = match how {
                "put" => storage.put("link", "new").await.map(CopyResult::from),
                "writer" => write_streaming(storage, "link", "new", Default::default()).await.map(CopyResult::from),
                "copy" => storage.copy("source", "link").await,
                _ => {
                    storage.put("moved", "new").await.unwrap();
                    storage.rename("moved", "link").await
                }
            };
            done.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(storage.text("link").await.unwrap(), "new", "{what}");
            assert!(!std::fs::symlink_metadata(&link).unwrap().is_symlink(), "{what} replaces the link");
            assert_eq!(storage.text("inside").await.unwrap(), "inside", "{what}: not through it");
            outside.is_untouched(&what);
            storage.delete("link").await.unwrap();
        }
        symlink(&target, directory.join("link")).unwrap();
        drop(storage.delete("link").await);
        assert_eq!(storage.text("inside").await.unwrap(), "inside", "a delete of a link to {}", target.display());
        outside.is_untouched("a delete of a link");
        drop(std::fs::remove_file(directory.join("link")));
    }
    assert_eq!(keys(storage).await, ["inside", "source"]);
}

rule! {
    /// A link that is swapped in between check and use is refused like any other: the secret is never read, and
    /// nothing is written outside.
    S05, s05_swapped_links, "Swapped links",
    why: "A check before the use is no wall: a link swapped in between passes it."
}
async fn s05_swapped_links(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let Some(directory) = &fixture.directory else { return nothing_to_ask(NO_DIRECTORY) };
    let storage = &fixture.storage;
    let outside = Outside::new();
    let over = AtomicBool::new(false);
    std::fs::create_dir(directory.join("d")).unwrap();
    std::fs::write(directory.join("d/secret"), "open").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(carried(|| swap_files(directory, &outside.path("secret"), &over)));
        scope.spawn(carried(|| swap_directories(directory, outside.0.path(), &over)));
        let used = scope.spawn(carried(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(use_swapped(storage, &outside));
        }));
        let used = used.join();
        over.store(true, Ordering::Relaxed);
        used.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    outside.is_untouched("links that are swapped");
}

async fn use_swapped(storage: &Storage, outside: &Outside) {
    for i in 0..USES {
        for key in ["swapped", "d/secret"] {
            match storage.text(key).await {
                Ok(text) => assert_eq!(text, "open", "use {i}: a read of {key}"),
                Err(error) => allowed(i, key, error.kind()),
            }
            match storage.head(key).await {
                Ok(head) => assert_eq!(head.meta.size, 4, "use {i}: a head of {key}"),
                Err(error) => allowed(i, key, error.kind()),
            }
        }
        drop(storage.copy("d/secret", "copied").await);
        if let Ok(text) = storage.text("copied").await {
            assert_eq!(text, "open", "use {i}: a copy");
        }
        drop(storage.put("d/new", "written").await);
        drop(storage.delete("d/sub/deep").await);
        if i % 10 == 0 {
            let listed = storage.list_all("").await.unwrap();
            let deep = listed.iter().find(|meta| meta.key.as_str() == "d/sub/deep");
            assert!(deep.is_none(), "use {i}: a listing follows the link");
            outside.is_untouched("links that are swapped");
        }
    }
}

/// What a read may say while its path is a link, or for a moment nothing.
#[track_caller]
fn allowed(i: usize, key: &str, kind: ErrorKind) {
    let expected = [ErrorKind::PermissionDenied, ErrorKind::NotFound, ErrorKind::ObjectChanged];
    assert!(expected.contains(&kind), "use {i}: {key} is {kind}");
}

/// A name that is a file and a link to the secret in turn; never missing.
fn swap_files(directory: &Path, secret: &Path, over: &AtomicBool) {
    let [scratch, swapped] = ["scratch-file", "swapped"].map(|name| directory.join(name));
    while !over.load(Ordering::Relaxed) {
        std::fs::write(&scratch, "open").unwrap();
        std::fs::rename(&scratch, &swapped).unwrap();
        symlink(secret, &scratch).unwrap();
        std::fs::rename(&scratch, &swapped).unwrap();
    }
}

/// A name that is a directory and a link to one outside in turn, and nothing in between.
fn swap_directories(directory: &Path, outside: &Path, over: &AtomicBool) {
    let [aside, swapped] = ["scratch-directory", "d"].map(|name| directory.join(name));
    while !over.load(Ordering::Relaxed) {
        if std::fs::rename(&swapped, &aside).is_err() {
            continue;
        }
        drop(symlink(outside, &swapped));
        std::thread::sleep(Duration::from_micros(50));
        // A put may have made a directory of the name when it was free; that one is in the way, until it is gone.
        while std::fs::rename(&aside, &swapped).is_err() {
            drop(std::fs::remove_file(&swapped));
            drop(std::fs::remove_dir_all(&swapped));
        }
    }
}

rule! {
    /// Links inside the root can be read through, and loops come to an end.
    S05, s05_links_inside_the_root, "Links inside the root",
    why: "Operators place parts of a root on other disks by links; refusing them all is no answer."
}
async fn s05_links_inside_the_root(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let Some(directory) = &fixture.directory else { return nothing_to_ask(NO_DIRECTORY) };
    let storage = &fixture.storage;
    storage.put("real", "inside").await.unwrap();
    storage.put("level/deep/real", "deep inside").await.unwrap();
    symlink("real", directory.join("alias")).unwrap();
    symlink("level", directory.join("way")).unwrap();
    symlink("../real", directory.join("level/up")).unwrap();
    symlink("../../way/deep/real", directory.join("level/deep/round")).unwrap();
    let cases = [
        ("alias", "inside"),
        ("way/deep/real", "deep inside"),
        ("level/up", "inside"),
        ("way/up", "inside"),
        ("level/deep/round", "deep inside"),
    ];
    for (key, text) in cases {
        assert_eq!(storage.text(key).await.unwrap(), text, "{key}");
        assert_eq!(storage.head(key).await.unwrap().meta.size, text.len() as u64, "{key}");
        assert_eq!(storage.range(key, 1..3).await.unwrap(), text[1..3], "{key}");
    }

    symlink("loop", directory.join("loop")).unwrap();
    symlink("b", directory.join("a")).unwrap();
    symlink("a", directory.join("b")).unwrap();
    symlink(".", directory.join("level/self")).unwrap();
    symlink("..", directory.join("level/parent")).unwrap();
    let ends = async {
        for key in ["loop", "loop/x", "a", "a/x"] {
            assert!(storage.bytes(key).await.is_err(), "{key} leads nowhere");
            assert!(storage.head(key).await.is_err(), "{key} leads nowhere");
        }
        let listed = keys(storage).await;
        assert!(
            listed.iter().any(|key| key == "real") && listed.iter().any(|key| key == "level/deep/real"),
            "{listed:?}"
        );
        assert!(listed.len() < 100, "{} keys in a listing that goes round", listed.len());
        storage.delete_all().await.unwrap();
        assert!(!keys(storage).await.iter().any(|key| key.ends_with("real")), "everything was deleted");
    };
    tokio::time::timeout(Duration::from_secs(20), ends).await.expect("a loop comes to an end");
}

async fn reads(storage: &Storage, key: &str) -> Vec<(&'static str, Result<()>)> {
    let mut results = vec![
        ("bytes", storage.bytes(key).await.map(drop)),
        ("a stream", storage.stream(key).await.map(drop)),
        ("a range", storage.range(key, 0..1).await.map(drop)),
        ("head", storage.head(key).await.map(drop)),
        ("exists", storage.exists(key).await.map(drop)),
        ("a copy", storage.copy(key, "copied").await.map(drop)),
    ];
    if storage.capabilities().local_path {
        results.push(("the path", storage.local_path(key).await.map(drop)));
    }
    results
}

async fn writes(storage: &Storage, key: &str) -> Vec<(&'static str, Result<()>)> {
    vec![
        ("a put", storage.put(key, "written").await.map(drop)),
        ("a create-only put", storage.put_if_absent(key, "written").await.map(drop)),
        ("a writer", write_streaming(storage, key, "written", Default::default()).await.map(drop)),
        ("a copy", storage.copy("k", key).await.map(drop)),
        ("a move", storage.rename("k", key).await.map(drop)),
    ]
}

/// A directory outside of every root, with a secret in it; removed in the end.
struct Outside(TempDir);

impl Outside {
    fn new() -> Self {
        let outside = Self(TempDir::new().unwrap());
        std::fs::create_dir(outside.path("sub")).unwrap();
        std::fs::write(outside.path("secret"), SECRET).unwrap();
        std::fs::write(outside.path("sub/deep"), SECRET).unwrap();
        outside
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    #[track_caller]
    fn is_untouched(&self, what: &str) {
        for name in ["secret", "sub/deep"] {
            let text = std::fs::read_to_string(self.path(name));
            assert_eq!(text.ok().as_deref(), Some(SECRET), "{what}: {name} outside of the root");
        }
        for (directory, count) in [("", 2), ("sub", 1)] {
            let names: Vec<_> =
                std::fs::read_dir(self.path(directory)).unwrap().map(|name| name.unwrap().file_name()).collect();
            assert_eq!(names.len(), count, "{what}: outside of the root there are {names:?}");
        }
    }
}
