//! `storage walk` and `storage add` of a tree that its user may not read all of, with what is no file in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde_json::json;

use crate::bench::{Bench, Run};

/// A user that has no rights on most systems: `nobody`.
const NOBODY: u32 = 65534;

struct Tree {
    bench: Bench,
    _socket: UnixListener,
}

impl Tree {
    fn new() -> Self {
        let bench = Bench::new();
        for name in ["tree/a.md", "tree/b.txt", "tree/locked/c.md", "tree/sub/d.md"] {
            bench.write(name, name);
        }
        std::os::unix::fs::symlink("..", bench.path("tree/sub/up")).unwrap();
        let socket = UnixListener::bind(bench.path("tree/socket")).unwrap();
        fs::create_dir(bench.path("data")).unwrap();
        let tree = Self { bench, _socket: socket };
        tree.mode("", 0o755);
        tree.mode("data", 0o777);
        tree.mode("tree/locked", 0);
        // A copy, which everybody may run; written by another process, since no file is run that is open for writing, and
        // what this one has open a program that another test starts at this moment has too.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_storage")).arg(tree.bench.path("storage")).status();
        assert!(copied.unwrap().success());
        tree
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.bench.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = Command::new(self.bench.path("storage"));
        command.args(args).current_dir(self.bench.path("")).env_clear().env("DATA_ROOT_DIRECTORY", "data");
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Run::of(command.output().unwrap())
    }
}

impl Drop for Tree {
    /// Lets the tree be removed.
    fn drop(&mut self) {
        self.mode("tree/locked", 0o755);
    }
}

#[test]
fn a_walk_goes_to_its_end_and_says_what_it_could_not_see() {
    let tree = Tree::new();
    let run = tree.run(&["walk", "--json", "tree"]);
    assert_eq!(run.code, Some(4), "{run:?}");
    let lines = run.json();
    let keys: Vec<_> = lines.iter().filter_map(|line| line["key"].as_str()).collect();
    assert_eq!(keys, ["a.md", "b.txt", "sub/d.md"]);
    let report = &lines[3]["report"];
    assert_eq!((&report["outcome"], &report["complete"]), (&"unreadable".into(), &false.into()));
    assert_eq!(report["left_out"], json!({ "not_expressible": 2, "unreadable": 1 }));
    let names: Vec<_> = report["names"].as_array().unwrap().iter().map(|left| left["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["locked/", "socket", "sub/up/"]);
    let error: serde_json::Value = serde_json::from_str(&run.err).unwrap();
    assert!(error["status"] == 403 && error["error"].as_str().unwrap().contains("1 name cannot be read"), "{error}");

    // What is excluded is not missed.
    let run = tree.run(&["walk", "tree", "--exclude", "locked/**"]);
    assert_eq!((run.code, run.names()), (Some(0), vec!["a.md", "b.txt", "sub/d.md"]), "{run:?}");
}

#[test]
fn what_can_be_read_is_added_and_the_rest_is_told() {
    let tree = Tree::new();
    let run = tree.run(&["add", "tree", "--ext", "md"]);
    assert!(run.out.contains("2 objects written"), "{run:?}");
    assert!(run.out.ends_with("left out: 2 no key can express it, 1 unreadable, 1 wrong extension\n"), "{run:?}");
    for part in ["left out \"locked/\"", "left out \"socket\"", "error: permission denied: 1 name cannot be read"] {
        assert!(run.err.contains(part), "{part}: {run:?}");
    }
    // Two kinds of failures have no code in common.
    assert_eq!(run.code, Some(1), "{run:?}");
    let run = tree.run(&["add", "tree/locked", "tree/a.md"]);
    assert_eq!(run.code, Some(4), "{run:?}");
}
