//! Commits and leases whose answers are lost, where the service cannot be asked afterwards either.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::time::Duration;

use s3_test_server::{Fault, FaultAction, FaultHandle};
use storage_core::{ErrorKind, Storage};
use storage_source::{Commit, Lease, Leased, WorkingCopy, WorkingCopyOptions};

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
        (FaultAction::LoseResponseBeforeProcessing, refused("PutObject").nth(ATTEMPTS + 1)),
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
        faults.iter().for_each(FaultHandle::remove);
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

const MINUTE: Duration = Duration::from_secs(60);

async fn acquire(storage: &Storage) -> Lease {
    match Lease::acquire(storage, "lease", "one", MINUTE).await.unwrap() {
        Leased::Acquired(lease) => lease,
        Leased::Held(holder) => panic!("it is held: {holder:?}"),
    }
}

/// Proves that a lease whose renewal was carried out unseen, because the answer was lost or not waited for, is still its
/// holder's: it is renewed, and given back.
#[tokio::test]
async fn a_lease_whose_renewal_was_carried_out_unseen_is_not_lost() {
    let root = s3().await;
    let (server, storage) = (root.server.as_ref().unwrap(), &root.storage);
    for dropped in [false, true] {
        let renew_unseen = async |lease: &mut Lease| {
            // Another millisecond is another record, and so another etag.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let before = storage.head("lease").await.unwrap().meta.etag;
            let repeated = if dropped { FaultAction::Hang } else { FaultAction::ResetAfterRequest };
            let faults = [
                server.inject(Fault::new(FaultAction::ResetAfterRequest).on("PutObject").times(1)),
                server.inject(Fault::new(repeated).on("PutObject").nth(2)),
                server.inject(Fault::status(403, "AccessDenied").on("GetObject")),
                server.inject(Fault::status(403, "AccessDenied").on("HeadObject")),
            ];
            let renewed = tokio::time::timeout(Duration::from_millis(500), lease.renew()).await;
            assert_eq!(renewed.is_err(), dropped, "{renewed:?}");
            if let Ok(renewed) = renewed {
                assert_eq!(renewed.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
            }
            faults.iter().for_each(FaultHandle::remove);
            assert_ne!(storage.head("lease").await.unwrap().meta.etag, before, "it was carried out");
        };
        let mut lease = acquire(storage).await;
        renew_unseen(&mut lease).await;
        assert!(lease.renew().await.unwrap(), "dropped: {dropped}");
        renew_unseen(&mut lease).await;
        lease.release().await.unwrap();
        assert!(!storage.exists("lease").await.unwrap(), "dropped: {dropped}");
    }
}

/// Proves that what cannot be read as a lease is one that is lost.
#[tokio::test]
async fn a_lease_that_cannot_be_read_is_lost() {
    let root = s3().await;
    let mut lease = acquire(&root.storage).await;
    root.storage.put("lease", "no lease at all").await.unwrap();
    assert!(!lease.renew().await.unwrap());
    root.storage.delete("lease").await.unwrap();
    assert!(!lease.renew().await.unwrap(), "nor is one that is gone");
    lease.release().await.unwrap();
}
