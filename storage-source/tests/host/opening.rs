//! Opening a working copy: what a failure leaves, and what a program may do meanwhile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::time::Duration;

use s3_test_server::Fault;
use storage_core::ErrorKind;
use storage_source::{WorkingCopy, WorkingCopyOptions};

use crate::support::s3;

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
