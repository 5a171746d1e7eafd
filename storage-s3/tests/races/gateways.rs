//! Rule W03, C06: what stands between a client and its service answers in the service's place, and services answer before
//! they are done. What such an answer says of a write is taken for no more than it is.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use storage_core::wrappers::{Retry, RetryOptions};
use storage_core::{CopyOptions, ETag, ErrorKind, PutOptions, Storage};

use crate::hosting::{kind, says};
use crate::peer::{OBJECT, Server, answer};

/// Answers each request, whose head and number from 0 it is given.
fn service(answers: impl Fn(&str, usize) -> String + Send + Sync + 'static) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |_, mut peer| {
        while let Some(head) = peer.request() {
            peer.send(answers(&head, next.fetch_add(1, Ordering::SeqCst)));
        }
    })
}

fn create() -> PutOptions {
    PutOptions::new().create_only()
}

fn swap() -> PutOptions {
    PutOptions::new().if_match(ETag::new("\"e\""))
}

/// The write-id of a request.
fn mark(head: &str) -> String {
    let mark = head.lines().find(|line| line.starts_with("x-amz-meta-storage-write-id"));
    format!("{}\r\n", mark.unwrap())
}

/// A gateway has waited for the service in vain, or lost it: the write is in doubt, and was repeated.
#[tokio::test]
async fn a_gateway_s_own_answer_leaves_a_write_in_doubt() {
    for status in ["503 Service Unavailable", "520 Web Server Returned an Unknown Error", "524 A Timeout Occurred"] {
        let server = service(move |_, _| answer(status, "", ""));
        let root = server.root_with(|options| options.retries.attempts = 2);
        assert_eq!(kind(root.put_with("a", "x", create()).await), ErrorKind::OutcomeUnknown, "{status}");
        assert_eq!(kind(root.put("a", "x").await), ErrorKind::OutcomeUnknown, "{status}");
        assert_eq!(kind(root.bytes("a").await), ErrorKind::Unavailable, "{status}");
    }
    for (status, expected) in [("501 Not Implemented", ErrorKind::Unsupported), ("507 Full", ErrorKind::OutOfSpace)] {
        let server = service(move |_, _| answer(status, "", ""));
        assert_eq!(kind(server.root().put_with("a", "x", create()).await), expected, "{status}");
    }
}

/// The write has landed all the same: its own refusal is settled by its mark.
#[tokio::test]
async fn a_write_that_landed_behind_a_gateway_s_back_is_found() {
    let stored = std::sync::Mutex::new(String::new());
    let server = service(move |head, number| match number {
        0 => {
            *stored.lock().unwrap() = mark(head);
            answer("524 A Timeout Occurred", "", "")
        }
        1 => answer("412 Precondition Failed", "", ""),
        _ => format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n{OBJECT}{}\r\n", stored.lock().unwrap()),
    });
    let root = server.root_with(|options| options.retries.attempts = 3);
    assert_eq!(root.put_with("a", "x", create()).await.unwrap().etag, ETag::new("\"e\""));
}

/// The object that was asked for is there as it was: the attempt that nobody answered may yet land, and nobody was faster.
#[tokio::test]
async fn a_swap_under_way_is_not_told_as_lost() {
    let server = service(|head, number| match number {
        _ if head.starts_with("HEAD") => format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n{OBJECT}\r\n"),
        0 => answer("504 Gateway Timeout", "", ""),
        _ => answer("409 Conflict", "", "<Error><Code>ConditionalRequestConflict</Code></Error>"),
    });
    let root = server.root_with(|options| options.retries.attempts = 3);
    let error = root.put_with("a", "x", swap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
}

/// An upload in parts whose completion is answered 200, with an error behind it: the error counts as if it had come at once.
#[tokio::test]
async fn an_error_inside_a_success_keeps_its_meaning() {
    for (code, expected) in [
        ("PreconditionFailed", ErrorKind::AlreadyExists),
        ("AccessDenied", ErrorKind::PermissionDenied),
        ("InvalidPart", ErrorKind::InvalidInput),
        ("NoSuchUpload", ErrorKind::Conflict),
        ("InternalError", ErrorKind::OutcomeUnknown),
        ("SomethingElse", ErrorKind::OutcomeUnknown),
    ] {
        let server = service(move |head, _| {
            let started = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
            match head.split(' ').next().unwrap() {
                "POST" if head.contains("?uploads") => answer("200 OK", "", started),
                "POST" => answer("200 OK", "", &format!("\n\n<Error><Code>{code}</Code></Error>")),
                _ => answer("200 OK", "ETag: \"p\"\r\n", ""),
            }
        });
        let root = server.root_with(|options| (options.retries.attempts, options.part_size) = (1, 5 << 20));
        let mut writer = root.writer_with("a", create()).await.unwrap();
        writer.write(vec![7_u8; 6 << 20]).await.unwrap();
        let error = writer.finish().await.unwrap_err();
        assert_eq!(error.kind(), expected, "{code}: {error}");
    }
}

/// A success without an etag says nothing of what there is; no answer was lost, and the error does not say so.
#[tokio::test]
async fn a_success_without_an_etag_is_told_as_that() {
    let server = Server::always(answer("200 OK", "", ""));
    let error = server.root().put("a", "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    says(&error, &["took the write", "no etag"]);
    assert!(!error.to_string().contains("lost"), "{error}");
}

/// A move whose copy was made is not repeated as a whole because its delete did not even leave this machine: a create-only
/// copy would meet itself.
#[tokio::test]
async fn a_move_is_not_repeated_after_its_copy() {
    let copies = Arc::<AtomicUsize>::default();
    let count = copies.clone();
    let server = Server::once(move |mut peer| {
        while let Some(head) = peer.request() {
            if head.starts_with("HEAD") {
                peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n{OBJECT}\r\n"));
            } else {
                count.fetch_add(1, Ordering::SeqCst);
                let result = "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>";
                return peer.send(answer("200 OK", "Connection: close\r\n", result));
            }
        }
    });
    let mut retry = RetryOptions::default();
    (retry.attempts, retry.base) = (3, Duration::from_millis(1));
    let root = server.root();
    let root = Storage::new(Retry::new(root.backend().clone(), retry));
    let error = root.rename_with("a", "b", CopyOptions::new().create_only()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Unavailable, false), "{error}");
    says(&error, &["the copy was made"]);
    assert_eq!(copies.load(Ordering::SeqCst), 1);
}

/// Rule M05: a service that makes up a content type is told that there is none.
#[tokio::test]
async fn no_content_type_is_sent_as_none() {
    let sent = Arc::<std::sync::Mutex<Vec<String>>>::default();
    let heads = sent.clone();
    let server = service(move |head, _| {
        heads.lock().unwrap().push(head.to_ascii_lowercase());
        answer("200 OK", "ETag: \"e\"\r\n", "")
    });
    server.root().put("a.html", "x").await.unwrap();
    assert!(sent.lock().unwrap()[0].contains("\r\ncontent-type: binary/octet-stream\r\n"), "{sent:?}");
}
