//! What is repeated, how often, and what never is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use storage_core::wrappers::{Retry, RetryOptions};
use storage_core::{
    DeleteOptions, ErrorKind, GetOptions, HeadOptions, ListOptions, Operation, PutOptions, StorageBackend,
};
use tokio::time::Instant;

use crate::common::{Fault, Script};
use crate::{Backend, key, put, reads, text};

fn retried(inner: &Backend) -> Backend {
    Arc::new(Retry::new(inner.clone(), RetryOptions::new().attempts(4).seed(1)))
}

#[tokio::test(start_paused = true)]
async fn reads_that_fail_in_passing_are_repeated() {
    let script = Script::new();
    let inner = script.memory();
    put(&inner, "a", "old").await;
    let backend = retried(&inner);
    for (operation, read) in reads(&backend) {
        for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Throttled] {
            script.fault(operation, Fault::Refused(kind));
        }
        script.reset();
        read.await.unwrap_or_else(|error| panic!("{operation}: {error}"));
        assert_eq!(script.calls(operation), 4, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded_and_the_last_error_is_untouched() {
    let script = Script::new();
    let inner = script.memory();
    let backend = retried(&inner);
    script.faults(Operation::Head, Fault::Refused(ErrorKind::Unavailable), 3);
    script.fault(Operation::Head, Fault::Refused(ErrorKind::Throttled));
    let error = backend.head(&key("a"), HeadOptions::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Throttled, "scripted: refused"));
    assert_eq!(script.calls(Operation::Head), 4);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_pass_is_not_repeated() {
    let script = Script::new();
    let inner = script.memory();
    let backend = retried(&inner);
    for kind in [ErrorKind::PermissionDenied, ErrorKind::Unauthenticated, ErrorKind::OutOfSpace, ErrorKind::Other] {
        script.reset();
        script.fault(Operation::Head, Fault::Unsent(kind));
        assert_eq!(backend.head(&key("a"), HeadOptions::new()).await.unwrap_err().kind(), kind);
        assert_eq!(script.calls(Operation::Head), 1, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_bounds_the_whole_call() {
    for seed in 0..20 {
        let script = Script::new();
        script.takes(Duration::from_secs(1));
        script.faults(Operation::Head, Fault::Refused(ErrorKind::Unavailable), 1000);
        let options = RetryOptions::new().attempts(1000).budget(Duration::from_secs(10)).seed(seed);
        let backend = Retry::new(script.memory(), options.base(Duration::from_secs(1)));
        let started = Instant::now();
        backend.head(&key("a"), HeadOptions::new()).await.unwrap_err();
        // The last attempt begins within the budget and takes its own second.
        assert!(started.elapsed() <= Duration::from_secs(11), "seed {seed}: {:?}", started.elapsed());
        assert!(script.calls(Operation::Head) > 1, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_up_to_the_longest_and_are_random() {
    let mut totals = Vec::new();
    for seed in 0..20 {
        let script = Script::new();
        script.faults(Operation::Head, Fault::Refused(ErrorKind::Unavailable), 5);
        let options = RetryOptions::new().attempts(5).seed(seed).base(Duration::from_secs(1));
        let backend = Retry::new(script.memory(), options.longest(Duration::from_secs(3)));
        let started = Instant::now();
        backend.head(&key("a"), HeadOptions::new()).await.unwrap_err();
        totals.push(started.elapsed());
    }
    // At most 1 + 2 + 3 + 3 seconds, and the timer's millisecond for each.
    assert!(totals.iter().all(|total| *total <= Duration::from_millis(9004)), "{totals:?}");
    assert!(totals.iter().any(|total| *total > Duration::from_secs(4)), "{totals:?}");
    totals.sort();
    totals.dedup();
    assert!(totals.len() > 10, "jitter: {totals:?}");
}

#[tokio::test(start_paused = true)]
async fn changes_are_repeated_only_when_they_were_not_sent() {
    let script = Script::new();
    let inner = script.memory();
    let backend = retried(&inner);
    script.faults(Operation::Put, Fault::Unsent(ErrorKind::Unavailable), 2);
    backend.put(&key("a"), "new".into(), PutOptions::new().create_only()).await.unwrap();
    assert_eq!(script.calls(Operation::Put), 3);
    assert_eq!(text(&inner, "a").await.unwrap(), "new");

    script.reset();
    script.fault(Operation::Put, Fault::Refused(ErrorKind::Unavailable));
    let sent = backend.put(&key("a"), "newer".into(), PutOptions::new()).await;
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(script.calls(Operation::Put), 1, "it may have been sent");
}

#[tokio::test(start_paused = true)]
async fn a_create_only_put_that_lost_its_answer_is_never_repeated() {
    for kind in [ErrorKind::OutcomeUnknown, ErrorKind::Timeout, ErrorKind::Unavailable] {
        let script = Script::new();
        let inner = script.memory();
        let backend = retried(&inner);
        script.fault(Operation::Put, Fault::Lost(kind));
        let lost = backend.put(&key("a"), "new".into(), PutOptions::new().create_only()).await;
        // A second attempt would have met the first one's object and said AlreadyExists.
        assert_eq!(lost.unwrap_err().kind(), kind);
        assert_eq!(script.calls(Operation::Put), 1);
        assert_eq!(text(&inner, "a").await.unwrap(), "new");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_an_open_writer_are_not_repeated() {
    let script = Script::new();
    let inner = script.memory();
    let backend = retried(&inner);
    let mut writer = backend.writer(&key("a"), PutOptions::new()).await.unwrap();
    script.fault(Operation::Write, Fault::Lost(ErrorKind::Unavailable));
    assert_eq!(writer.write(Bytes::from_static(b"twice?")).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(script.calls(Operation::Write), 1);
    writer.abort().await.unwrap();
    assert_eq!(text(&inner, "a").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_page_is_repeated_and_none_is_lost() {
    let script = Script::new();
    let inner = script.memory();
    for name in ["a", "b", "c", "d", "e"] {
        put(&inner, name, "x").await;
    }
    let backend = retried(&inner);
    let mut lister = backend.list(ListOptions::new().page_size(2)).await.unwrap();
    let mut listed = Vec::new();
    script.fault(Operation::List, Fault::Refused(ErrorKind::Unavailable));
    script.fault(Operation::List, Fault::Lost(ErrorKind::Timeout));
    while let Some(page) = lister.next_page().await.unwrap() {
        listed.extend(page.entries.iter().map(|entry| entry.as_str().to_owned()));
        script.fault(Operation::List, Fault::Lost(ErrorKind::Unavailable));
    }
    assert_eq!(listed, ["a", "b", "c", "d", "e"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_goes_on_where_it_was() {
    let script = Script::new();
    script.pieces(3);
    let inner = script.memory();
    put(&inner, "a", "0123456789abcdef").await;
    let backend = retried(&inner);
    script.reset();
    let mut body = backend.get(&key("a"), GetOptions::new().range(1..14)).await.unwrap().body.into_stream();
    let mut read = Vec::new();
    while let Some(piece) = body.try_next().await.unwrap() {
        read.extend_from_slice(&piece);
        script.fault(Operation::Read, Fault::Refused(ErrorKind::Unavailable));
    }
    assert_eq!(String::from_utf8(read).unwrap(), "123456789abcd");
    assert!(script.calls(Operation::Get) > 3, "it was opened again");
}

#[tokio::test(start_paused = true)]
async fn a_body_whose_object_changed_does_not_go_on() {
    for gone in [false, true] {
        let script = Script::new();
        script.pieces(3);
        let inner = script.memory();
        put(&inner, "a", "0123456789").await;
        let backend = retried(&inner);
        let mut body = backend.get(&key("a"), GetOptions::new()).await.unwrap().body.into_stream();
        assert_eq!(body.try_next().await.unwrap().unwrap(), "012");
        match gone {
            true => inner.delete(&key("a"), DeleteOptions::new()).await.unwrap(),
            false => put(&inner, "a", "ABCDEFGHIJ").await,
        }
        script.fault(Operation::Read, Fault::Refused(ErrorKind::Unavailable));
        assert_eq!(body.try_next().await.unwrap_err().kind(), ErrorKind::ObjectChanged);
        assert!(body.next().await.is_none());
    }
}
