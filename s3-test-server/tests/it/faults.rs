//! Each fault does to a request what it says, and to no other.

use std::io::ErrorKind;
use std::time::Duration;

use crate::client::Request;
use s3_test_server::{Fault, FaultAction, S3Server, ServerOptions};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

async fn server() -> S3Server {
    let server = S3Server::start(ServerOptions::new()).await.unwrap();
    server.create_bucket("bucket");
    server
}

fn put(key: &str, body: &str) -> Request {
    Request::new("PUT", &format!("/bucket/{key}")).body(body)
}

fn get(key: &str) -> Request {
    Request::new("GET", &format!("/bucket/{key}"))
}

async fn exists(server: &S3Server, key: &str) -> bool {
    get(key).send(server).await.unwrap().status == 200
}

#[tokio::test]
async fn a_status_is_answered_with_its_code_and_nothing_is_done() {
    let server = server().await;
    let action = FaultAction::Status { status: 503, code: "SlowDown".to_owned(), retry_after: Some(7) };
    let handle = server.inject(Fault::new(action).on("PutObject").nth(2).times(1));
    assert_eq!(put("a", "1").send(&server).await.unwrap().status, 200);
    let answer = put("b", &"x".repeat(1 << 20)).send(&server).await.unwrap();
    assert_eq!(answer.failure(), (503, "SlowDown".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(answer.element("Resource").as_deref(), Some("/bucket/b"));
    assert_eq!(answer.element("RequestId").as_deref(), answer.header("x-amz-request-id"));
    assert!(exists(&server, "a").await && !exists(&server, "b").await);
    assert_eq!(put("b", "3").send(&server).await.unwrap().status, 200);
    assert_eq!(handle.hits(), 1);
    assert_eq!(server.counts().of("PutObject"), 3);
}

#[tokio::test]
async fn a_reset_is_one_and_the_request_is_done_or_not_as_the_fault_says() {
    let server = server().await;
    for (action, key, done) in [
        (FaultAction::Reset, "reset", false),
        (FaultAction::LoseResponseBeforeProcessing, "before", false),
        (FaultAction::ResetAfterRequest, "after", true),
    ] {
        let handle = server.inject(Fault::new(action).key_contains(key).times(1));
        let error = put(key, "body").send(&server).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{key}");
        assert_eq!(exists(&server, key).await, done, "{key}");
        assert_eq!(handle.hits(), 1);
        let recorded = server.requests().into_iter().find(|request| request.target.ends_with(key)).unwrap();
        assert_eq!((recorded.operation, recorded.status), ("PutObject", None));
    }
}

#[tokio::test]
async fn a_body_is_cut_after_so_many_bytes_or_damaged() {
    let server = server().await;
    put("k", "0123456789").send(&server).await.unwrap();
    for cut in [0, 4] {
        server.inject(Fault::new(FaultAction::CutBody(cut)).times(1));
        let error = get("k").send(&server).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::UnexpectedEof, format!("{cut} of 10 bytes")));
    }
    server.inject(Fault::new(FaultAction::FlipByte).times(1));
    assert_eq!(get("k").send(&server).await.unwrap().body, b"1123456789");
    assert_eq!(get("k").send(&server).await.unwrap().body, b"0123456789");
}

#[tokio::test]
async fn documents_are_truncated_or_errors_and_etags_are_wrong() {
    let server = server().await;
    let etag = put("k", "body").send(&server).await.unwrap().header("etag").unwrap().to_owned();
    let list = Request::new("GET", "/bucket?list-type=2");
    server.inject(Fault::new(FaultAction::TruncatedXml(60)).on("ListObjectsV2").times(1));
    let answer = list.send(&server).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 60));
    assert!(!answer.text().contains("</ListBucketResult>"));

    let copy = Request::new("PUT", "/bucket/copy").header("x-amz-copy-source", "bucket/k");
    server.inject(Fault::new(FaultAction::ErrorInside200).on("CopyObject").times(1));
    assert_eq!(copy.send(&server).await.unwrap().failure(), (200, "InternalError".to_owned()));
    assert!(!exists(&server, "copy").await);

    let handle = server.inject(Fault::new(FaultAction::WrongETag));
    assert_ne!(get("k").send(&server).await.unwrap().header("etag"), Some(etag.as_str()));
    let wrong = copy.send(&server).await.unwrap().element("ETag").unwrap();
    assert!(wrong.contains("bad") && handle.hits() == 2);
    handle.remove();
    assert_eq!(get("copy").send(&server).await.unwrap().header("etag"), Some(etag.as_str()));
}

#[tokio::test]
async fn a_range_is_ignored_and_a_listing_is_stale() {
    let server = server().await;
    put("k", "0123456789").send(&server).await.unwrap();
    let range = get("k").header("range", "bytes=2-3");
    server.inject(Fault::new(FaultAction::IgnoreRange).times(1));
    let answer = range.send(&server).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"0123456789"[..]));
    let answer = range.send(&server).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (206, &b"23"[..]));

    put("new", "").send(&server).await.unwrap();
    let list = Request::new("GET", "/bucket?list-type=2");
    server.inject(Fault::new(FaultAction::StaleList).on("ListObjectsV2").times(1));
    assert_eq!(list.send(&server).await.unwrap().element("KeyCount").as_deref(), Some("1"));
    assert_eq!(list.send(&server).await.unwrap().element("KeyCount").as_deref(), Some("2"));
}

#[tokio::test]
async fn a_hung_request_is_counted_and_never_answered_and_a_delayed_one_is() {
    let server = server().await;
    server.inject(Fault::new(FaultAction::Hang).on("PutObject"));
    let hung = tokio::time::timeout(Duration::from_millis(200), put("k", "x").send(&server)).await;
    assert!(hung.is_err());
    assert_eq!(server.counts().of("PutObject"), 1);
    server.clear_faults();
    assert!(!exists(&server, "k").await);

    server.inject(Fault::new(FaultAction::Delay(Duration::from_millis(100))));
    let start = std::time::Instant::now();
    assert!(!exists(&server, "k").await);
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_connection_is_closed_without_notice() {
    let server = server().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    put("k", "body").send_on(&server, &mut stream).await.unwrap();
    server.inject(Fault::new(FaultAction::DropIdleConnections).times(1));
    let answer = get("k").send_on(&server, &mut stream).await.unwrap();
    assert_eq!((answer.status, answer.header("connection"), answer.body.as_slice()), (200, None, &b"body"[..]));
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}
