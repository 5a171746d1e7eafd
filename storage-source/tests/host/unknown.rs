//! Commits and leases whose answers are lost, where the service cannot be asked afterwards either.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use s3_test_server::{Fault, FaultAction};
use storage_core::ErrorKind;
use storage_source::{Commit, WorkingCopy, WorkingCopyOptions};

use crate::support::{local, s3};

const KEY: &str = "graph.db";

/// How often the driver tries a request.
const ATTEMPTS: u64 = 5;

/// Proves that a commit which may have changed the object says so whatever fails afterwards: the read that was to settle it,
/// or the next attempt, which is refused. The next commit settles it.
#[tokio::test]
async fn a_commit_that_may_have_happened_is_of_unknown_outcome_whatever_follows() {
    let refused = |operation: &str| Fault::status(403, "AccessDenied").on(operation);
    for (lost, later) in [
        (FaultAction::ResetAfterRequest, refused("GetObject")),
        (FaultAction::LoseResponseBeforeProcessing, refused("GetObject")),
        (FaultAction::LoseResponseBeforeProcessing, refused("PutObject")),
    ] {
        let root = s3().await;
        let server = root.server.as_ref().unwrap();
        root.storage.put(KEY, "one").await.unwrap();
        let machine = tempfile::tempdir().unwrap();
        let file = machine.path().join("graph.db");
        let mut copy = WorkingCopy::open(&root.storage, KEY, &file, WorkingCopyOptions::new()).await.unwrap();
        std::fs::write(&file, "two").unwrap();
        let faults = [
            server.inject(Fault::new(lost.clone()).on("PutObject").times(ATTEMPTS)),
            server.inject(Fault::new(FaultAction::Reset).on("HeadObject")),
            server.inject(later.clone()),
        ];
        let error = copy.commit().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{lost:?}, {later:?}: {error}");
        assert!(error.message().contains("permission denied"), "{error}");
        assert!(faults[2].hits() > 0, "{lost:?}, {later:?}");
        faults.iter().for_each(s3_test_server::FaultHandle::remove);
        let outcome = copy.commit().await.unwrap();
        assert!(matches!(outcome, Commit::Committed(_)), "{lost:?}, {later:?}: {outcome:?}");
        assert_eq!(root.storage.text(KEY).await.unwrap(), "two");
    }
}

/// Proves that a commit which has happened and cannot be recorded is not told as one that changed nothing, and is no
/// conflict with itself later.
#[tokio::test]
async fn a_commit_that_cannot_be_recorded_is_of_unknown_outcome() {
    let root = local();
    let machine = tempfile::tempdir().unwrap();
    let file = machine.path().join("graph.db");
    let mut copy = WorkingCopy::open(&root.storage, KEY, &file, WorkingCopyOptions::new()).await.unwrap();
    std::fs::write(&file, "one").unwrap();
    let in_the_way = machine.path().join(".graph.db.working.new");
    root.storage.put(KEY, "theirs").await.unwrap();
    assert!(matches!(copy.commit().await.unwrap(), Commit::Conflict { .. }), "what is sent is recorded");
    root.storage.delete(KEY).await.unwrap();
    std::fs::create_dir(&in_the_way).unwrap();
    assert_eq!(copy.commit().await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(root.storage.text(KEY).await.unwrap(), "one");
    drop(copy);
    std::fs::remove_dir(&in_the_way).unwrap();
    let mut copy = WorkingCopy::open(&root.storage, KEY, &file, WorkingCopyOptions::new()).await.unwrap();
    assert_eq!(copy.commit().await.unwrap(), Commit::Unchanged);
}
