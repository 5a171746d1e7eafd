//! `storage watch` on S3: polls go on past failures that can pass, and end with those that cannot.

use rustix::process::Signal;
use s3_test_server::Fault;

use super::place::{Place, until};
use crate::watch::Watcher;

const WATCH: [&str; 7] = ["watch", "--json", "@data/in", "--interval", "10ms", "--state", "state.json"];

#[test]
fn polls_go_on_past_a_failure() {
    let s3 = Place::new();
    s3.run(&["cp", "README.md", "@data/in/a"]).ok();
    let mut command = s3.command(&WATCH);
    // The driver hands on each failure.
    command.env("STORAGE_S3_ATTEMPTS", "1");
    let mut watcher = Watcher::start(command);
    assert_eq!(watcher.event(), ("put".to_owned(), "a".to_owned()));
    assert!(watcher.line().contains("\"report\""));
    let fault = s3.server.inject(Fault::status(503, "SlowDown").on("ListObjectsV2"));
    until("a listing that fails, and is tried again", || fault.hits() > 1);
    fault.remove();
    s3.run(&["cp", "README.md", "@data/in/b"]).ok();
    assert_eq!(watcher.event(), ("put".to_owned(), "b".to_owned()));
    s3.run(&["rm", "@data/in/a"]).ok();
    assert_eq!(watcher.event(), ("removed".to_owned(), "a".to_owned()));
    let run = watcher.end(Signal::INT);
    assert_eq!(run.code, Some(130));
    assert!(run.err.lines().filter(|line| line.contains("SlowDown")).count() > 1, "{run:?}");
    let state: serde_json::Value = serde_json::from_str(&s3.read("state.json")).unwrap();
    assert_eq!(state["objects"].as_object().unwrap().keys().collect::<Vec<_>>(), ["b"]);
}

/// A listing that is denied removes nothing and ends the program with what that means.
#[test]
fn what_cannot_pass_ends_the_watch() {
    let s3 = Place::new();
    s3.run(&["cp", "README.md", "@data/in/a"]).ok();
    s3.run(&[&WATCH[..], &["--once"]].concat()).ok();
    s3.server.inject(Fault::status(403, "AccessDenied").on("ListObjectsV2"));
    let run = s3.run(&WATCH);
    assert_eq!((run.code, run.out.as_str()), (Some(4), ""), "{run:?}");
    s3.server.clear_faults();
    assert_eq!(s3.run(&["watch", "@data/in", "--once", "--state", "state.json"]).ok().out, "");
}
