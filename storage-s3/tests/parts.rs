//! Streaming writes against the in-process server (rules W04–W15, C01–C07, E05).

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use s3_test_server::{Fault, FaultAction, S3Server, ServerOptions};
use storage_core::{
    Attributes, BackendWriter, ErrorKind, GetOptions, HeadOptions, PutOptions, Result, StorageBackend, SweepOptions,
};
use storage_s3::{ConditionPolicy, S3};
use support::{BUCKET, key, on, put, server, until};

const PART: usize = 5 << 20;

/// A server, and a backend that trusts its conditions without a probe and sends parts of 5 MiB.
async fn bucket() -> (S3Server, S3) {
    let server = server(ServerOptions::new()).await;
    let backend = backend(&server);
    (server, backend)
}

fn backend(server: &S3Server) -> S3 {
    let mut options = on(server);
    options.part_size = PART as u64;
    options.conditions = ConditionPolicy::All;
    S3::new(options).unwrap()
}

fn bytes(length: usize) -> Bytes {
    let mut bytes = (0..=250).collect::<Vec<u8>>().repeat(length / 251 + 1);
    bytes.truncate(length);
    bytes.into()
}

async fn open(backend: &S3, options: PutOptions) -> Box<dyn BackendWriter> {
    backend.writer(&key("object"), options).await.unwrap()
}

/// A write of two parts up to its end.
async fn two_parts(backend: &S3, options: PutOptions) -> Result<storage_core::PutResult> {
    let mut writer = backend.writer(&key("object"), options).await?;
    writer.write(bytes(PART + 10)).await?;
    writer.finish().await
}

async fn content(backend: &S3) -> Bytes {
    let read = backend.get(&key("object"), GetOptions::new()).await.unwrap();
    let pieces: Vec<Bytes> = read.body.into_stream().try_collect().await.unwrap();
    pieces.concat().into()
}

async fn missing(backend: &S3) -> bool {
    backend.head(&key("object"), HeadOptions::new()).await.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// W07, W08, W13, S13: up to a part is one request, more is one for each part and two around them; the result is what head
/// says.
#[tokio::test]
async fn w08_w13_sizes_around_a_part() {
    let (server, backend) = bucket().await;
    for (length, parts) in [(0, 0), (1, 0), (PART - 1, 0), (PART, 0), (PART + 1, 2), (2 * PART, 2), (2 * PART + 1, 3)] {
        server.reset_counts();
        let mut writer = open(&backend, PutOptions::new()).await;
        for chunk in bytes(length).chunks(1_000_003) {
            writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        let written = writer.finish().await.unwrap();
        let counts = server.counts();
        let kinds = ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"];
        let expected = if parts == 0 { [1, 0, 0, 0] } else { [0, 1, parts, 1] };
        assert_eq!(kinds.map(|kind| counts.of(kind)), expected, "{length} bytes");
        assert_eq!(counts.total(), expected.iter().sum::<u64>(), "{length} bytes: {counts}");
        let head = backend.head(&key("object"), HeadOptions::new()).await.unwrap().meta;
        assert_eq!(
            (written.size, written.etag, written.version),
            (head.size, head.etag, head.version),
            "{length} bytes"
        );
        assert!(content(&backend).await == bytes(length), "{length} bytes");
    }
}

/// W04, W15: nothing is there before the end, then all of it, with its attributes.
#[tokio::test]
async fn w04_w15_all_at_once() {
    let (_server, backend) = bucket().await;
    let attributes = Attributes::new().content_type("text/plain").user("name", "Grüße");
    let mut writer = open(&backend, PutOptions::new().attributes(attributes.clone())).await;
    writer.write(bytes(2 * PART + 1)).await.unwrap();
    assert!(missing(&backend).await);
    writer.finish().await.unwrap();
    assert_eq!(backend.head(&key("object"), HeadOptions::new()).await.unwrap().attributes, attributes);
}

/// W05, W06: an abort or a drop leaves no upload, and one of a write that sent nothing makes no request.
#[tokio::test]
async fn w05_w06_aborts_leave_nothing() {
    let (server, backend) = bucket().await;
    let mut writer = open(&backend, PutOptions::new()).await;
    writer.write(bytes(10)).await.unwrap();
    writer.abort().await.unwrap();
    drop(open(&backend, PutOptions::new()).await);
    assert_eq!(server.counts().total(), 0);

    let mut writer = open(&backend, PutOptions::new()).await;
    writer.write(bytes(2 * PART + 1)).await.unwrap();
    assert_eq!(server.unfinished_uploads(BUCKET), 1);
    writer.abort().await.unwrap();
    assert_eq!(server.unfinished_uploads(BUCKET), 0);

    let mut writer = open(&backend, PutOptions::new()).await;
    writer.write(bytes(2 * PART + 1)).await.unwrap();
    drop(writer);
    until("the dropped upload is gone", || server.unfinished_uploads(BUCKET) == 0).await;
    assert!(missing(&backend).await);
}

/// W05: an abort of an upload that somebody else has aborted is Ok; writing on says that the write must start again.
#[tokio::test]
async fn w05_an_upload_that_is_gone() {
    for aborted in [true, false] {
        let (server, backend) = bucket().await;
        let mut writer = open(&backend, PutOptions::new()).await;
        writer.write(bytes(PART + 1)).await.unwrap();
        until("the part is there", || server.counts().of("UploadPart") == 1).await;
        assert_eq!(backend.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap().removed, 1);
        if aborted {
            writer.abort().await.unwrap();
        } else {
            assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Conflict);
        }
        assert!(missing(&backend).await);
    }
}

/// W06: a part arrives while its writer does nothing, so that a slow source runs into no time-out.
#[tokio::test]
async fn w06_parts_go_on_by_themselves() {
    let (server, backend) = bucket().await;
    let mut writer = open(&backend, PutOptions::new()).await;
    writer.write(bytes(PART + 1)).await.unwrap();
    until("the part has been answered", || server.requests().iter().any(|request| request.operation == "UploadPart"))
        .await;
    writer.finish().await.unwrap();
}

/// W09: other than the declared length is an error before anything is visible.
#[tokio::test]
async fn w09_declared_lengths() {
    let (server, backend) = bucket().await;
    for (declared, came) in [(PART + 5, PART + 6), (PART + 7, PART + 6), (3, 4), (5, 4)] {
        let mut writer = open(&backend, PutOptions::new().length(declared as u64)).await;
        let error = match writer.write(bytes(came)).await {
            Ok(()) => writer.finish().await.unwrap_err(),
            Err(error) => {
                let again = writer.write(bytes(1)).await.unwrap_err();
                assert_eq!(again.kind(), ErrorKind::Closed, "what is lost stays lost");
                error
            }
        };
        assert_eq!(error.kind(), ErrorKind::LengthMismatch, "{declared} declared, {came} came");
        assert!(missing(&backend).await);
        assert_eq!(server.unfinished_uploads(BUCKET), 0);
    }
}

/// C01, C03, C04: conditions are judged at the end, and one that fails leaves nothing.
#[tokio::test]
async fn c03_c04_conditions() {
    let (server, backend) = bucket().await;
    let created = two_parts(&backend, PutOptions::new().create_only()).await.unwrap();
    let refused = two_parts(&backend, PutOptions::new().create_only()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);

    let mut late = open(&backend, PutOptions::new().if_match(created.etag.clone())).await;
    late.write(bytes(PART + 10)).await.unwrap();
    put(&backend, "object", "another").await;
    assert_eq!(late.finish().await.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    assert_eq!(content(&backend).await, "another");

    let etag = backend.head(&key("object"), HeadOptions::new()).await.unwrap().meta.etag;
    two_parts(&backend, PutOptions::new().if_match(etag)).await.unwrap();
    backend.delete(&key("object"), Default::default()).await.unwrap();
    let refused = two_parts(&backend, PutOptions::new().if_match(created.etag)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PreconditionFailed, "there is no object");
    assert_eq!(server.unfinished_uploads(BUCKET), 0);
}

/// C01: of many streaming creates exactly one wins, and nothing is left of the others.
#[tokio::test]
async fn c01_one_create_wins() {
    let (server, backend) = bucket().await;
    let race = (0..6).map(|_| two_parts(&backend, PutOptions::new().create_only()));
    let results = futures::future::join_all(race).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    }
    assert_eq!(server.unfinished_uploads(BUCKET), 0);
}

/// C06: a completion whose answer was lost is found by its mark, whatever the condition.
#[tokio::test]
async fn c06_a_lost_completion_is_found() {
    for action in [FaultAction::ResetAfterRequest, FaultAction::CutBody(40), FaultAction::TruncatedXml(60)] {
        let (server, backend) = bucket().await;
        for round in 0..3 {
            let options = match round {
                0 => PutOptions::new().create_only(),
                1 => PutOptions::new()
                    .if_match(backend.head(&key("object"), HeadOptions::new()).await.unwrap().meta.etag),
                _ => PutOptions::new(),
            };
            let lost = server.inject(Fault::new(action.clone()).on("CompleteMultipartUpload").times(1));
            let written = two_parts(&backend, options).await.unwrap();
            assert_eq!(lost.hits(), 1, "{action:?} in round {round}");
            let head = backend.head(&key("object"), HeadOptions::new()).await.unwrap().meta;
            assert_eq!((written.size, written.etag), (head.size, head.etag), "{action:?} in round {round}");
        }
    }
}

/// C06, W06: a completion of which nothing is known is `OutcomeUnknown`; what it left is found by a sweep.
#[tokio::test]
async fn c06_a_completion_in_doubt() {
    let (server, backend) = bucket().await;
    let lost = server.inject(Fault::new(FaultAction::LoseResponseBeforeProcessing).on("CompleteMultipartUpload"));
    let error = two_parts(&backend, PutOptions::new().create_only()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    lost.remove();
    let removed = backend.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap().removed;
    assert_eq!((removed, server.unfinished_uploads(BUCKET)), (1, 0));
}

/// C07: a conflict on completion is `AlreadyExists` where the key now exists, else `Conflict`.
#[tokio::test]
async fn c07_a_conflict_on_completion() {
    for (there, kind) in [(true, ErrorKind::AlreadyExists), (false, ErrorKind::Conflict)] {
        let (server, backend) = bucket().await;
        if there {
            put(&backend, "object", "theirs").await;
        }
        server.inject(Fault::status(409, "ConditionalRequestConflict").on("CompleteMultipartUpload"));
        let error = two_parts(&backend, PutOptions::new().create_only()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!((missing(&backend).await, server.unfinished_uploads(BUCKET)), (!there, 0));
    }
}

/// E05: what passes is repeated, at every request of a write.
#[tokio::test]
async fn e05_faults_that_pass() {
    let status = |status, code: &str| FaultAction::Status { status, code: code.to_owned(), retry_after: None };
    let faults = [
        status(503, "SlowDown"),
        status(500, "InternalError"),
        FaultAction::Reset,
        FaultAction::ResetAfterRequest,
        FaultAction::ErrorInside200,
    ];
    for operation in ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"] {
        for fault in &faults {
            // A part's answer has no document that could be an error.
            if operation == "UploadPart" && *fault == FaultAction::ErrorInside200 {
                continue;
            }
            let (server, backend) = bucket().await;
            let hits = server.inject(Fault::new(fault.clone()).on(operation).times(1));
            let what = format!("{fault:?} on {operation}");
            let written = two_parts(&backend, PutOptions::new()).await;
            assert!(written.is_ok(), "{what}: {written:?}");
            assert_eq!(hits.hits(), 1, "{what}");
            assert!(content(&backend).await == bytes(PART + 10), "{what}");
        }
    }
}

/// E05, W03: what does not pass is its own kind, changes nothing, and leaves no upload.
#[tokio::test]
async fn e05_faults_that_stay() {
    for (status, code, kind) in [
        (403, "AccessDenied", ErrorKind::PermissionDenied),
        (503, "SlowDown", ErrorKind::Throttled),
        (503, "ServiceUnavailable", ErrorKind::Unavailable),
    ] {
        for operation in ["CreateMultipartUpload", "UploadPart"] {
            let (server, backend) = bucket().await;
            server.inject(Fault::status(status, code).on(operation));
            let error = two_parts(&backend, PutOptions::new()).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{code} on {operation}: {error}");
            assert!(missing(&backend).await);
            until("no upload is left", || server.unfinished_uploads(BUCKET) == 0).await;
        }
    }
}

/// X07: no more parts are under way than options say, however much is written.
#[tokio::test]
async fn parts_under_way_are_bounded() {
    let (server, backend) = bucket().await;
    let hang = server.inject(Fault::new(FaultAction::Hang).on("UploadPart"));
    let mut writer = open(&backend, PutOptions::new()).await;
    // Four under way, and a fifth that is full and waits.
    let write = writer.write(bytes(8 * PART));
    let waited = tokio::time::timeout(Duration::from_secs(2), write).await;
    assert!(waited.is_err(), "the writer takes no more than it may hold");
    until("four parts were sent", || hang.hits() == 4).await;
    drop(writer);
    until("the dropped upload is gone", || server.unfinished_uploads(BUCKET) == 0).await;
}

/// W06: a sweep takes what is old enough by the service's clock, under its own root only.
#[tokio::test]
async fn w06_sweep() {
    let (server, _) = bucket().await;
    let rooted = |root: &str| {
        let mut options = on(&server);
        (options.prefix, options.part_size) = (root.to_owned(), PART as u64);
        S3::new(options).unwrap()
    };
    let (mine, other) = (rooted("mine % +/"), rooted("other/"));
    let mut writers = Vec::new();
    for backend in [&mine, &mine, &other] {
        let mut writer = open(backend, PutOptions::new()).await;
        writer.write(bytes(PART + 1)).await.unwrap();
        writers.push(writer);
    }
    until("the parts are there", || server.counts().of("UploadPart") == 3).await;
    assert_eq!(mine.sweep(SweepOptions::older_than(Duration::from_secs(3600))).await.unwrap().removed, 0);
    assert_eq!(mine.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap().removed, 2);
    assert_eq!(server.unfinished_uploads(BUCKET), 1);
    assert_eq!(
        mine.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap().removed,
        0,
        "a sweep can be repeated"
    );
}
