//! Opening a working copy: what a failure leaves, what lies beside the file, and what a program may do meanwhile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::time::Duration;

use s3_test_server::{Fault, FaultAction};
use storage_core::ErrorKind;
use storage_source::{Commit, Opened, WorkingCopy, WorkingCopyOptions};

use crate::support::{roots, s3};

const KEY: &str = "graph.db";

/// Proves that an `open` which fails keeps nobody waiting for its lease.
#[tokio::test]
async fn a_failed_open_gives_its_lease_back() {
    let root = s3().await;
    let server = root.server.as_ref().unwrap();
    let machine = tempfile::tempdir().unwrap();
    let file = machine.path().join("graph.db");
    let open = async |owner: &str| {
        let options = WorkingCopyOptions::new().lease(owner, Duration::from_secs(3600));
        WorkingCopy::open(&root.storage, KEY, &file, options).await
    };
    let fault = server.inject(Fault::status(403, "AccessDenied").on("GetObject"));
    assert_eq!(open("one").await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    fault.remove();
    assert!(!root.storage.exists(format!("{KEY}.lease")).await.unwrap());
    open("two").await.unwrap().close().await.unwrap();
}

/// Proves that a journal whose transaction has ended, as SQLite leaves it with `journal_mode=PERSIST`, holds nothing up, and
/// that no journal of the old file is left to damage a new one.
#[tokio::test]
async fn a_journal_that_has_ended_is_none_and_goes_with_its_file() {
    for root in roots().await {
        root.storage.put(KEY, "one").await.unwrap();
        let machine = tempfile::tempdir().unwrap();
        let file = machine.path().join("graph.db");
        let open = async || WorkingCopy::open(&root.storage, KEY, &file, WorkingCopyOptions::new()).await.unwrap();
        let journals = ["-journal", "-wal", ".wal"].map(|end| machine.path().join(format!("graph.db{end}")));
        let leave = || {
            std::fs::write(&journals[0], [&[0; 28][..], &[7; 4096]].concat()).unwrap();
            journals[1..].iter().for_each(|journal| std::fs::write(journal, "").unwrap());
        };
        let mut copy = open().await;
        std::fs::write(&file, "two").unwrap();
        leave();
        assert!(matches!(copy.commit().await.unwrap(), Commit::Committed(_)), "{}", root.name);
        drop(copy);
        root.storage.put(KEY, "three").await.unwrap();
        let mut copy = open().await;
        assert_eq!(copy.opened(), Opened::Pulled, "{}", root.name);
        assert!(journals.iter().all(|journal| !journal.exists()), "{}", root.name);
        leave();
        std::fs::write(&journals[2], "half a transaction").unwrap();
        assert!(matches!(copy.commit().await.unwrap(), Commit::Busy { .. }), "{}", root.name);
        copy.discard().await.unwrap();
        assert!(journals.iter().all(|journal| !journal.exists()), "{}", root.name);
    }
}

/// Proves that what a program writes while the object is downloaded is kept: over the file of an earlier session, beside it
/// in a log, and where there was no file yet.
#[tokio::test]
async fn what_is_written_while_the_object_comes_is_not_pulled_over() {
    for (earlier, name) in [(true, "graph.db"), (true, "graph.db-wal"), (false, "graph.db")] {
        let root = s3().await;
        let server = root.server.as_ref().unwrap();
        let machine = tempfile::tempdir().unwrap();
        let file = machine.path().join("graph.db");
        let open = async || WorkingCopy::open(&root.storage, KEY, &file, WorkingCopyOptions::new()).await.unwrap();
        if earlier {
            root.storage.put(KEY, "one").await.unwrap();
            drop(open().await);
        }
        root.storage.put(KEY, "theirs").await.unwrap();
        let delay = server.inject(Fault::new(FaultAction::Delay(Duration::from_millis(500))).on("GetObject"));
        let write = async {
            while delay.hits() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            std::fs::write(machine.path().join(name), "mine").unwrap();
        };
        let (mut copy, ()) = tokio::join!(open(), write);
        let case = format!("{earlier}, {name}");
        assert_eq!(copy.opened(), Opened::Uncommitted, "{case}");
        assert_eq!(std::fs::read_to_string(machine.path().join(name)).unwrap(), "mine", "{case}");
        assert!(!machine.path().join(".graph.db.pull").exists(), "{case}");
        let outcome = copy.commit().await.unwrap();
        assert!(matches!(outcome, Commit::Conflict { .. } | Commit::Busy { .. }), "{case}: {outcome:?}");
        assert_eq!(root.storage.text(KEY).await.unwrap(), "theirs", "{case}");
    }
}
