//! Rules W of writes in one request.

use bytes::Bytes;
use s3_test_server::{FaultAction, ServerOptions};
use storage_core::{Attributes, ErrorKind, Payload, PutOptions};
use storage_s3::{ChecksumPolicy, Encryption, PayloadSigning};

use crate::hosting::{BUCKET, Host, kind, pattern};

/// W01, W07, W13, S13: one request, and an answer equal to what a head says.
#[tokio::test]
async fn a_put_answers_what_a_head_says() {
    let host = Host::new().await;
    for content in [Bytes::new(), pattern(1), pattern(1 << 20)] {
        let (put, requests) = host.requests(host.root.put("a", content.clone())).await;
        assert_eq!(requests, ["PutObject"]);
        let (head, requests) = host.requests(host.root.head("a")).await;
        assert_eq!(requests, ["HeadObject"]);
        let (put, meta) = (put.unwrap(), head.unwrap().meta);
        assert_eq!((put.etag, put.size, put.version), (meta.etag, meta.size, meta.version));
        assert_eq!(host.root.bytes("a").await.unwrap(), content);
    }
}

/// V01, W13: in a bucket with versions each write answers its own, and each can be read.
#[tokio::test]
async fn versions_are_answered_and_read() {
    use storage_core::{DeleteOptions, GetOptions, HeadOptions};
    let host = Host::new().await;
    host.server.set_versioning(BUCKET, true);
    let first = host.root.put("a", "first").await.unwrap().version.unwrap();
    let second = host.root.put("a", "second").await.unwrap().version.unwrap();
    assert_ne!(first, second);
    let head = host.root.head_with("a", HeadOptions::new().version(&first)).await.unwrap();
    assert_eq!((head.meta.size, head.meta.version.as_deref()), (5, Some(first.as_str())));
    let copy = host.root.copy("a", "b").await.unwrap();
    assert_eq!(copy.version, host.root.head("b").await.unwrap().meta.version);
    host.root.delete("a").await.unwrap();
    assert_eq!(kind(host.root.head("a").await), ErrorKind::NotFound);
    let old = host.root.get("a", GetOptions::new().version(&second).buffered()).await.unwrap();
    assert_eq!(old.meta.size, 6);
    host.root.delete_with("a", DeleteOptions::new().version(&second)).await.unwrap();
    for version in [second.as_str(), "no-such-version"] {
        let gone = host.root.get("a", GetOptions::new().version(version)).await;
        assert_eq!(kind(gone), ErrorKind::NotFound, "{version}");
        let gone = host.root.head_with("a", HeadOptions::new().version(version)).await;
        assert_eq!(kind(gone), ErrorKind::NotFound, "{version}");
    }
    host.root.get("a", GetOptions::new().version(&first)).await.unwrap();
}

/// W09: a length that was declared and does not come is refused before anything is sent.
#[tokio::test]
async fn a_wrong_length_is_refused() {
    use std::sync::Arc;
    use storage_core::{Key, StorageBackend};
    let host = Host::new().await;
    let backend: &Arc<dyn StorageBackend> = host.root.backend();
    let key = Key::new("a").unwrap();
    let put = backend.put(&key, Payload::from("four"), PutOptions::new().length(5));
    let (result, requests) = host.requests(put).await;
    assert_eq!(kind(result), ErrorKind::LengthMismatch);
    assert!(requests.is_empty());
}

/// V02: the digest goes with the content, and a service that finds another one refuses the write.
#[tokio::test]
async fn a_digest_goes_with_the_content() {
    for (policy, header) in
        [(ChecksumPolicy::Crc32c, "x-amz-checksum-crc32c"), (ChecksumPolicy::Crc64Nvme, "x-amz-checksum-crc64nvme")]
    {
        let host = Host::with(ServerOptions::new(), |options| options.checksum = policy).await;
        let segments = Payload::from(vec![pattern(10), pattern(100_000)]);
        host.root.put("a", segments).await.unwrap();
        assert!(host.server.requests()[0].header(header).is_some());
        assert_eq!(host.root.bytes("a").await.unwrap().len(), 100_010);
    }
}

/// Storage class, encryption and requester pays go with each write, requester pays with each read too.
#[tokio::test]
async fn settings_go_with_the_requests() {
    let host = Host::with(ServerOptions::new(), |options| {
        options.storage_class = Some("STANDARD_IA".to_owned());
        options.encryption = Some(Encryption::Kms { key_id: Some("key".to_owned()) });
        options.requester_pays = true;
    })
    .await;
    host.root.put("a", "x").await.unwrap();
    host.root.copy("a", "b").await.unwrap();
    host.root.bytes("a").await.unwrap();
    host.root.head("a").await.unwrap();
    host.root.delete_many(["a", "b"]).await.unwrap();
    for request in host.server.requests() {
        assert_eq!(request.header("x-amz-request-payer"), Some("requester"), "{}", request.operation);
        let makes = matches!(request.operation, "PutObject" | "CopyObject");
        assert_eq!(request.header("x-amz-storage-class"), makes.then_some("STANDARD_IA"));
        assert_eq!(request.header("x-amz-server-side-encryption"), makes.then_some("aws:kms"));
        assert_eq!(request.header("x-amz-server-side-encryption-aws-kms-key-id"), makes.then_some("key"));
    }
}

/// The signature holds with a signed payload too.
#[tokio::test]
async fn a_signed_payload_is_taken() {
    let host = Host::with(ServerOptions::new(), |options| options.payload_signing = PayloadSigning::Signed).await;
    let attributes = Attributes::new().content_type("text/plain").user("a", "two  spaces").user("empty", "");
    host.root.put_with("a", pattern(100_000), PutOptions::new().attributes(attributes.clone())).await.unwrap();
    let head = host.root.head("a").await.unwrap();
    assert_eq!(head.attributes, attributes);
}

/// E03: a bucket that is not there, by each operation.
#[tokio::test]
async fn a_missing_bucket_is_told_from_a_missing_object() {
    let host = Host::new().await;
    assert_eq!(kind(host.root.head("a").await), ErrorKind::NotFound);
    assert_eq!(kind(host.root.bytes("a").await), ErrorKind::NotFound);
    host.server.delete_bucket(BUCKET);
    let missing = ErrorKind::BackendNotFound;
    let head = host.root.head("a").await.unwrap_err();
    assert_eq!(head.kind(), missing);
    crate::hosting::says(&head, &[BUCKET]);
    assert_eq!(kind(host.root.bytes("a").await), missing);
    assert_eq!(kind(host.root.put("a", "x").await), missing);
    assert_eq!(kind(host.root.put_with("a", "x", PutOptions::new().create_only()).await), missing);
    assert_eq!(kind(host.root.copy("a", "b").await), missing);
    assert_eq!(kind(host.root.rename("a", "b").await), missing);
    assert_eq!(kind(host.root.delete("a").await), missing);
    assert_eq!(kind(host.root.delete_many(["a"]).await), missing);
    assert_eq!(kind(host.root.delete_all().await), missing);
}

/// W03: a write of which nothing was done is no write, whatever the fault.
#[tokio::test]
async fn a_refused_write_changes_nothing() {
    let host = Host::new().await;
    host.root.put("a", "old").await.unwrap();
    let fault =
        host.fault(FaultAction::Status { status: 503, code: "SlowDown".to_owned(), retry_after: None }, "PutObject");
    assert_eq!(kind(host.root.put("a", "new").await), ErrorKind::Throttled);
    assert_eq!(fault.hits(), 5);
    assert_eq!(host.root.text("a").await.unwrap(), "old");
}
