//! Rules X: copies and moves inside the bucket.

use s3_test_server::{Conditions, Fault, FaultAction, ServerOptions};
use std::time::Duration;

use crate::hosting::{BUCKET, Host, kind, pattern};
use storage_core::{Attributes, CopyOptions, ETag, ErrorKind, PutOptions};
use storage_s3::Service;

/// X01, X03, S13: one request; the answer equals a head of the destination.
#[tokio::test]
async fn a_copy_is_one_request() {
    let host = Host::new().await;
    host.root.put("a", pattern(1000)).await.unwrap();
    let (copy, requests) = host.requests(host.root.copy("a", "b")).await;
    assert_eq!(requests, ["CopyObject"]);
    assert_eq!(copy.unwrap().etag, host.root.head("b").await.unwrap().meta.etag);
    host.root.put("a", "other").await.unwrap();
    assert_eq!(host.root.bytes("b").await.unwrap(), pattern(1000));
    assert_eq!(kind(host.root.copy("none", "b").await), ErrorKind::NotFound);
    assert_eq!(host.root.bytes("b").await.unwrap(), pattern(1000));
}

/// X02: onto itself, straight at the backend.
#[tokio::test]
async fn onto_itself_changes_nothing() {
    let host = Host::new().await;
    let etag = host.root.put("a", "x").await.unwrap().etag;
    let backend = host.root.backend();
    let (key, none) = (storage_core::Key::new("a").unwrap(), storage_core::Key::new("none").unwrap());
    for conditions in [CopyOptions::new(), CopyOptions::new().if_source_match(etag.clone())] {
        let (copy, requests) = host.requests(backend.copy(&key, &key, conditions.clone())).await;
        assert_eq!((copy.unwrap().etag, requests), (etag.clone(), vec!["HeadObject"]));
        assert_eq!(backend.rename(&key, &key, conditions).await.unwrap().etag, etag);
    }
    assert_eq!(kind(backend.copy(&none, &none, CopyOptions::new()).await), ErrorKind::NotFound);
    assert_eq!(kind(backend.rename(&none, &none, CopyOptions::new()).await), ErrorKind::NotFound);
    let stale = CopyOptions::new().if_source_match(ETag::new("stale"));
    assert_eq!(kind(backend.copy(&key, &key, stale).await), ErrorKind::PreconditionFailed);
    assert_eq!(host.root.text("a").await.unwrap(), "x");
}

/// X04 and the source's condition: one request each.
#[tokio::test]
async fn conditions_of_a_copy() {
    let host = Host::new().await;
    let etag = host.root.put("a", "x").await.unwrap().etag;
    host.root.put("b", "theirs").await.unwrap();
    let create = CopyOptions::new().create_only();
    let (refused, requests) = host.requests(host.root.copy_with("a", "b", create.clone())).await;
    assert_eq!((kind(refused), requests), (ErrorKind::AlreadyExists, vec!["CopyObject"]));
    host.root.copy_with("a", "c", create.clone()).await.unwrap();
    let stale = CopyOptions::new().if_source_match(ETag::new("stale"));
    assert_eq!(kind(host.root.copy_with("a", "b", stale).await), ErrorKind::PreconditionFailed);
    host.root.copy_with("a", "d", create.if_source_match(etag)).await.unwrap();
    assert_eq!(host.root.text("b").await.unwrap(), "theirs");
}

/// X03: a service that copies whatever there is does not lead to a copy of another version than the one asked for; the
/// HEAD is not made where the service is known.
#[tokio::test]
async fn a_source_condition_holds_where_it_is_ignored() {
    let ignoring = ServerOptions::new().conditions(Conditions { copy_source: false, ..Conditions::KEPT });
    let host = Host::with(ignoring, |_| {}).await;
    let etag = host.root.put("a", "x").await.unwrap().etag;
    host.root.put("b", "theirs").await.unwrap();
    let stale = CopyOptions::new().if_source_match(ETag::new("stale"));
    let (refused, requests) = host.requests(host.root.copy_with("a", "b", stale)).await;
    assert_eq!((kind(refused), requests), (ErrorKind::PreconditionFailed, vec!["HeadObject"]));
    assert_eq!(host.root.text("b").await.unwrap(), "theirs");
    let right = CopyOptions::new().if_source_match(etag.clone());
    host.root.copy_with("a", "b", right.clone()).await.unwrap();
    assert_eq!(host.root.text("b").await.unwrap(), "x");
    let known = Host::with(ServerOptions::new(), |options| options.service = Some(Service::Minio)).await;
    known.root.put("a", "x").await.unwrap();
    let (copied, requests) = known.requests(known.root.copy_with("a", "b", right)).await;
    copied.unwrap();
    assert_eq!(requests, ["CopyObject"]);
}

/// X01: an error inside a 200 is no copy; it is repeated, and then told.
#[tokio::test]
async fn an_error_inside_a_success_is_an_error() {
    let host = Host::new().await;
    host.root.put("a", "x").await.unwrap();
    host.once(FaultAction::ErrorInside200, "CopyObject");
    host.root.copy("a", "b").await.unwrap();
    host.fault(FaultAction::ErrorInside200, "CopyObject");
    host.root.copy("a", "c").await.unwrap_err();
    assert!(!host.root.exists("c").await.unwrap());
}

/// X05: over 5 GiB in parts of one version, with the attributes, in as many requests as there are parts.
#[tokio::test]
async fn a_large_object_is_copied_in_parts() {
    let host = Host::new().await;
    let size = (6u64 << 30) + 5;
    host.server.synthetic_object(BUCKET, "huge", size);
    let (copy, requests) = host.requests(host.root.copy("huge", "copy")).await;
    let head = host.root.head("copy").await.unwrap();
    assert_eq!((copy.unwrap().etag, head.meta.size), (head.meta.etag, size));
    assert_eq!(&requests[..3], ["CopyObject", "HeadObject", "CreateMultipartUpload"]);
    assert_eq!(requests.iter().filter(|name| **name == "UploadPartCopy").count(), 25);
    assert_eq!(requests.len(), 3 + 25 + 1);
    let tail = host.root.range("copy", size - 10..size).await.unwrap();
    assert_eq!(tail, s3_test_server::synthetic_bytes(size - 10, 10));
    assert_eq!(host.server.unfinished_uploads(BUCKET), 0);
}

/// The service finds the next source too large, whatever its size.
fn too_large(host: &Host) {
    host.server.inject(Fault::status(400, "EntityTooLarge").on("CopyObject").times(1));
}

/// X05: attributes of what is copied in parts; create-only is judged at the end.
#[tokio::test]
async fn a_copy_in_parts_is_a_copy() {
    let host = Host::new().await;
    let attributes = Attributes::new().content_type("text/plain").user("a", "Grüße");
    host.root.put_with("a", pattern(2000), PutOptions::new().attributes(attributes.clone())).await.unwrap();
    too_large(&host);
    host.root.copy("a", "b").await.unwrap();
    assert_eq!(host.root.head("b").await.unwrap().attributes, attributes);
    assert_eq!(host.root.bytes("b").await.unwrap(), pattern(2000));
    host.root.put("c", "theirs").await.unwrap();
    let create = CopyOptions::new().create_only();
    too_large(&host);
    assert_eq!(kind(host.root.copy_with("a", "c", create.clone()).await), ErrorKind::AlreadyExists);
    assert_eq!(host.root.text("c").await.unwrap(), "theirs");
    too_large(&host);
    host.root.copy_with("a", "d", create).await.unwrap();
    assert_eq!(host.server.unfinished_uploads(BUCKET), 0);
}

/// X05, W05: a copy in parts that fails leaves nothing.
#[tokio::test]
async fn a_copy_in_parts_that_fails_leaves_nothing() {
    let host = Host::new().await;
    host.root.put("a", pattern(2000)).await.unwrap();
    let fault = host.server.inject(Fault::status(403, "AccessDenied").on("UploadPartCopy"));
    too_large(&host);
    assert_eq!(kind(host.root.copy("a", "b").await), ErrorKind::PermissionDenied);
    fault.remove();
    host.server.inject(Fault::status(412, "PreconditionFailed").on("UploadPartCopy"));
    too_large(&host);
    assert_eq!(kind(host.root.copy("a", "b").await), ErrorKind::ObjectChanged);
    host.server.clear_faults();
    too_large(&host);
    host.fault(FaultAction::ResetAfterRequest, "UploadPartCopy");
    assert_eq!(kind(host.root.copy("a", "b").await), ErrorKind::Unavailable, "no part is seen by anybody");
    assert!(!host.root.exists("b").await.unwrap());
    assert_eq!(host.server.unfinished_uploads(BUCKET), 0);
}

/// C06: the end of a copy in parts whose answer was lost is settled.
#[tokio::test]
async fn a_lost_completion_is_settled() {
    let host = Host::new().await;
    host.root.put("a", pattern(2000)).await.unwrap();
    host.once(FaultAction::ResetAfterRequest, "CompleteMultipartUpload");
    too_large(&host);
    let copy = host.root.copy("a", "b").await.unwrap();
    assert_eq!(copy.etag, host.root.head("b").await.unwrap().meta.etag);
    host.once(FaultAction::ResetAfterRequest, "CompleteMultipartUpload");
    too_large(&host);
    host.root.copy_with("a", "c", CopyOptions::new().create_only()).await.unwrap();
}

/// X06: a move; what it refuses; a source that was written meanwhile stays.
#[tokio::test]
async fn a_move_never_loses_both() {
    let host = Host::new().await;
    host.root.put("a", "x").await.unwrap();
    let (moved, requests) = host.requests(host.root.rename("a", "b")).await;
    assert_eq!(requests, ["HeadObject", "CopyObject", "DeleteObject"]);
    assert_eq!(moved.unwrap().etag, host.root.head("b").await.unwrap().meta.etag);
    assert!(!host.root.exists("a").await.unwrap());
    assert_eq!(kind(host.root.rename("a", "b").await), ErrorKind::NotFound);
    assert_eq!(host.root.text("b").await.unwrap(), "x");

    host.root.put("c", "theirs").await.unwrap();
    let create = CopyOptions::new().create_only();
    assert_eq!(kind(host.root.rename_with("b", "c", create).await), ErrorKind::AlreadyExists);
    assert_eq!(host.root.text("b").await.unwrap(), "x");
}

/// X06: what is written, or deleted, while it is moved.
#[tokio::test]
async fn a_source_that_is_written_meanwhile_stays() {
    let host = Host::new().await;
    host.root.put("a", "x").await.unwrap();
    host.server.inject(Fault::new(FaultAction::Delay(Duration::from_millis(300))).on("DeleteObject").times(1));
    let written = async {
        while !host.root.exists("b").await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        host.root.put("a", "y").await.unwrap();
    };
    let (moved, ()) = futures::join!(host.root.rename("a", "b"), written);
    let error = moved.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    crate::hosting::says(&error, &["the source was written", "destination holds the copy"]);
    assert_eq!((host.root.text("a").await.unwrap(), host.root.text("b").await.unwrap()), ("y".into(), "x".into()));
}

/// X06, C06: an answer to the delete that was lost, and a service whose delete refuses the right etag, are settled by a
/// look at the source.
#[tokio::test]
async fn a_move_settles_the_delete_of_its_source() {
    let host = Host::new().await;
    let refused = |code| FaultAction::Status { status: code, code: String::new(), retry_after: None };
    for action in
        [FaultAction::ResetAfterRequest, FaultAction::LoseResponseBeforeProcessing, refused(412), refused(501)]
    {
        host.root.put("a", "x").await.unwrap();
        let fault = host.once(action.clone(), "DeleteObject");
        host.root.rename("a", "b").await.unwrap_or_else(|error| panic!("{action:?}: {error}"));
        assert_eq!((fault.hits(), host.root.exists("a").await.unwrap()), (1, false), "{action:?}");
        assert_eq!(host.root.text("b").await.unwrap(), "x");
    }
}
