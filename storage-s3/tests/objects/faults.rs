//! Rule E05: every fault of every request that an operation makes ends in what was asked, or in the right kind, after a
//! bounded number of requests; and what is there is then the old object or the new one.

use s3_test_server::FaultAction;
use storage_core::{ErrorKind, PutOptions};

use crate::hosting::Host;

fn status(status: u16, code: &str) -> FaultAction {
    FaultAction::Status { status, code: code.to_owned(), retry_after: None }
}

/// A fault that strikes twice is repeated away.
#[tokio::test]
async fn a_passing_fault_passes() {
    for action in [
        status(500, "InternalError"),
        status(503, "SlowDown"),
        status(429, "TooManyRequests"),
        FaultAction::Reset,
        FaultAction::ResetAfterRequest,
        FaultAction::LoseResponseBeforeProcessing,
        FaultAction::DropIdleConnections,
    ] {
        let host = Host::new().await;
        host.root.put("a", "x").await.unwrap();
        host.server.inject(s3_test_server::Fault::new(action.clone()).every(2));
        for _ in 0..3 {
            host.root.put("b", "x").await.unwrap();
            host.root.put_with("c", "x", PutOptions::new().create_only()).await.unwrap();
            assert_eq!(host.root.text("a").await.unwrap(), "x", "{action:?}");
            host.root.head("a").await.unwrap();
            host.root.copy("a", "d").await.unwrap();
            host.root.rename("d", "e").await.unwrap_or_else(|error| panic!("{action:?}: {error}"));
            assert!(host.root.delete_many(["b", "c"]).await.unwrap().iter().all(Result::is_ok));
            host.root.delete("e").await.unwrap();
        }
    }
}

/// A fault that stays has its kind, by reads and writes, after as many attempts as the setting says.
#[tokio::test]
async fn a_fault_that_stays_has_its_kind() {
    use ErrorKind::{OutcomeUnknown, Throttled, Timeout, Unavailable};
    for (action, read, write) in [
        (status(500, "InternalError"), Unavailable, Unavailable),
        (status(503, "ServiceUnavailable"), Unavailable, Unavailable),
        (status(503, "SlowDown"), Throttled, Throttled),
        (status(429, "TooManyRequests"), Throttled, Throttled),
        (FaultAction::ResetAfterRequest, Unavailable, OutcomeUnknown),
        (FaultAction::LoseResponseBeforeProcessing, Unavailable, OutcomeUnknown),
        (FaultAction::Hang, Timeout, OutcomeUnknown),
    ] {
        let host = Host::with(s3_test_server::ServerOptions::new(), |options| {
            options.timeouts.answer = std::time::Duration::from_millis(100);
            options.retries.attempts = 3;
        })
        .await;
        host.root.put("a", "old").await.unwrap();
        let fault = host.server.inject(s3_test_server::Fault::new(action.clone()));
        let kinds = [
            (host.root.bytes("a").await.map(drop), read),
            // A HEAD has no document that could say more than 503.
            (host.root.head("a").await.map(drop), if action == status(503, "SlowDown") { Unavailable } else { read }),
            (host.root.put("a", "new").await.map(drop), write),
            (host.root.put_with("b", "new", PutOptions::new().create_only()).await.map(drop), write),
            (host.root.copy("a", "c").await.map(drop), write),
            (host.root.delete("none").await, write),
            (host.root.delete_many(["none"]).await.map(drop), write),
        ];
        // A connection that was closed while it was idle costs no attempt.
        let attempts = 3 * kinds.len() as u64;
        assert!((attempts..=attempts + kinds.len() as u64).contains(&fault.hits()), "{action:?}: {}", fault.hits());
        for (at, (result, expected)) in kinds.into_iter().enumerate() {
            assert_eq!(result.unwrap_err().kind(), expected, "{action:?}, call {at}");
        }
        fault.remove();
        let text = host.root.text("a").await.unwrap();
        assert!(text == "old" || text == "new");
    }
}
