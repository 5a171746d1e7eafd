//! A tree of real files with everything that a listing stumbles over, walked by a user without rights.

#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use futures::stream::StreamExt as _;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use storage_core::{Registry, Storage};
use storage_local::{Local, LocalDriver, LocalOptions};
use storage_source::{Filter, InputPolicy, Inputs, Outcome, Reason, WalkReport};

use crate::support::{paths, walked};

/// Where the process without rights finds the tree.
const TREE: &str = "STORAGE_SOURCE_TEST_TREE";

/// A device file that reads as empty, as `/dev/null` does.
const DEVICE: &str = "odd/device";

/// A user that has no rights on most systems: `nobody`.
const NOBODY: u32 = 65534;

fn write(root: &Path, name: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, name).unwrap();
}

fn close(root: &Path, name: &str, mode: u32) {
    fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
}

/// Builds the tree, and gives its directories back so that it can be removed.
fn build(root: &Path) -> UnixListener {
    for name in
        ["a.md", "src/lib.rs", "src/deep/er.rs", "skip/x.md", "secret.md", "locked/x.md", "locked/y/z.md", "names/x.md"]
    {
        write(root, name);
    }
    fs::create_dir_all(root.join("odd/only")).unwrap();
    mknodat(CWD, root.join("odd/only/fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    // Only a privileged user may make one.
    let _ = mknodat(CWD, root.join(DEVICE), FileType::CharacterDevice, Mode::RUSR, makedev(1, 3));
    let socket = UnixListener::bind(root.join("odd/socket")).unwrap();
    fs::write(root.join("odd").join(OsStr::from_bytes(b"not-\xff-text")), "x").unwrap();
    fs::write(root.join("odd/control-\u{1}"), "x").unwrap();
    symlink("..", root.join("src/deep/up")).unwrap();
    symlink(".", root.join("loop")).unwrap();
    symlink("a.md", root.join("link.md")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink("/", root.join("out")).unwrap();
    fs::create_dir_all(root.join("skip/locked")).unwrap();
    close(root, "skip/locked", 0);
    close(root, "locked", 0);
    close(root, "names", 0o744);
    socket
}

fn open(root: &Path) {
    for name in ["skip/locked", "locked", "names"] {
        close(root, name, 0o755);
    }
}

fn names(report: &WalkReport, reason: Reason) -> Vec<&str> {
    report.names.iter().filter(|left| left.reason == reason).map(|left| left.name.as_str()).collect()
}

/// The work of the process without rights, if this is it.
#[tokio::test]
async fn walker_without_rights() {
    let Some(root) = std::env::var_os(TREE) else { return };
    let storage = Storage::new(Local::open(&root, LocalOptions::new()).unwrap());
    let objects = ["a.md", "link.md", "secret.md", "skip/x.md", "src/deep/er.rs", "src/lib.rs"];
    let mut inexpressible = vec![
        "dangling",
        "loop/",
        "odd/control-\u{1}",
        "odd/not-\u{fffd}-text",
        "odd/only/fifo",
        "odd/socket",
        "out",
        "src/deep/up/",
    ];
    if fs::symlink_metadata(Path::new(&root).join(DEVICE)).is_ok() {
        inexpressible.push(DEVICE);
    }
    inexpressible.sort_unstable();
    // Flat, and level by level because directories are excluded.
    for (filter, objects, unreadable) in [
        (Filter::new(), &objects[..], &["locked/", "names/", "skip/locked/"][..]),
        (
            Filter::new().exclude("**/none/**").exclude("skip/**"),
            &["a.md", "link.md", "secret.md", "src/deep/er.rs", "src/lib.rs"],
            &["locked/", "names/"],
        ),
        (Filter::new().include("src/**").exclude("**/none/**"), &["src/deep/er.rs", "src/lib.rs"], &[]),
    ] {
        let (items, report) = walked(&storage, "", &filter).await;
        assert_eq!(paths(&items), objects, "{filter:?}\n{report:#?}");
        let mut found = names(&report, Reason::NotExpressible);
        found.sort_unstable();
        if filter.include.is_empty() {
            assert_eq!(found, inexpressible, "{filter:?}");
        } else {
            assert_eq!(found, ["src/deep/up/"], "{filter:?}");
        }
        assert_eq!(names(&report, Reason::Unreadable), unreadable, "{filter:?}");
        let outcome = if unreadable.is_empty() { Outcome::Complete } else { Outcome::Unreadable };
        assert_eq!((report.outcome, report.complete), (outcome, unreadable.is_empty()), "{filter:?}");
        assert_eq!(report.exceptions.values().sum::<u64>(), report.names.len() as u64);
        assert_eq!(report.scanned, report.matched + report.left_out.values().sum::<u64>());
    }
    everything_odd_is_excluded(&storage).await;
    inputs_go_past_what_is_unreadable(Path::new(&root)).await;
    println!("walked without rights");
}

/// What patterns exclude is not missed, be it unreadable or no object: the walk is complete.
async fn everything_odd_is_excluded(storage: &Storage) {
    let patterns = ["{locked,names,skip}", "**/{fifo,socket,up,device}", "{dangling,loop,out}", "odd/{control,not}-*"];
    let filter = patterns.into_iter().fold(Filter::new(), Filter::exclude);
    let (items, report) = walked(storage, "", &filter).await;
    assert_eq!(paths(&items), ["a.md", "link.md", "secret.md", "src/deep/er.rs", "src/lib.rs"]);
    assert_eq!((report.outcome, &report.names[..]), (Outcome::Complete, &[][..]), "{report:#?}");
    assert!(report.left_out[&Reason::ExcludedByPattern] >= 5 && report.pruned_directories >= 3, "{report:#?}");
    // A rescue that may take something beneath it makes a directory that cannot be read one that is missed.
    let (_, report) = walked(storage, "", &filter.exclude("!locked/x.md")).await;
    assert_eq!((report.outcome, names(&report, Reason::Unreadable)), (Outcome::Unreadable, vec!["locked/"]));
}

/// A directory that cannot be read ends no input: it is counted, and the rest arrives.
async fn inputs_go_past_what_is_unreadable(root: &Path) {
    let registry = Registry::new().with(LocalDriver::new()).unwrap();
    let mut items = Inputs::new(&registry).with_policy(InputPolicy::open()).resolve([root]);
    let mut arrived = 0;
    while let Some(item) = items.next().await {
        item.unwrap();
        arrived += 1;
    }
    let (_, skipped) = items.skipped();
    let unreadable: Vec<_> =
        skipped.iter().filter(|name| name.is_unreadable()).map(|name| name.name.as_str()).collect();
    assert_eq!((arrived, unreadable), (6, vec!["locked/", "names/", "skip/locked/"]));
}

/// A tree with loops of links, locked directories, names that are no text, a FIFO, a socket and a device is walked to its end, and
/// every exception is counted and named.
#[test]
fn a_hard_tree_is_walked_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("tree");
    fs::create_dir(&root).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let socket = build(&root);
    // A copy, which everybody may run. By another process: what this one has open for writing, a program that is started
    // meanwhile has too.
    let program = directory.path().join("walker");
    assert!(Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap().success());
    let mut walker = Command::new(&program);
    walker.args(["hard_tree::walker_without_rights", "--exact", "--nocapture", "--test-threads=1"]);
    walker.env(TREE, &root).current_dir(directory.path());
    if rustix::process::geteuid().is_root() {
        walker.uid(NOBODY).gid(NOBODY);
    }
    let output = walker.output();
    open(&root);
    drop(socket);
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("walked without rights"), "{said}");
}
