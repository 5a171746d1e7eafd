//! Places are held for calls, and for nothing longer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use storage_core::wrappers::{ConcurrencyLimit, ConcurrencyLimitOptions};
use storage_core::{ErrorKind, GetOptions, HeadOptions, ListOptions, Operation, PutOptions};
use tokio::time::Instant;

use crate::common::{Fault, Script};
use crate::{Backend, key, put};

pub(crate) fn limited(inner: &Backend, calls: usize) -> Backend {
    Arc::new(ConcurrencyLimit::new(inner.clone(), ConcurrencyLimitOptions::new().calls(calls)))
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_than_allowed_are_under_way() {
    let script = Script::new();
    let inner = script.memory();
    put(&inner, "a", "x").await;
    script.reset();
    script.takes(Duration::from_secs(1));
    let backend = limited(&inner, 3);
    let started = Instant::now();
    let calls = (0..9).map(|_| async { backend.head(&key("a"), HeadOptions::new()).await.map(drop) });
    futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(script.most_running(), 3);
    assert_eq!(started.elapsed().as_secs(), 3, "nine calls in three rounds");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_gives_its_place_back() {
    let script = Script::new();
    let inner = script.memory();
    put(&inner, "a", "x").await;
    let backend = limited(&inner, 1);
    script.fault(Operation::Head, Fault::Hang);
    let hangs = tokio::time::timeout(Duration::from_secs(1), backend.head(&key("a"), HeadOptions::new())).await;
    assert!(hangs.is_err());
    assert_eq!(script.running(), 0);
    let started = Instant::now();
    backend.head(&key("a"), HeadOptions::new()).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "the place was free");
}

#[tokio::test(start_paused = true)]
async fn open_bodies_listings_and_writers_take_no_place() {
    let script = Script::new();
    script.pieces(1);
    let inner = script.memory();
    put(&inner, "a", "xyz").await;
    let backend = limited(&inner, 1);
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let mut body = backend.get(&key("a"), GetOptions::new()).await.unwrap().body.into_stream();
        body.try_next().await.unwrap();
        bodies.push(body);
    }
    let mut lister = backend.list(ListOptions::new()).await.unwrap();
    let mut writers = Vec::new();
    for _ in 0..3 {
        let mut writer = backend.writer(&key("b"), PutOptions::new()).await.unwrap();
        writer.write(Bytes::from_static(b"w")).await.unwrap();
        writers.push(writer);
    }
    assert_eq!(lister.next_page().await.unwrap().unwrap().entries.len(), 1);
    for body in bodies {
        assert_eq!(body.try_collect::<Vec<_>>().await.unwrap().len(), 2);
    }
    for writer in writers {
        writer.finish().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_place_in_time_was_not_sent() {
    let script = Script::new();
    let inner = script.memory();
    let options = ConcurrencyLimitOptions::new().calls(1).wait(Duration::from_secs(5));
    let backend: Backend = Arc::new(ConcurrencyLimit::new(inner, options));
    script.fault(Operation::Head, Fault::Hang);
    let busy = backend.clone();
    let busy = tokio::spawn(async move { busy.head(&key("a"), HeadOptions::new()).await.map(drop) });
    while script.running() == 0 {
        tokio::task::yield_now().await;
    }
    let error = backend.put(&key("a"), "x".into(), PutOptions::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Throttled, true));
    assert_eq!(script.calls(Operation::Put), 0);
    busy.abort();
}
