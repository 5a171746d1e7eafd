//! Answers that come early, odd, or not as they were announced (rules R09–R12, E05).

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use storage_core::{Conditions, ETag, ErrorKind, GetOptions, HeadOptions};

use crate::hosting::kind;
use crate::peer::{OBJECT, Server, answer};

/// An answer that comes while the content is still being sent is the answer, however the connection ends then.
#[tokio::test]
async fn an_early_answer_is_told() {
    let content = Bytes::from(vec![7; 20 << 20]);
    const BUSY: &str = "<Error><Code>ServiceUnavailable</Code></Error>";
    for (status, body, expected) in [
        ("403 Forbidden", "", ErrorKind::PermissionDenied),
        ("412 Precondition Failed", "", ErrorKind::PreconditionFailed),
        ("503 Service Unavailable", BUSY, ErrorKind::Unavailable),
    ] {
        for (read, close) in [(0, true), (0, false), (1 << 20, true), (8 << 20, true), (8 << 20, false)] {
            for round in 0..3 {
                let server = Server::start(move |_, mut peer| {
                    peer.head();
                    peer.read(read);
                    peer.send(answer(status, "Connection: close\r\n", body));
                    if !close {
                        peer.closed();
                    }
                });
                let put = server.root().put("a", content.clone()).await;
                assert_eq!(kind(put), expected, "{status} after {read} bytes, closed: {close}, round {round}");
            }
        }
    }
}

/// What was not sent when an early answer came is neither sent before the next request nor kept in memory.
#[tokio::test]
async fn a_connection_with_content_under_way_is_not_used_again() {
    let server = Server::start(|_, mut peer| {
        peer.head();
        peer.send(answer("403 Forbidden", "", ""));
        peer.closed();
    });
    let root = server.root();
    for round in 1..4 {
        let content = Bytes::from(vec![7; 20 << 20]);
        let put = root.put("a", content.clone()).await;
        assert_eq!((kind(put), server.connections()), (ErrorKind::PermissionDenied, round));
        assert!(content.is_unique(), "the content is still held");
    }
}

/// Rules M01, R10: an answer that does not say how long it is gives no bytes instead of too few.
#[tokio::test]
async fn a_size_that_is_not_told_is_not_zero() {
    let chunked = format!("HTTP/1.1 200 OK\r\n{OBJECT}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let ended = format!("HTTP/1.0 200 OK\r\n{OBJECT}\r\nhello");
    let root = Server::always(chunked).root();
    let read = root.bytes("a").await;
    assert!(read.as_ref().is_err() || read.as_ref().unwrap() == "hello", "{read:?}");
    let server = Server::start(move |_, mut peer| {
        peer.head();
        peer.send(&ended);
    });
    let read = server.root().bytes("a").await;
    assert!(read.as_ref().is_err() || read.as_ref().unwrap() == "hello", "{read:?}");
    let head = Server::always(format!("HTTP/1.1 200 OK\r\n{OBJECT}\r\n")).root().head("a").await;
    assert!(head.is_err(), "{head:?}");
}

/// Ranges say their sizes themselves, whatever carries them.
#[tokio::test]
async fn a_chunked_range_is_read() {
    let headers = format!("{OBJECT}Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n");
    let root =
        Server::always(format!("HTTP/1.1 206 Partial\r\n{headers}\r\n3;x=y\r\n234\r\n0\r\nTrailer: x\r\n\r\n")).root();
    let read = root.get("a", GetOptions::new().range(2..5).buffered()).await.unwrap();
    assert_eq!((read.meta.size, read.range), (10, 2..5));
}

/// What is no head of an answer is told as such; a write is in doubt then, since the other end may be a service.
#[tokio::test]
async fn heads_that_are_none() {
    let flood = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Flood: 1\r\n".repeat(2000));
    let endless = format!("HTTP/1.1 200 OK\r\nX-Endless: {}", "x".repeat(4 << 20));
    let wrong = "HTTP/1.1 200 OK\r\nno header at all\r\n\r\n".to_owned();
    let status = "HTTP/1.1 2000 OK\r\n\r\n".to_owned();
    for head in [flood, endless, wrong, status] {
        let root = Server::always(head.clone()).root();
        let shown = &head[..40.min(head.len())];
        assert_eq!(kind(root.bytes("a").await), ErrorKind::Unavailable, "{shown}");
        assert_eq!(kind(root.put("a", "x").await), ErrorKind::OutcomeUnknown, "{shown}");
    }
    let root = Server::always("\x15\x03\x01\x00\x02\x02\x46").root();
    assert_eq!(kind(root.put("a", "x").await), ErrorKind::Configuration);
    assert_eq!(kind(root.bytes("a").await), ErrorKind::Configuration);
}

/// Interim answers (RFC 9110, section 15.2) are passed over.
#[tokio::test]
async fn interim_answers_are_passed_over() {
    let interim =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
    let server = Server::always(format!("{interim}{}", answer("200 OK", OBJECT, "hello")));
    let root = server.root();
    for _ in 0..3 {
        assert_eq!(root.text("a").await.unwrap(), "hello");
    }
    assert_eq!(server.connections(), 1);
}

/// Bytes behind an answer belong to nothing; the connection is not used again.
#[tokio::test]
async fn bytes_behind_an_answer_end_the_connection() {
    let server = Server::always(format!("{}garbage", answer("200 OK", OBJECT, "hello")));
    let root = server.root();
    for round in 1..5 {
        assert_eq!(root.text("a").await.unwrap(), "hello");
        assert_eq!(server.connections(), round);
    }
}

/// Rule R11: what is stored packed comes packed, whatever its headers say.
#[tokio::test]
async fn packed_content_comes_as_it_is_stored() {
    let headers = format!("{OBJECT}Content-Encoding: gzip\r\n");
    let root = Server::always(answer("200 OK", &headers, "\x1f\u{8}no gzip at all")).root();
    assert_eq!(root.bytes("a").await.unwrap(), "\x1f\u{8}no gzip at all");
}

/// Rule C09: of two conditions on the etag the one that comes first goes out, since services judge them in orders of their
/// own; the other is judged by the answer.
#[tokio::test]
async fn one_condition_on_the_etag_goes_out() {
    let sent = Arc::<Mutex<Vec<String>>>::default();
    let heads = sent.clone();
    let server = Server::start(move |_, mut peer| {
        while let Some(head) = peer.request() {
            let body = if head.starts_with("HEAD") { "" } else { "hello" };
            heads.lock().unwrap().push(head);
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{OBJECT}\r\n{body}"));
        }
    });
    let root = server.root();
    for (unwanted, expected) in [("e", Some(ErrorKind::NotModified)), ("other", None)] {
        let conditions = || Conditions {
            if_match: Some(ETag::new("e")),
            if_none_match: Some(ETag::new(unwanted)),
            ..Conditions::default()
        };
        let mut get = GetOptions::new();
        get.conditions = conditions();
        let got = root.get("a", get).await.err().map(|error| error.kind());
        let head = root.head_with("a", HeadOptions::new().conditions(conditions())).await;
        assert_eq!((got, head.err().map(|error| error.kind())), (expected, expected), "{unwanted}");
    }
    for head in sent.lock().unwrap().iter().map(|head| head.to_ascii_lowercase()) {
        assert!(head.contains("\r\nif-match: \"e\"\r\n") && !head.contains("if-none-match"), "{head}");
    }
}
