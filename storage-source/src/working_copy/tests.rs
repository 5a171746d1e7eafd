//! A process that dies at a named place, and what the next one finds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::path::Path;
use std::process::Command;

use storage_core::Storage;
use storage_local::{Local, LocalOptions};

use super::{Commit, Opened, WorkingCopy, WorkingCopyOptions};

const PLACE: &str = "STORAGE_TEST_CRASH_PLACE";
const POINT: &str = "STORAGE_TEST_CRASH_AT";

const POINTS: [&str; 6] = ["record written", "downloaded", "pull recorded", "file replaced", "commit recorded", "sent"];

fn root(place: &Path) -> Storage {
    Storage::new(Local::open(place.join("root"), LocalOptions::new().create(true)).unwrap())
}

async fn open(place: &Path) -> WorkingCopy {
    WorkingCopy::open(&root(place), "db", place.join("copy/db"), WorkingCopyOptions::new()).await.unwrap()
}

/// What the process does that dies: brings the file up to date, changes it, commits. Run by the tests below.
#[tokio::test]
async fn child() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let place = Path::new(&place);
    let mut copy = open(place).await;
    std::fs::write(copy.path(), "changed here").unwrap();
    copy.commit().await.unwrap();
}

/// What the process does that dies while it gives its changes up. Run by the test below.
#[tokio::test]
async fn discarding_child() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    open(Path::new(&place)).await.discard().await.unwrap();
}

/// Runs the child in a place; whether it came to its end.
fn run(place: &Path, point: &str) -> bool {
    run_child("child", place, point)
}

fn run_child(name: &str, place: &Path, point: &str) -> bool {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program);
    child.args(["--exact", &format!("working_copy::tests::{name}"), "--nocapture"]).env(PLACE, place).env(POINT, point);
    child.output().unwrap().status.success()
}

/// Proves that wherever a process dies the object is the old one or the new one, whole, and the next session ends the work:
/// with the change where the file had it, with a pull where it had not. A second death in between changes nothing.
#[tokio::test]
async fn a_death_at_any_place_loses_nothing() {
    for (earlier, object) in [(None, None), (None, Some("theirs")), (Some("old"), Some("theirs"))] {
        for point in POINTS {
            let place = tempfile::tempdir().unwrap();
            let place = place.path();
            let storage = root(place);
            if let Some(earlier) = earlier {
                storage.put("db", earlier).await.unwrap();
                drop(open(place).await);
            }
            if let Some(object) = object {
                storage.put("db", object).await.unwrap();
            }
            let case = format!("{earlier:?}, {object:?}, {point}");
            let reached = object.is_some() || !["downloaded", "pull recorded", "file replaced"].contains(&point);
            assert_eq!(run(place, point), !reached, "{case}");

            let found = storage.text("db").await.ok();
            let allowed = [object.map(str::to_owned), Some("changed here".to_owned())];
            assert!(allowed.contains(&found), "{case}: {found:?}");
            let mut copy = open(place).await;
            let file = std::fs::read_to_string(copy.path()).ok();
            match file.as_deref() {
                Some("changed here") => {
                    let outcome = copy.commit().await.unwrap();
                    assert!(matches!(outcome, Commit::Committed(_) | Commit::Unchanged), "{case}: {outcome:?}");
                    assert_eq!(storage.text("db").await.unwrap(), "changed here", "{case}");
                }
                file => {
                    assert_eq!(file, object, "{case}");
                    assert!(matches!(copy.opened(), Opened::New | Opened::Pulled | Opened::Current), "{case}");
                    assert_eq!(copy.commit().await.unwrap(), Commit::Unchanged, "{case}");
                }
            }
            drop(copy);
            assert!(run(place, "nowhere"), "{case}");
            assert_eq!(storage.text("db").await.unwrap(), "changed here", "{case}");
        }
    }
}

/// Proves that a write which landed before its process died is not taken for somebody else's, also when the file has
/// changed again since.
#[tokio::test]
async fn a_commit_that_landed_unseen_is_the_base_of_the_next() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    assert!(!run(place, "sent"));
    assert_eq!(root(place).text("db").await.unwrap(), "changed here");
    std::fs::write(place.join("copy/db"), "changed again").unwrap();
    let mut copy = open(place).await;
    assert_eq!(copy.opened(), Opened::Uncommitted);
    assert!(matches!(copy.commit().await.unwrap(), Commit::Committed(_)));
    assert_eq!(root(place).text("db").await.unwrap(), "changed again");
}

/// Proves that changes which were being given up are so after a death: a database is never left without the journal that
/// makes it whole, to be committed like that.
#[tokio::test]
async fn a_death_while_changes_are_given_up_leaves_no_half_of_them() {
    for object in [None, Some("old"), Some("theirs")] {
        for point in ["record written", "pull recorded", "journals removed", "file replaced"] {
            let place = tempfile::tempdir().unwrap();
            let place = place.path();
            let storage = root(place);
            storage.put("db", "old").await.unwrap();
            drop(open(place).await);
            match object {
                Some(object) => drop(storage.put("db", object).await.unwrap()),
                None => storage.delete("db").await.unwrap(),
            }
            let journal = place.join("copy/db-journal");
            std::fs::write(place.join("copy/db"), "half").unwrap();
            std::fs::write(&journal, "the other half").unwrap();
            let case = format!("{object:?}, {point}");
            let reached = object.is_some() || !["pull recorded", "file replaced"].contains(&point);
            assert_eq!(run_child("discarding_child", place, point), !reached, "{case}");

            let mut copy = open(place).await;
            if journal.exists() {
                assert_eq!(copy.opened(), Opened::Uncommitted, "{case}: nothing was given up yet");
                assert_eq!(std::fs::read_to_string(copy.path()).unwrap(), "half", "{case}");
                copy.discard().await.unwrap();
            }
            assert_eq!(std::fs::read_to_string(copy.path()).ok().as_deref(), object, "{case}");
            assert!(!journal.exists(), "{case}");
            assert_eq!(copy.commit().await.unwrap(), Commit::Unchanged, "{case}");
        }
    }
}
